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

	requests *prometheus.CounterVec   // by interaction and class of status
	seconds  *prometheus.HistogramVec // by interaction
	underWay prometheus.Gauge

	engine   *prometheus.HistogramVec // by call
	failures *prometheus.CounterVec   // by call and cause
	records  prometheus.Counter       // of the trail
}

// NewMetrics makes Metrics, with those of the process.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "carerecord_requests_total",
			Help: "Requests answered, by interaction and class of the status."}, []string{"interaction", "class"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "carerecord_request_seconds",
			Help: "From the head of a request to the last byte of its answer.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 18)}, []string{"interaction"}),
		underWay: prometheus.NewGauge(prometheus.GaugeOpts{Name: "carerecord_requests_under_way", Help: "Requests not yet answered."}),
		engine: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "carerecord_store_seconds",
			Help: "Time in the engine: of a read without what is done with its rows, of a commit, of an append to the trail alone.", Buckets: prometheus.ExponentialBuckets(0.00001, 2, 21)}, []string{"call"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "carerecord_store_failures_total",
			Help: "Calls of the engine that failed, by cause."}, []string{"call", "cause"}),
		records: prometheus.NewCounter(prometheus.CounterOpts{Name: "carerecord_trail_records_total",
			Help: "Records appended to the trail, alone or with a commit."}),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.underWay, m.engine, m.failures, m.records,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Flag adds a gauge that is 1 while f says so. f is called at each look.
func (m *Metrics) Flag(name, help string, f func() bool) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
		if f() {
			return 1
		}
		return 0
	}))
}

// Gauge adds a number. f is called at each look.
func (m *Metrics) Gauge(name, help string, f func() float64) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
}

// Handler answers with all metrics as Prometheus reads them.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Middleware counts and times a request.
func (m *Metrics) Middleware(ctx context.Context, x *rest.Exchange, next func(context.Context)) {
	began := time.Now()
	m.underWay.Inc()
	defer func() { // a request that panics is counted as well
		m.underWay.Dec()
		m.requests.WithLabelValues(string(x.Interaction), class(x.Status)).Inc()
		m.seconds.WithLabelValues(string(x.Interaction)).Observe(time.Since(began).Seconds())
	}()
	next(ctx)
}
