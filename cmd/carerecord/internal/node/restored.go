package node

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

// restoreKey is the State key of the restoreMark.
const restoreKey = "store/restored"

// The states of a restored store.
const (
	restoreUnfinished  = "unfinished"  // a part is stored, which is of no use
	restoreUnconfirmed = "unconfirmed" // complete; no operator has confirmed that directives may be missing
	restoreConfirmed   = "confirmed"
)

// restoreMark records that a backup was restored into this store, and the progress of that.
type restoreMark struct {
	State string    `json:"state"`
	Taken time.Time `json:"taken"` // when the backup was taken
	At    time.Time `json:"at"`    // when the restore began
	Who   string    `json:"who,omitempty"`
	From  time.Time `json:"from,omitzero"` // directives since then may be missing
}

func (m restoreMark) encode() []byte {
	b, err := json.Marshal(m)
	if err != nil {
		panic(err) // strings and instants
	}
	return b
}

// save replaces the stored mark, and appends records to the audit trail in the same commit.
func (m restoreMark) save(ctx context.Context, e store.Engine, log ...[]byte) error {
	_, err := e.Commit(ctx, store.Batch{Log: log, State: []store.StateWrite{{Key: restoreKey, Value: m.encode()}}})
	if err != nil {
		return fmt.Errorf("mark the store as restored: %w", err)
	}
	return nil
}

// readRestoreMark reads the mark into restored. It fails if a restore was interrupted.
func (h *heldStore) readRestoreMark(ctx context.Context) error {
	b, err := h.engine.Lookup(ctx, restoreKey)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	var m restoreMark
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		return fmt.Errorf("read whether the store was restored: %w", err)
	}
	if m.State == restoreUnfinished {
		return errors.New("a restore into this store was interrupted: delete its content and restore again")
	}
	h.restored = &m
	h.unconfirmed.Store(m.State != restoreConfirmed)
	return nil
}

// errUnconfirmed reports that directives of patients may be missing in a restored store.
var errUnconfirmed = errors.New("the store was restored from a backup and directives of patients may be missing: it answers after carerecord restore --confirm-from INSTANT")

// confirmed returns errUnconfirmed for a restored store that no operator has confirmed.
func (h *heldStore) confirmed() error {
	if h.unconfirmed.Load() {
		return errUnconfirmed
	}
	return nil
}

// closed returns the 503 of a restored store that waits for confirmation, or nil.
func (h *heldStore) closed() error {
	if !h.unconfirmed.Load() {
		return nil
	}
	return &fhir.Error{Status: 503, Issues: []fhir.Issue{{Code: "transient", Text: "The record was restored from a backup and does not answer yet. Nothing was done. Try again later."}},
		Header: map[string]string{"Retry-After": "60"}}
}

// recordClosed is confirmed, as an error of a store that does not answer: for the pages, which show the record too.
func (h *heldStore) recordClosed() error {
	if err := h.confirmed(); err != nil {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return nil
}

// confirmRestore lets a restored store answer. from is the instant since which directives may be
// missing. The confirmation is recorded in the same commit (CON-1407).
func (h *heldStore) confirmRestore(ctx context.Context, operator string, from time.Time) error {
	h.confirming.Lock()
	defer h.confirming.Unlock()
	m := h.restored
	switch {
	case m == nil:
		return errors.New("no backup was restored into this store: there is nothing to confirm")
	case m.State == restoreConfirmed:
		return fmt.Errorf("%s has confirmed it before, from %s on", m.Who, m.From.Format(time.RFC3339Nano))
	case from.After(m.Taken):
		return fmt.Errorf("the backup was taken at %s: later directives are not in it, so a later instant is wrong", m.Taken.Format(time.RFC3339Nano))
	}
	next := *m
	next.State, next.Who, next.From = restoreConfirmed, operator, from.UTC()
	var log [][]byte
	if h.audited {
		b, err := audit.Confirmation(time.Now(), operator, from)
		if err != nil {
			return err
		}
		log = [][]byte{b}
	}
	if err := next.save(ctx, h.engine, log...); err != nil {
		return err
	}
	*m = next
	h.unconfirmed.Store(false)
	return nil
}
