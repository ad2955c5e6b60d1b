package smart

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// FuzzAuthorize: whatever an authorization request says, the browser stays on the site or goes to a registered redirect URI, and
// brings no code there (SMART-083, T01, T16). In the input, $APP and $BOTH stand for the ids of clients.
func FuzzAuthorize(f *testing.F) {
	shared := openWorld(f, withoutExpiry, 1)
	right := shared.authorization("app", "patient/*.rs")
	right.Set("client_id", "$APP")
	query := strings.ReplaceAll(right.Encode(), "%24APP", "$APP")
	for _, seed := range []string{query, strings.Replace(query, "app.example", "evil.example", 1), query + "&redirect_uri=https://evil.example", strings.Replace(query, "state=", "state=%0d%0aLocation:%20https://evil.example", 1),
		strings.Replace(query, "%2Fback", "%2Fback%2F..%2Fx", 1), strings.Replace(query, "$APP", "$BOTH", 1) + "&prompt=none", strings.Replace(query, "aud=", "aud=x&launch=cr_lh_", 1), "client_id=$APP", "%zz", ""} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, query string, post bool) {
		w := *shared
		w.TB = t
		shared.now, shared.requests = shared.now.Add(time.Second), shared.requests+1
		query = strings.ReplaceAll(strings.ReplaceAll(query, "$APP", w.ids["app"]), "$BOTH", w.ids["both"])
		r := w.request("POST", site+"/oauth/authorize", query)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if !post {
			r = w.request("GET", site+"/oauth/authorize", "")
			r.URL.RawQuery = query
		}
		a := read(w.do(r))
		location, code := a.header.Get("Location"), a.code
		switch {
		case location == "" && code != http.StatusSeeOther && code < 500:
		case code == http.StatusSeeOther && strings.HasPrefix(location, "/oauth/transaction/"):
		case code == http.StatusSeeOther && strings.HasPrefix(location, redirect+"?error=") && !strings.ContainsAny(location, "\r\n "):
		default:
			t.Errorf("SMART-083, T01: %q (post %v): got %d and %q", query, post, code, location)
		}
		for v, err := range w.engine.Values(t.Context(), "smart/tx/") { // what the request began
			w.must(err)
			_, err := w.engine.Take(t.Context(), v.Key)
			w.must(err)
		}
	})
}
