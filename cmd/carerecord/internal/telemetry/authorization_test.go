package telemetry

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestAuthorizationMetrics: each count has its metric, and a label that is not in the list is "other", so that nothing of a request gets into
// a label (SMART-497).
func TestAuthorizationMetrics(t *testing.T) {
	m := NewMetrics()
	for _, c := range [][2]string{{"issued", "refresh_token"}, {"issued", "Ann Other"}, {"alert", "code-reuse"}, {"sign-in", "permit"}, {"session", "begun"}, {"key-fetch", ""}, {"nothing", "x"}} {
		m.CountAuthorization(c[0], c[1])
	}
	m.ExpectRefusals(map[string][]string{"token": {"invalid_client", "invalid_grant"}, "authorize": {"forbidden"}})
	for _, c := range [][2]string{{"token", "invalid_client"}, {"token", "Ann Other"}, {"authorize", "invalid_client"}, {"/Ann", "invalid_client"}} {
		m.CountRefusal(c[0], c[1])
	}
	m.Upstream(time.Millisecond, true)
	m.Upstream(time.Millisecond, false)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{`carerecord_tokens_issued_total{grant="refresh_token"} 1`, `carerecord_authorization_refusals_total{endpoint="token",reason="invalid_client"} 1`,
		`carerecord_authorization_refusals_total{endpoint="token",reason="invalid_grant"} 0`, `carerecord_authorization_refusals_total{endpoint="token",reason="other"} 1`, `carerecord_authorization_refusals_total{endpoint="authorize",reason="forbidden"} 0`,
		`carerecord_authorization_refusals_total{endpoint="authorize",reason="other"} 1`, `carerecord_authorization_refusals_total{endpoint="other",reason="other"} 1`, `carerecord_tokens_issued_total{grant="other"} 1`,
		`carerecord_authorization_alerts_total{alert="code-reuse"} 1`, `carerecord_authorization_alerts_total{alert="identity-conflict"} 0`, `carerecord_sign_ins_total{outcome="permit"} 1`, `carerecord_sessions_total{change="begun"} 1`, "carerecord_key_fetch_failures_total 1",
		`carerecord_upstream_seconds_count{outcome="answered"} 1`, `carerecord_upstream_seconds_count{outcome="failed"} 1`} {
		if !strings.Contains(w.Body.String(), line+"\n") {
			t.Errorf("SMART-497: the metrics lack %s", line)
		}
	}
	if strings.Contains(w.Body.String(), "Ann") {
		t.Error("SMART-497: a label has a name")
	}
}
