package ledger

import (
	"bytes"
	"strings"
	"sync/atomic"

	"carerecord/store"
)

// Epoch is the number of changes that may have ended a token. It is for servers of one process over one store, to which no other
// process writes: what was found valid in an epoch stays valid until the next one begins (SMART-413). The zero Epoch is usable.
// It is safe for concurrent use.
type Epoch struct{ n atomic.Uint64 }

// Now returns the current epoch. Read it before the values that are kept.
func (e *Epoch) Now() uint64 { return e.n.Load() }

// cutoffs is the key of the value that ends tokens even when it is new.
const cutoffs = "smart/cutoffs"

// ending reports the keys whose change or removal may end a token.
func ending(key string) bool {
	for _, prefix := range [...]string{"smart/at/", "smart/grant/", "smart/client/", cutoffs} {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// note begins a new epoch if some values may end a token. It is called after the commit and before its answer, also where the
// outcome of the commit is not known. A write that leaves a value as it was read is only a condition of the commit, and ends nothing.
func (e *Epoch) note(values []store.StateWrite) {
	if e == nil {
		return
	}
	for _, v := range values {
		unchanged := len(v.Old) > 0 && bytes.Equal(v.Old, v.Value)
		if ending(v.Key) && !unchanged && (!v.New || v.Key == cutoffs) { // a new token, grant or client ends nothing
			e.n.Add(1)
			return
		}
	}
}
