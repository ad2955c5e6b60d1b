package smart

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"carerecord/consent/audit"
	"carerecord/interop/pages"
	"carerecord/interop/smart/authorize"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/limits"
	"carerecord/interop/smart/oauth"
	"carerecord/interop/smart/signin"
)

// Observer watches the server, for metrics (SMART-497). Its fields may be nil. It gets no id of a person, a client or a token.
type Observer struct {
	// Count counts something: what is issued, alert, sign-in, session or key-fetch, and label says which.
	Count func(what, label string)
	// Refused counts an answer that refuses a request, with one of the endpoints and of the reasons of Refusals.
	Refused func(endpoint, reason string)
	// Upstream measures a request to an identity provider.
	Upstream func(took time.Duration, ok bool)
}

func (s *Server) count(what, label string) {
	if s.cfg.Observer.Count != nil {
		s.cfg.Observer.Count(what, label)
	}
}

// Refusals returns the reasons for which each endpoint refuses requests: error codes of OAuth, and kinds of error pages.
func Refusals() map[string][]string {
	page := []string{string(pages.BadRequest), string(pages.Forbidden), string(pages.NotFound), string(pages.Ended), string(pages.MethodRefused), string(pages.TooMany), longHeaders}
	all := []string{oauth.InvalidRequest, string(pages.NotFound), string(pages.MethodRefused), string(pages.TooMany), longHeaders} // of the endpoints that answer in JSON
	return map[string][]string{
		"authorize": append([]string{oauth.InvalidRequest, oauth.UnauthorizedClient, oauth.UnsupportedResponseType, oauth.InvalidScope, oauth.AccessDenied, oauth.LoginRequired, oauth.ConsentRequired,
			oauth.InteractionRequired, oauth.RequestNotSupported, oauth.RequestURINotSupported, authorize.LongURL}, page...),
		"token":      append([]string{oauth.InvalidClient, oauth.InvalidGrant, oauth.InvalidScope, oauth.UnauthorizedClient, oauth.UnsupportedGrantType}, all...),
		"introspect": append([]string{oauth.InvalidClient, oauth.InvalidToken}, all...),
		"revoke":     append([]string{oauth.InvalidClient, oauth.UnauthorizedClient}, all...),
		"launch":     append([]string{oauth.InvalidToken}, all...),
		"callback":   append([]string{string(pages.OtherBrowser), string(pages.SignInRefused)}, page...),
		"logout":     all,
		"page":       append([]string{oauth.AccessDenied}, page...),
	}
}

// longHeaders is the reason of the refusal of a request with long headers.
const longHeaders = "headers-too-long"

// refused counts a refusal.
func (s *Server) refused(endpoint, reason string) {
	if s.cfg.Observer.Refused != nil {
		s.cfg.Observer.Refused(endpoint, reason)
	}
}

// observed is called with each event once it is recorded. It counts, and raises the alerts: a line of the log at the level of errors
// with a fixed message (SMART-343).
func (s *Server) observed(e ledger.Event) {
	switch e.Name {
	case "token-issue":
		s.count("issued", map[string]string{"backend": "client_credentials", "user": "authorization_code", "operator": "printed"}[e.Agent.Kind])
	case "token-refresh":
		s.count("issued", "refresh_token")
	case "token-reuse":
		s.alert("refresh-token-reuse", "ALERT: a refresh token was used twice, and its grant has ended", e)
	case "code-reuse":
		s.alert("code-reuse", "ALERT: an authorization code was used twice, and its grant has ended", e)
	case "identity-conflict":
		s.alert("identity-conflict", "ALERT: several resources claim to be one user, and none was picked", e)
	case "sign-in":
		outcome := "permit"
		switch e.Refused {
		case "":
			s.count("session", "begun")
		case unknownPerson:
			outcome = "unknown-person"
		default:
			outcome = e.Refused
		}
		s.count("sign-in", outcome)
	}
}

func (s *Server) alert(name, message string, e ledger.Event) {
	s.count("alert", name)
	s.cfg.Log.Error(message, "alert", name, "of", e.Of, "client", e.Client.ID, "request", e.Request)
}

// measured measures the requests of a client.
type measured struct {
	next     http.RoundTripper
	upstream func(time.Duration, bool)
	clock    func() time.Time
}

// RoundTrip implements http.RoundTripper.
func (m measured) RoundTrip(r *http.Request) (*http.Response, error) {
	began := m.clock()
	answer, err := m.next.RoundTrip(r)
	m.upstream(m.clock().Sub(began), err == nil && answer.StatusCode < http.StatusInternalServerError)
	return answer, err
}

// measure returns a client whose requests are measured.
func (s *Server) measure(c *http.Client) *http.Client {
	if s.cfg.Observer.Upstream == nil {
		return c
	}
	out := *c
	out.Transport = measured{c.Transport, s.cfg.Observer.Upstream, s.cfg.Clock}
	return &out
}

// callback answers what an identity provider sends back, within a limit for each address, and records a sign-in that failed
// (SMART-482, 494).
func (s *Server) callback(answers *limits.Limit) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		source := limits.Source(address(r))
		if !answers.Count(source) { // before it runs, so that answers at the same time are not more
			s.refusals.Count(address(r))
			return pages.Fail(pages.TooMany, nil)
		}
		err := s.users.upstream.Callback(w, r)
		var failed *signin.Error
		if !errors.As(err, &failed) {
			answers.Return(source)
			return err
		}
		e := ledger.Event{Name: "sign-in", Request: r.Header.Get(referenceHeader), Of: "issuer/" + failed.Issuer, Agent: audit.Agent{Kind: "nobody"}, Client: audit.Client{Address: address(r)},
			Refused: string(failed.Reason), Status: http.StatusForbidden}
		within, unrecorded := s.refusals.Note(r.Context(), e)
		switch {
		case unrecorded != nil:
			return unrecorded
		case !within:
			return pages.Fail(pages.TooMany, nil)
		}
		return err
	}
}

// refusedPage is called with the error of each page before it is answered, counts a refusal, and returns the error to answer. A post that
// does not come from a page of ours, and whatever else is forbidden, is recorded, limited by source (SMART-163, 482, 494, 497).
func (s *Server) refusedPage(r *http.Request, err error) error {
	var failed *pages.Failure
	if errors.As(err, &failed) && failed.Kind == pages.Forbidden {
		err = s.noteForbidden(r, failed)
	}
	if errors.As(err, &failed) && failed.Kind.Status() < http.StatusInternalServerError {
		s.refused(endpointOf(r.URL.Path), string(failed.Kind))
	}
	return err
}

// noteForbidden records a page that is forbidden, and returns the error to answer.
func (s *Server) noteForbidden(r *http.Request, failed *pages.Failure) error {
	e := ledger.Event{Name: "page-refused", Request: r.Header.Get(referenceHeader), Of: "endpoint/" + endpointOf(r.URL.Path), Agent: audit.Agent{Kind: "nobody"}, Client: audit.Client{Address: address(r)},
		Refused: string(failed.Kind), Status: failed.Kind.Status()}
	if failed.Err != nil {
		e.Detail = failed.Err.Error()
	}
	within, err := s.refusals.Note(r.Context(), e)
	switch {
	case err != nil:
		return err
	case !within:
		return pages.Fail(pages.TooMany, failed)
	}
	return failed
}

// endpointOf names the endpoint of a path for metrics and audit records. Paths themselves may have secrets, as the id of a transaction.
func endpointOf(path string) string {
	switch {
	case path == authorize.Path, strings.HasPrefix(path, authorize.TransactionPath):
		return "authorize"
	case path == tokenPath:
		return "token"
	case path == introspectPath:
		return "introspect"
	case path == revokePath:
		return "revoke"
	case path == launchPath:
		return "launch"
	case strings.HasPrefix(path, signin.CallbackPath):
		return "callback"
	case strings.HasPrefix(path, signin.LogoutPath):
		return "logout"
	}
	return "page"
}
