package backlog

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/semaphore"

	"carerecord/store"
)

// A write can change facts of documents that it does not write: whom they are about.
// How many these are is not for the writer to bear, since anybody may write documents
// that name a Patient. So a commit keys none of them. It names what it changes, in
// the same step, and the documents are keyed behind it, page by page: a few at once,
// many in the background. From the commit on, and until a document has been keyed
// anew, it is its source's alone. What a patient refuses does not wait for it: the
// register goes by the names in documents (index.AboutKey).

// Backlog is the names whose dependents are not all keyed anew. It is a function of
// what State holds under entryPrefix, a value a name, which changes in the commits that
// add the name, move on or end it. Additions take force before their commit. It is safe for
// concurrent use.
type Backlog struct {
	// CommitLock is held over every commit that changes what State holds.
	CommitLock *semaphore.Weighted

	mu      sync.RWMutex
	entries map[string]Entry
	// revisions counts the additions of names, so that nobody who keys a page of a name that
	// ended takes it for the same name that was added again. commits guards it.
	revisions int
	// legacyList: State still holds the names as one list, under legacyListKey. The next commit
	// moves them.
	legacyList bool
	// pending are the names of the commit under way.
	pending map[string]Entry
	// ended are names that are done, by the number of the commit that ended them, for
	// as long as somebody reads whose snapshot may be from before the last document was
	// keyed.
	ended   map[uint64][]Entry
	endings uint64
	// added is in which epoch a name was added last, for as long as somebody reads who
	// began before. An epoch ends when a commit adds names.
	added      map[string]uint64
	epoch      uint64
	afterReads func(do func())
	cached     *StaleSet // of all these names; nil where it is to be made anew
	// binaryIDPrefix begins the key of the id of a Binary.
	binaryIDPrefix store.Key
	wake           chan struct{}
}

// New makes an empty Backlog. afterReads calls a function when all reads that are in progress
// have ended; binaryIDs begins the key of the id of a Binary.
func New(afterReads func(do func()), binaryIDs store.Key) *Backlog {
	return &Backlog{CommitLock: semaphore.NewWeighted(1), entries: map[string]Entry{}, ended: map[uint64][]Entry{}, added: map[string]uint64{},
		afterReads: afterReads, binaryIDPrefix: binaryIDs, wake: make(chan struct{}, 1)}
}

// Load reads the names from State; nil holds none.
func (b *Backlog) Load(ctx context.Context, state store.State) error {
	if state == nil {
		return nil
	}
	stale, listed, err := readEntries(ctx, state)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries, b.legacyList = stale, listed
	for _, s := range stale {
		b.revisions = max(b.revisions, s.Revision)
	}
	b.invalidate()
	return nil
}

// invalidate forgets the set and wakes who keys. mu must be held.
func (b *Backlog) invalidate() {
	b.cached = nil
	if len(b.entries) > 0 {
		select {
		case b.wake <- struct{}{}:
		default: // somebody is to look already
		}
	}
}

// Stale is the set of stale names.
func (b *Backlog) Stale() *StaleSet {
	b.mu.RLock()
	set := b.cached
	b.mu.RUnlock()
	if set != nil {
		return set
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cached == nil {
		b.cached = b.build()
	}
	return b.cached
}

// build makes the set. mu must be held.
func (b *Backlog) build() *StaleSet {
	set := newStaleSet(b.binaryIDPrefix)
	for _, s := range b.entries {
		set.add(s)
	}
	for name, s := range b.pending {
		s.Name = name
		set.add(s)
	}
	for _, names := range b.ended {
		for _, s := range names {
			set.add(s)
		}
	}
	return set
}

// Begin lets names take force before the commit that adds them. over ends that, and
// takes the outcome of the commit; where nobody knows it, the names stay. commits must
// be held from before to behind the commit.
func (b *Backlog) Begin(added map[string]Entry) (over func(c *Change, err error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pending = added
	b.invalidate()
	return func(c *Change, err error) {
		for _, forget := range b.finish(added, c, err) {
			b.afterReads(forget)
		}
	}
}

// finish takes the outcome of a commit. forget are to be called when nobody reads any
// more who began before.
func (b *Backlog) finish(added map[string]Entry, c *Change, err error) (forget []func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	unknown := err != nil && errors.Is(err, store.ErrUnknown)
	switch {
	case err == nil:
		if f := b.apply(c); f != nil {
			forget = append(forget, f)
		}
	case unknown:
		for name, s := range added { // keyed for nothing, if the commit was none
			s.Name = name
			b.entries[name] = s.Merge(b.entries[name])
		}
	}
	if len(added) > 0 && (err == nil || unknown) {
		forget = append(forget, b.beginEpoch(added))
	}
	b.pending = nil
	b.invalidate()
	return forget
}

// beginEpoch begins an epoch in which names were added. mu must be held.
func (b *Backlog) beginEpoch(added map[string]Entry) (forget func()) {
	b.epoch++
	at := b.epoch
	for name := range added {
		b.added[name] = at
	}
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		for name := range added {
			if b.added[name] == at {
				delete(b.added, name)
			}
		}
	}
}

// Epoch returns the epoch of now: of a read that is entered already, and whose snapshot
// is not taken yet.
func (b *Backlog) Epoch() uint64 {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.epoch
}

// apply puts what a commit changed into force. mu must be held.
func (b *Backlog) apply(c *Change) (forget func()) {
	b.legacyList = b.legacyList && !c.migrates
	var ended []Entry
	for name, s := range c.ended {
		delete(b.entries, name)
		if _, again := c.set[name]; !again {
			ended = append(ended, s)
		}
	}
	maps.Copy(b.entries, c.set)
	if ended == nil {
		return nil
	}
	b.endings++
	at := b.endings
	b.ended[at] = ended
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.ended, at)
		b.invalidate()
	}
}

// AddedSince reports whether a name was added by a commit that who began to read in an
// epoch may not see.
func (b *Backlog) AddedSince(name string, began uint64) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.added[name] > began
}

// Get returns where a name stands.
func (b *Backlog) Get(name string) (Entry, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	s, there := b.entries[name]
	return s, there
}

// Depth is how many documents lead to a name.
func (b *Backlog) Depth(name string) int {
	s, _ := b.Get(name)
	return s.Depth
}

// Names returns the names.
func (b *Backlog) Names() []string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.Collect(maps.Keys(b.entries))
}

// Size returns the number of entries, and how many documents have been read for them.
func (b *Backlog) Size() (names, done int) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, e := range b.entries {
		done += e.Done
	}
	return len(b.entries), done
}

// Work has an element when the backlog may have entries.
func (b *Backlog) Work() <-chan struct{} { return b.wake }
