package smart

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"carerecord/consent/audit"
	"carerecord/interop/smart"
	"carerecord/interop/smart/clientauth"
	"carerecord/interop/smart/secret"
	"carerecord/store/storetest"
)

// hostile is a request that anybody can send as often as they like, each time with another name.
type hostile struct {
	name   string
	send   func(n int, from func(*http.Request)) answer
	status int // of the answer within the limits
}

// TestSMART482Records: whoever is nobody fills the audit trail with nothing: of one source a limited number of refusals in a minute has a
// record each, whatever client, code or token it names. The others are answered 429 and counted, and all counts of a window are one
// record, so that nothing is lost. Others at the same address are served (SMART-482, 483, 494, SMART-T44).
func TestSMART482Records(t *testing.T) {
	var counted audit.UnidentifiedLimiter
	var writer *audit.Writer
	const perClient = 3
	w := openWorld(t, func(clock func() time.Time) engine { return storetest.NewReference(clock) }, 1, func(c *smart.Config) {
		c.Failures, c.Unidentified, writer = perClient, &counted, c.Audit
	})
	var last uint64
	list := w.hostile()
	w.records(&last)
	for i, h := range list {
		address := fmt.Sprintf("198.51.100.%d", i+1)
		from := func(r *http.Request) { r.RemoteAddr = address + ":9" }
		const sent = 100
		codes := map[int]int{}
		for n := range sent {
			codes[h.send(n, from).code]++
		}
		records := len(w.records(&last))
		if records > 10*perClient || codes[h.status]+codes[http.StatusTooManyRequests] != sent {
			t.Errorf("SMART-482: %s: %d requests have %d records and the answers %v, want at most %d records and %d or 429", h.name, sent, records, codes, 10*perClient, h.status)
		}
		w.must(counted.Flush(t.Context(), writer, w.now))
		flushed, more := w.records(&last), 0
		for _, r := range flushed {
			more += r.More
			if r.Client.Address != address {
				t.Errorf("SMART-482: %s: the count of %s", h.name, r.Client.Address)
			}
		}
		if records+more != sent || len(flushed) > 1 {
			t.Errorf("SMART-494: %s: %d records and %d counts, which have %d requests, want %d", h.name, records, len(flushed), records+more, sent)
		}
		form, change := w.as("loader", url.Values{"grant_type": {"client_credentials"}, "scope": {"system/*.rs"}})
		if a := w.post("/oauth/token", form, change, from); a.code != http.StatusOK {
			t.Errorf("SMART-483: a client at the address of %s: got %d %s", h.name, a.code, a.text)
		}
		w.records(&last)
	}
}

// hostile returns the requests of everybody that are refused.
func (w *world) hostile() []hostile {
	token := func(form url.Values, change ...func(n int, r *http.Request)) func(int, func(*http.Request)) answer {
		return func(n int, from func(*http.Request)) answer {
			out := url.Values{}
			for name, values := range form {
				out.Set(name, strings.ReplaceAll(values[0], "%n", fmt.Sprint(n)))
			}
			return w.post("/oauth/token", out, from, func(r *http.Request) {
				for _, f := range change {
					f(n, r)
				}
			})
		}
	}
	at := func(path string, form url.Values) func(int, func(*http.Request)) answer {
		return func(n int, from func(*http.Request)) answer {
			out := url.Values{"client_id": {fmt.Sprint("app-", n)}}
			for name, values := range form {
				out[name] = values
			}
			return w.post(path, out, from)
		}
	}
	get := func(path string) func(int, func(*http.Request)) answer {
		return func(n int, from func(*http.Request)) answer {
			r := w.request("GET", site+strings.ReplaceAll(path, "%n", fmt.Sprint(n)), "")
			from(r)
			return read(w.do(r))
		}
	}
	credentials := url.Values{"grant_type": {"client_credentials"}, "scope": {"system/*.rs"}}
	random := func(k secret.Kind) string { return secret.New(k) }
	return []hostile{
		{"a token request with random client ids", token(url.Values{"grant_type": {"authorization_code"}, "code": {"x"}, "client_id": {"app-%n"}}), 401},
		{"random clients with a secret", token(credentials, func(n int, r *http.Request) { r.SetBasicAuth(fmt.Sprint("app-", n), "x") }), 401},
		{"assertions of random clients", func(n int, from func(*http.Request)) answer {
			return w.post("/oauth/token", url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {clientauth.AssertionType}, "client_assertion": {w.assertion(fmt.Sprint("app-", n))}}, from)
		}, 401},
		{"a known client with wrong secrets", token(credentials, func(_ int, r *http.Request) { r.SetBasicAuth(w.ids["secret"], "x") }), 401},
		{"refresh tokens that nobody has", func(n int, from func(*http.Request)) answer {
			return w.post("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {random(secret.RefreshToken)}, "client_id": {fmt.Sprint("app-", n)}}, from)
		}, 401},
		{"codes that nobody has", func(_ int, from func(*http.Request)) answer {
			return w.post("/oauth/token", url.Values{"grant_type": {"authorization_code"}, "code": {random(secret.Code)}, "redirect_uri": {redirect}, "code_verifier": {verifier}, "client_id": {w.ids["app"]}}, from)
		}, 400},
		{"a public client that asks for what it may not", token(url.Values{"grant_type": {"client_credentials"}, "client_id": {w.ids["app"]}}), 400},
		{"introspection by random clients", at("/oauth/introspect", url.Values{"token": {"x"}}), 401},
		{"revocation by random clients", at("/oauth/revoke", url.Values{"token": {"x"}}), 401},
		{"introspection with tokens that nobody has", func(_ int, from func(*http.Request)) answer {
			return w.post("/oauth/introspect", url.Values{"token": {"x"}}, from, bearer(random(secret.AccessToken)))
		}, 401},
		{"introspection by a public client", at("/oauth/introspect", url.Values{"token": {"x"}, "client_id": {w.ids["app"]}}), 401},
		{"revocation of another client's token", at("/oauth/revoke", url.Values{"token": {w.backend("loader", "system/*.rs")}, "client_id": {w.ids["app"]}}), 400},
		{"revocation without a token", at("/oauth/revoke", url.Values{"client_id": {w.ids["app"]}}), 400},
		{"grant types that do not exist", token(url.Values{"grant_type": {"password"}, "username": {"ann"}, "password": {"%n"}}), 400},
		{"no grant type", token(url.Values{"client_id": {"app-%n"}}), 400},
		{"parameters in the URL", func(n int, from func(*http.Request)) answer {
			return w.post(fmt.Sprint("/oauth/token?code=", n), nil, from)
		}, 400},
		{"launches with tokens that nobody has", func(_ int, from func(*http.Request)) answer {
			return w.post("/oauth/launch", nil, from, bearer(random(secret.AccessToken)))
		}, 401},
		{"authorization of random clients", get("/oauth/authorize?client_id=app-%n"), 400},
		{"authorization with random redirect URIs", get("/oauth/authorize?client_id=" + w.ids["app"] + "&redirect_uri=https://evil.example/%n"), 400},
		{"callbacks of sign-ins that nobody began", get("/oauth/callback/sample-staff?state=x%n&code=x"), 400},
		{"logout tokens", at("/oauth/logout/sample-staff", url.Values{"logout_token": {"x"}}), 400},
		{"tokens that nobody has at the record", func(n int, from func(*http.Request)) answer {
			r := w.request("GET", base+"/Patient/t1.ann", "")
			from(r)
			bearer(random(secret.AccessToken))(r)
			return read(w.do(r))
		}, 401},
	}
}
