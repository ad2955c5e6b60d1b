package mongo

import (
	"context"
	"sync"

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
}

// nextSeq returns a number larger than all before it. ctx must not be of a
// transaction. A commit takes its number after it has looked at the versions it
// replaces, so numbers grow along the versions of a document.
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
	return s.last, nil
}
