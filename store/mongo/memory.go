package mongo

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// CheckMemory compares what the process keeps in memory with what a rebuild from the
// database gives, and reports every difference: see the package documentation for what
// there is. Nobody may use the record meanwhile. It is for the end of tests that use it
// from many sides.
func (db *DB) CheckMemory(ctx context.Context) error {
	db.logWriter.wait()
	db.aborts.Wait()
	return errors.Join(db.checkLogWriter(ctx), db.checkFeed(ctx), db.checkSequence(ctx), db.checkLocks())
}

// checkLogWriter looks at the record that the next one will follow. In doubt it is read
// again before it is used.
func (db *DB) checkLogWriter(ctx context.Context) error {
	t := db.logWriter
	last, err := db.Head(ctx)
	if err != nil || t.stale {
		return err
	}
	if t.head.Pos != last.Pos || t.head.Hash != last.Hash {
		return fmt.Errorf("mongo: the log ends at %d in memory and at %d in the database", t.head.Pos, last.Pos)
	}
	return nil
}

func (db *DB) checkFeed(ctx context.Context) error {
	db.feed.mu.Lock()
	defer db.feed.mu.Unlock()
	if db.feed.name == "" {
		return nil // it is read when it is asked for
	}
	var stored struct {
		Name string `bson:"feed"`
	}
	err := db.counters.FindOne(ctx, bson.D{{Key: "_id", Value: "feed"}}, db.hintID()).Decode(&stored)
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		return failed("check memory", err)
	}
	if stored.Name != db.feed.name {
		return fmt.Errorf("mongo: the feed is %q in memory and %q in the database", db.feed.name, stored.Name)
	}
	return nil
}

// checkSequence looks whether the numbers that will be given out are the end of the block
// that was taken last, and are not given to any version; and whether no commit is under
// way, but for those of unknown outcome.
func (db *DB) checkSequence(ctx context.Context) error {
	s := &db.seq
	s.mu.Lock()
	defer s.mu.Unlock()
	var n sequenceDoc
	err := db.counters.FindOne(ctx, sequenceFilter(), db.hintID()).Decode(&n)
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		return failed("check memory", err)
	}
	var faults []error
	if s.end > 0 && s.end != uint64(n.Given) || s.last > s.end || s.loaded && s.givenBefore > uint64(n.Given) {
		faults = append(faults, fmt.Errorf("mongo: commits have numbers up to %d of %d in memory, and %d were taken in the database", s.last, s.end, n.Given))
	}
	for number, until := range s.inFlight {
		if until.IsZero() || number > s.last && s.end > 0 {
			faults = append(faults, fmt.Errorf("mongo: commit %d is under way in memory, and nobody commits", number))
		}
	}
	last := max(s.last, s.givenBefore)
	if !s.loaded && s.end == 0 {
		return errors.Join(faults...) // both are read when they are needed
	}
	above := bson.D{{Key: "q", Value: bson.D{{Key: "$gt", Value: signed(last)}}}}
	for _, c := range []*mongo.Collection{db.res, db.old} {
		cursor, err := c.Find(ctx, above, db.hint(byCommit).SetLimit(1))
		if err != nil {
			return failed("check memory", err)
		}
		if cursor.Next(ctx) {
			faults = append(faults, fmt.Errorf("mongo: the last number is %d in memory, and %s has a greater one", last, c.Name()))
		}
		if err := errors.Join(cursor.Err(), cursor.Close(ctx)); err != nil {
			return failed("check memory", err)
		}
	}
	return errors.Join(faults...)
}

// checkLocks looks whether everybody who passed the gate, or began a snapshot, has left.
func (db *DB) checkLocks() error {
	db.locks.mu.Lock()
	defer db.locks.mu.Unlock()
	if n, snaps := len(db.locks.locks), len(db.idleSnaps.all()); n > 0 || snaps > 0 {
		return fmt.Errorf("mongo: %d turns are held and %d snapshots open, and nobody uses the record", n, snaps)
	}
	return nil
}
