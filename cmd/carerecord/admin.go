package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"carerecord/cmd/carerecord/telemetry"
)

// observe has the record of s watched: a line of log per request, and metrics
// where there is an address to read them from. Without one they are nil.
func (c *serveCmd) observe(s *settings) *telemetry.Metrics {
	s.watch = telemetry.Lines(s.log)
	if c.Admin == "" {
		return nil
	}
	m := telemetry.NewMetrics()
	s.watch = telemetry.Watches(s.watch, m.Watch)
	s.measure = func(e engine) engine { return m.Engine(e) }
	return m
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
	m.Flag("carerecord_held", "1 while this process is sure that nobody else writes to the record.", r.held.sure)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	r.healthRoutes(mux)
	server := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second}
	go server.Serve(l) // ends with Close
	s.log.Info("metrics", "at", "http://"+l.Addr().String()+"/metrics")
	return func() { server.Close() }, nil
}

// healthRoutes are /healthz, which says that the process runs, and /readyz,
// which says whether it can serve, and what stands in the way.
func (r *record) healthRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, q *http.Request) {
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
	})
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
