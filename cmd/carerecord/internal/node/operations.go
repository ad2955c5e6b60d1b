package node

import (
	"bytes"
	"errors"
	"net/http"

	"carerecord/consent/audit"
)

// operation is a request that the socket of a running server answers.
type operation struct {
	pattern string // method and path, or unknownOperation
	name    string // in the audit trail
	handle  http.HandlerFunc
	audit   auditing
}

// auditing selects when an operation is recorded.
type auditing int

const (
	auditAfter   auditing = iota // when the answer is ready, before it is sent
	auditBefore                  // before it begins, since its effect leaves the store or lasts; once more if it fails
	auditHandler                 // by the handler
)

// unknownOperation is the pattern of all requests that have no other.
const unknownOperation = "/"

// operations is the table of all operations on the socket.
func (n *Node) operations() []operation {
	return []operation{
		{"POST /token", "token-issue", n.answerToken, auditHandler},
		{"POST /client", "client", n.answerClient, auditAfter},
		{"GET /keys", listedKeys, n.answerKeys, auditAfter},
		{"POST /keys", rotatedKeys, n.answerRotate, auditHandler},
		{"GET /audit", "audit-verify", n.answerAudit, auditAfter},
		{"GET /reindex", "reindex-status", n.answerStatus, auditAfter},
		{"POST /reindex", "reindex", n.answerReindex, auditBefore},
		{"GET /explain", "explain", n.answerExplain, auditHandler},
		{"GET /identities", "identity-list", n.answerIdentities, auditAfter},
		{"POST /backup", "backup", n.answerBackup, auditBefore},
		{"POST /restore/confirm", "confirm-restore", n.answerConfirm, auditHandler},
		{"POST /load", "load", n.answerLoad, auditHandler},
		{unknownOperation, "unknown", http.NotFound, auditAfter},
	}
}

// recorded answers an operation once its audit record is durable (AUD-101).
func (n *Node) recorded(op operation) http.HandlerFunc {
	if op.audit == auditHandler {
		return op.handle
	}
	return func(w http.ResponseWriter, q *http.Request) {
		o := audit.Operation{Name: op.name, Who: q.Header.Get(operatorHeader)}
		if op.audit == auditBefore {
			if err := n.audit(q.Context(), o); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
		}
		out := newUnsentResponse()
		op.handle(out, q)
		o.Of = out.of
		if o.Status = out.status; op.audit == auditAfter || o.Status != http.StatusOK {
			if err := n.audit(q.Context(), o); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
		}
		out.send(w)
	}
}

// answerRefused answers an operation with auditHandler that did not begin.
func (n *Node) answerRefused(w http.ResponseWriter, q *http.Request, name string, err error) {
	if unrecorded := n.audit(q.Context(), withOutcome(audit.Operation{Name: name, Who: q.Header.Get(operatorHeader)}, err)); unrecorded != nil {
		err = errors.Join(err, unrecorded)
	}
	http.Error(w, err.Error(), http.StatusUnprocessableEntity)
}

// unsentResponse is an answer that has not been sent.
type unsentResponse struct {
	header http.Header
	status int
	body   bytes.Buffer
	of     string                    // the object of the operation, for the audit record; empty for none
	stream func(http.ResponseWriter) // writes the rest of the body when the answer is sent; nil for none
}

func newUnsentResponse() *unsentResponse {
	return &unsentResponse{header: http.Header{}, status: http.StatusOK}
}

// Header implements http.ResponseWriter.
func (r *unsentResponse) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *unsentResponse) WriteHeader(status int) { r.status = status }

// Write implements http.ResponseWriter.
func (r *unsentResponse) Write(b []byte) (int, error) { return r.body.Write(b) }

// send sends the answer.
func (r *unsentResponse) send(w http.ResponseWriter) {
	for name, values := range r.header {
		w.Header()[name] = values
	}
	w.WriteHeader(r.status)
	w.Write(r.body.Bytes())
	if r.stream != nil {
		r.stream(w)
	}
}
