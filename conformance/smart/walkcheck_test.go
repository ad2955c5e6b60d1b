package smart

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"carerecord/consent"
	"carerecord/fhir/r4"
)

// check compares every token with the model: one that must be active is, and every other is refused. all also checks the tokens
// that were refused before.
func (w *walk) check(all bool) {
	w.Helper()
	for _, a := range w.access {
		want := w.active(a, w.now)
		if !want && !all && a.revoked {
			continue
		}
		typ, searches := searchable(a)
		got := w.get(a.value, typ)
		works := got.code != 401
		if works && !want || want && !works && !a.grant.doubt && !w.safe {
			w.Errorf("SMART-401, 411: a token of %+v (%q): %s: got %d, want active: %v", *a.grant, a.scope, typ, got.code, want)
		}
		if works && a.grant.online {
			a.grant.session.last = w.now // SMART-348: at most once a minute
		}
		if works && got.code != 200 && searches && !w.safe {
			w.Errorf("SMART-411: a token of %+v (%q): %s: got %d", *a.grant, a.scope, typ, got.code)
		}
		if works && a.grant.patient != "" && !strings.Contains(a.scope, "user/") {
			for _, other := range []string{"t1.ann", "t1.bob"} {
				if other != a.grant.patient && strings.Contains(got.text, "Patient/"+other) {
					w.Errorf("SMART-255: a token of %+v reads of %s", *a.grant, other)
				}
			}
		}
		if !want && !a.grant.doubt {
			a.revoked = true // no token becomes active again: the checks of all show it
		}
	}
}

// searchable returns a type that a token asks for, and whether the token permits to search it.
func searchable(a *modelAccess) (typ string, searches bool) {
	for _, token := range strings.Fields(a.scope) {
		s, err := consent.ParseScope(token, r4.IsResource)
		if err != nil || !strings.Contains(s.Permissions, "s") {
			continue
		}
		if s.Type == "*" {
			return "Observation", a.grant.user != ""
		}
		return s.Type, a.grant.user != ""
	}
	return "Observation", false
}

// checkScope checks the scopes of a token: none goes beyond what was asked for, the ceiling of the client, and what the
// person ticked. narrower is what a refresh asked for; "" for everything.
func (w *walk) checkScope(g *modelGrant, scope, narrower string) {
	w.Helper()
	client, err := w.smart[0].Clients.Get(w.Context(), w.ids[g.client])
	w.must(err)
	ceiling, err := client.Ceiling(r4.IsResource)
	w.must(err)
	asked, other := split(g.requested)
	if narrower != "" {
		if narrow, _ := split(narrower); len(narrow) > 0 {
			asked = narrow
		}
	}
	got, others := split(scope)
	for _, o := range others {
		switch {
		case !slices.Contains(other, o), o == "offline_access" && !g.offline, o == "online_access" && !g.online, o == "launch" && !g.launched:
			w.Errorf("SMART-236, 244: %+v was given %s", *g, o)
		}
	}
	for _, s := range got {
		one := consent.Scopes{s}
		if !asked.Covers(one) || !ceiling.Covers(one) {
			w.Errorf("SMART-236: %+v was given %s: asked for are %v, the ceiling is %v", *g, s, asked, ceiling)
		}
		if g.ticks != nil && !g.ticks.permit(s) {
			w.Errorf("SMART-212, 213, 216: %+v was given %s, and the person ticked %+v", *g, s, *g.ticks)
		}
	}
}

// split returns the scopes of resources and the others.
func split(text string) (resources consent.Scopes, others []string) {
	for _, token := range strings.Fields(text) {
		if s, err := consent.ParseScope(token, r4.IsResource); err == nil {
			resources = append(resources, s)
		} else {
			others = append(others, token)
		}
	}
	return resources, others
}

// permit reports whether a person ticked all that a scope permits.
func (c *ticks) permit(s consent.Scope) bool {
	if strings.ContainsAny(s.Permissions, "cud") && !slices.Contains(c.writes, s.Type) {
		return false
	}
	if !strings.ContainsAny(s.Permissions, "rs") {
		return true
	}
	if !slices.Contains(c.groups, s.Type) {
		return false
	}
	for _, box := range c.offered {
		typ, code, _ := strings.Cut(box, "|")
		if typ != s.Type || slices.Contains(c.categories, box) {
			continue
		}
		plain, err := url.PathUnescape(string(s.Constraint))
		if err != nil || plain == "" || slices.ContainsFunc(strings.Split(plain, ","), func(value string) bool { return strings.HasSuffix(value, "|"+code) }) {
			return false
		}
	}
	return true
}

// checkLists compares the grants that each user has with the model: there is none that the user has not made.
func (w *walk) checkLists() {
	w.Helper()
	if w.safe {
		return
	}
	for _, p := range w.policy.People {
		list, err := w.smart[0].Grants.OfUser(w.Context(), p.User)
		w.must(err)
		var got, want []string
		doubt := false
		for _, g := range list {
			got = append(got, g.Client+" "+g.Made.Format(time.RFC3339))
		}
		for _, g := range w.grants {
			if doubt = doubt || g.doubt && g.user == p.User; g.user == p.User && w.live(g, w.now) && g.listed(w.now) {
				want = append(want, w.ids[g.client]+" "+g.made.Format(time.RFC3339))
			}
		}
		if !doubt && !slices.Equal(got, want) {
			w.Errorf("SMART-405: the grants of %s: got %v, want %v", p.User, got, want)
		}
	}
}
