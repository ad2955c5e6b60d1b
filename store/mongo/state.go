package mongo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"math"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"carerecord/store"
)

// sweepEvery is the time between two deletions of expired values.
const sweepEvery = time.Minute

// sweeps is the time of the next deletion of expired values. A TTL index cannot do it, because
// expiry depends on Config.Clock.
type sweeps struct {
	mu   sync.Mutex
	next time.Time
}

// value is a document of state. x is set also for a value that never expires.
type value struct {
	Value   bson.Binary   `bson:"v"`
	Expires bson.DateTime `bson:"x"`
}

// stateDocument returns the document of a value. Expiry is stored in whole milliseconds, rounded
// down.
func stateDocument(key string, v []byte, expires time.Time) bson.D {
	return append(bson.D{{Key: "_id", Value: encode(key)}}, stateFields(v, expires)...)
}

func stateFields(v []byte, expires time.Time) bson.D {
	if expires.IsZero() {
		expires = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	}
	return bson.D{{Key: "v", Value: binary(v)}, {Key: "x", Value: bson.DateTime(expires.UnixMilli())}}
}

// A server that fails may have applied a command before the driver repeats it. MongoDB detects
// that and repeats its answer. To be independent of that, each call writes a random name of its
// own into n, and a call that matches nothing checks whether it has been applied before.

// callElement is the field n of a call.
func callElement(call string) bson.E { return bson.E{Key: "n", Value: call} }

// writtenBy returns the value that a call has written; mongo.ErrNoDocuments if none.
func (db *DB) writtenBy(ctx context.Context, key, call string) (v value, err error) {
	err = db.state.FindOne(ctx, bson.D{{Key: "_id", Value: encode(key)}, callElement(call)}, options.FindOne().SetHint(byID)).Decode(&v)
	return v, err
}

// nowMillis is the current time as a value of x: a value is live while its x is greater.
func (db *DB) nowMillis() bson.DateTime { return bson.DateTime(db.clock().UnixMilli()) }

// liveFilter is the filter of a value that has not expired.
func (db *DB) liveFilter(key string, more ...bson.E) bson.D {
	return append(bson.D{
		{Key: "_id", Value: encode(key)},
		{Key: "x", Value: bson.D{{Key: "$gt", Value: db.nowMillis()}}},
	}, more...)
}

// Insert implements store.State.
func (db *DB) Insert(ctx context.Context, key string, v []byte, expires time.Time) error {
	if err := ctx.Err(); err != nil {
		return failed("insert a value", err)
	}
	if err := db.sweep(ctx); err != nil {
		return failed("remove expired values", err)
	}
	call := rand.Text()
	for {
		_, err := db.state.InsertOne(ctx, append(stateDocument(key, v, expires), callElement(call)))
		if !mongo.IsDuplicateKeyError(err) {
			if err != nil {
				return failedWrite("insert a value", err)
			}
			return nil
		}
		// The key exists. If its value has expired it is replaced: one of several concurrent
		// calls wins, because its value has not expired.
		r, err := db.state.UpdateOne(ctx,
			bson.D{{Key: "_id", Value: encode(key)}, {Key: "x", Value: bson.D{{Key: "$lte", Value: db.nowMillis()}}}},
			bson.D{{Key: "$set", Value: append(stateFields(v, expires), callElement(call))}}, options.UpdateOne().SetHint(byID))
		if err != nil {
			return failedWrite("insert a value", err)
		}
		if r.MatchedCount == 1 {
			return nil
		}
		if _, err := db.writtenBy(ctx, key, call); err == nil {
			return nil
		} else if !errors.Is(err, mongo.ErrNoDocuments) {
			return uncertainWrite("insert a value", err)
		}
		if _, err := db.Lookup(ctx, key); err == nil {
			return fmt.Errorf("mongo: insert a value: %w", store.ErrExists)
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		} // taken meanwhile: try again
	}
}

// Lookup implements store.State.
func (db *DB) Lookup(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, failed("look up a value", err)
	}
	var found value
	err := db.state.FindOne(ctx, bson.D{{Key: "_id", Value: encode(key)}}, db.hintID()).Decode(&found)
	if err == nil && found.Expires <= db.nowMillis() {
		err = mongo.ErrNoDocuments
	}
	return valueOrError("look up a value", found, failed, err)
}

// Values implements store.State.
func (db *DB) Values(ctx context.Context, prefix string) iter.Seq2[store.StateValue, error] {
	return func(yield func(store.StateValue, error) bool) {
		if err := db.values(ctx, prefix, func(v store.StateValue) bool { return yield(v, nil) }); err != nil {
			yield(store.StateValue{}, failed("list values", err))
		}
	}
}

// values calls f for each value with a prefix until f returns false.
func (db *DB) values(ctx context.Context, prefix string, f func(store.StateValue) bool) error {
	under := bson.D{{Key: "$gte", Value: encode(prefix)}}
	if end := store.PrefixEnd(store.Key(prefix)); end != "" {
		under = append(under, bson.E{Key: "$lt", Value: encode(string(end))})
	}
	filter := bson.D{{Key: "_id", Value: under}, {Key: "x", Value: bson.D{{Key: "$gt", Value: db.nowMillis()}}}}
	cursor, err := db.state.Find(ctx, filter, db.hint(byID))
	if err != nil {
		return err
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	for cursor.Next(ctx) {
		var found struct {
			ID    string      `bson:"_id"`
			Value bson.Binary `bson:"v"`
		}
		if err := cursor.Decode(&found); err != nil {
			return err
		}
		key, ok := decode(found.ID)
		if !ok {
			return fmt.Errorf("state has the invalid key %q", found.ID)
		}
		if !f(store.StateValue{Key: key, Value: found.Value.Data}) {
			return nil
		}
	}
	return cursor.Err()
}

// Take implements store.State. It marks the value as expired; sweep deletes it.
func (db *DB) Take(ctx context.Context, key string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, failed("take a value", err)
	}
	call := rand.Text()
	var found value
	err := db.state.FindOneAndUpdate(ctx, db.liveFilter(key),
		bson.D{{Key: "$set", Value: bson.D{{Key: "x", Value: bson.DateTime(math.MinInt64)}, callElement(call)}}},
		options.FindOneAndUpdate().SetHint(byID)).Decode(&found)
	if !errors.Is(err, mongo.ErrNoDocuments) {
		return valueOrError("take a value", found, failedWrite, err)
	}
	found, err = db.writtenBy(ctx, key, call)
	return valueOrError("take a value", found, uncertainWrite, err)
}

func valueOrError(doing string, v value, failed func(string, error) error, err error) ([]byte, error) {
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, fmt.Errorf("mongo: %s: %w", doing, store.ErrNotFound)
	}
	if err != nil {
		return nil, failed(doing, err)
	}
	return v.Value.Data, nil
}

// Swap implements store.State.
func (db *DB) Swap(ctx context.Context, key string, old, v []byte, expires time.Time) error {
	if err := ctx.Err(); err != nil {
		return failed("swap a value", err)
	}
	call := rand.Text()
	r, err := db.state.UpdateOne(ctx, db.liveFilter(key, bson.E{Key: "v", Value: binary(old)}),
		bson.D{{Key: "$set", Value: append(stateFields(v, expires), callElement(call))}}, options.UpdateOne().SetHint(byID))
	if err != nil {
		return failedWrite("swap a value", err)
	}
	if r.MatchedCount == 0 {
		if _, err := db.writtenBy(ctx, key, call); err == nil {
			return nil
		} else if !errors.Is(err, mongo.ErrNoDocuments) {
			return uncertainWrite("swap a value", err)
		}
		return fmt.Errorf("mongo: swap a value: %w", store.ErrConflict)
	}
	return nil
}

// sweep deletes expired values if sweepEvery has passed.
func (db *DB) sweep(ctx context.Context) error {
	now := db.clock()
	db.sweeps.mu.Lock()
	due := !now.Before(db.sweeps.next)
	if due {
		db.sweeps.next = now.Add(sweepEvery)
	}
	db.sweeps.mu.Unlock()
	if !due {
		return nil
	}
	_, err := db.state.DeleteMany(ctx,
		bson.D{{Key: "x", Value: bson.D{{Key: "$lte", Value: bson.DateTime(now.UnixMilli())}}}},
		options.DeleteMany().SetHint(byExpiry))
	return err
}
