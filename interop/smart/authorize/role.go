package authorize

import (
	"net/http"
	"slices"

	"carerecord/consent/policy"
	"carerecord/interop/pages"
	"carerecord/interop/smart/oauth"
	"carerecord/interop/smart/session"
)

// role decides in which role a member of staff acts: exactly one, at one organisation (SMART-203 to 205). Only roles at organisations
// that have signed the agreement and that the client and the launch are for count. One of several is chosen on a page, and the choice
// is part of the transaction alone.
func (e *Endpoint) role(q *request, p *progress) error {
	if p.person.Kind != policy.KindStaff {
		return nil
	}
	all := p.person.AllRoles()
	if len(all) == 0 {
		return e.stop(q, p, pages.NoRole)
	}
	usable := slices.DeleteFunc(all, func(r policy.RoleAt) bool {
		return !e.Policy.Signed(r.Organisation) || p.client.Organisation != "" && p.client.Organisation != r.Organisation ||
			p.t.Launch != nil && p.t.Launch.Organisation != r.Organisation
	})
	if len(usable) == 0 {
		return oauth.Refuse(oauth.AccessDenied, "The user may not use this app.").Because("no role at an organisation that has signed the agreement and may use the app")
	}
	usable = e.withPurpose(p, usable)
	chosen := usable[0]
	if len(usable) > 1 {
		if chosen = p.t.Role; p.t.RoleOf != p.person.User || !slices.Contains(usable, chosen) {
			return e.askRole(q, p, usable)
		}
	}
	p.person, _ = p.person.As(chosen)
	return nil
}

// withPurpose returns the roles of a person that have the purpose of use; the first role if none has, which the next step refuses.
func (e *Endpoint) withPurpose(p *progress, roles []policy.RoleAt) (out []policy.RoleAt) {
	for _, r := range roles {
		if acting, _ := p.person.As(r); e.Policy.PermitsPurpose(acting, p.purpose()) {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return roles[:1]
	}
	return out
}

// askRole shows the page of roles (SMART-203).
func (e *Endpoint) askRole(q *request, p *progress, usable []policy.RoleAt) error {
	if has(p.t.Prompt, "none") {
		return oauth.Refuse(oauth.InteractionRequired, "A person has to choose a role.")
	}
	if p.roles = usable; q.answers(stepRole) {
		p.form = stepRole
		return nil
	}
	return e.show(q, p, http.StatusOK, e.rolePage(q, p))
}

func (e *Endpoint) rolePage(q *request, p *progress) pages.RoleChoice {
	page := pages.RoleChoice{Action: Continue(q.id) + "/" + stepRole, Person: p.person.User}
	for _, r := range p.roles {
		role, _ := e.Policy.Role(r.Role)
		organisation, _ := e.Policy.Organisation(r.Organisation)
		page.Roles = append(page.Roles, pages.Role{Value: valueOf(r), Name: role.Name, Organisation: organisation.Name})
	}
	return page
}

// valueOf is the value of a role in the form.
func valueOf(r policy.RoleAt) string { return r.Organisation + " " + r.Role }

// postRole notes the choice of a role, which must be one that the page offers. The session goes on with another id (SMART-161).
func (e *Endpoint) postRole(q *request, p *progress) error {
	i := slices.IndexFunc(p.roles, func(r policy.RoleAt) bool { return valueOf(r) == q.r.PostForm.Get("role") })
	if i < 0 {
		page := e.rolePage(q, p)
		page.Unanswered = true
		return e.show(q, p, http.StatusBadRequest, page)
	}
	chosen := p.roles[i]
	p.person, _ = p.person.As(chosen)
	if err := e.Grants.Ledger.Note(q.r.Context(), e.event(q, p, "role-choice")); err != nil {
		return err
	}
	p.t.Role, p.t.RoleOf = chosen, p.person.User
	// The session id changes first: without that nothing goes on in the role.
	if _, err := e.Sessions.ChooseRole(q.w, q.r, session.Staff, chosen.Role, chosen.Organisation); err != nil {
		return err
	}
	if err := e.change(q.r.Context(), p.stored, p.t); err != nil {
		return err
	}
	see(q.w, Continue(q.id))
	return errAnswered
}
