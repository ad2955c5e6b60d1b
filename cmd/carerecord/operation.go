package main

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"carerecord/consent/audit"
)

// operation is a request on the socket of a running server. The table of them is the whole
// of what an operator may ask there (socket.go).
type operation struct {
	pattern string // method and path, or unknownOperation
	name    string // as the trail names it
	handle  http.HandlerFunc
	// before: it is recorded before it begins, since what it does leaves the store or lasts.
	before bool
	// itself: what it calls makes the record.
	itself bool
}

// operatorHeader is the header by which a command says who runs it.
const operatorHeader = "Carerecord-Operator"

// recording answers a request of an operator once its record is durable (AUD-101).
func (r *record) recording(op operation) http.HandlerFunc {
	if op.itself {
		return op.handle
	}
	return func(w http.ResponseWriter, q *http.Request) {
		o := audit.Operation{Name: op.name, Who: q.Header.Get(operatorHeader)}
		if op.before {
			if err := r.note(q.Context(), o); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
		}
		out := &prepared{header: http.Header{}, status: http.StatusOK}
		op.handle(out, q)
		if o.Status = out.status; !op.before || o.Status != http.StatusOK {
			if err := r.note(q.Context(), o); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
		}
		out.send(w)
	}
}

// note records what an operator does, where the store keeps a trail: one that is served with
// --auth off has none.
func (r *record) note(ctx context.Context, o audit.Operation) error {
	if !r.trailed {
		head, err := r.engine.Head(ctx)
		if err != nil || head.Pos == 0 {
			return err
		}
	}
	return audit.AppendOperation(context.WithoutCancel(ctx), r.engine, time.Now(), o)
}

// failed is the operation that ended with an error.
func failed(o audit.Operation, err error) audit.Operation {
	if o.Status = http.StatusOK; err != nil {
		o.Status, o.Reason = http.StatusUnprocessableEntity, "refused"
	}
	return o
}

// prepared is an answer that has not left.
type prepared struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (p *prepared) Header() http.Header { return p.header }

// WriteHeader implements http.ResponseWriter.
func (p *prepared) WriteHeader(status int) { p.status = status }

// Write implements http.ResponseWriter.
func (p *prepared) Write(b []byte) (int, error) { return p.body.Write(b) }

// send lets the answer leave.
func (p *prepared) send(w http.ResponseWriter) {
	for name, values := range p.header {
		w.Header()[name] = values
	}
	w.WriteHeader(p.status)
	w.Write(p.body.Bytes())
}
