// Package ledger is the only way by which the authorization server changes what it stores: values of
// the State port together with the audit record of why, in one step. So no token is valid that the
// audit trail does not know (SMART-496), and what may be used once is used up in the step that stores
// what it was used for (SMART-491).
package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"carerecord/consent/audit"
	"carerecord/store"
)

// Ledger reads and writes the values of the authorization server. It keeps nothing, so several over
// one store act as one (SMART-498). It is safe for concurrent use.
type Ledger struct {
	State  store.State
	Commit audit.Committer
	Audit  *audit.Writer
	Clock  func() time.Time
	// Epoch is shared by all Ledgers of the process; nil where other processes write too.
	Epoch *Epoch
	// Observe is called with each event once it is recorded; nil for nobody.
	Observe func(Event)
}

// ErrMissing: there is no value, or it has expired.
var ErrMissing = store.ErrNotFound

// ErrChanged: a value is not what it was when it was read, or exists already. Nothing was written.
var ErrChanged = store.ErrConflict

// Now returns the time of the server.
func (l *Ledger) Now() time.Time { return l.Clock().UTC() }

// Event is what the audit trail says of a change (SMART-494).
type Event struct {
	Request string // request id
	Name    string // what happened: token-issue, client-change, …
	Of      string // the kind and id of what it happened to: grant/ID
	Agent   audit.Agent
	Client  audit.Client
	Named   string // id of the Patient in context
	Refused string // why it was refused; empty for what was permitted
	Status  int    // of the answer; 0 for 200
	Detail  string // the exact reason of a refusal, which the client is not told; without any secret
	Changed []audit.Change
}

func (e Event) record(at time.Time) audit.Record {
	r := audit.Record{Recorded: at, Request: e.Request, Interaction: e.Name, Type: e.Of, Status: e.Status, Agent: e.Agent, Client: e.Client, Named: e.Named,
		Decision: audit.Decision{Outcome: "permit"}, Disclosed: []audit.Item{}, Changed: e.Changed}
	if r.Status == 0 {
		r.Status = 200
	}
	if e.Refused != "" {
		r.Decision = audit.Decision{Outcome: "refuse", Reason: e.Refused, Detail: e.Detail}
	}
	return r
}

// Write stores values and the record of an event. It returns ErrChanged if the condition of a value
// does not hold; then no value is stored, but a MongoDB store may have the record.
func (l *Ledger) Write(ctx context.Context, e Event, values ...store.StateWrite) error {
	err := l.Audit.AppendWith(ctx, l.Commit, e.record(l.Now()), values...)
	l.Epoch.note(values)
	if err != nil {
		return fmt.Errorf("store %s: %w", e.Name, err)
	}
	if l.Observe != nil {
		l.Observe(e)
	}
	return nil
}

// Note records an event that changes nothing, such as a refusal. It is recorded even if ctx has ended, because the client has gone.
func (l *Ledger) Note(ctx context.Context, e Event) error {
	err := l.Audit.Append(ctx, e.record(l.Now()))
	if err == nil && l.Observe != nil {
		l.Observe(e)
	}
	return err
}

// Value is a value as it was read: its content, and the bytes that a change must still find.
type Value[T any] struct {
	Key     string
	Content T
	raw     []byte
}

// Read returns a value, or ErrMissing.
func Read[T any](ctx context.Context, state store.State, key string) (Value[T], error) {
	raw, err := state.Lookup(ctx, key)
	if err != nil {
		return Value[T]{}, fmt.Errorf("look up %s: %w", kindOf(key), err)
	}
	return Decode[T](key, raw)
}

// Decode reads the bytes of a value.
func Decode[T any](key string, raw []byte) (Value[T], error) {
	v := Value[T]{Key: key, raw: raw}
	if err := json.Unmarshal(raw, &v.Content); err != nil {
		return Value[T]{}, fmt.Errorf("read the value of %s: %w", kindOf(key), err)
	}
	return v, nil
}

// Change returns the write that replaces the value by v.Content until an instant, if it was not
// changed since it was read.
func (v Value[T]) Change(expires time.Time) (store.StateWrite, error) {
	w, err := Put(v.Key, v.Content, expires)
	w.Old = v.raw
	return w, err
}

// Remove returns the write that removes the value, if it was not changed since it was read.
func (v Value[T]) Remove() store.StateWrite {
	return store.StateWrite{Key: v.Key, Expires: time.Unix(0, 0), Old: v.raw}
}

// New returns the write of a value under a key that has none.
func New[T any](key string, content T, expires time.Time) (store.StateWrite, error) {
	w, err := Put(key, content, expires)
	w.New = true
	return w, err
}

// Put returns the write of a value, whatever the key has.
func Put[T any](key string, content T, expires time.Time) (store.StateWrite, error) {
	raw, err := json.Marshal(content)
	if err != nil {
		return store.StateWrite{}, fmt.Errorf("write the value of %s: %w", kindOf(key), err)
	}
	return store.StateWrite{Key: key, Value: raw, Expires: expires}, nil
}

// kindOf returns the part of a key before its last slash, which an error may name.
func kindOf(key string) string {
	for i := len(key) - 1; i >= 0; i-- {
		if key[i] == '/' {
			return key[:i]
		}
	}
	return key
}

// Missing reports whether an error says that there is no value.
func Missing(err error) bool { return errors.Is(err, ErrMissing) }

// Changed reports whether an error says that a condition of a write did not hold.
func Changed(err error) bool { return errors.Is(err, ErrChanged) }
