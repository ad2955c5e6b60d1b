package launch_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"carerecord/consent/audit"
	"carerecord/interop/smart/launch"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/secret"
	"carerecord/store/storetest"
)

// TestHandleEnds: a handle lives five minutes, also if the store has not removed it (SMART-121, 492).
func TestHandleEnds(t *testing.T) {
	began := time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)
	engine := storetest.NewReference(func() time.Time { return began }) // removes nothing
	digests, err := secret.NewDigester(bytes.Repeat([]byte("d"), 32))
	if err != nil {
		t.Fatal(err)
	}
	writer, err := audit.New(engine, bytes.Repeat([]byte("k"), 32), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	now := began
	book := launch.Book{Secrets: digests, Ledger: &ledger.Ledger{State: engine, Commit: engine, Audit: writer, Clock: func() time.Time { return now }}}
	for after, want := range map[time.Duration]error{5*time.Minute - 1: nil, 5 * time.Minute: launch.ErrUnknown} {
		now = began
		handle, err := book.Announce(t.Context(), ledger.Event{Name: "launch-announce", Of: "client/app"}, launch.Launch{Client: "app", User: "doctor"})
		if err != nil {
			t.Fatal(err)
		}
		now = began.Add(after)
		if _, err := book.Take(t.Context(), handle, "app"); !errors.Is(err, want) {
			t.Errorf("SMART-121, 492: a handle after %s: got %v, want %v", after, err, want)
		}
	}
}
