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
