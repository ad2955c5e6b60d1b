package smart

import (
	"errors"
	"net/http"

	"carerecord/consent/audit"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/oauth"
	"carerecord/interop/smart/signin"
)

// serveLogout ends the sessions of a user at the request of the issuer, with what depends on them (SMART-169, back-channel logout).
func (s *Server) serveLogout(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, oauth.MaxBody)
	if err := r.ParseForm(); err != nil {
		return oauth.Refuse(oauth.InvalidRequest, "The body must be a form with logout_token.").Because("%w", err)
	}
	user, err := s.users.upstream.Logout(r)
	if errors.Is(err, signin.ErrLogout) {
		return oauth.Refuse(oauth.InvalidRequest, "The logout token is not valid.").Because("%w", err)
	}
	if err != nil {
		return oauth.Unavailable(err)
	}
	event := ledger.Event{Name: "logout", Request: r.Header.Get(referenceHeader), Of: "issuer/" + string(user.Kind), Agent: audit.Agent{Kind: "user"}, Client: audit.Client{Address: address(r)}}
	if person, ok := personBySubject(s.cfg.Policy, user.Kind, user.Subject); ok {
		event.Agent.Subject = person.User
	}
	if err := s.Grants.Ledger.Note(r.Context(), event); err != nil {
		return oauth.Unavailable(err)
	}
	ended, err := s.users.sessions.EndAll(r.Context(), user)
	for i := range ended {
		err = errors.Join(err, s.endOnline(r, &ended[i]))
	}
	if err != nil {
		return oauth.Unavailable(err)
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	return nil
}
