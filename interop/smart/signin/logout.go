package signin

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"carerecord/interop/smart/session"
	"carerecord/store"
)

// LogoutPath is the path of logout tokens. The name of the issuer follows.
const LogoutPath = "/oauth/logout/"

// logoutPrefix is the prefix of the State keys of used logout tokens.
const logoutPrefix = StatePrefix + "logout/"

// logoutEvent is the event of a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.4).
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// ErrLogout says that a logout token is not one of the issuer for us, or was used before.
var ErrLogout = errors.New("the logout token is not valid")

// Logout reads the logout token of a request at LogoutPath, and calls end for the user whose sessions end (SMART-169). Each token is
// accepted once; its use is stored when end has succeeded, so an issuer may repeat a request that failed, and end may be called again
// for sessions that have ended. The issuer must be one that offers them, and must name the user. The error is ErrLogout, that of end,
// that of an issuer that does not answer, or one of State.
func (u *Upstream) Logout(r *http.Request, end func(session.User) error) error {
	token, err := u.readLogout(r)
	if err != nil {
		return err
	}
	_, err = u.cfg.State.Lookup(r.Context(), token.key)
	switch {
	case err == nil:
		return fmt.Errorf("%w: it was used before", ErrLogout)
	case !errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("look up the jti of a logout token: %w", err)
	}
	if err := end(token.user); err != nil {
		return err
	}
	err = u.cfg.State.Insert(r.Context(), token.key, nil, token.ends)
	if err != nil && !errors.Is(err, store.ErrExists) { // the same token ended the same sessions meanwhile
		return fmt.Errorf("store the jti of a logout token: %w", err)
	}
	return nil
}

// logoutToken is a logout token that is valid: whose sessions end, and the State key of its use until it expires.
type logoutToken struct {
	user session.User
	key  string
	ends time.Time
}

// readLogout returns the logout token of a request.
func (u *Upstream) readLogout(r *http.Request) (logoutToken, error) {
	i := u.issuer(strings.TrimPrefix(r.URL.Path, LogoutPath))
	if i == nil || !i.LogsOut {
		return logoutToken{}, fmt.Errorf("%w: no issuer of this name sends them", ErrLogout)
	}
	provider, err := i.discovered(r.Context())
	if err != nil {
		return logoutToken{}, err
	}
	keys := &keysOfToken{keySet: provider.keys}
	verifier := oidc.NewVerifier(i.Issuer.Issuer, keys, &oidc.Config{ClientID: i.ClientID, SupportedSigningAlgs: names(i.Algorithms), SkipExpiryCheck: true})
	parsed, err := verifier.Verify(r.Context(), r.PostForm.Get("logout_token"))
	if errors.Is(keys.err, errDown) {
		return logoutToken{}, keys.err
	}
	if err != nil {
		return logoutToken{}, fmt.Errorf("%w: %s", ErrLogout, whyUnverified(err))
	}
	var c struct {
		Issuer  string                     `json:"iss"`
		ID      string                     `json:"jti"`
		Expires *float64                   `json:"exp"`
		Issued  *float64                   `json:"iat"`
		Nonce   *json.RawMessage           `json:"nonce"`
		Events  map[string]json.RawMessage `json:"events"`
	}
	if err := parsed.Claims(&c); err != nil {
		return logoutToken{}, fmt.Errorf("%w: a claim has the wrong type", ErrLogout)
	}
	now := u.cfg.Clock()
	for _, seconds := range []*float64{c.Expires, c.Issued} {
		if seconds == nil || !(math.Abs(*seconds) < 1e11) {
			return logoutToken{}, fmt.Errorf("%w: an instant is missing or in no calendar", ErrLogout)
		}
	}
	ends := instant(*c.Expires).Add(skew)
	var event map[string]json.RawMessage
	switch {
	case c.Issuer != i.Issuer.Issuer:
		err = errors.New("it is of another issuer")
	case !now.Before(ends) || ends.After(now.Add(legLife+2*skew)):
		err = errors.New("it has expired, or lives too long")
	case instant(*c.Issued).After(now.Add(skew)):
		err = errors.New("it is from the future")
	case c.ID == "" || parsed.Subject == "":
		err = errors.New("it has no jti or names nobody")
	case c.Nonce != nil:
		err = errors.New("it has a nonce, so it is an ID token")
	case json.Unmarshal(c.Events[logoutEvent], &event) != nil || event == nil:
		err = errors.New("it is not about a logout")
	}
	if err != nil {
		return logoutToken{}, fmt.Errorf("%w: %w", ErrLogout, err)
	}
	return logoutToken{session.User{Issuer: i.Issuer.Issuer, Subject: parsed.Subject, Kind: i.Kind}, logoutPrefix + u.cfg.Digests.Of(i.Name+" "+c.ID), ends}, nil
}
