package mongo

import (
	"context"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// sequenceBlock is how many numbers are taken from the database at once, so
// that commits do not meet at one counter. What is left of a block at the end
// of a process is never used.
const sequenceBlock = 1000

// sequence gives numbers to commits.
type sequence struct {
	mu        sync.Mutex
	last, end uint64
	// flying are the numbers of commits under way; with an instant until when a
	// commit of unknown outcome may land yet.
	flying map[uint64]time.Time
}

// unknownFor is longer than a server keeps a transaction that nobody ends.
const unknownFor = 90 * time.Second

// land says that the commit of a number is over. Zero is no number.
func (s *sequence) land(n uint64, unknown bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if unknown && n > 0 {
		s.flying[n] = time.Now().Add(unknownFor)
		return
	}
	delete(s.flying, n)
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

// forget makes the next number come from the database.
func (s *sequence) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.end = 0, 0
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
		var counter struct {
			N int64 `bson:"n"`
		}
		err := db.counters.FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: "seq"}},
			bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: int64(sequenceBlock)}}}},
			options.FindOneAndUpdate().SetUpsert(true).SetHint(byID).SetReturnDocument(options.After),
		).Decode(&counter)
		if err != nil {
			return 0, failed("take numbers for commits", err)
		}
		s.end = uint64(counter.N)
		s.last = s.end - sequenceBlock
	}
	s.last++
	s.flying[s.last] = time.Time{}
	return s.last, nil
}
