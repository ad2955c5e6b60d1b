package pebble

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"carerecord/store"
)

// tiring is a context that ends after a number of calls of Err.
type tiring struct {
	context.Context
	left int
}

// Err implements context.Context.
func (c *tiring) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestStreamsThatNeverMeetHearTheContext(t *testing.T) {
	db := open(t, t.TempDir(), nil)
	var b store.Batch
	for i := range 4000 { // eight by eight, so that streams cannot follow by steps
		d := store.Doc{Ref: store.Ref{Type: "T", ID: fmt.Sprint(i)}, Version: 1, Origin: store.Created, RowID: testID(uint64(i), ""), Keys: []store.Key{[]store.Key{"a", "b"}[i/8%2]}}
		b.Writes = append(b.Writes, store.Write{Doc: d})
	}
	if _, err := db.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	q := store.Query{Type: "T", Where: store.And{store.Eq{Key: "a"}, store.Eq{Key: "b"}}}
	err := db.Read(t.Context(), func(s store.Snapshot) error {
		if n, err := s.Count(t.Context(), q, 0); n != 0 || err != nil {
			t.Errorf("count: got %d, %v, want none", n, err)
		}
		_, err := s.Count(&tiring{t.Context(), 3}, q, 0)
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("count in a context that ends: got %v, want context.Canceled", err)
	}
}
