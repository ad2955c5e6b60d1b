package consent

import (
	"context"
	"fmt"
	"sync"
	"time"

	"carerecord/store"
)

// flights are the commits under way, by their instants. A history ends at the
// lowest of them, or at the latest instant that was given out where there is none:
// what commits later with an earlier instant would otherwise appear behind a reader
// who polls with _since (REST-208). It is safe for concurrent use.
type flights struct {
	mu    sync.Mutex
	last  time.Time // the latest instant that was ever given out
	under map[time.Time]int
}

// depart gives out the instant of a commit: whole milliseconds, never before
// one that was given out. landed ends the commit.
func (f *flights) depart(now time.Time) (at time.Time, landed func()) {
	at = now.UTC().Truncate(time.Millisecond)
	f.mu.Lock()
	defer f.mu.Unlock()
	if at.Before(f.last) {
		at = f.last
	}
	f.last = at
	if f.under == nil {
		f.under = map[time.Time]int{}
	}
	f.under[at]++
	return at, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.under[at]--; f.under[at] == 0 {
			delete(f.under, at)
		}
	}
}

// reach notes that a commit moved on to a later instant.
func (f *flights) reach(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if at.After(f.last) {
		f.last = at
	}
}

// lowest is the last instant that a history may show now: no commit that begins or
// ends later has an earlier one. It is to be asked before the snapshot is taken.
func (f *flights) lowest(now time.Time) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last.IsZero() {
		f.last = now.UTC().Truncate(time.Millisecond)
	}
	lowest := f.last
	for at := range f.under {
		if at.Before(lowest) {
			lowest = at
		}
	}
	return lowest
}

// load makes the latest instant of the store the first: instants do not go back where
// the server starts again under a clock that did.
func (f *flights) load(ctx context.Context, s store.Store, types []string) error {
	return s.Read(ctx, func(snap store.Snap) error {
		for _, typ := range types {
			for d, err := range snap.History(ctx, store.HistoryQuery{Type: typ}) {
				if err != nil {
					return fmt.Errorf("look for the latest instant: %w", err)
				}
				f.reach(d.Updated)
				break
			}
		}
		return nil
	})
}
