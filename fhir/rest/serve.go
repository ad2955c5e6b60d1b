package rest

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/fhir"
	"carerecord/fhir/search"
)

// basePath is the path of the FHIR base.
const basePath = "/fhir"

// Handler returns the FHIR API, below basePath.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.cors(w, r) {
			return
		}
		if p := r.URL.Path; len(p) > 1 && strings.HasSuffix(p, "/") && !strings.HasSuffix(p, "//") {
			r.URL.Path, r.URL.RawPath = strings.TrimSuffix(p, "/"), "" // one slash at the end is ignored (REST-012)
		}
		to, params := s.routeOf(r)
		s.serve(w, r, to, params)
	})
}

// routeOf returns the route of an HTTP request, or one that refuses it.
func (s *Server) routeOf(r *http.Request) (route, pathParams) {
	path, below := strings.CutPrefix(r.URL.Path, basePath)
	if !below || path != "" && path[0] != '/' {
		return unknownRoute(noRoute), pathParams{}
	}
	to, params, allow, found := s.dispatcher.find(r.Method, path)
	switch {
	case found:
		return to, params
	case allow != "":
		return unknownRoute(noMethod(allow)), pathParams{}
	}
	return unknownRoute(noRoute), pathParams{}
}

func noRoute(context.Context, *call) (*answer, error) {
	return nil, fhir.Fault(404, "not-supported", "This server has no such route or operation.")
}

// noMethod refuses a method of a path that has others.
func noMethod(allow string) handler {
	return func(ctx context.Context, c *call) (*answer, error) {
		if c.isOperation() { // an unknown one (OPER-001)
			return noRoute(ctx, c)
		}
		return nil, wrongMethod(c, allow)
	}
}

func wrongMethod(c *call, allow string) error {
	e := fhir.Fault(405, "not-supported", "%s is not available for this path.", c.r.Method)
	e.Header = map[string]string{"Allow": allow}
	return e
}

// serve answers one HTTP request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, to route, params pathParams) {
	c := &call{
		request:    request{r: r, interaction: to.interaction, pathParams: params, requestID: requestID(r)},
		negotiated: negotiated{validation: s.cfg.Validation},
	}
	w.Header().Set("X-Request-Id", c.requestID)
	if sent := r.Header.Get("X-Request-Id"); sent != "" && sent != c.requestID {
		w.Header().Set("X-Correlation-Id", printable(sent))
	}
	if r.Body != nil && r.ContentLength != 0 {
		// The deadline also ends reading the body, a little later than the call, whose error is more
		// precise. The ResponseWriter of a test may not support deadlines.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.deadline(c) + readGrace))
	}
	open := to.open && !HasLeakedToken(r)
	s.observe(r.Context(), c, func(ctx context.Context) *answer {
		a := s.answer(ctx, c, to.handle, open)
		s.write(w, c, a)
		return a
	})
}

// readGrace is how long after its deadline the body of a request may still be read.
const readGrace = time.Second

// answer runs a call: it identifies the requester, calls the handler, and waits until the audit record is
// durable. open calls need no token and have no record.
func (s *Server) answer(ctx context.Context, c *call, h handler, open bool) (a *answer) {
	ctx, cancel := context.WithTimeout(ctx, s.deadline(c))
	defer cancel()
	leave, err := s.admit(ctx, c, open)
	defer leave()
	if err == nil {
		err = timeoutError(ctx) // refuses the remaining entries of a batch whose time is up
	}
	if err == nil {
		a, err = s.guarded(ctx, c, h)
	}
	if err != nil {
		a = s.failed(c, err)
	}
	if a.recorded || open {
		return a
	}
	return s.recorded(ctx, c, a, err)
}

// recorded returns an answer once its audit record is durable, or 503 if it cannot be. Records of
// requests without a valid token are limited by address (AUD-101, LIM-006).
func (s *Server) recorded(ctx context.Context, c *call, a *answer, cause error) *answer {
	appendRecord := func(r audit.Record) error { return s.cfg.Audit.Append(ctx, r) }
	if c.unidentified {
		sent := s.cfg.Unidentified.Admit(address(c.r), s.cfg.Clock())
		if max := s.cfg.Limits.UnidentifiedRate; max > 0 && sent > max {
			return s.failed(c, throttled("This address sends more than %d requests a second without a valid token.", max))
		}
		if sent > 1 {
			return a // counted in the next record of the address
		}
		appendRecord = func(r audit.Record) error { return s.cfg.Unidentified.Append(ctx, s.cfg.Audit, r) }
	}
	if s.cfg.Audit == nil {
		return a
	}
	if err := appendRecord(s.record(ctx, c, a, cause)); err != nil {
		return s.failed(c, &fhir.Error{Status: 503, Issues: []fhir.Issue{{Code: "transient", Text: "The request cannot be recorded now, so it cannot be answered. Try again."}},
			Cause: err, Header: map[string]string{"Retry-After": "1"}})
	}
	return a
}

func (s *Server) deadline(c *call) time.Duration {
	if c.interaction == consent.Batch {
		return s.cfg.Limits.BundleDeadline
	}
	return s.cfg.Limits.Deadline
}

// guarded runs the handler. A panic fails this request only (REST-005).
func (s *Server) guarded(ctx context.Context, c *call, h handler) (a *answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			a, err = nil, fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return h(ctx, c)
}

// admit identifies the requester, applies the limits of clients, and reads the parts that every call has: URL,
// format, parameters. The requester is identified before anything is refused; otherwise anybody could fill
// the audit trail with malformed requests. leave is never nil.
func (s *Server) admit(ctx context.Context, c *call, open bool) (leave func(), err error) {
	leave = func() {}
	c.contentType = fhirJSON + "; charset=utf-8"
	malformed := s.readURL(c)
	if open || c.entry {
		return leave, malformed
	}
	c.caller, err = s.cfg.Verify(ctx, c.r.Header, address(c.r))
	if e, ok := fhir.AsError(err); ok && e.Status == http.StatusUnauthorized {
		c.unidentified = true
	}
	err = s.checkTokenPlace(ctx, c, err)
	if _, leaked := consent.AsRefusal(err); c.unidentified && c.outside() && !leaked {
		err = nil // outside the base there is nothing to protect: 404 for everybody
	}
	if !c.unidentified {
		entered, throttled := s.limiter.enter(cmp.Or(c.caller.Client, address(c.r)))
		if throttled != nil {
			return leave, throttled
		}
		leave = entered
	}
	if s.cfg.Closed != nil {
		if closed := s.cfg.Closed(); closed != nil {
			return leave, closed
		}
	}
	return leave, cmp.Or(err, malformed)
}

// readURL reads URL, format and parameters.
func (s *Server) readURL(c *call) error {
	if len(c.r.URL.RequestURI()) > s.cfg.Limits.URL {
		return fhir.Fault(414, "too-long", "The URL is longer than %d bytes.", s.cfg.Limits.URL)
	}
	var err error
	if c.params, err = search.ParseQuery(c.r.URL.RawQuery); err != nil {
		return err
	}
	if c.contentType, err = c.formatOf(c.params); err != nil {
		return err
	}
	c.prefer = readPrefer(c.r.Header, s.cfg.Strict)
	return c.indent(c.params)
}
