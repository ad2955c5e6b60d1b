package consent

import "sync"

// activeReads counts the reads in progress. Permissions of a commit can depend on documents that it
// writes, so they must not apply to a read whose snapshot is older. It is safe for concurrent use.
type activeReads struct {
	mu      sync.Mutex
	epoch   uint64
	began   map[uint64]int // reads in progress, by the epoch in which they began
	waiting []deferredCall // by epoch
}

// deferredCall waits for the end of all reads that began in an epoch or before.
type deferredCall struct {
	epoch uint64
	do    func()
}

func newActiveReads() *activeReads { return &activeReads{began: map[uint64]int{}} }

// begin begins a read. It must be called before the snapshot is taken.
func (r *activeReads) begin() (end func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	began := r.epoch
	r.began[began]++
	return func() {
		r.mu.Lock()
		if r.began[began]--; r.began[began] == 0 {
			delete(r.began, began)
		}
		due := r.takeDue()
		r.mu.Unlock()
		for _, a := range due {
			a.do()
		}
	}
}

// afterCurrent calls a function when all current reads have ended: at once where there is none, else in
// the goroutine of the last one.
func (r *activeReads) afterCurrent(do func()) {
	r.mu.Lock()
	if len(r.began) == 0 {
		r.mu.Unlock()
		do()
		return
	}
	r.waiting = append(r.waiting, deferredCall{r.epoch, do})
	r.epoch++
	r.mu.Unlock()
}

// takeDue removes the calls that no longer wait. mu must be held.
func (r *activeReads) takeDue() []deferredCall {
	n := 0
	for n < len(r.waiting) && !r.activeUpTo(r.waiting[n].epoch) {
		n++
	}
	due := r.waiting[:n:n]
	r.waiting = r.waiting[n:]
	return due
}

// activeUpTo reports whether a read is in progress that began in an epoch or before.
func (r *activeReads) activeUpTo(epoch uint64) bool {
	for began := range r.began {
		if began <= epoch {
			return true
		}
	}
	return false
}

// idle reports whether there is no read and no deferred call.
func (r *activeReads) idle() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.began)+len(r.waiting) == 0
}
