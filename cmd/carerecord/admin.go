package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"carerecord/cmd/carerecord/internal/telemetry"
	"carerecord/store"
)

// observers are what watches a server; nil fields watch nothing.
type observers struct {
	metrics *telemetry.Metrics // with --admin
	traces  *telemetry.Traces  // with OTEL_EXPORTER_OTLP_ENDPOINT
}

// observe has the record of s watched: a line of log per request, metrics where
// there is an address to read them from, traces where there is one to send them
// to.
func (c *serveCmd) observe(ctx context.Context, s *settings) (o observers, err error) {
	if o.traces, err = telemetry.NewTraces(ctx, s.log); err != nil {
		return o, err
	}
	s.watch = telemetry.LogRequests(s.log)
	s.measure = func(e store.Engine) store.Engine { return e }
	if c.Admin != "" {
		o.metrics = telemetry.NewMetrics()
		s.watch = telemetry.Chain(s.watch, o.metrics.Middleware)
		s.measure = func(e store.Engine) store.Engine { return o.metrics.Engine(e) }
	}
	if o.traces != nil {
		measured := s.measure
		s.watch = telemetry.Chain(o.traces.Middleware, s.watch)
		s.measure = func(e store.Engine) store.Engine { return o.traces.Engine(measured(e)) }
		s.deciding = o.traces.Deciding
	}
	return o, nil
}

// close sends the traces that are left.
func (o observers) close(log *slog.Logger) {
	if o.traces == nil {
		return
	}
	if err := o.traces.Close(); err != nil {
		log.Warn("the last traces were not sent", "err", err)
	}
}

// listenAdmin serves the operator's address, if there is one, until the
// returned function is called.
func (c *serveCmd) listenAdmin(r *record, s settings, m *telemetry.Metrics) (func(), error) {
	if m == nil {
		return func() {}, nil
	}
	l, err := net.Listen("tcp", c.Admin)
	if err != nil {
		return nil, fmt.Errorf("listen on the address of --admin: %w", err)
	}
	m.Gauge("carerecord_backlog_names", "Patients, NHS numbers and documents that were written and whose dependent documents are not all keyed anew.", func() float64 {
		names, _ := r.guard.Backlog()
		return float64(names)
	})
	m.Gauge("carerecord_backlog_documents_done", "Documents looked at so far for these names.", func() float64 {
		_, done := r.guard.Backlog()
		return float64(done)
	})
	m.Flag("carerecord_held", "1 while this process is sure that nobody else writes to the record.", r.held.sure)
	server := &http.Server{Handler: r.adminSite(m.Handler()), ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second}
	go server.Serve(l) // ends with Close
	s.log.Info("metrics", "at", "http://"+l.Addr().String()+"/metrics")
	return func() { server.Close() }, nil
}

// adminSite is what the operator's address answers. Every request that needs no token is in
// a table; any other one is decided and recorded.
func (r *record) adminSite(metrics http.Handler) http.Handler {
	open := r.healthRoutes()
	open["GET /metrics"] = metrics.ServeHTTP
	return open.before(r.held.whileHeld(r.admin()))
}

// healthRoutes are /healthz, which says that the process runs, and /readyz,
// which says whether it can serve, and what stands in the way.
func (r *record) healthRoutes() routes {
	return routes{
		"GET /healthz": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") },
		"GET /readyz":  r.answerReady,
	}
}

func (r *record) answerReady(w http.ResponseWriter, q *http.Request) {
	var b strings.Builder
	status := http.StatusOK
	for _, p := range r.parts() {
		err := p.well(q.Context())
		if err != nil {
			status = http.StatusServiceUnavailable
			r.log.Warn("not ready", "part", p.name, "err", err)
			fmt.Fprintf(&b, "%s: %s\n", p.name, p.fault)
			continue
		}
		fmt.Fprintf(&b, "%s: ready\n", p.name)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprint(w, b.String())
}

// part is something that a request needs.
type part struct {
	name  string
	fault string // what a reader of /readyz learns; the error itself is logged
	well  func(context.Context) error
}

func (r *record) parts() []part {
	all := []part{
		{"store", "does not answer", within(time.Second, r.guard.Ready)},
		{"lease", "not sure that the record is this server's", func(context.Context) error {
			if !r.held.sure() {
				return errNotSure
			}
			return nil
		}},
	}
	if r.restored != nil {
		all = append(all, part{"restore", "the store was restored from a backup and wishes of patients may be missing: carerecord restore --confirm-from INSTANT lets it answer",
			func(context.Context) error { return r.confirmed() }})
	}
	if r.trail == nil {
		return all // --auth off
	}
	return append(all, part{"trail", "does not answer", within(time.Second, func(ctx context.Context) error {
		_, err := r.engine.Head(ctx)
		return err
	})})
}

func within(d time.Duration, f func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		return f(ctx)
	}
}
