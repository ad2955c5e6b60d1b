package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"carerecord/store"
)

// Reference is a store in memory, written for clarity and not for speed. It implements
// store.Store, store.State, store.Log, store.ChangeFeed and store.Copier and is safe for
// concurrent use. A snapshot that is used after Read panics.
type Reference struct {
	clock func() time.Time

	mu          sync.Mutex
	state       *documents // the state of the next snapshot
	values      map[string]value
	log         []store.Record
	feedID      string
	feedChanged chan struct{} // closed when the feed may have more commits
}

// documents is one state of the documents. It is immutable while a snapshot reads it: a commit
// then works on a copy.
type documents struct {
	readers     int                       // open snapshots of this state
	seq         uint64                    // of the last commit
	versions    map[store.Ref][]store.Doc // version n at index n-1; slices are replaced, never written to
	liveByRowID map[store.RowID]store.Ref // live documents only
}

type value struct {
	bytes   []byte
	expires time.Time
}

// NewReference returns an empty Reference. clock is the time by which values expire; nil is
// time.Now.
func NewReference(clock func() time.Time) *Reference {
	if clock == nil {
		clock = time.Now
	}
	return &Reference{
		clock:       clock,
		state:       &documents{versions: map[store.Ref][]store.Doc{}, liveByRowID: map[store.RowID]store.Ref{}},
		values:      map[string]value{},
		feedID:      rand.Text(),
		feedChanged: make(chan struct{}),
	}
}

// Read implements store.Store. It holds no lock while f runs.
func (r *Reference) Read(ctx context.Context, f func(store.Snapshot) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	state := r.state
	state.readers++
	r.mu.Unlock()
	s := &snap{documents: state}
	defer func() {
		s.ended = true
		r.mu.Lock()
		state.readers--
		r.mu.Unlock()
	}()
	return f(s)
}

// Commit implements store.Store.
func (r *Reference) Commit(ctx context.Context, b store.Batch) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if err := checkBatch(b); err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.state.checkPreconditions(b); err != nil {
		return 0, err
	}
	for _, w := range b.State {
		live, there := r.liveValue(w.Key)
		if w.New && there || w.Old != nil && (!there || !bytes.Equal(live.bytes, w.Old)) {
			return 0, fmt.Errorf("%s has another value: %w", w.Key, store.ErrConflict)
		}
	}
	if r.state.readers > 0 {
		r.state = &documents{seq: r.state.seq, versions: maps.Clone(r.state.versions), liveByRowID: maps.Clone(r.state.liveByRowID)}
	}
	r.state.apply(b.Writes)
	r.appendLog(b.Log)
	for _, w := range b.State {
		r.values[w.Key] = value{bytes.Clone(w.Value), w.Expires}
	}
	r.wakeAwaiters()
	return r.state.seq, nil
}

// Seed stores versions in an empty store with their version numbers, sequence numbers and
// instants. A missing lower version is not found. It is for tests that compare a store with a part
// of it.
func (r *Reference) Seed(docs []store.Doc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range docs {
		all := r.state.versions[d.Ref]
		for uint64(len(all)) < d.Version {
			all = append(all, store.Doc{})
		}
		all[d.Version-1] = d
		r.state.versions[d.Ref] = all
		r.state.seq = max(r.state.seq, d.Seq)
	}
	for ref, all := range r.state.versions {
		if d := all[len(all)-1]; !d.Deleted() {
			r.state.liveByRowID[d.RowID] = ref
		}
	}
}

// Close implements store.Store.
func (r *Reference) Close() error { return nil }

// checkBatch returns an error for a batch that is invalid for any stored data.
func checkBatch(b store.Batch) error {
	seen := map[store.Ref]bool{}
	for _, w := range b.Writes {
		d := w.Doc
		switch {
		case seen[d.Ref]:
			return fmt.Errorf("storetest: two writes of %s in one batch", d.Ref)
		case w.Rekey && (w.Expect == 0 || d.Version != w.Expect):
			return fmt.Errorf("storetest: rekey of %s: version %d, expects %d", d.Ref, d.Version, w.Expect)
		case !w.Rekey && d.Version != w.Expect+1:
			return fmt.Errorf("storetest: write of %s: version %d, expects %d", d.Ref, d.Version, w.Expect)
		case w.Expect == 0 && w.KeyRevision != 0:
			return fmt.Errorf("storetest: write of %s: key revision %d without a version", d.Ref, w.KeyRevision)
		case !w.Rekey && (d.Origin < store.Created || d.Origin > store.Deleted):
			return fmt.Errorf("storetest: write of %s: %s", d.Ref, d.Origin)
		case !w.Rekey && !d.Updated.Equal(d.Updated.Truncate(time.Millisecond)):
			return fmt.Errorf("storetest: write of %s: updated %s is not in whole milliseconds", d.Ref, d.Updated)
		case !sorted(d.Keys):
			return fmt.Errorf("storetest: write of %s: keys are not sorted and distinct", d.Ref)
		}
		seen[d.Ref] = true
	}
	for _, a := range b.Absent {
		if len(a.Claims) == 0 {
			return fmt.Errorf("storetest: the condition Absent of %s has no claim", a.Type)
		}
	}
	return nil
}

func sorted(keys []store.Key) bool {
	for i := 1; i < len(keys); i++ {
		if keys[i-1] >= keys[i] {
			return false
		}
	}
	return true
}

// newest returns the newest version of an address.
func (s *documents) newest(ref store.Ref) (store.Doc, bool) {
	all := s.versions[ref]
	if len(all) == 0 {
		return store.Doc{}, false
	}
	return all[len(all)-1], true
}

// checkPreconditions returns an error unless the preconditions of a batch hold.
func (s *documents) checkPreconditions(b store.Batch) error {
	for _, w := range b.Writes {
		if err := s.checkNewest("write", w.Doc.Ref, w.Expect, w.KeyRevision); err != nil {
			return err
		}
	}
	for _, c := range b.Checks {
		if err := s.check(c); err != nil {
			return err
		}
	}
	for _, a := range b.Absent {
		if _, ok := store.CrossTypeKey(a.Where); a.Type == "" && !ok {
			return store.ErrNeedsCrossTypeKey
		}
		for _, d := range s.liveOf(a.Type) {
			if store.Match(a.Where, d.Keys) {
				return fmt.Errorf("absence: %s matches: %w", d.Ref, store.ErrConflict)
			}
		}
	}
	return s.checkRowIDs(b.Writes)
}

// check tests one precondition.
func (s *documents) check(c store.Check) error {
	if c.Where == nil {
		return s.checkNewest("check", c.Ref, c.Version, c.KeyRevision)
	}
	if have, found := s.newest(c.Ref); !found || have.Deleted() || !store.Match(c.Where, have.Keys) {
		return fmt.Errorf("check of %s: version %d does not match: %w", c.Ref, have.Version, store.ErrConflict)
	}
	return nil
}

// checkNewest returns ErrConflict unless a version with a key revision is the newest one. Version 0
// is the newest if there is none.
func (s *documents) checkNewest(doing string, ref store.Ref, version, keyRevision uint64) error {
	have, _ := s.newest(ref)
	if have.Version != version || have.KeyRevision != keyRevision {
		return fmt.Errorf("%s of %s: the newest version is %d, rekeyed %d times, not %d, %d: %w", doing, ref, have.Version, have.KeyRevision, version, keyRevision, store.ErrConflict)
	}
	return nil
}

// checkRowIDs returns ErrConflict if two live documents have one row ID after the writes.
func (s *documents) checkRowIDs(writes []store.Write) error {
	freed := map[store.RowID]bool{}
	for _, w := range writes {
		if d, found := s.newest(w.Doc.Ref); found && !d.Deleted() {
			freed[d.RowID] = true
		}
	}
	assigned := map[store.RowID]bool{}
	for _, w := range writes {
		d := s.result(w)
		if d.Deleted() {
			continue
		}
		_, taken := s.liveByRowID[d.RowID]
		if assigned[d.RowID] || taken && !freed[d.RowID] {
			return fmt.Errorf("write of %s: another document has its row ID: %w", d.Ref, store.ErrConflict)
		}
		assigned[d.RowID] = true
	}
	return nil
}

// result returns the document that a write stores.
func (s *documents) result(w store.Write) store.Doc {
	d := w.Doc
	if w.Rekey {
		d, _ = s.newest(w.Doc.Ref)
		d.RowID, d.Keys, d.Source = w.Doc.RowID, w.Doc.Keys, w.Doc.Source
		d.KeyRevision++
		return d
	}
	d.Updated, d.KeyRevision = d.Updated.UTC(), 0
	if d.Deleted() {
		d.Body = nil
	}
	return d
}

// apply carries out writes whose preconditions hold.
func (s *documents) apply(writes []store.Write) {
	s.seq++
	docs := make([]store.Doc, len(writes))
	for i, w := range writes {
		docs[i] = s.result(w)
		if !w.Rekey {
			docs[i].Seq = s.seq
		}
		if d, found := s.newest(w.Doc.Ref); found && !d.Deleted() {
			delete(s.liveByRowID, d.RowID)
		}
	}
	for i, d := range docs {
		all := s.versions[d.Ref]
		s.versions[d.Ref] = append(slices.Clone(all[:d.Version-1]), d)
		if !writes[i].Rekey && len(all) != int(d.Version-1) || writes[i].Rekey && len(all) != int(d.Version) {
			panic("storetest: versions have a gap")
		}
		if !d.Deleted() {
			s.liveByRowID[d.RowID] = d.Ref
		}
	}
}

// liveOf returns the live documents of a type, in no order.
func (s *documents) liveOf(typ string) []store.Doc {
	var docs []store.Doc
	for _, ref := range s.liveByRowID {
		if ref.Type == typ || typ == "" {
			d, _ := s.newest(ref)
			docs = append(docs, d)
		}
	}
	return docs
}
