package mongo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"carerecord/store"
)

// chunkBytes is the most bytes that one command writes.
const chunkBytes = 12 << 20

// errRetry marks a conflict with another commit after which a new attempt may succeed. It does
// not leave the package.
var errRetry = errors.New("another commit was first")

// preparedCommit is a checked batch, ready for one or more attempts by transactions.
type preparedCommit struct {
	store.Batch
	raws   []bson.Raw // for each write; nil for a rekey
	claims []string   // sorted
	locks  []string   // the names that the commit locks, sorted
}

// Commit implements store.Store.
func (db *DB) Commit(ctx context.Context, b store.Batch) (seq uint64, err error) {
	defer func() { b.Tracker.Note(err) }()
	p, err := prepareCommit(b)
	if err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, failed("commit", err)
	}
	db.fixSnapshots(ctx)
	unlock, err := db.locks.lock(ctx, p.locks)
	if err != nil {
		return 0, failed("commit: wait for concurrent commits", err)
	}
	defer unlock()
	if len(b.Writes) > db.limits.large {
		select {
		case db.largeSlot <- struct{}{}:
			defer func() { <-db.largeSlot }()
		case <-ctx.Done():
			return 0, failed("commit: wait for a large commit", ctx.Err())
		}
	}
	if len(b.Log) > 0 {
		if _, err := db.Append(ctx, b.Log...); err != nil {
			return 0, appendFailed(ctx, err)
		}
	}
	return db.retry(ctx, p)
}

// appendFailed is the error of a commit whose records could not be appended. The records may
// have been stored, but nothing of the commit was, so the error does not wrap ErrUnknown.
func appendFailed(ctx context.Context, err error) error {
	if errors.Is(err, store.ErrUnknown) {
		return fmt.Errorf("mongo: commit: append its records: %w: %v", errors.Join(store.ErrUnavailable, ctx.Err()), err)
	}
	return fmt.Errorf("commit: append its records: %w", err)
}

// retry attempts a commit until it succeeds, fails for good, or its time is up.
func (db *DB) retry(ctx context.Context, p *preparedCommit) (uint64, error) {
	deadline, bound := ctx.Deadline()
	if !bound {
		deadline = time.Now().Add(db.timeout)
	}
	for try := 0; ; try++ {
		seq, err := db.attempt(ctx, p)
		if err == nil {
			return seq, nil
		}
		retryable := errors.Is(err, errRetry) || hasLabel(err, transientLabel) || hasCode(err, 112) // WriteConflict
		if !retryable || errors.Is(err, store.ErrUnknown) || ctx.Err() != nil {
			return 0, failed("commit", err)
		}
		pause := time.Duration(rand.Int64N(int64(2*time.Millisecond) << min(try, 7)))
		if time.Until(deadline) < pause {
			return 0, failed("commit: time is up", err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return 0, failed("commit", ctx.Err())
		}
	}
}

// attempt runs one transaction. An error without ErrUnknown means that nothing was written and
// nothing will be.
func (db *DB) attempt(ctx context.Context, p *preparedCommit) (seq uint64, err error) {
	s, err := db.begin()
	if err != nil {
		return 0, err
	}
	defer func() { db.seq.finish(s.commitSeq, errors.Is(err, store.ErrUnknown)) }()
	seq, err = p.run(ctx, s)
	if err != nil {
		s.abort(ctx)
		return 0, err
	}
	// From here on the caller's deadline is ignored: the outcome must be known.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), db.timeout)
	defer cancel()
	err = s.session.CommitTransaction(ctx)
	s.session.EndSession(ctx)
	if err == nil {
		return seq, nil
	}
	if hasLabel(err, transientLabel) && !hasLabel(err, unknownLabel) {
		return 0, err
	}
	return db.settle(p, seq, err)
}

// run runs the commands of a transaction before its commit.
func (p *preparedCommit) run(ctx context.Context, s *snap) (seq uint64, err error) {
	if err := s.claim(ctx, p.claims); err != nil {
		return 0, err
	}
	for _, a := range p.Absent {
		for d, err := range s.Scan(ctx, store.Query{Type: a.Type, Where: a.Where, KeysOnly: true}) {
			if err != nil {
				return 0, err
			}
			return 0, fmt.Errorf("mongo: Absent: %s matches: %w", d.Ref, store.ErrConflict)
		}
	}
	newest, err := s.readNewest(ctx, p)
	if err != nil {
		return 0, err
	}
	if err := newest.checkPreconditions(p); err != nil {
		return 0, err
	}
	if seq, err = s.db.nextSeq(ctx); err != nil {
		return 0, err
	}
	s.commitSeq = seq
	if err := s.lockChecks(ctx, p); err != nil {
		return 0, err
	}
	if err := s.write(ctx, p, newest, seq); err != nil {
		return 0, err
	}
	if err := s.writeState(ctx, p.State); err != nil {
		return 0, err
	}
	if p.firstVersioned() == nil {
		err = s.mark(ctx, seq, false)
	}
	return seq, err
}

// firstVersioned returns the first write that makes a version, or nil.
func (p *preparedCommit) firstVersioned() *store.Write {
	i := slices.IndexFunc(p.Writes, func(w store.Write) bool { return !w.Rekey })
	if i < 0 {
		return nil
	}
	return &p.Writes[i]
}

// prepareCommit rejects a batch that breaks the rules of its own types.
func prepareCommit(b store.Batch) (*preparedCommit, error) {
	p := &preparedCommit{Batch: b, raws: make([]bson.Raw, len(b.Writes))}
	for i := range b.Writes {
		w := &b.Writes[i]
		if err := wellFormed(w); err != nil {
			return nil, err
		}
		p.locks = append(p.locks, "document "+refID(w.Doc.Ref))
		if w.Rekey {
			continue
		}
		var err error
		d := w.Doc
		d.KeyRevision = 0
		if p.raws[i], err = marshal(&d); err != nil {
			return nil, err
		}
	}
	slices.Sort(p.locks)
	if len(slices.Compact(slices.Clone(p.locks))) < len(p.locks) {
		return nil, errors.New("mongo: two writes of one document in a batch")
	}
	for _, c := range b.Checks {
		p.locks = append(p.locks, "document "+refID(c.Ref))
	}
	for _, a := range b.Absent {
		if len(a.Claims) == 0 {
			return nil, fmt.Errorf("mongo: the condition Absent of %s has no claim", a.Type)
		}
		for _, key := range a.Claims {
			p.claims = append(p.claims, posting(a.Type, key))
			p.locks = append(p.locks, "claim "+posting(a.Type, key))
		}
	}
	slices.Sort(p.claims)
	p.claims = slices.Compact(p.claims)
	slices.Sort(p.locks)
	p.locks = slices.Compact(p.locks)
	return p, nil
}

func wellFormed(w *store.Write) error {
	d := &w.Doc
	switch {
	case d.Ref.Type == "" || d.Ref.ID == "" || strings.ContainsAny(d.Ref.Type+d.Ref.ID, "/\x00"):
		return fmt.Errorf("mongo: write of %q: not a valid reference", d.Ref)
	case w.Rekey && (w.Expect == 0 || d.Version != w.Expect):
		return fmt.Errorf("mongo: rekey of %s: version %d, expects %d", d.Ref, d.Version, w.Expect)
	case !w.Rekey && d.Version != w.Expect+1:
		return fmt.Errorf("mongo: write of %s: version %d, expects %d", d.Ref, d.Version, w.Expect)
	case w.Expect == 0 && w.KeyRevision != 0:
		return fmt.Errorf("mongo: write of %s: key revision %d without a version", d.Ref, w.KeyRevision)
	case !w.Rekey && (d.Origin < store.Created || d.Origin > store.Deleted):
		return fmt.Errorf("mongo: write of %s: %s", d.Ref, d.Origin)
	case !w.Rekey && d.Updated.Nanosecond()%int(time.Millisecond) != 0:
		return fmt.Errorf("mongo: write of %s: updated %s is not in whole milliseconds", d.Ref, d.Updated)
	}
	for i := 1; i < len(d.Keys); i++ {
		if d.Keys[i-1] >= d.Keys[i] {
			return fmt.Errorf("mongo: write of %s: keys are not sorted and distinct", d.Ref)
		}
	}
	return nil
}

// conflictIfDuplicate turns a duplicate key error into a conflict: the document or the row ID
// exists.
func conflictIfDuplicate(what string, err error) error {
	if mongo.IsDuplicateKeyError(err) {
		return fmt.Errorf("mongo: %s: %w: %w", what, store.ErrConflict, err)
	}
	return err
}
