package mongo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"carerecord/store"
)

// write applies the writes of a commit whose preconditions hold.
//
// A document whose entry in the unique index D changes (its row ID changes, it is deleted or becomes
// live again) is deleted and inserted; all deletions come before all insertions. So the order of
// two documents that exchange row IDs does not matter, and the stand-in works too, whose unique
// indexes keep the old entry of an update.
func (s *snap) write(ctx context.Context, p *preparedCommit, newest newestVersions, seq uint64) error {
	var inserts []bson.Raw
	var replaced, rekeyed []int
	for i, w := range p.Writes {
		switch {
		case w.Rekey:
			rekeyed = append(rekeyed, i)
		case w.Expect == 0:
			inserts = append(inserts, addSeq(p.raws[i], seq))
		default:
			replaced = append(replaced, i)
		}
	}
	for chunk := range slices.Chunk(replaced, s.db.limits.fetch) {
		moved, err := s.replace(ctx, p, chunk, newest, seq)
		if err != nil {
			return err
		}
		inserts = append(inserts, moved...)
	}
	for chunk := range slices.Chunk(rekeyed, s.db.limits.fetch) {
		moved, err := s.rekey(ctx, p, chunk, newest)
		if err != nil {
			return err
		}
		inserts = append(inserts, moved...)
	}
	return s.insert(ctx, s.db.res, inserts)
}

// moves reports whether a write changes the entry of a document in D.
func (h newestVersions) moves(w *store.Write) bool {
	old := h[refID(w.Doc.Ref)]
	return old.id != w.Doc.RowID || !w.Rekey && old.deleted != w.Doc.Deleted()
}

// insert adds documents in chunks of limited size.
func (s *snap) insert(ctx context.Context, collection *mongo.Collection, docs []bson.Raw) error {
	for len(docs) > 0 {
		n, size := 0, 0
		for n < len(docs) && n < s.db.limits.chunk && (n == 0 || size+len(docs[n]) <= chunkBytes) {
			size += len(docs[n])
			n++
		}
		if _, err := collection.InsertMany(s.in(ctx), docs[:n]); err != nil {
			return conflictIfDuplicate("write to "+collection.Name(), err)
		}
		docs = docs[n:]
	}
	return nil
}

// replace moves versions to old and replaces them by the new ones, or deletes them and returns
// the documents to insert.
func (s *snap) replace(ctx context.Context, p *preparedCommit, writes []int, newest newestVersions, seq uint64) (moved []bson.Raw, err error) {
	raws, err := s.stored(ctx, p, writes, newest)
	if err != nil {
		return nil, err
	}
	older := make([]bson.Raw, len(writes))
	var c changes
	for i, n := range writes {
		w := &p.Writes[n]
		if older[i], err = superseded(raws[refID(w.Doc.Ref)]); err != nil {
			return nil, err
		}
		if newest.moves(w) {
			c.deleteOld(w)
			moved = append(moved, addSeq(p.raws[n], seq))
			continue
		}
		c.updates = append(c.updates, mongo.NewReplaceOneModel().SetFilter(address(w)).SetReplacement(addSeq(p.raws[n], seq)).SetHint(byID))
	}
	if err := s.insert(ctx, s.db.old, older); err != nil {
		return nil, err
	}
	return moved, s.change(ctx, c)
}

// rekey replaces the keys of newest versions, or deletes them and returns the documents to
// insert.
func (s *snap) rekey(ctx context.Context, p *preparedCommit, writes []int, newest newestVersions) (moved []bson.Raw, err error) {
	var c changes
	var moving []int
	for _, n := range writes {
		w := &p.Writes[n]
		if newest.moves(w) {
			moving = append(moving, n)
			c.deleteOld(w)
			continue
		}
		d := rekeyedDoc(w)
		index, b := bsoncore.AppendDocumentStart(nil)
		fields, err := bsoncore.AppendDocumentEnd(appendIndexed(b, &d, newest[refID(w.Doc.Ref)].deleted), index)
		if err != nil {
			return nil, err
		}
		c.updates = append(c.updates, mongo.NewUpdateOneModel().SetFilter(address(w)).
			SetUpdate(bson.D{{Key: "$set", Value: bson.Raw(fields)}}).SetHint(byID))
	}
	raws, err := s.stored(ctx, p, moving, newest)
	if err != nil {
		return nil, err
	}
	for _, n := range moving {
		d := rekeyedDoc(&p.Writes[n])
		raw, err := rekeyed(raws[refID(d.Ref)], &d, newest[refID(d.Ref)].deleted)
		if err != nil {
			return nil, err
		}
		moved = append(moved, raw)
	}
	return moved, s.change(ctx, c)
}

// rekeyedDoc is the document of a rekey with its new key revision.
func rekeyedDoc(w *store.Write) store.Doc {
	d := w.Doc
	d.KeyRevision = w.KeyRevision + 1
	return d
}

// stored returns the documents that writes replace, by _id.
func (s *snap) stored(ctx context.Context, p *preparedCommit, writes []int, newest newestVersions) (map[string]bson.Raw, error) {
	raws := make(map[string]bson.Raw, len(writes))
	var unread []string
	for _, n := range writes {
		id := refID(p.Writes[n].Doc.Ref)
		if raws[id] = newest[id].raw; raws[id] == nil {
			unread = append(unread, id)
		}
	}
	if len(unread) == 0 {
		return raws, nil
	}
	for raw, err := range s.findRaw(ctx, s.db.res, oneOf(unread), s.db.hint(byID)) {
		if err != nil {
			return nil, err
		}
		raws[raw.Lookup("_id").StringValue()] = slices.Clone(raw)
	}
	return raws, nil
}

// changes are updates and deletions of res. Each must match one document.
type changes struct{ updates, deletes []mongo.WriteModel }

// deleteOld adds the deletion of the document that a write replaces.
func (c *changes) deleteOld(w *store.Write) {
	c.deletes = append(c.deletes, mongo.NewDeleteOneModel().SetFilter(address(w)).SetHint(byID))
}

// address is the filter of the document of a write. Its version was read in the snapshot; an
// update of a document that has changed since is a conflict.
func address(w *store.Write) bson.D {
	return bson.D{{Key: "_id", Value: refID(w.Doc.Ref)}}
}

// change sends changes to the server.
func (s *snap) change(ctx context.Context, c changes) error {
	for _, models := range [][]mongo.WriteModel{c.deletes, c.updates} {
		if len(models) == 0 {
			continue
		}
		r, err := s.db.res.BulkWrite(s.in(ctx), models)
		if err != nil {
			return conflictIfDuplicate("write to res", err)
		}
		if n := r.MatchedCount + r.DeletedCount; n != int64(len(models)) {
			return fmt.Errorf("mongo: %d of %d documents matched: %w", n, len(models), errRetry)
		}
	}
	return nil
}

// writeState applies the state writes of a commit.
func (s *snap) writeState(ctx context.Context, writes []store.StateWrite) error {
	for _, w := range writes {
		if err := s.checkState(ctx, w); err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(writes, s.db.limits.chunk) {
		models := make([]mongo.WriteModel, len(chunk))
		for i, w := range chunk {
			models[i] = mongo.NewReplaceOneModel().SetFilter(bson.D{{Key: "_id", Value: encode(w.Key)}}).
				SetReplacement(stateDocument(w.Key, w.Value, w.Expires)).SetUpsert(true).SetHint(byID)
		}
		_, err := s.db.state.BulkWrite(s.in(ctx), models)
		if mongo.IsDuplicateKeyError(err) {
			return fmt.Errorf("%w: %w", errRetry, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkState tests the conditions of a state write.
func (s *snap) checkState(ctx context.Context, w store.StateWrite) error {
	if !w.New && w.Old == nil {
		return nil
	}
	var found value
	err := s.db.state.FindOne(s.in(ctx), s.db.liveFilter(w.Key), options.FindOne().SetHint(byID)).Decode(&found)
	there := err == nil
	if !there && !errors.Is(err, mongo.ErrNoDocuments) {
		return err
	}
	if w.New && there {
		return fmt.Errorf("mongo: state %s has a value: %w", w.Key, store.ErrConflict)
	}
	if w.Old != nil && (!there || !bytes.Equal(found.Value.Data, w.Old)) {
		return fmt.Errorf("mongo: state %s has another value or none: %w", w.Key, store.ErrConflict)
	}
	return nil
}

// mark inserts the mark of a commit that makes no version, or of one that was dropped and must
// not be applied any more.
func (s *snap) mark(ctx context.Context, seq uint64, dropped bool) error {
	// The server's TTL index deletes marks, by the server's clock.
	mark := bson.D{{Key: "_id", Value: signed(seq)}, {Key: "x", Value: time.Now()}}
	if dropped {
		mark = append(mark, bson.E{Key: "d", Value: true})
	}
	_, err := s.db.marks.InsertOne(s.in(ctx), mark)
	return err
}
