package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"carerecord/consent/audit"
	"carerecord/fhir"
	"carerecord/store"
)

// restoredMark is the State value that says that a backup was restored into
// this store, and how far that is.
const restoredMark = "store/restored"

// The states of a restored store.
const (
	restoreUnfinished  = "unfinished"  // a part is there: of no use
	restoreUnconfirmed = "unconfirmed" // whole, and nobody answered for the wishes that are missing
	restoreConfirmed   = "confirmed"
)

// restored is the value of the mark.
type restored struct {
	State string    `json:"state"`
	Taken time.Time `json:"taken"` // when the backup was
	At    time.Time `json:"at"`    // of the restore
	Who   string    `json:"who,omitempty"`
	From  time.Time `json:"from,omitzero"` // wishes since may be missing
}

func (m restored) encode() []byte {
	b, err := json.Marshal(m)
	if err != nil {
		panic(err) // strings and instants
	}
	return b
}

// keep replaces the mark, with records of the trail in the same step.
func (m restored) keep(ctx context.Context, e store.Engine, log ...[]byte) error {
	_, err := e.Commit(ctx, store.Batch{Log: log, State: []store.StateWrite{{Key: restoredMark, Value: m.encode()}}})
	if err != nil {
		return fmt.Errorf("mark the store as restored: %w", err)
	}
	return nil
}

// restoredOf reads the mark; nil where no backup was restored.
func restoredOf(ctx context.Context, e store.Engine) (*restored, error) {
	b, err := e.Lookup(ctx, restoredMark)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	var m restored
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		return nil, fmt.Errorf("look whether the store was restored: %w", err)
	}
	if m.State == restoreUnfinished {
		return nil, errors.New("a restore into this store was broken off: delete what is in it and restore again")
	}
	return &m, nil
}

// errUnconfirmed says that a restored store may lack wishes of patients.
var errUnconfirmed = errors.New("the store was restored from a backup and wishes of patients may be missing: it answers after carerecord restore --confirm-from INSTANT")

// confirmed returns errUnconfirmed while nobody has answered for what a restored
// store lacks.
func (r *record) confirmed() error {
	if r.unconfirmed.Load() {
		return errUnconfirmed
	}
	return nil
}

// confirm lets a restored store answer, from when on wishes may be missing, and
// records who said so in the same step (CON-1407).
func (r *record) confirm(ctx context.Context, who string, from time.Time) error {
	r.restoring.Lock()
	defer r.restoring.Unlock()
	m := r.restored
	switch {
	case m == nil:
		return errors.New("no backup was restored into this store: there is nothing to confirm")
	case m.State == restoreConfirmed:
		return fmt.Errorf("%s has confirmed it before, from %s on", m.Who, m.From.Format(time.RFC3339Nano))
	case from.After(m.Taken):
		return fmt.Errorf("the backup was taken at %s: what was wished since then is not in it, so a later instant is wrong", m.Taken.Format(time.RFC3339Nano))
	}
	next := *m
	next.State, next.Who, next.From = restoreConfirmed, who, from.UTC()
	var log [][]byte
	if r.trailed {
		b, err := audit.Confirmation(time.Now(), who, from)
		if err != nil {
			return err
		}
		log = [][]byte{b}
	}
	if err := next.keep(ctx, r.engine, log...); err != nil {
		return err
	}
	*m = next
	r.unconfirmed.Store(false)
	return nil
}

// closed returns the 503 of a restored store that waits for confirmation, or nil.
func (r *record) closed() error {
	if !r.unconfirmed.Load() {
		return nil
	}
	return &fhir.Error{Status: 503, Issues: []fhir.Issue{{Code: "transient", Text: "The record was restored from a backup and does not answer yet. Nothing was done; it may be repeated."}},
		Header: map[string]string{"Retry-After": "60"}}
}
