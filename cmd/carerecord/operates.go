package main

import (
	"context"
	"net"
	"net/http"
	"time"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/fhir"
	"carerecord/fhir/rest"
)

// adminRoutes is the table of the operator's requests on the address of --admin. Each needs a
// token with the scope carerecord/operations, but under --auth off.
func (r *record) adminRoutes() routes {
	return routes{
		"GET /admin/reindex": func(w http.ResponseWriter, q *http.Request) { r.answerStatus(q.Context(), w) },
	}
}

// admin answers the requests of an operator, known or not, each with its record.
func (r *record) admin() http.Handler {
	known := r.adminRoutes()
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		handle, pattern := known.find(q)
		out := &prepared{header: http.Header{}, status: http.StatusOK}
		p, err := r.operates(q)
		switch {
		case err != nil:
			refuse(out, err)
		case handle == nil:
			refuse(out, known.missing(q))
		default:
			handle(out, q)
		}
		if unrecorded := r.recordAdmin(q, pattern, p, out.status, err); unrecorded != nil {
			out = &prepared{header: http.Header{}}
			refuse(out, unrecorded)
		}
		out.send(w)
	})
}

// recordAdmin records a request, or says why it is not answered.
func (r *record) recordAdmin(q *http.Request, pattern string, p consent.Principal, status int, cause error) error {
	host, _, err := net.SplitHostPort(q.RemoteAddr)
	if err != nil {
		host = q.RemoteAddr
	}
	a := audit.Record{Recorded: time.Now().UTC(), Request: consent.NewID(), Interaction: "admin", Type: pattern, Status: status, Decision: audit.Decision{Outcome: "permit"}}
	a.Agent, a.Client = audit.AgentOf(p)
	a.Client.Address = host
	switch {
	case status >= 500:
		a.Decision.Outcome = "fail"
	case cause != nil:
		a.Decision.Outcome = "refuse"
	}
	if refusal, ok := consent.AsRefusal(cause); ok {
		a.Decision.Step, a.Decision.Reason = refusal.Step, refusal.Reason
	}
	if r.trail == nil {
		return nil
	}
	if p.Kind != consent.Nobody {
		err = r.trail.Append(q.Context(), a)
	} else {
		sent := r.unidentified.Admit(host, a.Recorded)
		if r.unidentifiedRate > 0 && sent > r.unidentifiedRate {
			e := fhir.Fault(429, "throttled", "This address sends more than %d requests a second without a valid token.", r.unidentifiedRate)
			e.Header = map[string]string{"Retry-After": "1"}
			return e
		}
		if sent > 1 {
			return nil // counted
		}
		err = r.unidentified.Append(q.Context(), r.trail, a)
	}
	if err != nil {
		return &fhir.Error{Status: 503, Issues: []fhir.Issue{{Code: "transient", Text: "The request cannot be recorded now, so it cannot be answered. Try again."}},
			Cause: err, Header: map[string]string{"Retry-After": "1"}}
	}
	return nil
}

// operates refuses whoever does not operate the record, and everybody while a restored store
// waits for confirmation. The Principal is that of the token, where there is a valid one.
// Errors are *fhir.Error, or hold one.
func (r *record) operates(q *http.Request) (consent.Principal, error) {
	if r.tokens == nil { // --auth off
		if _, found := rest.LeakedToken(q.URL.RawQuery); found {
			return consent.Principal{Kind: consent.System}, rest.RefuseLeakedToken("the URL")
		}
		return consent.Principal{Kind: consent.System}, r.closed()
	}
	p, err := r.tokens.Verify(q.Context(), q.Header, q.RemoteAddr)
	if token, found := rest.LeakedToken(q.URL.RawQuery); found {
		if p.Kind == consent.Nobody {
			p, _ = r.tokens.Verify(q.Context(), http.Header{"Authorization": {"Bearer " + token}}, q.RemoteAddr)
		}
		return p, rest.RefuseLeakedToken("the URL")
	}
	if e, ok := fhir.AsError(err); ok && len(q.Header.Values("Authorization")) > 1 {
		return p, &consent.Refusal{Step: 1, Reason: rest.TokenLeaked, Err: e}
	}
	if err != nil {
		return p, err
	}
	if err := r.closed(); err != nil {
		return p, err
	}
	if p.Operates() {
		return p, nil
	}
	missing := consent.Operations().String()
	e := fhir.Fault(403, "forbidden", "The token lacks the scope %s.", missing)
	e.Header = map[string]string{"WWW-Authenticate": `Bearer realm="carerecord", error="insufficient_scope", scope="` + missing + `"`}
	return p, &consent.Refusal{Step: 11, Reason: consent.ScopeNotGranted, Err: e}
}

// refuse writes an error as FHIR does.
func refuse(w http.ResponseWriter, err error) {
	e, ok := fhir.AsError(err)
	if !ok {
		e = fhir.Fault(500, "exception", "The request cannot be answered.")
	}
	for name, value := range e.Header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", "application/fhir+json")
	w.WriteHeader(e.Status)
	w.Write(fhir.Outcome(e.Issues))
}

// flushEvery is how long a count of requests without a valid token may wait for its record.
const flushEvery = 10 * time.Second

// keepCounts records, until the context ends, how many requests had no valid token. The
// returned function waits for the end and records what is left.
func (r *record) keepCounts(ctx context.Context) (wait func()) {
	done := make(chan struct{})
	if r.trail == nil {
		return func() {}
	}
	flush := func(ctx context.Context) {
		if err := r.unidentified.Flush(ctx, r.trail, time.Now()); err != nil {
			r.log.Error("counts of requests without a valid token were not recorded", "err", err)
		}
	}
	go func() { // ends with the context
		defer close(done)
		tick := time.NewTicker(flushEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				flush(ctx)
			}
		}
	}()
	return func() {
		<-done
		flush(context.WithoutCancel(ctx))
	}
}
