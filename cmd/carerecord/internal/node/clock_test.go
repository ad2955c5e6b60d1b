package node

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestClock: a server whose clock differs by more than a second from that of the database server answers nobody, neither with tokens nor
// with patient data (AUD-105, SMART-493), and answers again when the clock is right.
func TestClock(t *testing.T) {
	cfg := demoConfig(t, t.TempDir())
	n, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	var offset, uncertain time.Duration
	var failure error
	n.lease.clock = &clockCheck{timeout: time.Minute, log: slog.New(slog.DiscardHandler), measure: func(context.Context) (time.Duration, time.Duration, error) { return offset, uncertain, failure }}
	ask := func(method, path string) (int, string) {
		w := httptest.NewRecorder()
		n.lease.require(n.Handler()).ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w.Code, w.Body.String()
	}
	for _, c := range []struct {
		name              string
		offset, uncertain time.Duration
		failure           error
		wrong             bool
	}{
		{"not compared yet", 0, 0, errors.New("down"), true},
		{"not certain yet", 0, 2 * time.Second, nil, true},
		{"right", time.Millisecond, time.Millisecond, nil, false},
		{"a second ahead", time.Second, 0, nil, false},
		{"more than a second ahead", time.Second + time.Millisecond, 0, nil, true},
		{"the server does not answer", 0, 0, errors.New("down"), true},
		{"not certain to be right again", 900 * time.Millisecond, 200 * time.Millisecond, nil, true},
		{"right again", 900 * time.Millisecond, 100 * time.Millisecond, nil, false},
		{"not certain to be wrong", 1100 * time.Millisecond, 200 * time.Millisecond, nil, false},
		{"more than a second behind", -1300 * time.Millisecond, 200 * time.Millisecond, nil, true},
		{"right in the end", 0, 0, nil, false},
	} {
		offset, uncertain, failure = c.offset, c.uncertain, c.failure
		n.lease.clock.compare(t.Context())
		for _, r := range [][2]string{{"GET", "/fhir/Patient/x"}, {"GET", "/fhir/metadata"}, {"POST", "/oauth/token"}, {"POST", "/oauth/introspect"}} {
			if code, body := ask(r[0], r[1]); (code == http.StatusServiceUnavailable) != c.wrong {
				t.Errorf("%s: %s %s: got %d %s", c.name, r[0], r[1], code, body)
			}
		}
		if code, _ := ask("GET", "/healthz"); code != 200 {
			t.Errorf("%s: /healthz: got %d", c.name, code)
		}
		if code, body := ask("GET", "/readyz"); (code == 503) != c.wrong || strings.Contains(body, "clock: not known") != c.wrong {
			t.Errorf("%s: /readyz: got %d %s", c.name, code, body)
		}
	}
}
