package node

import (
	"errors"
	"testing"
	"time"

	signing "carerecord/interop/smart/keys"
)

// TestSMART386Renewal: a key that cannot be made is tried again each hour, and recorded once.
func TestSMART386Renewal(t *testing.T) {
	at, broken := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), errors.New("the folder cannot be written")
	fault, recorded, due := broken, 0, true
	r := &renewal{due: func() bool { return due }, writable: func() error { return fault }, rotate: func() error { recorded++; return fault }}
	failures := 0
	for range 180 {
		if err := r.round(at); err != nil {
			failures++
		}
		at = at.Add(time.Minute)
	}
	if recorded != 1 || failures != 3 {
		t.Errorf("SMART-386: in three hours: %d rotations were recorded and %d failures logged, want 1 and 3", recorded, failures)
	}
	fault = nil
	if err := r.round(at); err != nil || recorded != 2 || !r.failed.IsZero() {
		t.Errorf("SMART-386: once the folder can be written: got %v after %d rotations", err, recorded)
	}
	due = false
	if err := r.round(at.Add(time.Minute)); err != nil || recorded != 2 {
		t.Errorf("SMART-386: a rotation that is not due: got %v after %d rotations", err, recorded)
	}
}

// TestKeysList: the list has a key that another server of the folder made a moment ago.
func TestKeysList(t *testing.T) {
	cfg := demoConfig(t, t.TempDir())
	n, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	other, err := signing.Load(cfg.KeysDir, false, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	made, err := other.Rotate(false)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := n.listKeys(); err != nil || len(list) != 2 || list[1].ID != made.ID {
		t.Errorf("SMART-386: got %+v, %v, want the key %s too", list, err, made.ID)
	}
}
