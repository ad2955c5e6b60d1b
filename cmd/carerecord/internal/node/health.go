package node

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"carerecord/fhir/rest"
)

// healthRoutes are /healthz, which reports that the process runs, and /readyz, which reports whether
// it can answer and, if not, which dependency fails.
func (n *Node) healthRoutes() routes {
	return routes{
		"GET /healthz": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") },
		"GET /readyz":  n.answerReady,
	}
}

// isHealth reports whether a request asks for the health of the process, which needs no token: one with a token is refused elsewhere.
func isHealth(q *http.Request) bool {
	return (q.URL.Path == "/healthz" || q.URL.Path == "/readyz") && !rest.HasLeakedToken(q)
}

func (n *Node) answerReady(w http.ResponseWriter, q *http.Request) {
	var b strings.Builder
	status := http.StatusOK
	for _, d := range n.dependencies() {
		err := d.check(q.Context())
		if err != nil {
			status = http.StatusServiceUnavailable
			n.log.Warn("not ready", "part", d.name, "err", err)
			fmt.Fprintf(&b, "%s: %s\n", d.name, d.fault)
			continue
		}
		fmt.Fprintf(&b, "%s: ready\n", d.name)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprint(w, b.String())
}

// dependency is something that requests need.
type dependency struct {
	name  string
	fault string // the text in /readyz; the error itself is logged
	check func(context.Context) error
}

func (n *Node) dependencies() []dependency {
	all := []dependency{
		{"store", "does not answer", withTimeout(time.Second, n.guard.Ready)},
		{"lease", "not sure that no other process writes to the record", func(context.Context) error {
			if !n.lease.valid() {
				return errLeaseLate
			}
			return nil
		}},
		{"clock", "not known to agree with that of the database server within a second", func(context.Context) error { return n.lease.clock.err() }},
	}
	if n.restored != nil {
		all = append(all, dependency{"restore", "the store was restored from a backup and directives of patients may be missing: carerecord restore --confirm-from INSTANT lets it answer",
			func(context.Context) error { return n.confirmed() }})
	}
	if n.auditWriter == nil {
		return all // --auth off
	}
	return append(all, dependency{"trail", "does not answer", withTimeout(time.Second, func(ctx context.Context) error {
		_, err := n.engine.Head(ctx)
		return err
	})})
}

func withTimeout(d time.Duration, f func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, d)
		defer cancel()
		return f(ctx)
	}
}
