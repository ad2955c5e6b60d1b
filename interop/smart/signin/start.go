package signin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/oauth2"

	"carerecord/interop/smart/secret"
	"carerecord/interop/smart/session"
)

// Request is a sign-in to start.
type Request struct {
	Transaction string
	Kind        session.Kind
	Issuer      string // name; may be empty if one issuer has the kind
	Login       bool   // the person must authenticate again, also with a session at the issuer (prompt=login)
}

// leg is the State value of a sign-in that waits for the answer of the issuer. The nonce and the PKCE verifier are
// computed from the state parameter with the key of the digests, so the store has no secret of a leg (SMART-490).
type leg struct {
	Transaction string    `json:"transaction"`
	Issuer      string    `json:"issuer"` // name
	Browser     string    `json:"browser"`
	Login       bool      `json:"login,omitempty"`
	Started     time.Time `json:"started"`
}

// StatePrefix is the prefix of the State keys of sign-ins that wait for the answer of an issuer, and of used logout tokens.
const StatePrefix = "signin/"

func (u *Upstream) legKey(state string) string { return StatePrefix + u.cfg.Digests.Of(state) }

func (u *Upstream) nonce(state string) string { return u.cfg.Digests.Of("nonce\x00" + state) }

// verifier has 64 unreserved characters (RFC 7636 section 4.1).
func (u *Upstream) verifier(state string) string { return u.cfg.Digests.Of("verifier\x00" + state) }

// Start sends the browser to the issuer (303) with state, nonce and PKCE (SMART-115, 181). It sends the cookie that binds
// the answer to the browser, if there is none. The error is an *Error if the issuer does not answer, or if the request is a
// post of a browser without this cookie; then nothing is written.
func (u *Upstream) Start(w http.ResponseWriter, r *http.Request, request Request) error {
	i, err := u.choose(request)
	if err != nil {
		return err
	}
	l := leg{Transaction: request.Transaction, Issuer: i.Name, Login: request.Login, Started: u.cfg.Clock().UTC()}
	provider, err := i.discovered(r.Context())
	if err != nil {
		return u.failed(Down, l, err)
	}
	if l.Browser = u.cfg.Sessions.Browser(w, r); l.Browser == "" {
		return &Error{Reason: UnknownAnswer, Issuer: i.Name, Err: errors.New("a post of a browser without our cookie starts a sign-in")}
	}
	state := secret.New(secret.State)
	value, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("write sign-in: %w", err)
	}
	if err := u.cfg.State.Insert(r.Context(), u.legKey(state), value, l.Started.Add(legLife)); err != nil {
		return fmt.Errorf("store sign-in: %w", err)
	}
	options := []oauth2.AuthCodeOption{oauth2.SetAuthURLParam("nonce", u.nonce(state)), oauth2.S256ChallengeOption(u.verifier(state))}
	if request.Login {
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"))
	}
	config := u.client(i, provider)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "same-origin")
	w.Header().Set("Location", config.AuthCodeURL(state, options...))
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// choose returns the issuer of a request. The kind decides: a name of an issuer of another kind is refused.
func (u *Upstream) choose(request Request) (*issuer, error) {
	names := u.Names(request.Kind)
	name := request.Issuer
	if name == "" && len(names) == 1 {
		name = names[0]
	}
	i := u.issuer(name)
	if i == nil || i.Kind != request.Kind {
		return nil, fmt.Errorf("no issuer %q at which people of kind %q sign in", name, request.Kind)
	}
	if request.Transaction == "" {
		return nil, errors.New("a sign-in needs a transaction")
	}
	return i, nil
}

// client returns the configuration of the OAuth client towards an issuer. It has no client secret.
func (u *Upstream) client(i *issuer, p *provider) *oauth2.Config {
	endpoint := p.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInParams
	return &oauth2.Config{ClientID: i.ClientID, Endpoint: endpoint, RedirectURL: u.cfg.Origin + CallbackPath + i.Name, Scopes: i.scopes()}
}
