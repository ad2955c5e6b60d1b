package store

import (
	"errors"
	"sync/atomic"
)

// Reading knows whether a commit that was decided on a snapshot was stored. An engine
// that confirms its snapshots makes one for each Read and asks it when f has returned.
// It is safe for concurrent use. A nil Reading remembers nothing: it is that of an
// engine that confirms none.
type Reading struct{ stored atomic.Bool }

// Ended notes what a commit returned that names the Reading (Batch.Within). Engines
// call it at the end of Commit.
func (r *Reading) Ended(err error) {
	if r != nil && (err == nil || errors.Is(err, ErrUnknown)) {
		r.stored.Store(true)
	}
}

// Stored reports whether a commit was stored, or may have been.
func (r *Reading) Stored() bool { return r != nil && r.stored.Load() }
