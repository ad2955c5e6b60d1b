package pebble

import (
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// snapshotCache shares one snapshot among all reads between two commits: making and closing one
// takes Pebble's central mutex twice, and checks for compactions. It is safe for concurrent use.
//
// The newest snapshot stays open while nobody reads, so that rows superseded since stay on disk
// until the next read after a commit, or until drop.
type snapshotCache struct {
	mu     sync.Mutex
	newest *sharedSnapshot // nil before the first read, and after drop
}

// sharedSnapshot is a snapshot with the number of its readers.
type sharedSnapshot struct {
	*pebble.Snapshot
	at   uint64 // it has the commits up to this one, and perhaps later ones
	refs int
}

// acquire returns a snapshot that has at least the commits up to at. Call release after use.
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

// release ends a use of a snapshot. The last user of an old one closes it.
func (s *snapshotCache) release(l *sharedSnapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.refs--; l.refs == 0 && l != s.newest {
		_ = l.Close() // it fails only for a closed snapshot
	}
}

// drop removes the newest snapshot.
func (s *snapshotCache) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retire()
}

// retire removes the newest snapshot and closes it unless it is in use. The mutex must be held.
func (s *snapshotCache) retire() {
	if s.newest != nil && s.newest.refs == 0 {
		_ = s.newest.Close() // as in release
	}
	s.newest = nil
}
