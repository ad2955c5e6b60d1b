package load

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestHTTPRetries: a bundle is sent again if the server says that nothing was stored, or if it is
// idempotent. A bundle with a plain create that may be stored ends the load (issue 15, item 15).
func TestHTTPRetries(t *testing.T) {
	const (
		plain     = `{"resourceType":"Bundle","entry":[{"request":{"method":"PUT","url":"Patient/1"}},{"request":{"method":"POST","url":"Patient"}}]}`
		harmless  = `{"resourceType":"Bundle","entry":[{"request":{"method":"PUT","url":"Patient/1"}},{"request":{"method":"POST","url":"Patient","ifNoneExist":"identifier=a|b"}}]}`
		notStored = `{"issue":[{"details":{"coding":[{"code":"NOT_STORED"}],"text":"later"}}]}`
		unknown   = `{"issue":[{"details":{"coding":[{"code":"MAY_BE_STORED"}],"text":"who knows"}}]}`
	)
	for _, c := range []struct {
		name, bundle string
		status       int
		body         string
		again        bool
	}{
		{"a create, and nothing was stored", plain, 503, notStored, true},
		{"a create that may be stored", plain, 503, unknown, false},
		{"a create, and a proxy answers", plain, 502, "bad gateway", false},
		{"a create, and no answer", plain, 0, "", false},
		{"a create that was not processed", plain, 429, "", true},
		{"no plain create, which may be stored", harmless, 503, unknown, true},
		{"no plain create, and no answer", harmless, 0, "", true},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if c.status == 0 {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(c.status)
			w.Write([]byte(c.body))
		}))
		out, err := HTTP(server.Client(), server.URL, "")(context.Background(), "", []byte(c.bundle))
		if again := err == nil && out.Failed != ""; again != c.again {
			t.Errorf("%s: got %+v, %v; sent again is %v, want %v", c.name, out, err, again, c.again)
		}
		server.Close()
	}
}
