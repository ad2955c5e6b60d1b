package backlog

import (
	"errors"
	"testing"

	"carerecord/store"
)

// TestOldPage: a page of an entry that has ended conflicts with an entry of the same name
// that was added later.
func TestOldPage(t *testing.T) {
	b := New(func(do func()) { do() }, "")
	commit := func(added map[string]Entry, pages ...*Page) error {
		c, err := b.Prepare(added, pages)
		if err == nil {
			b.apply(c)
		}
		return err
	}
	add := func() {
		t.Helper()
		if err := commit(map[string]Entry{"a": {}}); err != nil {
			t.Fatal(err)
		}
	}
	add()
	e, _ := b.Get("a")
	page := &Page{From: e, To: e, Done: true}
	if err := commit(nil, page); err != nil {
		t.Fatal(err)
	}
	add()
	if err := commit(nil, page); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a page of the entry that ended: %v, want %v", err, store.ErrConflict)
	}
}
