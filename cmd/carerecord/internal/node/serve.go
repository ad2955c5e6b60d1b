package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// ServeConfig is a Config with the settings that only a server has.
type ServeConfig struct {
	Config
	Listen    string        // address for clients
	Admin     string        // address for metrics and operators; empty is none
	IndexRate int           // documents a second that are read to index defined search parameters
	TLS       TLSFiles      // of both addresses
	KeyLife   time.Duration // after which a signing key is replaced; 0 is never
	Welcome   io.Writer     // for the instructions that a demonstration prints

	tls *tls.Config // of TLS; nil for none
}

// Serve serves a record until the context ends or the lease is lost, and then waits for the
// requests in flight. An empty public URL is that of the address it listens on.
func Serve(ctx context.Context, cfg ServeConfig) error {
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer listener.Close()
	scheme := "http"
	cfg.Log = filtered(cfg.Log)
	if cfg.TLS != (TLSFiles{}) {
		scheme = "https"
		if cfg.tls, err = serverTLS(cfg.TLS, cfg.Log); err != nil {
			return err
		}
		listener = tls.NewListener(listener, cfg.tls)
	}
	if cfg.PublicURL == "" {
		cfg.PublicURL = scheme + "://" + listener.Addr().String()
	}
	cfg.OnlyProxies = cfg.open()
	if cfg.observers, err = newObservers(ctx, cfg.Log, cfg.Admin != ""); err != nil {
		return err
	}
	defer cfg.observers.close(cfg.Log)
	n, err := Open(ctx, cfg.Config)
	if err != nil {
		return err
	}
	defer n.Close()
	stopAdmin, err := n.listenAdmin(cfg.Admin, cfg.tls)
	if err != nil {
		return err
	}
	defer stopAdmin()
	if cfg.Auth == AuthDemo {
		if err := n.loadDemo(ctx, cfg.Welcome); err != nil {
			return err
		}
	}
	return n.serve(ctx, listener, &cfg)
}

// open reports whether other machines reach an address without TLS.
func (cfg *ServeConfig) open() bool {
	return cfg.tls == nil && (!Loopback(cfg.Listen) || cfg.Admin != "" && !Loopback(cfg.Admin))
}

// lastBytes is how long after the longest deadline a client may take to read its answer (LIM-009).
const lastBytes = time.Minute

// lostLeaseAnswers is how long a server that lost its lease answers 503 before it ends, so that
// clients learn that their requests did nothing.
const lostLeaseAnswers = time.Second

func (n *Node) serve(ctx context.Context, listener net.Listener, cfg *ServeConfig) error {
	n.warn()
	n.cfg.Limits.log(n.log)
	stopSocket, err := n.listenSocket()
	if err != nil {
		return err
	}
	defer stopSocket()
	background, stop := context.WithCancel(ctx)
	defer n.flushUnidentified(background)()
	defer n.keepIndexing(background, cfg.IndexRate)()
	defer n.keepCatchingUp(background)()
	defer n.keepNotices(background)()
	defer n.keepKeys(background, cfg.KeyLife)()
	defer stop()
	server := &http.Server{Handler: n.onlyHTTPS(n.lease.require(n.Handler())), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		WriteTimeout: n.cfg.Limits.rest.BundleDeadline + lastBytes,
		ErrorLog:     slog.NewLogLogger(n.log.Handler(), slog.LevelWarn)}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }() // ends with Shutdown below
	n.log.Info("serving", "fhir", n.cfg.PublicURL+"/fhir", "store", n.cfg.Address.String())
	var fault error
	select {
	case err := <-done:
		return err
	case <-n.lease.lost:
		fault = errLeaseLost
		time.Sleep(lostLeaseAnswers)
	case <-ctx.Done():
	}
	n.log.Info("draining")
	drain, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return errors.Join(fault, server.Shutdown(drain))
}

// warn logs the security settings that an operator must know about.
func (n *Node) warn() {
	if err := n.confirmed(); err != nil {
		n.log.Warn(err.Error())
	}
	switch {
	case !n.cfg.Auth.guarded():
		n.log.Warn("AUTH IS OFF: everybody who reaches this address can read and write everything, and there is no audit trail")
	case n.policy.Agreement.Relationship == "":
		n.log.Warn("no legitimate relationship can be shown yet: direct care by people is refused with NO_RELATIONSHIP")
	default:
		n.log.Warn("every legitimate relationship is assumed: this is a demonstration")
	}
}
