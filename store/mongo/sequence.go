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

// unknownFor is longer than a server keeps a transaction that nobody ends.
const unknownFor = 90 * time.Second

// sequence gives numbers to commits and knows which of them are over.
type sequence struct {
	doubt time.Duration // unknownFor, which tests make shorter

	mu        sync.Mutex
	last, end uint64
	// flying are the numbers of commits under way; with an instant until when a
	// commit of unknown outcome may land yet.
	flying map[uint64]time.Time

	known  bool      // the three below have been read
	before uint64    // the last number that was given out before this process
	sure   uint64    // up to which none of those is under way
	until  time.Time // until when the others may be

	grown chan struct{} // closed when land is called; nil while nobody waits
}

// numbering is the document of counters that numbers are taken from.
type numbering struct {
	Given int64 `bson:"n"`
	// Low is a number up to which no commit is under way.
	Low int64 `bson:"low"`
	// Open says that commits behind Low may be: missing or true from when a
	// process takes numbers until it has closed.
	Open *bool `bson:"open"`
}

// numbersOf finds it.
func numbersOf(more ...bson.E) bson.D { return append(bson.D{{Key: "_id", Value: "seq"}}, more...) }

// learn reads what the process before has left, if that has not been done. One
// that was killed, or lost the server, may have commits on their way there. The
// mutex must be held.
func (db *DB) learn(ctx context.Context) error {
	s := &db.seq
	if s.known {
		return nil
	}
	var n numbering
	err := db.counters.FindOne(ctx, numbersOf(), db.byAddress()).Decode(&n)
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		return failed("read the numbers of commits", err)
	}
	s.before, s.sure, s.until = uint64(n.Given), uint64(n.Given), time.Time{}
	if n.Given > 0 && (n.Open == nil || *n.Open) {
		s.sure, s.until = uint64(n.Low), time.Now().Add(s.doubt)
	}
	s.known = true
	return nil
}

// land says that the commit of a number is over, or that nobody knows whether it
// is. Zero is no number.
func (s *sequence) land(n uint64, unknown bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if unknown && n > 0 {
		s.flying[n] = time.Now().Add(s.doubt)
	} else {
		delete(s.flying, n)
	}
	s.tell() // of an unknown outcome too: there is an instant to wait for now
}

// landed reports whether no commit of a number up to n is under way.
func (s *sequence) landed(n uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for number, until := range s.flying {
		if number <= n && (until.IsZero() || time.Now().Before(until)) {
			return false
		}
	}
	return true
}

// settled returns the last number that was given out, and the number up to which
// no commit is under way, nor will be; that grows when a commit lands or, where
// by is set, by then. The mutex must be held.
func (s *sequence) settled() (last, upTo uint64, by time.Time) {
	now := time.Now()
	last = max(s.last, s.before)
	if now.Before(s.until) {
		return last, s.sure, s.until
	}
	upTo = last
	for number, until := range s.flying {
		switch {
		case !until.IsZero() && !now.Before(until):
			delete(s.flying, number)
		case number <= upTo:
			upTo, by = number-1, until
		}
	}
	return last, upTo, by
}

// ends is settled for those who do not hold the mutex.
func (db *DB) ends(ctx context.Context) (last, upTo uint64, by time.Time, err error) {
	db.seq.mu.Lock()
	defer db.seq.mu.Unlock()
	if err := db.learn(ctx); err != nil {
		return 0, 0, time.Time{}, err
	}
	last, upTo, by = db.seq.settled()
	return last, upTo, by, nil
}

// later returns what is closed when a commit is over or in doubt.
func (s *sequence) later() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.grown == nil {
		s.grown = make(chan struct{})
	}
	return s.grown
}

// tell lets those who wait look again. The mutex must be held.
func (s *sequence) tell() {
	if s.grown != nil {
		close(s.grown)
		s.grown = nil
	}
}

// forget makes the next number come from the database, and what is known of the
// others.
func (s *sequence) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.end, s.known = 0, 0, false
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
		if err := db.learn(ctx); err != nil {
			return 0, err
		}
		_, low, _ := s.settled()
		var n numbering
		err := db.counters.FindOneAndUpdate(ctx, numbersOf(), bson.D{
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
	s.flying[s.last] = time.Time{}
	return s.last, nil
}

// closeNumbers notes that all commits of this process are over, where that is
// so. It is not needed: without the note the feed of the next process ends, for
// as long as a commit may be on its way, where this one took its last numbers.
func (db *DB) closeNumbers(ctx context.Context) {
	s := &db.seq
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, upTo, _ := s.settled(); s.end == 0 || upTo < last {
		return
	}
	_, _ = db.counters.UpdateOne(ctx, numbersOf(bson.E{Key: "n", Value: signed(s.end)}),
		bson.D{{Key: "$set", Value: bson.D{{Key: "open", Value: false}}}}, options.UpdateOne().SetHint(byID))
}
