package telemetry

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"carerecord/fhir/rest"
)

// Metrics counts and times requests and calls of the engine. It is safe for
// concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	now      func() time.Time

	requests *prometheus.CounterVec   // by interaction and class of status
	seconds  *prometheus.HistogramVec // by interaction
	inFlight prometheus.Gauge

	engine   *prometheus.HistogramVec // by call
	failures *prometheus.CounterVec   // by call and cause
	records  prometheus.Counter       // of the audit trail

	authorization *authorization
}

// NewMetrics returns Metrics, with those of the process.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry:      prometheus.NewRegistry(),
		now:           time.Now,
		authorization: newAuthorization(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "carerecord_requests_total",
			Help: "Requests answered, by interaction and class of the status."}, []string{"interaction", "class"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "carerecord_request_seconds",
			Help: "Time from the head of a request to the last byte of its answer.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 18)}, []string{"interaction"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "carerecord_requests_under_way", Help: "Requests not yet answered."}),
		engine: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "carerecord_store_seconds",
			Help: "Time in the engine: of a read without the processing of its rows, of a commit, of an append to the audit trail alone.", Buckets: prometheus.ExponentialBuckets(0.00001, 2, 21)}, []string{"call"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "carerecord_store_failures_total",
			Help: "Failed calls of the engine, by cause."}, []string{"call", "cause"}),
		records: prometheus.NewCounter(prometheus.CounterOpts{Name: "carerecord_trail_records_total",
			Help: "Records appended to the audit trail, alone or with a commit."}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.inFlight, m.engine, m.failures, m.records,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(m.authorization.collectors()...)
	return m
}

// Flag adds a gauge that is 1 while f returns true, else 0. f is called at each scrape.
func (m *Metrics) Flag(name, help string, f func() bool) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
		if f() {
			return 1
		}
		return 0
	}))
}

// Gauge adds a gauge with the value of f. f is called at each scrape.
func (m *Metrics) Gauge(name, help string, f func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
}

// Handler returns all metrics in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Middleware counts and measures a request.
func (m *Metrics) Middleware(ctx context.Context, x *rest.Exchange, next func(context.Context)) {
	began := time.Now()
	m.inFlight.Inc()
	defer func() { // also after a panic
		m.inFlight.Dec()
		m.requests.WithLabelValues(string(x.Interaction), class(x.Status)).Inc()
		m.seconds.WithLabelValues(string(x.Interaction)).Observe(time.Since(began).Seconds())
	}()
	next(ctx)
}
