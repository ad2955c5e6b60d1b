// Package backlog lists the documents that wait to be rekeyed.
//
// A write can change facts of documents that it does not write: their owners. There can be any number of
// these, and anybody may write documents that name a Patient, so the commit does not rekey them. It adds
// the name that it changes to the backlog, and the documents that depend on the name are rekeyed after it,
// page by page: a few at once, many in the background. From the commit on, and until a document is
// rekeyed, only its source sees it. Refusals do not wait for this: the register uses the names in
// documents (index.AboutKey).
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

// Backlog is the entries whose dependents are not all rekeyed. It is a function of State, which has one
// value an entry under entryPrefix; commits that add, advance or end an entry write it. Additions are in
// force before their commit. It is safe for concurrent use.
type Backlog struct {
	// CommitLock is held by every commit that changes State's entries.
	CommitLock *semaphore.Weighted

	mu      sync.RWMutex
	entries map[string]Entry
	// revisions counts additions: a page of an entry that has ended does not pass for one of an
	// entry of the same name that was added later. CommitLock guards it.
	revisions int
	// legacyList: State holds entries as one list, under legacyListKey. The next commit moves
	// them.
	legacyList bool
	// pending are the entries of the commit in flight.
	pending map[string]Entry
	// ended are the entries that ended, by the number of the commit. They stay while a read is
	// active whose snapshot may be from before the last document was rekeyed.
	ended   map[uint64][]Entry
	endings uint64
	// added is the epoch in which a name was added last. It stays while a read is active that
	// began before. A commit that adds names ends an epoch.
	added      map[string]uint64
	epoch      uint64
	afterReads func(do func())
	cached     *StaleSet // of all these entries; nil where it must be rebuilt
	// binaryIDPrefix begins the key of the id of a Binary.
	binaryIDPrefix store.Key
	wake           chan struct{}
}

// New makes an empty Backlog. afterReads calls a function when all active reads have ended. binaryIDs
// begins the key of the id of a Binary.
func New(afterReads func(do func()), binaryIDs store.Key) *Backlog {
	return &Backlog{CommitLock: semaphore.NewWeighted(1), entries: map[string]Entry{}, ended: map[uint64][]Entry{}, added: map[string]uint64{},
		afterReads: afterReads, binaryIDPrefix: binaryIDs, wake: make(chan struct{}, 1)}
}

// Load reads the entries from State; nil is for no State.
func (b *Backlog) Load(ctx context.Context, state store.State) error {
	if state == nil {
		return nil
	}
	stale, legacy, err := readEntries(ctx, state)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries, b.legacyList = stale, legacy
	for _, s := range stale {
		b.revisions = max(b.revisions, s.Revision)
	}
	b.invalidate()
	return nil
}

// invalidate discards the cached set and signals work. mu must be held.
func (b *Backlog) invalidate() {
	b.cached = nil
	if len(b.entries) > 0 {
		select {
		case b.wake <- struct{}{}:
		default: // the channel has an element
		}
	}
}

// Stale returns the set of documents that wait to be rekeyed.
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

// Begin puts additions into force before their commit. end must be called with its outcome; where the
// outcome is unknown, the additions stay. CommitLock must be held from before Begin until after end.
func (b *Backlog) Begin(added map[string]Entry) (end func(c *Change, err error)) {
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

// finish applies the outcome of a commit. The caller runs forget when all active reads have ended.
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
		for name, s := range added { // rekeyed in vain if the commit failed
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

// Epoch returns the current epoch. A read must be active already, and take its snapshot later.
func (b *Backlog) Epoch() uint64 {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.epoch
}

// apply puts the change of a commit into force. mu must be held.
func (b *Backlog) apply(c *Change) (forget func()) {
	b.legacyList = b.legacyList && !c.migrates
	var ended []Entry
	for name, s := range c.ended {
		delete(b.entries, name)
		if _, added := c.set[name]; !added {
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

// AddedSince reports whether a commit added a name that a read that began in an epoch may not see.
func (b *Backlog) AddedSince(name string, began uint64) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.added[name] > began
}

// Get returns the entry of a name.
func (b *Backlog) Get(name string) (Entry, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	s, there := b.entries[name]
	return s, there
}

// Depth returns the depth of an entry, 0 where there is none.
func (b *Backlog) Depth(name string) int {
	s, _ := b.Get(name)
	return s.Depth
}

// Names returns the names of the entries.
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
