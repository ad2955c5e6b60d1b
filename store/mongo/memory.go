package mongo

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
)

// CheckMemory compares the memory of the process with a rebuild from the database and reports
// every difference; see the package documentation for its parts. The record must not be used
// meanwhile. It is for the end of tests with concurrent use.
func (db *DB) CheckMemory(ctx context.Context) error {
	db.logWriter.wait()
	db.aborts.Wait()
	return errors.Join(db.checkLogWriter(ctx), db.checkFeed(ctx), db.checkSequence(ctx), db.checkLocks())
}

// checkLogWriter checks the last record. A stale one is read again before it is used.
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
		return nil // it is read when it is needed
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

// checkSequence checks that the next numbers are the end of the last block and no version has
// one of them, and that no commit is in flight except those of unknown outcome.
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
		faults = append(faults, fmt.Errorf("mongo: in memory the last number of a commit is %d of %d, and in the database %d were taken", s.last, s.end, n.Given))
	}
	for number, until := range s.inFlight {
		if until.IsZero() || number > s.last && s.end > 0 {
			faults = append(faults, fmt.Errorf("mongo: commit %d is in flight in memory, and no caller commits", number))
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

// checkLocks checks that no name is locked and no snapshot is open.
func (db *DB) checkLocks() error {
	db.locks.mu.Lock()
	defer db.locks.mu.Unlock()
	if n, snaps := len(db.locks.locks), len(db.idleSnaps.all()); n > 0 || snaps > 0 {
		return fmt.Errorf("mongo: %d names are locked and %d snapshots open, and no caller uses the record", n, snaps)
	}
	return nil
}
