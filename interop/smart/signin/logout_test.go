package signin_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"carerecord/interop/smart/session"
	"carerecord/interop/smart/signin"
)

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// TestLogoutTokens: each check of a logout token (SMART-169): only an issuer that offers them, by its own keys, for us, once, in time,
// about a logout, and never an ID token.
func TestLogoutTokens(t *testing.T) {
	w := newWorld(t, func(w *world) { w.issuers[1].LogsOut = true })
	var ends error // of the sessions
	logout := func(issuer, token string, server int) (user session.User, err error) {
		r := httptest.NewRequest(http.MethodPost, origin+signin.LogoutPath+issuer, strings.NewReader(url.Values{"logout_token": {token}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if err := r.ParseForm(); err != nil {
			t.Fatal(err)
		}
		err = w.servers[server].Logout(r, func(u session.User) error { user = u; return ends })
		return user, err
	}
	claims := func(change func(map[string]any)) map[string]any {
		c := map[string]any{"iss": w.staff.issuer, "sub": "subject-1", "aud": "carerecord", "iat": w.clock().Unix(), "exp": w.clock().Add(2 * time.Minute).Unix(), "jti": "j",
			"events": map[string]any{logoutEvent: map[string]any{}}}
		change(c)
		return c
	}
	none := func(map[string]any) {}
	good := signed(jose.RS256, w.staff.key, claims(none))
	ends = errors.New("the store is down")
	if _, err := logout("staff", good, 0); !errors.Is(err, ends) {
		t.Errorf("SMART-169: sessions that cannot be ended now: got %v", err)
	}
	ends = nil
	user, err := logout("staff", good, 0)
	if want := (session.User{Issuer: w.staff.issuer, Subject: "subject-1", Kind: session.Staff}); err != nil || user != want {
		t.Fatalf("SMART-169: got %+v, %v", user, err)
	}
	if _, err := logout("staff", good, 1); !errors.Is(err, signin.ErrLogout) {
		t.Errorf("SMART-169: a second use, at another server: got %v", err)
	}
	fresh := func(change func(map[string]any)) map[string]any {
		return claims(func(c map[string]any) { c["jti"] = "other"; change(c) })
	}
	set := func(name string, value any) string {
		return signed(jose.RS256, w.staff.key, fresh(func(c map[string]any) { c[name] = value }))
	}
	drop := func(name string) string {
		return signed(jose.RS256, w.staff.key, fresh(func(c map[string]any) { delete(c, name) }))
	}
	stranger := jose.JSONWebKey{Key: testKeys()[2], KeyID: "k1", Algorithm: "RS256"}
	for name, c := range map[string][2]string{
		"another issuer's name":  {"patients", signed(jose.RS256, w.staff.key, fresh(none))},
		"an unknown issuer":      {"nobody", signed(jose.RS256, w.staff.key, fresh(none))},
		"no token":               {"staff", ""},
		"no signature":           {"staff", unsigned(fresh(none))},
		"HMAC by the public key": {"staff", signed(jose.HS256, modulus(t, w.staff.key), fresh(none))},
		"another key":            {"staff", signed(jose.RS256, stranger, fresh(none))},
		"another algorithm":      {"staff", signed(jose.RS512, jose.JSONWebKey{Key: testKeys()[0], KeyID: "k1"}, fresh(none))},
		"another iss":            {"staff", set("iss", "https://other.example")},
		"another aud":            {"staff", set("aud", "other")},
		"no iat":                 {"staff", drop("iat")},
		"iat in the future":      {"staff", set("iat", w.clock().Add(61*time.Second).Unix())},
		"no exp":                 {"staff", drop("exp")},
		"exp 60 s ago":           {"staff", set("exp", w.clock().Add(-60*time.Second).Unix())},
		"exp in an hour":         {"staff", set("exp", w.clock().Add(time.Hour).Unix())},
		"exp beyond time":        {"staff", set("exp", 1e300)},
		"no jti":                 {"staff", drop("jti")},
		"nobody":                 {"staff", drop("sub")},
		"a nonce":                {"staff", set("nonce", "n")},
		"no events":              {"staff", drop("events")},
		"another event":          {"staff", set("events", map[string]any{"https://x.example": map[string]any{}})},
		"an event that is null":  {"staff", set("events", map[string]any{logoutEvent: nil})},
		"an event of text":       {"staff", set("events", map[string]any{logoutEvent: "x"})},
		"an ID token":            {"staff", w.staff.idToken()},
	} {
		if user, err := logout(c[0], c[1], 0); !errors.Is(err, signin.ErrLogout) || user != (session.User{}) {
			t.Errorf("SMART-169: %s: got %+v, %v", name, user, err)
		}
	}
	if _, err := logout("staff", signed(jose.RS256, w.staff.key, fresh(none)), 0); err != nil {
		t.Errorf("SMART-169: what was refused has used up the jti: %v", err)
	}
	down := newWorld(t, func(w *world) { w.issuers[1].LogsOut = true; w.staff.down = "/jwks" })
	r := httptest.NewRequest(http.MethodPost, origin+signin.LogoutPath+"staff", strings.NewReader(url.Values{"logout_token": {good}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if err := r.ParseForm(); err != nil {
		t.Fatal(err)
	}
	if err := down.servers[0].Logout(r, func(session.User) error { return nil }); err == nil || errors.Is(err, signin.ErrLogout) {
		t.Errorf("SMART-187: the keys of the issuer cannot be read: got %v", err)
	}
}
