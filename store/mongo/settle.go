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

// settlePause is the time between two looks at an unknown outcome.
const settlePause = 20 * time.Millisecond

// settle learns the outcome of a commit that got no clear answer (cause). A
// look alone would not do: a transaction that is not seen may still be on its
// way. So the trace it would leave is locked in a transaction of our own: if
// that commits without a conflict the other never will.
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
			return 0, fmt.Errorf("mongo: outcome of a commit: %w: %w: %w (looking: %v)", store.ErrUnavailable, store.ErrUnknown, cause, err)
		case <-time.After(settlePause):
		}
	}
}

// tryToSettle reports whether a commit was carried out. With an error nothing
// is known.
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

// marked reports whether the mark of commit seq is there. If none is, it takes the
// mark's place: with one that says that the commit was dropped, so that it is not taken
// for the other where the answer to this transaction gets lost too.
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

// versionStored reports whether the version that a write would have made by commit seq
// is there. If no such version is there, it locks the place.
func (s *snap) versionStored(ctx context.Context, w *store.Write, seq uint64) (bool, error) {
	d, err := s.Version(ctx, w.Doc.Ref, w.Doc.Version)
	if errors.Is(err, store.ErrNotFound) {
		return false, s.lock(ctx, w.Doc.Ref, w.Expect > 0)
	}
	return err == nil && d.Seq == seq, err
}
