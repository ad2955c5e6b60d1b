package consent

import (
	"context"
	"fmt"
	"sync"
	"time"

	"carerecord/store"
)

// inFlightCommits are the in-flight commits by their instants. A history ends at the earliest of them, or
// at the latest instant that was assigned where there is none: a version that is committed later with an
// earlier instant would be missed by readers who poll with _since (REST-208). It is safe for concurrent
// use.
type inFlightCommits struct {
	mu      sync.Mutex
	last    time.Time // the latest instant that was assigned
	running map[time.Time]int
}

// begin assigns the instant of a commit: whole milliseconds, never before an assigned one.
func (f *inFlightCommits) begin(now time.Time) (at time.Time, end func()) {
	at = now.UTC().Truncate(time.Millisecond)
	f.mu.Lock()
	defer f.mu.Unlock()
	if at.Before(f.last) {
		at = f.last
	}
	f.last = at
	if f.running == nil {
		f.running = map[time.Time]int{}
	}
	f.running[at]++
	return at, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.running[at]--; f.running[at] == 0 {
			delete(f.running, at)
		}
	}
}

// advance notes that a commit has a later instant.
func (f *inFlightCommits) advance(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at.After(f.last) {
		f.last = at
	}
}

// historyEnd returns the last instant that a history may show: no commit that begins or ends later has an
// earlier one. It must be called before the snapshot is taken.
func (f *inFlightCommits) historyEnd(now time.Time) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last.IsZero() {
		f.last = now.UTC().Truncate(time.Millisecond)
	}
	end := f.last
	for at := range f.running {
		if at.Before(end) {
			end = at
		}
	}
	return end
}

// load reads the latest instant of the store: instants do not go back after a restart with an earlier clock.
func (f *inFlightCommits) load(ctx context.Context, s store.Store, types []string) error {
	return s.Read(ctx, func(snap store.Snapshot) error {
		for _, typ := range types {
			for d, err := range snap.History(ctx, store.HistoryQuery{Type: typ}) {
				if err != nil {
					return fmt.Errorf("read the latest instant: %w", err)
				}
				f.advance(d.Updated)
				break
			}
		}
		return nil
	})
}
