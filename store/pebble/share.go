package pebble

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// shared hands out one snapshot to all reads between two commits: making and
// closing one takes Pebble's central mutex twice, and looks for compactions to
// be done. It is safe for concurrent use.
//
// The newest snapshot is kept while nobody reads, so that rows superseded since
// stay on disk until the next read after a commit, or until drop.
type shared struct {
	mu  sync.Mutex
	now *lent // nil before the first read, and after drop
}

// lent is a snapshot and how many reads go on in it.
type lent struct {
	*pebble.Snapshot
	at    uint64 // commits that were applied before it was made; it may hold later ones
	users int
}

// take returns a snapshot that holds at least the first at commits. Give it
// back.
func (s *shared) take(rows *pebble.DB, at uint64) *lent {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil || s.now.at < at {
		s.leave()
		s.now = &lent{Snapshot: rows.NewSnapshot(), at: at}
	}
	s.now.users++
	return s.now
}

// give takes a snapshot back; the last one to give back an old one closes it.
func (s *shared) give(l *lent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.users--; l.users == 0 && l != s.now {
		_ = l.Close() // the only error is that of a snapshot closed before
	}
}

// drop lets go of the newest snapshot.
func (s *shared) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave()
}

// leave closes the newest snapshot, or leaves that to the last of its users.
// The mutex must be held.
func (s *shared) leave() {
	if s.now != nil && s.now.users == 0 {
		_ = s.now.Close() // as in give
	}
	s.now = nil
}
