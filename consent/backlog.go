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

// staleName is a name of which a commit changed what it stands for, and how far the
// documents that depend on it have been keyed anew.
type staleName struct {
	// Name is Type/id or nhs: and an NHS number: of what documents depend on; or
	// owner: and the id of a Patient who was deleted, whose documents these are; or
	// attached: and the id of a Binary, which is to be keyed from what attaches it; or
	// labels: and the name of a person, whose documents are to be marked (relabel.go).
	Name string `json:"name"`
	// Of are the patients, by name, whom documents that depend on it may be about
	// from now on: what these refuse holds for the documents already.
	Of []string `json:"of,omitempty"`
	// Barred: they may be about a Patient who was restricted when deleted.
	Barred bool `json:"barred,omitempty"`
	// Rest: what follows from the documents that depend on it through others is not all
	// noted by name; nil where it is.
	Rest *rest `json:"rest,omitempty"`
	// Depth is how many documents lead to this one from a document that was written, of
	// one that only follows: it is keyed behind these.
	Depth int `json:"depth,omitempty"`
	// Type is that of the documents of a person that are keyed now; empty for those
	// that depend on the name.
	Type  string       `json:"type,omitempty"`
	After *store.RowID `json:"after,omitempty"` // the last one that is done
	Done  int          `json:"done"`            // documents looked at
	Round int          `json:"round,omitempty"` // which addition of a name it was
}

// ownerName begins the names of deleted Patients.
const ownerName = "owner:"

// from reports whether a page that was read where o stands goes on from s.
func (s staleName) from(o staleName) bool {
	same := s.After == nil && o.After == nil || s.After != nil && o.After != nil && *s.After == *o.After
	return same && s.Name == o.Name && s.Type == o.Type && s.Round == o.Round
}

// backlog is the names whose dependents are not all keyed anew. It is a function of
// what State holds under backlogPrefix, a value a name, which changes in the commits that
// add the name, move on or end it. Additions take force before their commit. It is safe for
// concurrent use.
type backlog struct {
	// commits is held over every commit that changes what State holds.
	commits *semaphore.Weighted

	mu    sync.RWMutex
	stale map[string]staleName
	// rounds counts the additions of names, so that nobody who keys a page of a name that
	// ended takes it for the same name that was added again. commits guards it.
	rounds int
	// listed: State still holds the names as one list, under backlogMark. The next commit
	// moves them.
	listed bool
	// coming are the names of the commit under way.
	coming map[string]staleName
	// ended are names that are done, by the number of the commit that ended them, for
	// as long as somebody reads whose snapshot may be from before the last document was
	// keyed.
	ended map[uint64][]staleName
	last  uint64
	// added is in which epoch a name was added last, for as long as somebody reads who
	// began before. An epoch ends when a commit adds names.
	added   map[string]uint64
	epoch   uint64
	readers *readers
	set     *staleSet // of all these names; nil where it is to be made anew
	// binaryIDs begins the key of the id of a Binary.
	binaryIDs store.Key
	wake      chan struct{}
}

// backlogPrefix begins where State holds a name; behind it stands the name. backlogMark is
// where older programs held all of them, in one list.
const (
	backlogPrefix = "index/backlog/"
	backlogMark   = "index/backlog"
)

func newBacklog(r *readers) *backlog {
	return &backlog{commits: semaphore.NewWeighted(1), stale: map[string]staleName{}, ended: map[uint64][]staleName{}, added: map[string]uint64{}, readers: r, wake: make(chan struct{}, 1)}
}

// load reads the names from State; nil holds none.
func (b *backlog) load(ctx context.Context, state store.State) error {
	if state == nil {
		return nil
	}
	stale, listed, err := backlogOf(ctx, state)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stale, b.listed = stale, listed
	for _, s := range stale {
		b.rounds = max(b.rounds, s.Round)
	}
	b.settle()
	return nil
}

// backlogOf reads the names from State. listed: some are in the list of an older program.
func backlogOf(ctx context.Context, state store.State) (stale map[string]staleName, listed bool, err error) {
	stale = map[string]staleName{}
	raw, err := state.Lookup(ctx, backlogMark)
	if err == nil {
		var list []staleName
		listed, err = true, json.Unmarshal(raw, &list)
		for _, s := range list {
			stale[s.Name] = s
		}
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, false, fmt.Errorf("read which documents are to be keyed: %w", err)
	}
	for v, err := range state.Values(ctx, backlogPrefix) {
		var s staleName
		if err == nil {
			err = json.Unmarshal(v.Value, &s)
		}
		if err != nil {
			return nil, false, fmt.Errorf("read which documents are to be keyed: %w", err)
		}
		s.Name = strings.TrimPrefix(v.Key, backlogPrefix)
		stale[s.Name] = s
	}
	return stale, listed, nil
}

// settle forgets the set and wakes who keys. mu must be held.
func (b *backlog) settle() {
	b.set = nil
	if len(b.stale) > 0 {
		select {
		case b.wake <- struct{}{}:
		default: // somebody is to look already
		}
	}
}

// now is the set of stale names.
func (b *backlog) now() *staleSet {
	b.mu.RLock()
	set := b.set
	b.mu.RUnlock()
	if set != nil {
		return set
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.set == nil {
		b.set = b.make()
	}
	return b.set
}

// make makes the set. mu must be held.
func (b *backlog) make() *staleSet {
	set := newStaleSet(b.binaryIDs)
	for _, s := range b.stale {
		set.add(s)
	}
	for name, s := range b.coming {
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

// keyedPage is a page of the documents of a stale name.
type keyedPage struct {
	from, to staleName // where it began, and where the next one does
	done     bool      // there is no next one
}

// backlogChange is what a commit changes in the backlog.
type backlogChange struct {
	stands map[string]staleName // names that it adds or moves on
	ended  map[string]staleName // names that it ends, with where they stood
	fresh  map[string]bool      // names that it adds which nobody else had added
	moves  bool                 // it moves the list of an older program
}

// next is what a commit changes that adds some names, and keys pages of others.
// store.ErrConflict: that page was keyed by somebody else, or the name was added
// anew. commits must be held.
func (b *backlog) next(added map[string]staleName, pages []*keyedPage) (*backlogChange, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	c := &backlogChange{stands: map[string]staleName{}, ended: map[string]staleName{}, fresh: map[string]bool{}, moves: b.listed}
	if b.listed {
		maps.Copy(c.stands, b.stale)
	}
	for _, page := range pages {
		name := page.from.Name
		stands, there := b.stale[name]
		if !there || !page.from.from(stands) {
			return nil, fmt.Errorf("another one keys what depends on %s: %w", name, store.ErrConflict)
		}
		if c.stands[name] = page.to; page.done {
			delete(c.stands, name)
			c.ended[name] = stands
		}
	}
	for name, s := range added { // from the beginning, also of one that is under way
		was, there := c.stands[name]
		if _, ends := c.ended[name]; !there && !ends {
			was, there = b.stale[name]
		}
		if c.fresh[name] = !there; there {
			s = s.with(was)
		}
		b.rounds++
		s.Round = b.rounds
		s.Name = name
		c.stands[name] = s
	}
	return c, nil
}

// writes is the change as State takes it.
func (c *backlogChange) writes() ([]store.StateWrite, error) {
	out := make([]store.StateWrite, 0, len(c.stands)+len(c.ended))
	for _, name := range slices.Sorted(maps.Keys(c.stands)) {
		value, err := json.Marshal(c.stands[name])
		if err != nil {
			return nil, fmt.Errorf("mark which documents are to be keyed: %w", err)
		}
		out = append(out, store.StateWrite{Key: backlogPrefix + name, Value: value})
	}
	past := time.Unix(0, 0)
	for _, name := range slices.Sorted(maps.Keys(c.ended)) {
		if _, again := c.stands[name]; !again {
			out = append(out, store.StateWrite{Key: backlogPrefix + name, Expires: past})
		}
	}
	if c.moves {
		out = append(out, store.StateWrite{Key: backlogMark, Expires: past})
	}
	return out, nil
}

// expect lets names take force before the commit that adds them. over ends that, and
// takes the outcome of the commit; where nobody knows it, the names stay. commits must
// be held from before to behind the commit.
func (b *backlog) expect(added map[string]staleName) (over func(c *backlogChange, err error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.coming = added
	b.settle()
	return func(c *backlogChange, err error) {
		for _, forget := range b.outcome(added, c, err) {
			b.readers.after(forget)
		}
	}
}

// outcome takes the outcome of a commit. forget are to be called when nobody reads any
// more who began before.
func (b *backlog) outcome(added map[string]staleName, c *backlogChange, err error) (forget []func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	unknown := err != nil && errors.Is(err, store.ErrUnknown)
	switch {
	case err == nil:
		if f := b.take(c); f != nil {
			forget = append(forget, f)
		}
	case unknown:
		for name, s := range added { // keyed for nothing, if the commit was none
			s.Name = name
			b.stale[name] = s.with(b.stale[name])
		}
	}
	if len(added) > 0 && (err == nil || unknown) {
		forget = append(forget, b.note(added))
	}
	b.coming = nil
	b.settle()
	return forget
}

// note begins an epoch in which names were added. mu must be held.
func (b *backlog) note(added map[string]staleName) (forget func()) {
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

// began returns the epoch of now: of a read that is entered already, and whose snapshot
// is not taken yet.
func (b *backlog) began() uint64 {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.epoch
}

// take puts what a commit changed into force. mu must be held.
func (b *backlog) take(c *backlogChange) (forget func()) {
	b.listed = b.listed && !c.moves
	var ended []staleName
	for name, s := range c.ended {
		delete(b.stale, name)
		if _, again := c.stands[name]; !again {
			ended = append(ended, s)
		}
	}
	maps.Copy(b.stale, c.stands)
	if ended == nil {
		return nil
	}
	b.last++
	at := b.last
	b.ended[at] = ended
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.ended, at)
		b.settle()
	}
}

// addedSince reports whether a name was added by a commit that who began to read in an
// epoch may not see.
func (b *backlog) addedSince(name string, began uint64) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.added[name] > began
}

// get returns where a name stands.
func (b *backlog) get(name string) (staleName, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	s, there := b.stale[name]
	return s, there
}

// depth is how many documents lead to a name.
func (b *backlog) depth(name string) int {
	s, _ := b.get(name)
	return s.Depth
}

// list returns the names.
func (b *backlog) list() []string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.Collect(maps.Keys(b.stale))
}

// with is the name with what another entry of it says beside.
func (s staleName) with(o staleName) staleName {
	s.Of = append(slices.Clone(s.Of), o.Of...)
	slices.Sort(s.Of)
	s.Of, s.Barred = slices.Compact(s.Of), s.Barred || o.Barred
	s.Rest, s.Depth = s.Rest.with(o.Rest), max(s.Depth, o.Depth)
	return s
}
