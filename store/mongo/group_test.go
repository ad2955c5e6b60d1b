package mongo

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/event"
)

// TestWaitingRecordsShareAnInsert: records that wait while the log is written to share the next
// insert, and one that is alone is inserted by itself (AUD-402).
func TestWaitingRecordsShareAnInsert(t *testing.T) {
	var inserts atomic.Int32
	c := freshConfig(t, nil)
	c.Monitor = &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		if into, _ := e.Command.Lookup("insert").StringValueOK(); into == "log" {
			inserts.Add(1)
		}
	}}
	db := openWatched(t, c)
	if _, err := db.Append(t.Context(), []byte("alone")); err != nil || inserts.Load() != 1 {
		t.Fatalf("AUD-402: a record alone: %v, %d inserts, want 1", err, inserts.Load())
	}
	const waiting = 64
	tail := db.logWriter
	until := func(reached func() bool) {
		for done := false; !done; runtime.Gosched() {
			tail.mu.Lock()
			done = reached()
			tail.mu.Unlock()
		}
	}
	until(func() bool { // as if a writer ran
		if tail.writing {
			return false
		}
		tail.writing = true
		return true
	})
	var group sync.WaitGroup
	for range waiting {
		group.Go(func() {
			if _, err := db.Append(t.Context(), []byte("x")); err != nil {
				t.Error(err)
			}
		})
	}
	until(func() bool { return len(tail.waiting) == waiting })
	tail.writers.Add(1)
	tail.run()
	group.Wait()
	if n := inserts.Load(); n != 2 {
		t.Errorf("AUD-402: %d records waited and took %d inserts, want 1", waiting, n-1)
	}
}
