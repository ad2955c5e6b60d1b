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

// sequenceBlock is how many numbers are taken from the database at once, so
// that commits do not meet at one counter. What is left of a block at the end
// of a process is never used.
const sequenceBlock = 1000

// defaultUnknownFor is longer than a server keeps a transaction that nobody ends.
const defaultUnknownFor = 90 * time.Second

// sequence gives numbers to commits and knows which of them are over.
type sequence struct {
	unknownFor time.Duration // defaultUnknownFor, which tests make shorter

	mu        sync.Mutex
	last, end uint64
	// inFlight are the numbers of commits under way; with an instant until when a
	// commit of unknown outcome may land yet.
	inFlight map[uint64]time.Time

	loaded       bool      // the three below have been read
	givenBefore  uint64    // the last number that was given out before this process
	stableBefore uint64    // up to which none of those is under way
	until        time.Time // until when the others may be

	waiters chan struct{} // closed when land is called; nil while nobody waits
}

// sequenceDoc is the document of counters that numbers are taken from.
type sequenceDoc struct {
	Given int64 `bson:"n"`
	// Low is a number up to which no commit is under way.
	Low int64 `bson:"low"`
	// Open says that commits behind Low may be: missing or true from when a
	// process takes numbers until it has closed.
	Open *bool `bson:"open"`
}

// sequenceFilter finds it.
func sequenceFilter(more ...bson.E) bson.D {
	return append(bson.D{{Key: "_id", Value: "seq"}}, more...)
}

// loadSequence reads what the process before has left, if that has not been done. One
// that was killed, or lost the server, may have commits on their way there. The
// mutex must be held.
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

// finish says that the commit of a number is over, or that nobody knows whether it
// is. Zero is no number.
func (s *sequence) finish(n uint64, unknown bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if unknown && n > 0 {
		s.inFlight[n] = time.Now().Add(s.unknownFor)
	} else {
		delete(s.inFlight, n)
	}
	s.notify() // of an unknown outcome too: there is an instant to wait for now
}

// finishedUpTo reports whether no commit of a number up to n is under way.
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

// bounds returns the last number that was given out, and the number up to which
// no commit is under way, nor will be; that grows when a commit lands or, where
// by is set, by then. The mutex must be held.
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

// sequenceBounds is settled for those who do not hold the mutex.
func (db *DB) sequenceBounds(ctx context.Context) (last, upTo uint64, by time.Time, err error) {
	db.seq.mu.Lock()
	defer db.seq.mu.Unlock()
	if err := db.loadSequence(ctx); err != nil {
		return 0, 0, time.Time{}, err
	}
	last, upTo, by = db.seq.bounds()
	return last, upTo, by, nil
}

// changed returns what is closed when a commit is over or in doubt.
func (s *sequence) changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiters == nil {
		s.waiters = make(chan struct{})
	}
	return s.waiters
}

// notify lets those who wait look again. The mutex must be held.
func (s *sequence) notify() {
	if s.waiters != nil {
		close(s.waiters)
		s.waiters = nil
	}
}

// reset makes the next number come from the database, and what is known of the
// others.
func (s *sequence) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.end, s.loaded = 0, 0, false
}

// nextSeq returns a number larger than all before it. ctx must not be of a
// transaction. A commit takes its number after it has looked at the versions it
// replaces, so numbers grow along the versions of a document. The number flies
// until land.
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

// closeSequence notes that all commits of this process are over, where that is
// so. It is not needed: without the note the feed of the next process ends, for
// as long as a commit may be on its way, where this one took its last numbers.
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
