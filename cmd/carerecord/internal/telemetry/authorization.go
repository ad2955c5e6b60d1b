package telemetry

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// authorization are the metrics of the authorization server (SMART-497). Labels are from the lists below; anything else is "other".
type authorization struct {
	issued, refused, alerts, signIns, sessions *prometheus.CounterVec
	keyFetches                                 prometheus.Counter
	upstream                                   *prometheus.HistogramVec
	refusals                                   map[string][]string // reasons by endpoint; set by ExpectRefusals
}

func newAuthorization() *authorization {
	counter := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	a := &authorization{
		issued: counter("carerecord_tokens_issued_total", "Access tokens issued, by the grant type.", "grant"),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "carerecord_authorization_refusals_total", Help: "Refusals of the authorization server, by endpoint and reason."},
			[]string{"endpoint", "reason"}),
		alerts:     counter("carerecord_authorization_alerts_total", "Events that somebody should look at: a code or a refresh token was used twice, or several resources claim to be one user.", "alert"),
		signIns:    counter("carerecord_sign_ins_total", "Answers of identity providers, by outcome.", "outcome"),
		sessions:   counter("carerecord_sessions_total", "Sessions of browsers that began and that were ended before their time.", "change"),
		keyFetches: prometheus.NewCounter(prometheus.CounterOpts{Name: "carerecord_key_fetch_failures_total", Help: "Key sets of clients that could not be fetched."}),
		upstream: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "carerecord_upstream_seconds", Help: "Time of requests to identity providers.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14)}, []string{"outcome"}),
	}
	// Every series begins at 0, so that an alert on its growth sees the first event after a start.
	for what, vec := range a.counters() {
		for _, label := range labels(what) {
			vec.WithLabelValues(label)
		}
	}
	return a
}

// counters are the counters by what they count.
func (a *authorization) counters() map[string]*prometheus.CounterVec {
	return map[string]*prometheus.CounterVec{"issued": a.issued, "alert": a.alerts, "sign-in": a.signIns, "session": a.sessions}
}

// labels are the values that a label may have.
func labels(what string) []string {
	switch what {
	case "issued":
		return []string{"authorization_code", "refresh_token", "client_credentials", "printed"}
	case "alert":
		return []string{"refresh-token-reuse", "code-reuse", "identity-conflict"}
	case "sign-in":
		return []string{"permit", "unknown-answer", "unreadable", "wrong-issuer", "refused", "invalid", "too-weak", "down", "unknown-person"}
	case "session":
		return []string{"begun", "ended"}
	}
	return nil
}

// CountAuthorization counts something that the authorization server did: what is issued, alert, sign-in, session or key-fetch.
func (m *Metrics) CountAuthorization(what, label string) {
	if what == "key-fetch" {
		m.authorization.keyFetches.Inc()
		return
	}
	if !slices.Contains(labels(what), label) {
		label = "other"
	}
	counter := m.authorization.counters()[what]
	if counter != nil {
		counter.WithLabelValues(label).Inc()
	}
}

// ExpectRefusals says for which reasons each endpoint refuses requests. Every series begins at 0. It is called before requests are counted.
func (m *Metrics) ExpectRefusals(reasons map[string][]string) {
	m.authorization.refusals = reasons
	for endpoint, list := range reasons {
		for _, reason := range list {
			m.authorization.refused.WithLabelValues(endpoint, reason)
		}
	}
}

// CountRefusal counts a request that the authorization server refused. What ExpectRefusals did not name is "other".
func (m *Metrics) CountRefusal(endpoint, reason string) {
	reasons, known := m.authorization.refusals[endpoint]
	if !known {
		endpoint = "other"
	}
	if !slices.Contains(reasons, reason) {
		reason = "other"
	}
	m.authorization.refused.WithLabelValues(endpoint, reason).Inc()
}

// Upstream measures a request to an identity provider.
func (m *Metrics) Upstream(took time.Duration, ok bool) {
	outcome := "answered"
	if !ok {
		outcome = "failed"
	}
	m.authorization.upstream.WithLabelValues(outcome).Observe(took.Seconds())
}

func (a *authorization) collectors() []prometheus.Collector {
	return []prometheus.Collector{a.issued, a.refused, a.alerts, a.signIns, a.sessions, a.keyFetches, a.upstream}
}
