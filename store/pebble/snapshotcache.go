package pebble

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// snapshotCache hands out one snapshot to all reads between two commits: making and
// closing one takes Pebble's central mutex twice, and looks for compactions to
// be done. It is safe for concurrent use.
//
// The newest snapshot is kept while nobody reads, so that rows superseded since
// stay on disk until the next read after a commit, or until drop.
type snapshotCache struct {
	mu     sync.Mutex
	newest *sharedSnapshot // nil before the first read, and after drop
}

// sharedSnapshot is a snapshot and how many reads go on in it.
type sharedSnapshot struct {
	*pebble.Snapshot
	at   uint64 // commits that were applied before it was made; it may hold later ones
	refs int
}

// acquire returns a snapshot that holds at least the first at commits. Give it
// back.
func (s *snapshotCache) acquire(rows *pebble.DB, at uint64) *sharedSnapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newest == nil || s.newest.at < at {
		s.retire()
		s.newest = &sharedSnapshot{Snapshot: rows.NewSnapshot(), at: at}
	}
	s.newest.refs++
	return s.newest
}

// release takes a snapshot back; the last one to give back an old one closes it.
func (s *snapshotCache) release(l *sharedSnapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.refs--; l.refs == 0 && l != s.newest {
		_ = l.Close() // the only error is that of a snapshot closed before
	}
}

// drop lets go of the newest snapshot.
func (s *snapshotCache) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retire()
}

// retire closes the newest snapshot, or leaves that to the last of its users.
// The mutex must be held.
func (s *snapshotCache) retire() {
	if s.newest != nil && s.newest.refs == 0 {
		_ = s.newest.Close() // as in give
	}
	s.newest = nil
}
