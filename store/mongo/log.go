package mongo

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"carerecord/store"
)

// record is a document of log.
type record struct {
	Pos     int64       `bson:"_id"`
	Hash    bson.Binary `bson:"h"`
	Payload bson.Binary `bson:"b"`
}

func (r record) toStore() store.Record {
	p := store.Record{Pos: uint64(r.Pos), Payload: r.Payload.Data}
	copy(p.Hash[:], r.Hash.Data)
	return p
}

// Append implements store.Log.
func (db *DB) Append(ctx context.Context, payloads ...[]byte) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, failed("append to the log", err)
	}
	for _, p := range payloads {
		if len(p) > documentMax-1024 {
			return 0, fmt.Errorf("mongo: a log record of %d bytes: %w", len(p), store.ErrTooLarge)
		}
	}
	if len(payloads) == 0 {
		head, err := db.Head(ctx)
		return head.Pos + 1, err
	}
	return db.logWriter.append(ctx, payloads)
}

// Head implements store.Log.
func (db *DB) Head(ctx context.Context) (store.Record, error) {
	if err := ctx.Err(); err != nil {
		return store.Record{}, failed("read the head of the log", err)
	}
	var last record
	err := db.log.FindOne(ctx, bson.D{}, options.FindOne().SetHint(byID).
		SetSort(bson.D{{Key: "_id", Value: -1}}).SetProjection(bson.D{{Key: "h", Value: 1}})).Decode(&last)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return store.Record{}, nil
	}
	if err != nil {
		return store.Record{}, failed("read the head of the log", err)
	}
	return last.toStore(), nil
}

// Records implements store.Log. It yields the records that existed when it began.
func (db *DB) Records(ctx context.Context, from uint64) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		head, err := db.Head(ctx)
		if err != nil {
			yield(store.Record{}, err)
			return
		}
		filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: signed(from)}, {Key: "$lte", Value: signed(head.Pos)}}}}
		cursor, err := db.log.Find(ctx, filter, options.Find().SetHint(byID).SetSort(bson.D{{Key: "_id", Value: 1}}))
		if err != nil {
			yield(store.Record{}, failed("read the log", err))
			return
		}
		defer cursor.Close(context.WithoutCancel(ctx))
		for cursor.Next(ctx) {
			var r record
			if err := cursor.Decode(&r); err != nil {
				yield(store.Record{}, failed("read the log", err))
				return
			}
			if !yield(r.toStore(), nil) {
				return
			}
		}
		if err := cursor.Err(); err != nil {
			yield(store.Record{}, failed("read the log", err))
		}
	}
}
