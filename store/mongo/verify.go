package mongo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"carerecord/store"
)

// maxFaults is how many faults Verify reports before it stops.
const maxFaults = 20

var errFaults = errors.New("too many faults")

// Recount does nothing: this engine stores no counts.
func (db *DB) Recount(context.Context) error { return nil }

// Verify reads the whole database and reports every document that does not agree with the
// others: postings that differ from the keys, a live document without a body, a tombstone with
// postings, a superseded version without a newer one, missing versions, a commit number that was
// never taken, a log with a gap or a broken chain. Nil means no fault. Nobody may write
// meanwhile.
//
// The server's own command validate checks its indexes. Claims are counters that nobody reads: a
// claim need not have a document, since the result of a conditional create need not match its
// criteria.
func (db *DB) Verify(ctx context.Context) error {
	v := &verifier{db: db}
	for _, walk := range []func(context.Context) error{v.readSequence, v.newestDocs, v.superseded, v.logRecords} {
		if err := walk(ctx); err != nil && !errors.Is(err, errFaults) {
			return failed("verify", err)
		}
	}
	return errors.Join(v.faults...)
}

type verifier struct {
	db             *DB
	faults         []error
	lastSeq        uint64 // the last number that was taken for commits
	wantSuperseded int    // expected number of superseded versions
}

func (v *verifier) fault(format string, args ...any) error {
	if v.faults = append(v.faults, fmt.Errorf("mongo: verify: "+format, args...)); len(v.faults) >= maxFaults {
		return errFaults
	}
	return nil
}

// walk calls f with every document of a collection in the order of _id, one chunk at a time.
func (v *verifier) walk(ctx context.Context, c *mongo.Collection, f func([]bson.Raw) error) error {
	o := options.Find().SetHint(byID).SetSort(bson.D{{Key: "_id", Value: 1}}).SetBatchSize(int32(v.db.limits.fetch))
	cursor, err := c.Find(ctx, bson.D{}, o)
	if err != nil {
		return err
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	var chunk []bson.Raw
	for cursor.Next(ctx) {
		if chunk = append(chunk, slices.Clone(cursor.Current)); len(chunk) == v.db.limits.fetch {
			if err := f(chunk); err != nil {
				return err
			}
			chunk = chunk[:0]
		}
	}
	if err := cursor.Err(); err != nil || len(chunk) == 0 {
		return err
	}
	return f(chunk)
}

func (v *verifier) readSequence(ctx context.Context) error {
	var counter struct {
		N int64 `bson:"n"`
	}
	err := v.db.counters.FindOne(ctx, bson.D{{Key: "_id", Value: "seq"}}, v.db.hintID()).Decode(&counter)
	if errors.Is(err, mongo.ErrNoDocuments) {
		err = nil // no commit yet
	}
	v.lastSeq = uint64(counter.N)
	return err
}

// newestDocs checks each document of res.
func (v *verifier) newestDocs(ctx context.Context) error {
	return v.walk(ctx, v.db.res, func(chunk []bson.Raw) error {
		for _, raw := range chunk {
			if err := v.document(raw); err != nil {
				return err
			}
		}
		return nil
	})
}

func (v *verifier) document(raw bson.Raw) error {
	name := raw.Lookup("_id").String()
	d, err := unmarshal(raw)
	if err != nil {
		return v.fault("%s is damaged: %w", name, err)
	}
	_, noPostings := raw.LookupErr("k")
	_, noDeletedMark := raw.LookupErr("d")
	deleted := noPostings != nil
	switch {
	case deleted == (noDeletedMark != nil):
		return v.fault("%s is neither a live document nor a tombstone", name)
	case deleted != (d.Origin == store.Deleted) || deleted != (d.Body == nil):
		return v.fault("%s has the origin %s and %d bytes of body", name, d.Origin, len(d.Body))
	case d.Version < 1 || d.Seq < 1 || d.Seq > v.lastSeq:
		return v.fault("%s is version %d of commit %d, and the last number taken is %d", name, d.Version, d.Seq, v.lastSeq)
	}
	v.wantSuperseded += int(d.Version) - 1
	index, b := bsoncore.AppendDocumentStart(make([]byte, 0, len(raw)))
	rebuilt, err := bsoncore.AppendDocumentEnd(appendIndexed(b, &d, deleted), index)
	if err != nil {
		return err
	}
	for _, field := range []string{"p", "o", "s", "k", "f"} {
		stored, made := raw.Lookup(field), bson.Raw(rebuilt).Lookup(field)
		if stored.Type != made.Type || !bytes.Equal(stored.Value, made.Value) {
			return v.fault("%s: field %s does not agree with its keys", name, field)
		}
	}
	return nil
}

// superseded checks the newest version of each document of old, and their number.
func (v *verifier) superseded(ctx context.Context) error {
	n := 0
	err := v.walk(ctx, v.db.old, func(chunk []bson.Raw) error {
		ids := make([]string, len(chunk))
		for i, raw := range chunk {
			id := raw.Lookup("_id").StringValue()
			ids[i] = id[:max(strings.LastIndexByte(id, '/'), 0)]
		}
		cursor, err := v.db.res.Find(ctx, oneOf(ids), v.db.hint(byID).SetProjection(bson.D{{Key: "v", Value: 1}}))
		if err != nil {
			return err
		}
		var newest []struct {
			ID      string `bson:"_id"`
			Version int64  `bson:"v"`
		}
		if err := cursor.All(ctx, &newest); err != nil {
			return err
		}
		versions := map[string]int64{}
		for _, s := range newest {
			versions[s.ID] = s.Version
		}
		for i, raw := range chunk {
			n++
			id := raw.Lookup("_id").StringValue()
			version, err := strconv.ParseInt(id[len(ids[i])+1:], 10, 64)
			if d, damaged := unmarshal(raw); err != nil || damaged != nil || d.Version != uint64(version) || version >= versions[ids[i]] {
				if err := v.fault("%s is stored as superseded, and the newest version is %d", id, versions[ids[i]]); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err == nil && n != v.wantSuperseded {
		err = v.fault("%d superseded versions, expected %d", n, v.wantSuperseded)
	}
	return err
}

// logRecords checks positions and hashes of the log.
func (v *verifier) logRecords(ctx context.Context) error {
	var last store.Record
	return v.walk(ctx, v.db.log, func(chunk []bson.Raw) error {
		for _, raw := range chunk {
			var r record
			if err := bson.Unmarshal(raw, &r); err != nil {
				return v.fault("a log record is damaged: %w", err)
			}
			rec := r.toStore()
			if rec.Pos != last.Pos+1 || rec.Hash != store.ChainHash(last.Hash, rec.Pos, rec.Payload) {
				return v.fault("log record %d does not follow record %d", rec.Pos, last.Pos)
			}
			last = rec
		}
		return nil
	})
}
