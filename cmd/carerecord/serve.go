package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"carerecord/conformance/validate"
)

// serveCmd serves a record.
type serveCmd struct {
	Listen    string `help:"Address to listen on." default:"127.0.0.1:8080"`
	Store     string `help:"pebble:DIR or mongodb://HOST/DATABASE." required:""`
	PublicURL string `help:"Address of the site as clients see it, without /fhir. Default: http:// and the address listened on."`
	Auth      string `help:"smart, or off: everybody sees everything, on a loopback address only." enum:"smart,off" default:"smart"`
	Demo      bool   `help:"Load the synthetic region on first start, with sample people and clients."`
	Keys      string `help:"Folder of the sealing keys. Default: keys in the folder of a Pebble store." type:"path"`
	Policy    string `help:"Folder of the sharing agreement, roles, people and clients. Default: policy in the folder of a Pebble store." type:"path"`

	Validation validate.Mode `help:"strict, or lenient: missing mandatory elements and unknown codes of required bindings are accepted with a warning." default:"strict"`

	Handling string `help:"strict, or lenient: what a request that names no handling gets. strict refuses parameters that the server does not know, lenient ignores them; searches warn." enum:"strict,lenient" default:"lenient"`

	Admin string `help:"Address of /metrics, /healthz, /readyz and /admin/reindex for the operator, as 127.0.0.1:8081. Default: no /metrics."`

	Limit     map[string]string `help:"A limit, as page=50; repeat it for more. The log of the start shows all of them." placeholder:"NAME=VALUE"`
	Integrity bool              `help:"Refuse writes that refer to local resources which are not there."`

	WordIndex *bool `help:"Keep an index of all words, for _text and _content: takes room and time. Default: as the store is keyed, a new one without; carerecord reindex changes it." negatable:""`

	ReindexRate int `help:"Documents a second at most that are read to index a search parameter that was defined, beside requests. -1 is as fast as it goes." default:"2000"`

	Origin []string `help:"Origin of pages that may call from a browser, as https://app.example; repeat it for more."`

	Lease time.Duration `help:"How long a MongoDB record stays this server's when it is killed; it is renewed three times in that time. The clocks of all machines must agree within a tenth of it." default:"15s"`
}

// Run serves until the context ends, then finishes running requests.
func (c *serveCmd) Run(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	s, err := c.settings()
	if err != nil {
		return fmt.Errorf("these settings cannot be served with:\n%w", err)
	}
	s.log = log
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer listener.Close()
	if s.publicURL == "" {
		s.publicURL = "http://" + listener.Addr().String()
	}
	o, err := c.observe(ctx, &s)
	if err != nil {
		return err
	}
	defer o.close(s.log)
	r, err := openRecord(ctx, s)
	if err != nil {
		return err
	}
	defer r.close()
	closeAdmin, err := c.listenAdmin(r, s, o.metrics)
	if err != nil {
		return err
	}
	defer closeAdmin()
	if c.Demo {
		if err := r.demoRegion(ctx, s); err != nil {
			return err
		}
	}
	return c.serve(ctx, r, s, listener)
}

// settings checks the flags and names every mistake.
func (c *serveCmd) settings() (settings, error) {
	var all []error
	no := func(wrong bool, format string, args ...any) {
		if wrong {
			all = append(all, fmt.Errorf(format, args...))
		}
	}
	s := settings{publicURL: strings.TrimSuffix(c.PublicURL, "/"), keysDir: c.Keys, policyDir: c.Policy, demo: c.Demo,
		unguarded: c.Auth == "off", lease: c.Lease, validation: c.Validation, strict: c.Handling == "strict"}
	lim := defaultLimits()
	if err := lim.set(c.Limit); err != nil {
		all = append(all, err)
	}
	s.limits, s.origins, s.integrity, s.words = &lim, c.Origin, c.Integrity, c.WordIndex
	_, _, err := net.SplitHostPort(c.Listen)
	no(err != nil, "--listen is HOST:PORT, not %q", c.Listen)
	no(err == nil && s.unguarded && !loopback(c.Listen), "--auth off lets everybody read everything: it needs a loopback address, not %s", c.Listen)
	no(s.unguarded && c.Demo, "--demo has people and tokens: it goes with --auth smart")
	_, _, err = net.SplitHostPort(c.Admin)
	no(c.Admin != "" && err != nil, "--admin is HOST:PORT, not %q", c.Admin)
	no(c.Admin != "" && c.Admin == c.Listen, "--admin is an address of its own, not that of --listen")
	u, err := url.Parse(s.publicURL)
	no(s.publicURL != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path+u.RawQuery+u.Fragment != ""),
		"--public-url is the address of the site without /fhir, as http://HOST:PORT, not %q", c.PublicURL)
	no(c.Lease < time.Second, "--lease is a second or more, not %s", c.Lease)
	if s.place, err = placeOf(c.Store); err == nil {
		err = s.folders()
	}
	if err != nil {
		all = append(all, err)
	}
	return s, errors.Join(all...)
}

func (c *serveCmd) serve(ctx context.Context, r *record, s settings, listener net.Listener) error {
	say(s, r)
	s.limits.show(s.log)
	closeSocket, err := r.listenSocket(s)
	if err != nil {
		return err
	}
	defer closeSocket()
	indexing, stop := context.WithCancel(ctx)
	defer r.keepCounts(indexing)()
	defer r.keepIndexing(indexing, c.ReindexRate)()
	defer r.keepCatchingUp(indexing)()
	defer stop()
	server := &http.Server{Handler: r.held.whileHeld(r.site()), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		WriteTimeout: s.limits.rest.BundleDeadline + lastBytes,
		ErrorLog:     slog.NewLogLogger(s.log.Handler(), slog.LevelWarn)}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }() // ends with Shutdown below
	s.log.Info("serving", "fhir", s.publicURL+"/fhir", "store", redact(s.place.address))
	var fault error
	select {
	case err := <-done:
		return err
	case <-r.held.lost:
		fault = errLost
		time.Sleep(lastAnswers)
	case <-ctx.Done():
	}
	s.log.Info("draining")
	drain, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return errors.Join(fault, server.Shutdown(drain))
}

// lastBytes is how long after the longest deadline a client may take to read
// its answer (LIM-009).
const lastBytes = time.Minute

// lastAnswers is how long a server that lost its lease answers 503 before it
// ends, so that clients learn that nothing was done.
const lastAnswers = time.Second

// say tells what an operator must know of this start.
func say(s settings, r *record) {
	if err := r.confirmed(); err != nil {
		s.log.Warn(err.Error())
	}
	if s.unguarded {
		s.log.Warn("AUTH IS OFF: everybody who reaches this address reads and writes everything, and no trail is kept")
		return
	}
	if r.policy.Agreement.Relationship == "" {
		s.log.Warn("no relationship can be shown yet: direct care by people is refused with NO_RELATIONSHIP")
	} else {
		s.log.Warn("every legitimate relationship is assumed: this is a demonstration")
	}
}

// site is what the server answers. Every request but those of healthRoutes goes to the FHIR
// server, which refuses and records it where it has no such path.
func (r *record) site() http.Handler {
	return r.healthRoutes().before(r.rest.Handler())
}

// loopback reports whether an address can be reached from this machine only.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// redact takes the password out of a store's address.
func redact(address string) string {
	at := strings.LastIndexByte(address, '@')
	scheme, _, found := strings.Cut(address, "://")
	if at < 0 || !found {
		return address
	}
	return scheme + "://…" + address[at:]
}
