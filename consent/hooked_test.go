package consent_test

import (
	"context"
	"sync"

	"carerecord/store"
	"carerecord/store/storetest"
)

// hooked is a store with hooks before and after commits and reads.
type hooked struct {
	*storetest.Reference
	mu     sync.Mutex
	before func(store.Batch) error        // refuses a commit with an error; nil lets all pass
	after  func(store.Batch, error) error // changes what a commit answers; nil leaves it
	read   func()                         // called once, behind the next read
	writes []int                          // how many writes each commit had
}

func (h *hooked) set(before func(store.Batch) error, after func(store.Batch, error) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.before, h.after = before, after
}

// Read implements store.Store.
func (h *hooked) Read(ctx context.Context, f func(store.Snapshot) error) error {
	err := h.Reference.Read(ctx, f)
	h.mu.Lock()
	read := h.read
	h.read = nil
	h.mu.Unlock()
	if read != nil {
		read()
	}
	return err
}

// Commit implements store.Store.
func (h *hooked) Commit(ctx context.Context, b store.Batch) (uint64, error) {
	h.mu.Lock()
	before, after := h.before, h.after
	h.writes = append(h.writes, len(b.Writes))
	h.mu.Unlock()
	if before != nil {
		if err := before(b); err != nil {
			return 0, err
		}
	}
	seq, err := h.Reference.Commit(ctx, b)
	if after != nil {
		err = after(b, err)
	}
	return seq, err
}

// largest returns how many writes the largest commit had since the last call.
func (h *hooked) largest() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := 0
	for _, w := range h.writes {
		n = max(n, w)
	}
	h.writes = nil
	return n
}
