package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"carerecord/consent/audit"
	"carerecord/consent/audit/audittest"
	"carerecord/interop/smart/ledger"
	"carerecord/store"
	"carerecord/store/storetest"
)

type note struct{ Text string }

// broken fails every commit.
type broken struct{}

func (broken) Commit(context.Context, store.Batch) (uint64, error) { return 0, store.ErrUnavailable }

// TestWrite: values and the audit record are one step; a changed value stores neither (SMART-491, 496).
func TestWrite(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	engine := storetest.NewReference(func() time.Time { return now })
	writer, err := audit.New(engine, bytes.Repeat([]byte("k"), 32), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	l := ledger.Ledger{State: engine, Commit: engine, Audit: writer, Clock: func() time.Time { return now }}
	ctx := t.Context()
	made, err := ledger.New("a/b/1", note{"one"}, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Write(ctx, ledger.Event{Name: "token-issue", Of: "grant/1"}, made); err != nil {
		t.Fatal(err)
	}
	if err := l.Write(ctx, ledger.Event{Name: "token-issue"}, made); !ledger.Changed(err) {
		t.Errorf("a second new value: got %v, want ErrChanged", err)
	}
	read, err := ledger.Read[note](ctx, engine, "a/b/1")
	if err != nil || read.Content.Text != "one" {
		t.Fatalf("got %+v, %v", read, err)
	}
	before := read
	read.Content.Text = "two"
	change, err := read.Change(now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Write(ctx, ledger.Event{Name: "token-refresh"}, change); err != nil {
		t.Fatal(err)
	}
	if err := l.Write(ctx, ledger.Event{Name: "token-revoke"}, before.Remove()); !ledger.Changed(err) {
		t.Errorf("SMART-491: removal of a changed value: got %v, want ErrChanged", err)
	}
	if _, err := ledger.Read[note](ctx, engine, "a/b/2"); !ledger.Missing(err) || errors.Is(err, store.ErrConflict) {
		t.Errorf("a missing value: got %v", err)
	}
	records, _ := audittest.RecordsAfter(t, engine, 0)
	if len(records) != 2 || records[0].Interaction != "token-issue" || records[1].Interaction != "token-refresh" || records[0].Decision.Outcome != "permit" {
		t.Errorf("SMART-496: got the records %+v, want one for each change", records)
	}
	l.Commit = broken{}
	if err := l.Write(ctx, ledger.Event{Name: "token-issue"}, made); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("SMART-496: with a broken store: got %v", err)
	}
}

// TestNoteAfterHangUp: a refusal is recorded although the client has gone (SMART-494).
func TestNoteAfterHangUp(t *testing.T) {
	engine := storetest.NewReference(time.Now)
	writer, err := audit.New(engine, bytes.Repeat([]byte("k"), 32), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	l := ledger.Ledger{State: engine, Commit: engine, Audit: writer, Clock: time.Now}
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	if err := l.Note(ctx, ledger.Event{Name: "token-refused", Refused: "invalid_grant"}); err != nil {
		t.Errorf("SMART-494: got %v", err)
	}
	if records, _ := audittest.RecordsAfter(t, engine, 0); len(records) != 1 {
		t.Errorf("SMART-494: got %d records, want that of the refusal", len(records))
	}
}

// TestSMART413Epoch: each write that may end a token begins an epoch; one that leaves a value as it was does not.
func TestSMART413Epoch(t *testing.T) {
	engine := storetest.NewReference(time.Now)
	writer, err := audit.New(engine, bytes.Repeat([]byte("k"), 32), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	l := ledger.Ledger{State: engine, Commit: engine, Audit: writer, Clock: time.Now, Epoch: &ledger.Epoch{}}
	ends := time.Now().Add(time.Hour)
	read := func() ledger.Value[note] {
		v, err := ledger.Read[note](t.Context(), engine, "smart/grant/1")
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	change := func(text string) func() (store.StateWrite, error) {
		return func() (store.StateWrite, error) {
			v := read()
			v.Content.Text = text
			return v.Change(ends)
		}
	}
	for _, step := range []struct {
		name   string
		write  func() (store.StateWrite, error)
		begins bool
	}{
		{"a new grant", func() (store.StateWrite, error) { return ledger.New("smart/grant/1", note{"one"}, ends) }, false},
		{"the grant as it is", change("one"), false},
		{"a change", change("two"), true},
		{"a value put over another", func() (store.StateWrite, error) { return ledger.Put("smart/grant/1", note{"two"}, ends) }, true},
		{"a removal", func() (store.StateWrite, error) { return read().Remove(), nil }, true},
		{"new cutoffs", func() (store.StateWrite, error) { return ledger.New("smart/cutoffs", note{"x"}, time.Time{}) }, true},
	} {
		w, err := step.write()
		if err != nil {
			t.Fatal(err)
		}
		before := l.Epoch.Now()
		if err := l.Write(t.Context(), ledger.Event{Name: "test"}, w); err != nil {
			t.Fatal(err)
		}
		if began := l.Epoch.Now() != before; began != step.begins {
			t.Errorf("SMART-413: %s begins an epoch: %t", step.name, began)
		}
	}
}
