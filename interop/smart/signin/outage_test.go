package signin_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"carerecord/interop/pages"
	"carerecord/interop/smart/session"
	"carerecord/interop/smart/signin"
)

func serialize(t *testing.T, signer jose.Signer, claims map[string]any) string {
	t.Helper()
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Error(err)
	}
	return text
}

// TestIssuerDown: an issuer that does not answer, at each address, gives the page for it with the way back to the
// transaction; the other issuer works, and the issuer works when it is back (SMART-187).
func TestIssuerDown(t *testing.T) {
	for _, path := range []string{"/.well-known/openid-configuration", "/jwks", "/token", "/userinfo"} {
		for _, how := range []string{"", " 503"} {
			t.Run(path+how, func(t *testing.T) {
				w := newWorld(t, func(w *world) {
					w.issuers[0].UserInfo = true
					w.issuers[0].Claims = map[signin.Claim]string{signin.ClaimNHSNumber: "nhs_number"}
				})
				w.patients.userInfo = map[string]any{"sub": "subject-1", "nhs_number": "9990001111"}
				w.patients.down = path + how
				err := w.servers[0].Start(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, origin, nil), signin.Request{Transaction: "cr_tx_1", Kind: session.Patient})
				if path != "/.well-known/openid-configuration" {
					if err != nil {
						t.Fatal(err)
					}
					err = w.signIn()
				}
				wantReason(t, err, signin.Down, pages.ProviderDown)
				var f *pages.Failure
				if !errors.As(err, &f) || f.Retry != "/oauth/continue/cr_tx_1" {
					t.Errorf("SMART-187: the way back is %+v", f)
				}
				j, request := w.start(signin.Request{Kind: session.Staff})
				if _, err := w.call(j, "staff", url.Values{"state": {request.Get("state")}, "code": {"upstream-code"}}); err != nil {
					t.Errorf("SMART-187: the other issuer: %v", err)
				}
				w.patients.down = ""
				w.advance(10 * time.Second)
				if err := w.signIn(); err != nil {
					t.Errorf("SMART-187: the issuer is back: %v", err)
				}
			})
		}
	}
}

// TestSlowIssuer: an issuer that never answers is down after the time of its configuration.
func TestSlowIssuer(t *testing.T) {
	for _, path := range []string{"/.well-known/openid-configuration", "/jwks", "/token"} {
		w := newWorld(t, func(w *world) { w.issuers[0].Timeout = 20 * time.Millisecond })
		w.patients.slow = path
		err := w.servers[0].Start(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, origin, nil), signin.Request{Transaction: "cr_tx_1", Kind: session.Patient})
		if err == nil {
			err = w.signIn()
		}
		wantReason(t, err, signin.Down, pages.ProviderDown)
	}
}

// TestStrangeAnswers: an answer that is too large is not read to its end, and a redirect is not followed.
func TestStrangeAnswers(t *testing.T) {
	for _, path := range []string{"/.well-known/openid-configuration", "/jwks", "/token"} {
		for _, how := range []string{"huge", "redirect"} {
			w := newWorld(t)
			if how == "huge" {
				w.patients.huge = path
			} else {
				w.patients.redirect = path
			}
			err := w.servers[0].Start(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, origin, nil), signin.Request{Transaction: "cr_tx_1", Kind: session.Patient})
			if err == nil {
				err = w.signIn()
			}
			var e *signin.Error
			if !errors.As(err, &e) || w.patients.count("/elsewhere") != 0 || len(w.verified) != 0 {
				t.Errorf("%s, %s: got %v and %d requests elsewhere", path, how, err, w.patients.count("/elsewhere"))
			}
		}
	}
}

// TestUserInfo: UserInfo fills in claims, and only if it is of the same person (SMART-184).
func TestUserInfo(t *testing.T) {
	for name, c := range map[string]struct {
		info map[string]any
		ok   bool
	}{
		"of the same person": {map[string]any{"sub": "subject-1", "nhs_number": "9990001111", "name": "Eve"}, true},
		"of another person":  {map[string]any{"sub": "subject-2", "nhs_number": "9990001111"}, false},
		"of nobody":          {map[string]any{"nhs_number": "9990001111"}, false},
		"with a number":      {map[string]any{"sub": "subject-1", "nhs_number": 9990001111}, false},
		"not an object":      {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(w *world) {
				w.issuers[0].UserInfo = true
				w.issuers[0].Claims[signin.ClaimNHSNumber] = "nhs_number"
			})
			w.patients.userInfo = c.info
			err := w.signIn()
			if (err == nil) != c.ok {
				t.Fatalf("SMART-184: got %v, want success: %v", err, c.ok)
			}
			if c.ok && (w.verified[0].Claims[signin.ClaimNHSNumber] != "9990001111" || w.verified[0].Claims[signin.ClaimName] != "Ann") {
				t.Errorf("SMART-184: the claims are %v, want those of the ID token first", w.verified[0].Claims)
			}
			if got := w.patients.requests["/userinfo"][0].Get("Authorization"); got != "Bearer upstream-access-token" {
				t.Errorf("the request has the header %q", got)
			}
		})
	}
}

// TestNothingIsKept: no token, code, state, nonce or verifier is in the store, during a sign-in and after it, nor in the
// answers to the browser or in errors (SMART-186).
func TestNothingIsKept(t *testing.T) {
	w := newWorld(t)
	j, request := w.start(signin.Request{Kind: session.Patient})
	secrets := []string{request.Get("state"), request.Get("nonce"), j[0].Value}
	check := func() {
		t.Helper()
		for v, err := range w.state.Values(t.Context(), "") {
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range secrets {
				if strings.Contains(v.Key+string(v.Value), s) {
					t.Errorf("SMART-186: the store has %q in %q", s, v.Key)
				}
			}
		}
	}
	check()
	got, err := w.call(j, "patients", url.Values{"state": {request.Get("state")}, "code": {"upstream-code"}})
	if err != nil {
		t.Fatal(err)
	}
	token := w.patients.requests["/token"][0]
	secrets = append(secrets, "upstream-code", "upstream-access-token", token.Get("code_verifier"), token.Get("client_assertion"), "subject-1")
	check()
	header, err := json.Marshal(got.Header())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets {
		if strings.Contains(string(header)+got.Body.String(), s) {
			t.Errorf("SMART-186: the answer to the browser has %q", s)
		}
	}
	if identity, err := json.Marshal(w.verified[0]); err != nil || strings.Contains(string(identity), "upstream") {
		t.Errorf("SMART-186: the identity has a token: %s, %v", identity, err)
	}
}

// TestUpstreamTexts: of an error that an issuer sends in a query the log has the code, if the standards have it, and no page has anything
// (SMART-168, 495).
func TestUpstreamTexts(t *testing.T) {
	w := newWorld(t)
	j, request := w.start(signin.Request{Kind: session.Patient})
	_, err := w.call(j, "patients", url.Values{"state": {request.Get("state")}, "error": {"access_denied"}, "error_description": {"<b>halt\r\n\u202e"}})
	wantReason(t, err, signin.Refused, pages.SignInRefused)
	if !strings.Contains(err.Error(), "the issuer answers access_denied") || strings.Contains(err.Error(), "halt") {
		t.Errorf("SMART-495: the error for the log is %q", err)
	}
	other, request := w.start(signin.Request{Kind: session.Patient})
	_, unknown := w.call(other, "patients", url.Values{"state": {request.Get("state")}, "error": {"halt"}})
	if wantReason(t, unknown, signin.Refused, pages.SignInRefused); strings.Contains(unknown.Error(), "halt") {
		t.Errorf("SMART-495: the error for the log is %q", unknown)
	}
	p, err2 := pages.New(pages.Config{Origin: origin, Digests: w.digests, Browser: w.sessions.Browser, Reference: func(*http.Request) string { return "R" }})
	if err2 != nil {
		t.Fatal(err2)
	}
	page := httptest.NewRecorder()
	p.Handle(func(http.ResponseWriter, *http.Request) error { return err }).ServeHTTP(page, httptest.NewRequest(http.MethodGet, origin, nil))
	if page.Code != http.StatusForbidden || strings.Contains(page.Body.String(), "halt") || !strings.Contains(page.Body.String(), `href="/oauth/continue/cr_tx_1"`) {
		t.Errorf("SMART-168: the page has status %d and\n%s", page.Code, page.Body)
	}
}
