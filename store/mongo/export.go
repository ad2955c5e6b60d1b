package mongo

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"carerecord/store"
)

// errMissing: a version that must exist does not.
var errMissing = errors.New("a version is missing")

// Export implements store.Copier. It uses no snapshot of the server, which keeps one for some
// minutes only: versions never change except for their keys, and are never deleted, so the
// versions of the commits up to a number are the state at that number, also when they are read later.
// quiesce returns such a number.
//
// A document is read from res before its older versions are read from old, so a version that
// moves meanwhile is exported once.
func (db *DB) Export(ctx context.Context) iter.Seq2[store.CopyItem, error] {
	return func(yield func(store.CopyItem, error) bool) {
		e := &export{db: db, yield: yield}
		var err error
		if e.upTo, err = db.quiesce(ctx); err == nil {
			err = e.run(ctx)
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(store.CopyItem{}, failed("export", err))
		}
	}
}

// errStopped: the caller of Export has stopped.
var errStopped = errors.New("enough")

// export is one run of Export.
type export struct {
	db    *DB
	upTo  uint64 // the last commit of the export
	yield func(store.CopyItem, error) bool
}

func (e *export) run(ctx context.Context) error {
	v := &verifier{db: e.db}
	if err := v.walk(ctx, e.db.res, func(chunk []bson.Raw) error { return e.documents(ctx, chunk) }); err != nil {
		return err
	}
	return v.walk(ctx, e.db.log, func(chunk []bson.Raw) error {
		for _, raw := range chunk {
			var r record
			if err := bson.Unmarshal(raw, &r); err != nil {
				return fmt.Errorf("mongo: a log record: %w", err)
			}
			plain := r.toStore()
			if !e.yield(store.CopyItem{Record: &plain}, nil) {
				return errStopped
			}
		}
		return nil
	})
}

// quiescePause is the time between two checks for commits in flight.
const quiescePause = 5 * time.Millisecond

// quiesce returns a number greater than those of all commits that were acknowledged,
// and up to which no commit is or will be in flight.
func (db *DB) quiesce(ctx context.Context) (uint64, error) {
	n, err := db.nextSeq(ctx)
	if err != nil {
		return 0, err
	}
	db.seq.finish(n, false)
	for !db.seq.finishedUpTo(n) {
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("wait for commits in flight: %w", ctx.Err())
		case <-time.After(quiescePause):
		}
	}
	return n, nil
}

// documents yields the versions of documents of res up to the last commit of the export.
func (e *export) documents(ctx context.Context, chunk []bson.Raw) error {
	for _, raw := range chunk {
		d, err := unmarshal(raw)
		if err != nil {
			return err
		}
		if d.Seq <= e.upTo && !e.yield(store.CopyItem{Doc: &d}, nil) {
			return errStopped
		}
		if err := e.olderVersions(ctx, d.Ref, d.Version); err != nil {
			return err
		}
	}
	return nil
}

// olderVersions yields the versions of a document before one, newest first.
func (e *export) olderVersions(ctx context.Context, ref store.Ref, before uint64) error {
	for before > 1 {
		n := min(before-1, uint64(e.db.limits.fetch))
		cursor, err := e.db.old.Find(ctx, bson.D{{Key: "_id", Value: bson.D{
			{Key: "$gte", Value: versionID(ref, before-n)}, {Key: "$lt", Value: versionID(ref, before)}}}}, options.Find().SetHint(byID))
		if err != nil {
			return err
		}
		var raws []bson.Raw
		if err := cursor.All(ctx, &raws); err != nil {
			return err
		}
		docs := make([]store.Doc, len(raws))
		for i, raw := range raws {
			if docs[i], err = unmarshal(raw); err != nil {
				return err
			}
		}
		slices.SortFunc(docs, func(a, b store.Doc) int { return int(b.Version) - int(a.Version) })
		for i, d := range docs {
			if d.Version != before-1-uint64(i) {
				return fmt.Errorf("mongo: version %d of %s: %w", before-1-uint64(i), ref, errMissing)
			}
			if d.Seq <= e.upTo && !e.yield(store.CopyItem{Doc: &d}, nil) {
				return errStopped
			}
		}
		if uint64(len(docs)) != n {
			return fmt.Errorf("mongo: versions of %s before %d: %w", ref, before, errMissing)
		}
		before -= n
	}
	return nil
}

// Import implements store.Copier.
func (db *DB) Import(ctx context.Context, parts iter.Seq2[store.CopyItem, error]) error {
	for _, c := range []*mongo.Collection{db.res, db.old, db.log} {
		err := c.FindOne(ctx, bson.D{}, options.FindOne().SetHint(byID)).Err()
		if err == nil {
			return fmt.Errorf("mongo: import: %s is not empty: %w", c.Name(), store.ErrExists)
		}
		if !errors.Is(err, mongo.ErrNoDocuments) {
			return failed("import", err)
		}
	}
	in := &importer{db: db}
	for p, err := range parts {
		if err == nil {
			err = in.add(ctx, p)
		}
		if err != nil {
			return failed("import", err)
		}
	}
	for _, p := range []*insertBatch{&in.res, &in.old, &in.log} {
		if err := p.flush(ctx); err != nil {
			return failed("import", err)
		}
	}
	_, err := db.counters.UpdateOne(ctx, sequenceFilter(), bson.D{
		{Key: "$max", Value: bson.D{{Key: "n", Value: signed(in.seq)}}},
		{Key: "$set", Value: bson.D{{Key: "open", Value: false}}},
	}, options.UpdateOne().SetUpsert(true).SetHint(byID))
	if err != nil {
		return failed("import", err)
	}
	db.seq.reset()
	if err := db.RenewFeed(ctx); err != nil {
		return err
	}
	return db.logWriter.reread(ctx)
}

// importer is one run of Import.
type importer struct {
	db            *DB
	res, old, log insertBatch
	last          store.Ref
	seq           uint64 // the highest
}

// insertBatch is the documents that the next command inserts.
type insertBatch struct {
	collection *mongo.Collection
	docs       []bson.Raw
	size       int
}

func (in *importer) add(ctx context.Context, p store.CopyItem) error {
	in.res.collection, in.old.collection, in.log.collection = in.db.res, in.db.old, in.db.log
	if r := p.Record; r != nil {
		raw, err := bson.Marshal(record{Pos: int64(r.Pos), Hash: binary(r.Hash[:]), Payload: binary(r.Payload)})
		if err != nil {
			return err
		}
		return in.log.add(ctx, raw, in.db.limits.chunk)
	}
	d := *p.Doc
	d.KeyRevision = 0 // not copied
	raw, err := marshal(&d)
	if err != nil {
		return err
	}
	raw = addSeq(raw, p.Doc.Seq)
	in.seq = max(in.seq, p.Doc.Seq)
	if newest := in.last != p.Doc.Ref; newest {
		in.last = p.Doc.Ref
		return in.res.add(ctx, raw, in.db.limits.chunk)
	}
	if raw, err = superseded(raw); err != nil {
		return err
	}
	return in.old.add(ctx, raw, in.db.limits.chunk)
}

// add adds a document, and first inserts the batch if it would become too large.
func (p *insertBatch) add(ctx context.Context, raw bson.Raw, most int) error {
	if len(p.docs) >= most || p.size+len(raw) > chunkBytes {
		if err := p.flush(ctx); err != nil {
			return err
		}
	}
	p.docs, p.size = append(p.docs, raw), p.size+len(raw)
	return nil
}

func (p *insertBatch) flush(ctx context.Context) error {
	if len(p.docs) == 0 {
		return nil
	}
	_, err := p.collection.InsertMany(ctx, p.docs, options.InsertMany().SetOrdered(false))
	p.docs, p.size = nil, 0
	return err
}
