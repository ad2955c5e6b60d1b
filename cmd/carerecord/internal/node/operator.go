package node

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/fhir/rest"
	"carerecord/interop/smart/clients"
)

// operatorRoutes are the requests of an operator on the address of --admin. Each needs a token
// with the scope __operations, except under --auth off. The APIs for clients and for the apps of an organisation have rights of their
// own.
func (n *Node) operatorRoutes() routes {
	return routes{"GET /admin/reindex": n.answerStatus, "GET /admin/identities": n.answerIdentities}
}

// operatorHandler answers the requests of an operator, and refuses unknown paths. Each request
// is recorded before its answer is sent.
func (n *Node) operatorHandler() http.Handler {
	known := n.operatorRoutes()
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		handle, pattern := known.find(q)
		out := newUnsentResponse()
		right := operating()
		if isClientAPI(q.URL.Path) {
			right, pattern = administering(), q.Method+" "+recordedPath(q.URL.Path)
		}
		if isAppsAPI(q.URL.Path) {
			right, pattern = approving(), q.Method+" "+recordedPath(q.URL.Path)
		}
		p, err := n.authorizeOperator(q, right)
		switch {
		case err != nil:
			writeError(out, err)
		case isClientAPI(q.URL.Path) && n.smart != nil:
			n.answerClientAPI(out, q, p)
		case isAppsAPI(q.URL.Path) && n.smart != nil:
			n.answerAppsAPI(out, q, p)
		case handle == nil:
			writeError(out, known.missing(q))
		default:
			handle(out, q)
		}
		if out.of != "" {
			pattern += "?list=" + out.of
		}
		if err := n.recordOperator(q, pattern, p, out.status, err); err != nil {
			out = newUnsentResponse()
			writeError(out, err)
		}
		out.send(w)
	})
}

// right is a right that a request needs.
type right struct {
	scope string
	has   func(consent.Principal) bool
}

// operating is the right of an operator.
func operating() right {
	return right{consent.Operations().String(), consent.Principal.Operates}
}

// administering is the right of an administrator of clients: a person's, whose role has it (SMART-209). A store that is served with
// --auth off has no clients.
func administering() right {
	return right{clients.RightClients, func(p consent.Principal) bool {
		return p.Kind == consent.Administrator && slices.Contains(p.Activities, policy.ActivityClients)
	}}
}

// recordedPath returns a path of the API for clients as the audit trail names it: whatever has not the form of an id or a verb is left
// out.
func recordedPath(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if len(part) > 64 || strings.ContainsFunc(part, func(c rune) bool { return c != '-' && c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') }) {
			parts[i] = "?"
		}
	}
	return strings.Join(parts[:min(len(parts), 6)], "/")
}

// authorizeOperator refuses requesters who do not have a right, and all requesters while a
// restored store waits for confirmation. It returns the Principal of the token, if that is valid.
// Errors are, or wrap, a *fhir.Error.
func (n *Node) authorizeOperator(q *http.Request, needs right) (consent.Principal, error) {
	if n.smart == nil { // --auth off
		if _, found := rest.LeakedToken(q.URL.RawQuery); found {
			return consent.Principal{Kind: consent.System}, rest.RefuseLeakedToken("the URL")
		}
		return consent.Principal{Kind: consent.System}, n.closed()
	}
	p, err := n.smart.Verify(q.Context(), q.Header, q.RemoteAddr)
	if token, found := rest.LeakedToken(q.URL.RawQuery); found {
		if p.Kind == consent.Nobody {
			p, _ = n.smart.Verify(q.Context(), http.Header{"Authorization": {"Bearer " + token}}, q.RemoteAddr)
		}
		return p, rest.RefuseLeakedToken("the URL")
	}
	if e, ok := fhir.AsError(err); ok && len(q.Header.Values("Authorization")) > 1 {
		return p, &consent.Refusal{Step: 1, Reason: rest.TokenLeaked, Err: e}
	}
	if err != nil {
		return p, err
	}
	if err := n.closed(); err != nil {
		return p, err
	}
	if needs.has(p) {
		return p, nil
	}
	missing := needs.scope
	e := fhir.Fault(403, "forbidden", "The token lacks the scope %s.", missing)
	e.Header = map[string]string{"WWW-Authenticate": `Bearer realm="carerecord", error="insufficient_scope", scope="` + missing + `"`}
	return p, &consent.Refusal{Step: 11, Reason: consent.ScopeNotGranted, Err: e}
}

// recordOperator records a request with the status of its answer and the cause of a refusal. An
// error replaces the answer.
func (n *Node) recordOperator(q *http.Request, pattern string, p consent.Principal, status int, cause error) error {
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
	switch {
	case n.auditWriter == nil:
		return nil
	case p.Kind == consent.Nobody:
		return n.recordUnidentified(q.Context(), host, a)
	default:
		return unrecorded(n.auditWriter.Append(q.Context(), a))
	}
}

// unrecorded returns the 503 of a request that could not be recorded, or nil.
func unrecorded(err error) error {
	if err == nil {
		return nil
	}
	return &fhir.Error{Status: 503, Issues: []fhir.Issue{{Code: "transient", Text: "The request cannot be recorded now, so it cannot be answered. Try again."}},
		Cause: err, Header: map[string]string{"Retry-After": "1"}}
}

// recordUnidentified records or counts a request without a valid token. It returns a 429 if its
// address sends too many.
func (n *Node) recordUnidentified(ctx context.Context, host string, a audit.Record) error {
	sent := n.unidentified.Admit(host, a.Recorded)
	if n.unidentifiedRate > 0 && sent > n.unidentifiedRate {
		e := fhir.Fault(429, "throttled", "This address sends more than %d requests a second without a valid token.", n.unidentifiedRate)
		e.Header = map[string]string{"Retry-After": "1"}
		return e
	}
	if sent > 1 {
		return nil // counted
	}
	return unrecorded(n.unidentified.Append(ctx, n.auditWriter, a))
}

// writeError writes an error as an OperationOutcome.
func writeError(w http.ResponseWriter, err error) {
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

// flushUnidentified records the counts of requests without a valid token until the context ends.
// The returned function waits for the end and records the last counts.
func (n *Node) flushUnidentified(ctx context.Context) (wait func()) {
	if n.auditWriter == nil {
		return func() {}
	}
	done := make(chan struct{})
	flush := func(ctx context.Context) {
		if err := n.unidentified.Flush(ctx, n.auditWriter, time.Now()); err != nil {
			n.log.Error("counts of requests without a valid token were not recorded", "err", err)
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
