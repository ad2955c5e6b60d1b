package smart

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"carerecord/consent/audit"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/limits"
	"carerecord/interop/smart/oauth"
	"carerecord/interop/smart/session"
	"carerecord/interop/smart/signin"
)

// serveLogout ends the sessions of a user at the request of the issuer, with what depends on them (SMART-169, back-channel logout). It
// limits and records what is refused (SMART-482, 494).
func (s *Server) serveLogout(w http.ResponseWriter, r *http.Request) error {
	source := limits.Source(address(r))
	if !s.users.logouts.Count(source) { // before it is read, so that tokens at the same time are not more
		s.refusals.Count(address(r))
		return oauth.TooMany("Too many failed requests. Try again in a minute.")
	}
	r.Body = http.MaxBytesReader(w, r.Body, oauth.MaxBody)
	err := r.ParseForm()
	if err != nil {
		err = fmt.Errorf("%w: %w", signin.ErrLogout, err)
	} else {
		err = s.users.upstream.Logout(r, func(user session.User) error { return s.logOut(r, user) })
	}
	if errors.Is(err, signin.ErrLogout) {
		return s.refusedLogout(r, err)
	}
	s.users.logouts.Return(source)
	if err != nil {
		return oauth.Unavailable(err)
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	return nil
}

// logOut ends the sessions of a user, and then records it. It may be repeated after an error.
func (s *Server) logOut(r *http.Request, user session.User) error {
	ended, err := s.users.sessions.EndAll(r.Context(), user)
	for i := range ended {
		err = errors.Join(err, s.endOnline(r, &ended[i]))
	}
	if err != nil {
		return err
	}
	event := logoutEvent(r, string(user.Kind))
	event.Agent.Kind = "user"
	if person, ok := s.users.personOf(s.cfg.Policy, user); ok {
		event.Agent.Subject = person.User
	}
	return s.Grants.Ledger.Note(r.Context(), event)
}

// refusedLogout records a logout token that is not valid.
func (s *Server) refusedLogout(r *http.Request, cause error) error {
	event := logoutEvent(r, strings.TrimPrefix(r.URL.Path, signin.LogoutPath))
	event.Refused, event.Status, event.Detail = oauth.InvalidRequest, http.StatusBadRequest, cause.Error()
	within, err := s.refusals.Note(r.Context(), event)
	switch {
	case err != nil:
		return oauth.Unavailable(err)
	case !within:
		return oauth.TooMany("Too many failed requests. Try again in a minute.")
	}
	return oauth.Refuse(oauth.InvalidRequest, "The logout token is not valid.").Because("%w", cause)
}

func logoutEvent(r *http.Request, issuer string) ledger.Event {
	return ledger.Event{Name: "logout", Request: r.Header.Get(referenceHeader), Of: "issuer/" + issuer, Agent: audit.Agent{Kind: "nobody"}, Client: audit.Client{Address: address(r)}}
}
