package pebble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"carerecord/store"
)

// Limits of one document and of one commit in bytes. Pebble's own limit is 4 GB
// a batch.
const (
	maxDocument = 64 << 20
	maxCommit   = 1 << 30
)

// Commit implements store.Store.
func (db *DB) Commit(ctx context.Context, b store.Batch) (uint64, error) {
	if err := wellFormed(b); err != nil {
		return 0, err
	}
	if err := db.outOfService(); err != nil {
		return 0, err
	}
	s, err := db.prepare(b)
	if err != nil {
		return 0, err
	}
	var seq uint64
	err = db.write(ctx, s.size(), func(out *pebble.Batch) error {
		defer s.prepared.Close()
		var err error
		seq, err = db.buildCommit(ctx, s, out)
		return err
	})
	if err != nil {
		return 0, err
	}
	return seq, nil
}

// write runs build under the mutex, applies the batch that build filled, and waits for the disk
// outside of the mutex. If build fails nothing is written. write waits for the disk until ctx
// ends; build and the steps after it may then still run after write has returned ErrUnknown. A
// write that is still waiting for the mutex when ctx ends is cancelled. size is about how many
// bytes build adds to the batch if that is much, else 0.
func (db *DB) write(ctx context.Context, size int, build func(*pebble.Batch) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	done, pending := make(chan error, 1), new(pendingWrite)
	go func() { done <- db.applyAndSync(ctx, pending, size, build) }() // ends when the disk answers
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	if pending.cancel() {
		return fmt.Errorf("pebble: write: %w", ctx.Err())
	}
	select {
	case err := <-done:
		return err
	default:
		return fmt.Errorf("%w: %w", unavailable("write", ctx.Err()), store.ErrUnknown)
	}
}

// pendingWrite decides between the start of a write and its cancellation: the first of both
// prevents the other.
type pendingWrite struct{ decided atomic.Bool }

func (t *pendingWrite) begin() bool  { return t.decided.CompareAndSwap(false, true) }
func (t *pendingWrite) cancel() bool { return t.decided.CompareAndSwap(false, true) }

// applyAndSync is write without the bound by ctx.
func (db *DB) applyAndSync(ctx context.Context, pending *pendingWrite, size int, build func(*pebble.Batch) error) error {
	out := db.rows.NewBatch()
	if size > 0 {
		out = db.rows.NewBatchWithSize(size) // growing it would copy it repeatedly
	}
	pos, seq, err := db.apply(ctx, pending, out, build)
	if err != nil {
		if !errors.Is(err, store.ErrUnknown) {
			_ = out.Close() // it was not applied; Close frees its memory
		}
		return err
	}
	if err := out.SyncWait(); err != nil {
		db.fail(fmt.Errorf("%w: %w", errJournal, err))
		return fmt.Errorf("%w: %w", unavailable("write", err), store.ErrUnknown)
	}
	for {
		old := db.durable.Load()
		if old >= pos || db.durable.CompareAndSwap(old, pos) {
			break
		}
	}
	db.feedEnd.advance(seq)
	_ = out.Close()
	return nil
}

// apply applies the batch that build fills. It returns the position of the last log record and
// the number of the last commit that are applied.
func (db *DB) apply(ctx context.Context, pending *pendingWrite, out *pebble.Batch, build func(*pebble.Batch) error) (pos, seq uint64, err error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, 0, err
	}
	if err := db.outOfService(); err != nil {
		return 0, 0, err
	}
	if !pending.begin() {
		return 0, 0, fmt.Errorf("pebble: write: %w", context.Canceled)
	}
	head := db.head
	if err := build(out); err != nil {
		db.head = head
		return 0, 0, err
	}
	if db.batch != nil {
		db.batch(out.Repr())
	}
	if err := db.rows.ApplyNoSyncWait(out, pebble.Sync); err != nil {
		db.fail(fmt.Errorf("apply a batch: %w", err))
		return 0, 0, fmt.Errorf("%w: %w", unavailable("write", err), store.ErrUnknown)
	}
	db.applied.Store(db.seq)
	return db.head.Pos, db.seq, nil
}

// wellFormed rejects a batch that breaks the rules of its own types, independent of the stored
// documents.
func wellFormed(b store.Batch) error {
	seen := make(map[store.Ref]bool, len(b.Writes))
	total := 0
	for _, w := range b.Writes {
		d := &w.Doc
		size := len(d.Body)
		for i, k := range d.Keys {
			if i > 0 && d.Keys[i-1] >= k {
				return fmt.Errorf("pebble: write of %s: keys are not sorted and distinct", d.Ref)
			}
			size += len(k)
		}
		_, fits := toRowID(d.RowID)
		switch {
		case seen[d.Ref]:
			return fmt.Errorf("pebble: two writes of %s in one batch", d.Ref)
		case !fits:
			return fmt.Errorf("pebble: write of %s: its partition has more than 48 bits", d.Ref)
		case w.Rekey && (w.Expect == 0 || d.Version != w.Expect):
			return fmt.Errorf("pebble: rekey of %s: version %d, expects %d", d.Ref, d.Version, w.Expect)
		case !w.Rekey && d.Version != w.Expect+1:
			return fmt.Errorf("pebble: write of %s: version %d, expects %d", d.Ref, d.Version, w.Expect)
		case w.Expect == 0 && w.KeyRevision != 0:
			return fmt.Errorf("pebble: write of %s: key revision %d without a version", d.Ref, w.KeyRevision)
		case !w.Rekey && (d.Origin < store.Created || d.Origin > store.Deleted):
			return fmt.Errorf("pebble: write of %s: %s", d.Ref, d.Origin)
		case !w.Rekey && !d.Updated.Equal(d.Updated.Truncate(time.Millisecond)):
			return fmt.Errorf("pebble: write of %s: updated %s is not in whole milliseconds", d.Ref, d.Updated)
		case size > maxDocument:
			return fmt.Errorf("pebble: write of %s: %d bytes: %w", d.Ref, size, store.ErrTooLarge)
		}
		seen[d.Ref] = true
		total += size
	}
	for _, a := range b.Absent {
		if len(a.Claims) == 0 {
			return fmt.Errorf("pebble: the condition Absent of %s has no claim", a.Type)
		}
	}
	if total > maxCommit {
		return fmt.Errorf("pebble: commit of %d bytes: %w", total, store.ErrTooLarge)
	}
	return nil
}

// prepare encodes the parts of a commit that do not depend on stored documents.
func (db *DB) prepare(b store.Batch) (*commit, error) {
	s := &commit{batch: b, prepared: db.rows.NewBatch(), changes: make([]change, len(b.Writes))}
	for i := range b.Writes {
		s.bodies += len(b.Writes[i].Doc.Body)
	}
	var posted postingRows
	for i := range b.Writes {
		w := &b.Writes[i]
		code, err := db.types.assign(db.rows, w.Doc.Ref.Type)
		if err != nil {
			if errors.Is(err, errJournal) {
				db.fail(err)
			}
			return nil, errors.Join(unavailable("write "+w.Doc.Ref.String(), err), s.prepared.Close())
		}
		c := &s.changes[i]
		c.write, c.code = w, code
		c.id, _ = toRowID(w.Doc.RowID)
		c.deferBody = s.bodies > largeBodies
		if !w.Rekey {
			d := w.Doc
			d.KeyRevision = 0
			c.row = appendRecord(make([]byte, 0, 512), &d, code)
		}
		if w.Expect == 0 && !w.Doc.Deleted() {
			c.create(s.prepared, &posted)
		}
	}
	posted.putSorted(s.prepared)
	return s, nil
}

// commit is a batch while it is checked and written.
type commit struct {
	batch    store.Batch
	changes  []change
	prepared *pebble.Batch // rows of creates, built before the mutex is locked
	bodies   int           // bytes of all bodies
}

// largeBodies is the size from which the bodies of a commit are copied once, under the mutex,
// and not twice: memory matters more than time then.
const largeBodies = 16 << 20

// size is about how many bytes a commit with large bodies adds to its batch; 0 for any other.
func (s *commit) size() int {
	if s.bodies <= largeBodies {
		return 0
	}
	return s.bodies + s.prepared.Len() + 1024*len(s.changes)
}

// buildCommit tests the preconditions of a commit and adds its rows to out. The mutex must be
// held.
func (db *DB) buildCommit(ctx context.Context, s *commit, out *pebble.Batch) (uint64, error) {
	now := db.snap(db.rows)
	if err := s.checkPreconditions(ctx, db, now); err != nil {
		return 0, err
	}
	seq := db.seq + 1
	for i := range s.changes {
		db.docCache.invalidate(s.changes[i].write.Doc.Ref, seq)
		if err := s.changes[i].removeOld(now, out); err != nil {
			return 0, unavailable("write "+s.changes[i].write.Doc.Ref.String(), err)
		}
		if out.Len() > maxCommit {
			return 0, fmt.Errorf("pebble: commit and the versions that it supersedes have over %d bytes: %w", maxCommit, store.ErrTooLarge)
		}
	}
	// Deletions come before writes, so that a row of both is kept.
	err := out.Apply(s.prepared, nil)
	for i := range s.changes {
		err = errors.Join(err, s.changes[i].putNew(out, seq))
	}
	for _, payload := range s.batch.Log {
		err = errors.Join(err, db.chainRecord(out, payload))
	}
	for _, w := range s.batch.State {
		err = errors.Join(err, out.Set(nameRow(rowState, w.Key), encodeState(w.Value, w.Expires), nil))
	}
	err = errors.Join(err, out.Set(nameRow(rowMeta, metaSeq), commitNumber(seq), nil))
	if err != nil {
		return 0, unavailable("write", err)
	}
	db.counts.update(out, s.changes, seq)
	db.seq = seq
	return seq, nil
}

// checkPreconditions tests the preconditions, the cheap ones first.
func (s *commit) checkPreconditions(ctx context.Context, db *DB, now *snap) (err error) {
	for i := range s.changes {
		c := &s.changes[i]
		if c.before, err = now.newest(c.code, c.write.Doc.Ref.ID); err != nil {
			return unavailable("write "+c.write.Doc.Ref.String(), err)
		}
		if want := (revision{c.write.Expect, c.write.KeyRevision}); c.before.revision() != want {
			return conflict("write", c.write.Doc.Ref, c.before.revision(), want)
		}
	}
	for _, check := range s.batch.Checks {
		if err := now.testCheck(check); err != nil {
			return err
		}
	}
	if err := s.checkRowIDs(now); err != nil {
		return err
	}
	if err := s.checkState(db); err != nil {
		return err
	}
	for _, a := range s.batch.Absent {
		n, err := now.Count(ctx, store.Query{Type: a.Type, Where: a.Where}, 1)
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("pebble: Absent of %s: a document matches: %w", a.Type, store.ErrConflict)
		}
	}
	return nil
}

// testCheck tests the precondition about one document.
func (s *snap) testCheck(c store.Check) (err error) {
	var was newestEntry
	if code, found := s.types.code(c.Ref.Type); found {
		if was, err = s.newest(code, c.Ref.ID); err != nil {
			return unavailable("check "+c.Ref.String(), err)
		}
	}
	if c.Where == nil {
		if want := (revision{c.Version, c.KeyRevision}); was.revision() != want {
			return conflict("check", c.Ref, was.revision(), want)
		}
		return nil
	}
	matches := false
	if was.live {
		v, err := s.live(was.id)
		if err != nil {
			return unavailable("check "+c.Ref.String(), err)
		}
		keys, err := decodeKeys(v.keys, nil)
		if err != nil {
			return unavailable("check "+c.Ref.String(), err)
		}
		matches = store.Match(c.Where, keys)
	}
	if !matches {
		return fmt.Errorf("pebble: check of %s: version %d does not match: %w", c.Ref, was.version, store.ErrConflict)
	}
	return nil
}

// conflict is the error of a precondition about the newest version.
func conflict(doing string, ref store.Ref, have, want revision) error {
	return fmt.Errorf("pebble: %s of %s: the newest version is %v, expected %v: %w", doing, ref, have, want, store.ErrConflict)
}

// checkState tests the conditions of the values that the commit writes.
func (s *commit) checkState(db *DB) error {
	for _, w := range s.batch.State {
		if !w.New && w.Old == nil {
			continue
		}
		current, err := db.liveValue(w.Key)
		switch {
		case err != nil:
			return unavailable("look for a value", err)
		case w.New && current != nil:
			return fmt.Errorf("pebble: state %s has a value: %w", w.Key, store.ErrConflict)
		case w.Old != nil && (current == nil || !bytes.Equal(current, w.Old)):
			return fmt.Errorf("pebble: state %s has another value or none: %w", w.Key, store.ErrConflict)
		}
	}
	return nil
}

// checkRowIDs tests that after the commit no two live documents share a row ID: each is either
// unused now, or freed by a document of this commit.
func (s *commit) checkRowIDs(now *snap) error {
	freed := map[rowID]bool{}
	for i := range s.changes {
		if c := &s.changes[i]; c.before.live {
			freed[c.before.id] = true
		}
	}
	used := make(map[rowID]bool, len(s.changes))
	for i := range s.changes {
		c := &s.changes[i]
		if !c.liveAfter() {
			continue
		}
		taken := used[c.id]
		if !taken && !freed[c.id] {
			_, closer, err := now.rows.Get(docRow(rowDoc, c.id))
			if taken = err == nil; taken {
				closer.Close()
			} else if !errors.Is(err, pebble.ErrNotFound) {
				return unavailable("write "+c.write.Doc.Ref.String(), err)
			}
		}
		if taken {
			return fmt.Errorf("pebble: write of %s: another document has its row ID: %w", c.write.Doc.Ref, store.ErrConflict)
		}
		used[c.id] = true
	}
	return nil
}
