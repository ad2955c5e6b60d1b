package store

import (
	"errors"
	"sync/atomic"
)

// CommitTracker records whether a commit that was decided on a snapshot was stored. An
// engine that confirms its snapshots makes one for each Read and checks it when the function
// of the Read has returned. It is safe for concurrent use. A nil CommitTracker records
// nothing: engines that confirm no snapshot have that.
type CommitTracker struct{ stored atomic.Bool }

// Note records the result of a commit whose Batch.Tracker is this one. Engines call it at the
// end of Commit.
func (r *CommitTracker) Note(err error) {
	if r != nil && (err == nil || errors.Is(err, ErrUnknown)) {
		r.stored.Store(true)
	}
}

// Stored reports whether a commit was stored, or may have been.
func (r *CommitTracker) Stored() bool { return r != nil && r.stored.Load() }
