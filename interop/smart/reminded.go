package smart

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"carerecord/consent/audit"
	"carerecord/consent/policy"
	"carerecord/interop/pages"
	"carerecord/interop/smart/authorize"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/session"
)

// reminder returns the apps of which the user of a session is to be reminded now; none for none (SMART-224). list returns the grants of
// the user.
func (s *Server) reminder(r *http.Request, current *session.Session, list func(context.Context) ([]grants.Listed, error)) ([]pages.App, error) {
	if person, ok := s.cfg.Policy.Person(current.Account); !ok || !person.SignsInAs(current.Issuer, current.Subject) {
		return nil, nil
	}
	due, err := s.users.reminders.Due(r.Context(), current.Account, list)
	if err != nil {
		return nil, err
	}
	return s.apps(r, due)
}

// reminded takes the answer of the form of a reminder: the grant that the user stops, after which the rest is shown once more, or none,
// with which the user goes on.
func (s *Server) reminded(r *http.Request, current *session.Session) error {
	if grant := r.PostForm.Get("grant"); grant != "" {
		_, err := s.stop(r, current.Account, grant)
		return err
	}
	return s.users.reminders.Told(r.Context(), s.remindedEvent(r, current, "reminder"), current.Account)
}

// remindedEvent is the audit event of a user who was told which apps have offline access.
func (s *Server) remindedEvent(r *http.Request, current *session.Session, of string) ledger.Event {
	person, _ := s.cfg.Policy.Person(current.Account)
	agent := audit.Agent{Kind: "user", Subject: current.Account}
	if person.Kind != policy.KindStaff { // staff choose a role for each authorization
		agent.Organisation, agent.Role = person.Organisation, person.Role
	}
	return ledger.Event{Name: "reminder", Request: r.Header.Get(referenceHeader), Of: "page/" + of, Agent: agent, Client: audit.Client{Address: address(r)}}
}

// remindFirst answers a page of ours with a reminder, if one is due; after it the page follows.
func (s *Server) remindFirst(w http.ResponseWriter, r *http.Request, p ownPage) (answered bool, err error) {
	current, err := s.users.current(r)
	if err != nil {
		return false, err
	}
	list, err := s.reminder(r, current, func(ctx context.Context) ([]grants.Listed, error) { return s.Grants.OfUser(ctx, current.Account) })
	if err != nil || len(list) == 0 {
		return false, err
	}
	return true, s.users.pages.Render(w, r, http.StatusOK, pages.Reminder{Action: sameSession(p.reminder(), r), Staff: current.Kind == session.Staff, List: list}, pages.Options{Binding: current.Binding, Account: current.Account, SignOut: SignOutPath})
}

// reminderOf is the last part of the path of the reminder before a page.
const reminderOf = "/" + authorize.StepReminder

func (p ownPage) reminder() string { return strings.TrimSuffix(p.path, "/") + reminderOf }

// serveOwnReminder returns the handler of the form of the reminder before a page of ours; nil for a path that is none.
func (s *Server) serveOwnReminder(path string) func(http.ResponseWriter, *http.Request) error {
	for _, p := range ownPages() {
		if p.reminder() == path {
			return withForm(func(w http.ResponseWriter, r *http.Request) error { return s.remindedBefore(w, r, p) })
		}
	}
	return nil
}

// remindedBefore takes the answer of the reminder before a page, and leads to the page.
func (s *Server) remindedBefore(w http.ResponseWriter, r *http.Request, p ownPage) error {
	if r.Method == http.MethodPost { // else it is loaded again by its path, as after a change of the language
		current, err := s.users.current(r)
		if errors.Is(err, session.ErrNone) {
			return &pages.Failure{Kind: pages.Forbidden, Retry: p.path, Err: err}
		}
		if err != nil {
			return err
		}
		if err := s.users.pages.Check(r, current.Binding, ""); err != nil {
			return err
		}
		if err := s.reminded(r, current); err != nil {
			return err
		}
	}
	seeOther(w, sameSession(p.path, r))
	return nil
}
