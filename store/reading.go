package store

import (
	"errors"
	"sync/atomic"
)

// CommitTracker knows whether a commit that was decided on a snapshot was stored. An engine
// that confirms its snapshots makes one for each Read and asks it when f has returned.
// It is safe for concurrent use. A nil CommitTracker remembers nothing: it is that of an
// engine that confirms none.
type CommitTracker struct{ stored atomic.Bool }

// Note notes what a commit returned that names the CommitTracker (Batch.Tracker). Engines
// call it at the end of Commit.
func (r *CommitTracker) Note(err error) {
	if r != nil && (err == nil || errors.Is(err, ErrUnknown)) {
		r.stored.Store(true)
	}
}

// Stored reports whether a commit was stored, or may have been.
func (r *CommitTracker) Stored() bool { return r != nil && r.stored.Load() }
