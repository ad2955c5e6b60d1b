package mongo

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// sequenceBlock is how many numbers are taken from the database at once, so that commits do not
// contend for one counter. The rest of a block at the end of a process is never used.
const sequenceBlock = 1000

// defaultUnknownFor is longer than a server keeps an abandoned transaction.
const defaultUnknownFor = 90 * time.Second

// sequence assigns numbers to commits and records which of them are in flight.
type sequence struct {
	unknownFor time.Duration // defaultUnknownFor, shorter in tests

	mu        sync.Mutex
	last, end uint64
	// inFlight has the numbers of commits in flight; a commit of unknown outcome has the instant
	// until which it may still be applied.
	inFlight map[uint64]time.Time

	loaded       bool      // the three below have been read
	givenBefore  uint64    // the last number that was taken before this process
	stableBefore uint64    // no earlier commit up to this number is in flight
	until        time.Time // until when the others may be

	waiters chan struct{} // closed by notify; nil while nobody waits
}

// sequenceDoc is the document of counters with the number of the last commit.
type sequenceDoc struct {
	Given int64 `bson:"n"`
	// Low is a number up to which no commit is in flight.
	Low int64 `bson:"low"`
	// Open: commits after Low may be in flight. It is missing or true from when a process takes
	// numbers until it has closed.
	Open *bool `bson:"open"`
}

// sequenceFilter is the filter of that document.
func sequenceFilter(more ...bson.E) bson.D {
	return append(bson.D{{Key: "_id", Value: "seq"}}, more...)
}

// loadSequence reads the document of the previous process, once. A process that was killed, or
// lost the server, may have commits in flight. The mutex must be held.
func (db *DB) loadSequence(ctx context.Context) error {
	s := &db.seq
	if s.loaded {
		return nil
	}
	var n sequenceDoc
	err := db.counters.FindOne(ctx, sequenceFilter(), db.hintID()).Decode(&n)
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		return failed("read the numbers of commits", err)
	}
	s.givenBefore, s.stableBefore, s.until = uint64(n.Given), uint64(n.Given), time.Time{}
	if n.Given > 0 && (n.Open == nil || *n.Open) {
		s.stableBefore, s.until = uint64(n.Low), time.Now().Add(s.unknownFor)
	}
	s.loaded = true
	return nil
}

// finish records that the commit of a number has ended, or that its outcome is unknown. Zero is
// ignored.
func (s *sequence) finish(n uint64, unknown bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if unknown && n > 0 {
		s.inFlight[n] = time.Now().Add(s.unknownFor)
	} else {
		delete(s.inFlight, n)
	}
	s.notify() // an unknown outcome too has an instant to wait for
}

// finishedUpTo reports whether no commit of a number up to n is in flight.
func (s *sequence) finishedUpTo(n uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for number, until := range s.inFlight {
		if number <= n && (until.IsZero() || time.Now().Before(until)) {
			return false
		}
	}
	return true
}

// bounds returns the last number that was taken, and the number up to which no commit is or will
// be in flight. The latter grows when a commit ends, or at the instant by if it is set. The mutex
// must be held.
func (s *sequence) bounds() (last, upTo uint64, by time.Time) {
	now := time.Now()
	last = max(s.last, s.givenBefore)
	if now.Before(s.until) {
		return last, s.stableBefore, s.until
	}
	upTo = last
	for number, until := range s.inFlight {
		switch {
		case !until.IsZero() && !now.Before(until):
			delete(s.inFlight, number)
		case number <= upTo:
			upTo, by = number-1, until
		}
	}
	return last, upTo, by
}

// sequenceBounds locks the mutex and returns bounds.
func (db *DB) sequenceBounds(ctx context.Context) (last, upTo uint64, by time.Time, err error) {
	db.seq.mu.Lock()
	defer db.seq.mu.Unlock()
	if err := db.loadSequence(ctx); err != nil {
		return 0, 0, time.Time{}, err
	}
	last, upTo, by = db.seq.bounds()
	return last, upTo, by, nil
}

// changed returns a channel that is closed when a commit ends or its outcome is unknown.
func (s *sequence) changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiters == nil {
		s.waiters = make(chan struct{})
	}
	return s.waiters
}

// notify closes the channel that waiting calls received. The mutex must be held.
func (s *sequence) notify() {
	if s.waiters != nil {
		close(s.waiters)
		s.waiters = nil
	}
}

// reset discards the block and the previous state, so that both are read again.
func (s *sequence) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.end, s.loaded = 0, 0, false
}

// nextSeq returns a number larger than all before it. ctx must not be of a transaction. A commit
// takes its number after it has read the versions it replaces, so each version of a document
// has a larger number than the version before. The number is in flight until finish.
func (db *DB) nextSeq(ctx context.Context) (uint64, error) {
	s := &db.seq
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == s.end {
		if err := db.loadSequence(ctx); err != nil {
			return 0, err
		}
		_, low, _ := s.bounds()
		var n sequenceDoc
		err := db.counters.FindOneAndUpdate(ctx, sequenceFilter(), bson.D{
			{Key: "$inc", Value: bson.D{{Key: "n", Value: int64(sequenceBlock)}}},
			{Key: "$set", Value: bson.D{{Key: "low", Value: signed(low)}, {Key: "open", Value: true}}},
		}, options.FindOneAndUpdate().SetUpsert(true).SetHint(byID).SetReturnDocument(options.After)).Decode(&n)
		if err != nil {
			return 0, failed("take numbers for commits", err)
		}
		s.end = uint64(n.Given)
		s.last = s.end - sequenceBlock
	}
	s.last++
	s.inFlight[s.last] = time.Time{}
	return s.last, nil
}

// closeSequence records that all commits of this process have ended, if so. Without it the feed
// of the next process ends at the start of the last block of this one, for as long as a commit
// may be in flight.
func (db *DB) closeSequence(ctx context.Context) {
	s := &db.seq
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, upTo, _ := s.bounds(); s.end == 0 || upTo < last {
		return
	}
	_, _ = db.counters.UpdateOne(ctx, sequenceFilter(bson.E{Key: "n", Value: signed(s.end)}),
		bson.D{{Key: "$set", Value: bson.D{{Key: "open", Value: false}}}}, options.UpdateOne().SetHint(byID))
}
