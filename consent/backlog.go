package consent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

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

// Entry is a name of which a commit changed what it stands for, and how far the
// documents that depend on it have been keyed anew.
type Entry struct {
	// Name is Type/id or nhs: and an NHS number: of what documents depend on; or
	// owner: and the id of a Patient who was deleted, whose documents these are; or
	// attached: and the id of a Binary, which is to be keyed from what attaches it; or
	// labels: and the name of a person, whose documents are to be marked (relabel.go).
	Name string `json:"name"`
	// Subjects are the patients, by name, whom documents that depend on it may be about
	// from now on: what these refuse holds for the documents already.
	Subjects []string `json:"of,omitempty"`
	// Barred: they may be about a Patient who was restricted when deleted.
	Barred bool `json:"barred,omitempty"`
	// Remainder: what follows from the documents that depend on it through others is not all
	// noted by name; nil where it is.
	Remainder *Remainder `json:"rest,omitempty"`
	// Depth is how many documents lead to this one from a document that was written, of
	// one that only follows: it is keyed behind these.
	Depth int `json:"depth,omitempty"`
	// Type is that of the documents of a person that are keyed now; empty for those
	// that depend on the name.
	Type     string       `json:"type,omitempty"`
	After    *store.RowID `json:"after,omitempty"` // the last one that is done
	Done     int          `json:"done"`            // documents looked at
	Revision int          `json:"round,omitempty"` // which addition of a name it was
}

// OwnerPrefix begins the names of deleted Patients.
const OwnerPrefix = "owner:"

// samePosition reports whether a page that was read where o stands goes on from s.
func (s Entry) samePosition(o Entry) bool {
	same := s.After == nil && o.After == nil || s.After != nil && o.After != nil && *s.After == *o.After
	return same && s.Name == o.Name && s.Type == o.Type && s.Revision == o.Revision
}

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
	added  map[string]uint64
	epoch  uint64
	reads  *activeReads
	cached *StaleSet // of all these names; nil where it is to be made anew
	// binaryIDPrefix begins the key of the id of a Binary.
	BinaryIDPrefix store.Key
	wake           chan struct{}
}

// entryPrefix begins where State holds a name; behind it stands the name. legacyListKey is
// where older programs held all of them, in one list.
const (
	entryPrefix   = "index/backlog/"
	legacyListKey = "index/backlog"
)

func NewBacklog(r *activeReads) *Backlog {
	return &Backlog{CommitLock: semaphore.NewWeighted(1), entries: map[string]Entry{}, ended: map[uint64][]Entry{}, added: map[string]uint64{}, reads: r, wake: make(chan struct{}, 1)}
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

// readEntries reads the names from State. listed: some are in the list of an older program.
func readEntries(ctx context.Context, state store.State) (stale map[string]Entry, listed bool, err error) {
	stale = map[string]Entry{}
	raw, err := state.Lookup(ctx, legacyListKey)
	if err == nil {
		var list []Entry
		listed, err = true, json.Unmarshal(raw, &list)
		for _, s := range list {
			stale[s.Name] = s
		}
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, false, fmt.Errorf("read which documents are to be keyed: %w", err)
	}
	for v, err := range state.Values(ctx, entryPrefix) {
		var s Entry
		if err == nil {
			err = json.Unmarshal(v.Value, &s)
		}
		if err != nil {
			return nil, false, fmt.Errorf("read which documents are to be keyed: %w", err)
		}
		s.Name = strings.TrimPrefix(v.Key, entryPrefix)
		stale[s.Name] = s
	}
	return stale, listed, nil
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
	set := newStaleSet(b.BinaryIDPrefix)
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

// Page is a page of the documents of a stale name.
type Page struct {
	From, To Entry // where it began, and where the next one does
	Done     bool  // there is no next one
}

// BacklogChange is what a commit changes in the backlog.
type BacklogChange struct {
	set        map[string]Entry // names that it adds or moves on
	ended      map[string]Entry // names that it ends, with where they stood
	NewlyStale map[string]bool  // names that it adds which nobody else had added
	migrates   bool             // it moves the list of an older program
}

// Prepare is what a commit changes that adds some names, and keys pages of others.
// store.ErrConflict: that page was keyed by somebody else, or the name was added
// anew. commits must be held.
func (b *Backlog) Prepare(added map[string]Entry, pages []*Page) (*BacklogChange, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	c := &BacklogChange{set: map[string]Entry{}, ended: map[string]Entry{}, NewlyStale: map[string]bool{}, migrates: b.legacyList}
	if b.legacyList {
		maps.Copy(c.set, b.entries)
	}
	for _, page := range pages {
		name := page.From.Name
		current, there := b.entries[name]
		if !there || !page.From.samePosition(current) {
			return nil, fmt.Errorf("another one keys what depends on %s: %w", name, store.ErrConflict)
		}
		if c.set[name] = page.To; page.Done {
			delete(c.set, name)
			c.ended[name] = current
		}
	}
	for name, s := range added { // from the beginning, also of one that is under way
		was, there := c.set[name]
		if _, ends := c.ended[name]; !there && !ends {
			was, there = b.entries[name]
		}
		if c.NewlyStale[name] = !there; there {
			s = s.Merge(was)
		}
		b.revisions++
		s.Revision = b.revisions
		s.Name = name
		c.set[name] = s
	}
	return c, nil
}

// StateWrites is the change as State takes it.
func (c *BacklogChange) StateWrites() ([]store.StateWrite, error) {
	out := make([]store.StateWrite, 0, len(c.set)+len(c.ended))
	for _, name := range slices.Sorted(maps.Keys(c.set)) {
		value, err := json.Marshal(c.set[name])
		if err != nil {
			return nil, fmt.Errorf("mark which documents are to be keyed: %w", err)
		}
		out = append(out, store.StateWrite{Key: entryPrefix + name, Value: value})
	}
	past := time.Unix(0, 0)
	for _, name := range slices.Sorted(maps.Keys(c.ended)) {
		if _, again := c.set[name]; !again {
			out = append(out, store.StateWrite{Key: entryPrefix + name, Expires: past})
		}
	}
	if c.migrates {
		out = append(out, store.StateWrite{Key: legacyListKey, Expires: past})
	}
	return out, nil
}

// Begin lets names take force before the commit that adds them. over ends that, and
// takes the outcome of the commit; where nobody knows it, the names stay. commits must
// be held from before to behind the commit.
func (b *Backlog) Begin(added map[string]Entry) (over func(c *BacklogChange, err error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pending = added
	b.invalidate()
	return func(c *BacklogChange, err error) {
		for _, forget := range b.finish(added, c, err) {
			b.reads.afterCurrent(forget)
		}
	}
}

// finish takes the outcome of a commit. forget are to be called when nobody reads any
// more who began before.
func (b *Backlog) finish(added map[string]Entry, c *BacklogChange, err error) (forget []func()) {
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
func (b *Backlog) apply(c *BacklogChange) (forget func()) {
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

// Merge is the name with what another entry of it says beside.
func (s Entry) Merge(o Entry) Entry {
	s.Subjects = append(slices.Clone(s.Subjects), o.Subjects...)
	slices.Sort(s.Subjects)
	s.Subjects, s.Barred = slices.Compact(s.Subjects), s.Barred || o.Barred
	s.Remainder, s.Depth = s.Remainder.merge(o.Remainder), max(s.Depth, o.Depth)
	return s
}
