package node

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// listenAdmin serves the address of --admin until the returned function is called. It does
// nothing if the server has no metrics.
func (n *Node) listenAdmin(address string, secured *tls.Config) (stop func(), err error) {
	m := n.cfg.observers.metrics
	if m == nil {
		return func() {}, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on the address of --admin: %w", err)
	}
	scheme := "http"
	if secured != nil {
		scheme, l = "https", tls.NewListener(l, secured)
	}
	m.Gauge("carerecord_backlog_names", "Patients, NHS numbers and documents that were written and whose dependent documents are not all rekeyed.", func() float64 {
		names, _ := n.guard.Backlog()
		return float64(names)
	})
	m.Gauge("carerecord_backlog_documents_done", "Documents checked so far for these names.", func() float64 {
		_, done := n.guard.Backlog()
		return float64(done)
	})
	m.Gauge("carerecord_clients_with_notices", "Registered clients that need the attention of an operator: a review, an agreement, keys or a secret, or a name.", func() float64 {
		return float64(n.noticed.Load())
	})
	m.Flag("carerecord_held", "1 while this process is sure that no other process writes to the record.", n.lease.valid)
	server := &http.Server{Handler: n.adminHandler(m.Handler()), ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		ErrorLog: slog.NewLogLogger(n.log.Handler(), slog.LevelWarn)}
	go server.Serve(l) // ends with Close
	n.log.Info("metrics", "at", scheme+"://"+l.Addr().String()+"/metrics")
	return func() { server.Close() }, nil
}

// adminHandler answers on the address of --admin: health requests and metrics, which need no
// token, and the requests of an operator.
func (n *Node) adminHandler(metrics http.Handler) http.Handler {
	open := n.healthRoutes()
	open["GET /metrics"] = metrics.ServeHTTP
	return n.onlyHTTPS(open.before(n.onlyProxies(throughProxies(n.cfg.TrustedProxies, n.onlyThisMachine(n.lease.require(n.operatorHandler()))))))
}
