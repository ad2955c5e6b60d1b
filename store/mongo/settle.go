package mongo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"carerecord/store"
)

// settlePause is the time between two attempts to find out an outcome.
const settlePause = 20 * time.Millisecond

// settle finds out the outcome of a commit without a clear answer (cause). A read is not enough:
// a transaction that is not visible may still be in flight. So the trace that it would leave is
// locked by another transaction: if that commits without a conflict, the first never will.
func (db *DB) settle(p *preparedCommit, seq uint64, cause error) (uint64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), db.timeout)
	defer cancel()
	for {
		done, err := db.tryToSettle(ctx, p, seq)
		if err == nil && done {
			return seq, nil
		}
		if err == nil {
			return 0, fmt.Errorf("%w: the server dropped the transaction: %w", errRetry, cause)
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("mongo: outcome of a commit: %w: %w: %w (last attempt: %v)", store.ErrUnavailable, store.ErrUnknown, cause, err)
		case <-time.After(settlePause):
		}
	}
}

// tryToSettle reports whether a commit was applied. After an error the outcome is still unknown.
func (db *DB) tryToSettle(ctx context.Context, p *preparedCommit, seq uint64) (done bool, err error) {
	s, err := db.begin()
	if err != nil {
		return false, err
	}
	if w := p.firstVersioned(); w != nil {
		done, err = s.versionStored(ctx, w, seq)
	} else {
		done, err = s.marked(ctx, seq)
	}
	if err != nil || done {
		s.abort(ctx)
		return done, err
	}
	return false, s.commit(ctx)
}

// marked reports whether the mark of commit seq exists. If not, it inserts a mark that records that
// the commit was dropped, so that this transaction is not taken for the commit if its answer is
// lost too.
func (s *snap) marked(ctx context.Context, seq uint64) (bool, error) {
	var mark struct {
		Dropped bool `bson:"d"`
	}
	err := s.db.marks.FindOne(s.in(ctx), bson.D{{Key: "_id", Value: signed(seq)}}, s.db.hintID()).Decode(&mark)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return false, s.mark(ctx, seq, true)
	}
	return err == nil && !mark.Dropped, err
}

// versionStored reports whether the version that a write would have made by commit seq exists.
// If no such version exists, it locks the document.
func (s *snap) versionStored(ctx context.Context, w *store.Write, seq uint64) (bool, error) {
	d, err := s.Version(ctx, w.Doc.Ref, w.Doc.Version)
	if errors.Is(err, store.ErrNotFound) {
		return false, s.lock(ctx, w.Doc.Ref, w.Expect > 0)
	}
	return err == nil && d.Seq == seq, err
}
