package mongo

import (
	"context"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"carerecord/store"
)

// newestVersion is the newest version of a document as a commit needs it.
type newestVersion struct {
	version     uint64
	keyRevision uint64
	deleted     bool
	id          store.RowID
	keys        []store.Key // for a Check with Where
	raw         bson.Raw    // nil if only some fields were read
}

// newestVersions are newest versions by _id. A missing entry means that no version exists.
type newestVersions map[string]newestVersion

// claim increments the claims, so that commits with a common claim conflict.
func (s *snap) claim(ctx context.Context, claims []string) error {
	for chunk := range slices.Chunk(claims, s.db.limits.chunk) {
		models := make([]mongo.WriteModel, len(chunk))
		for i, c := range chunk {
			models[i] = mongo.NewUpdateOneModel().SetFilter(bson.D{{Key: "_id", Value: c}}).
				SetUpdate(bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: int64(1)}}}}).
				SetUpsert(true).SetHint(byID)
		}
		_, err := s.db.claims.BulkWrite(s.in(ctx), models)
		if mongo.IsDuplicateKeyError(err) {
			return fmt.Errorf("%w: %w", errRetry, err) // two commits inserted the same claim
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readNewest reads the newest versions that a commit writes or checks.
func (s *snap) readNewest(ctx context.Context, p *preparedCommit) (newestVersions, error) {
	var ids []string
	for _, w := range p.Writes {
		if w.Expect > 0 {
			ids = append(ids, refID(w.Doc.Ref))
		}
	}
	whole := len(ids) <= s.db.limits.wholeDocs
	byKeys := map[string]bool{}
	for _, c := range p.Checks {
		ids = append(ids, refID(c.Ref))
		if c.Where != nil {
			byKeys[refID(c.Ref)] = true
		}
	}
	all := make(newestVersions, len(ids))
	for chunk := range slices.Chunk(ids, s.db.limits.chunk) {
		o := s.db.hint(byID)
		if !whole {
			fields := bson.D{{Key: "t", Value: 1}, {Key: "v", Value: 1}, {Key: "g", Value: 1}, {Key: "r", Value: 1}, {Key: "p", Value: 1}, {Key: "o", Value: 1}}
			if slices.ContainsFunc(chunk, func(id string) bool { return byKeys[id] }) {
				fields = append(fields, bson.E{Key: "f", Value: 1})
			}
			o.SetProjection(fields)
		}
		for raw, err := range s.findRaw(ctx, s.db.res, oneOf(chunk), o) {
			if err != nil {
				return nil, err
			}
			d, err := unmarshal(raw)
			if err != nil {
				return nil, err
			}
			h := newestVersion{version: d.Version, keyRevision: d.KeyRevision, deleted: d.Deleted(), id: d.RowID}
			if whole {
				h.raw = slices.Clone(raw)
			}
			if byKeys[refID(d.Ref)] {
				h.keys = d.Keys
			}
			all[refID(d.Ref)] = h
		}
	}
	return all, nil
}

func oneOf(ids []string) bson.D {
	return bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}
}

// checkPreconditions tests the versions and key revisions that a commit expects. For creates the
// unique index does.
func (h newestVersions) checkPreconditions(p *preparedCommit) error {
	for _, w := range p.Writes {
		if w.Expect == 0 {
			continue
		}
		if err := h.expect("write", w.Doc.Ref, w.Expect, w.KeyRevision); err != nil {
			return err
		}
	}
	for _, c := range p.Checks {
		if err := h.check(c); err != nil {
			return err
		}
	}
	return nil
}

// check tests one precondition.
func (h newestVersions) check(c store.Check) error {
	if c.Where == nil {
		return h.expect("check", c.Ref, c.Version, c.KeyRevision)
	}
	if have := h[refID(c.Ref)]; have.version == 0 || have.deleted || !store.Match(c.Where, have.keys) {
		return fmt.Errorf("mongo: check of %s: version %d does not match: %w", c.Ref, have.version, store.ErrConflict)
	}
	return nil
}

// expect tests that the newest version and its key revision are as expected; version 0 means
// that none exists.
func (h newestVersions) expect(doing string, ref store.Ref, version, keying uint64) error {
	if have := h[refID(ref)]; have.version != version || have.keyRevision != keying {
		return fmt.Errorf("mongo: %s of %s: the newest version is %d, rekeyed %d times, expected %d, %d: %w",
			doing, ref, have.version, have.keyRevision, version, keying, store.ErrConflict)
	}
	return nil
}

// lockChecks prevents other commits from changing the checked documents: with a snapshot alone
// two commits could each check a document that the other writes. Documents that the commit
// writes itself need no lock.
func (s *snap) lockChecks(ctx context.Context, p *preparedCommit) error {
	written := map[store.Ref]bool{}
	for _, w := range p.Writes {
		written[w.Doc.Ref] = true
	}
	for _, c := range p.Checks {
		if written[c.Ref] {
			continue
		}
		written[c.Ref] = true
		if err := s.lock(ctx, c.Ref, c.Version > 0 || c.Where != nil); err != nil {
			return err
		}
	}
	return nil
}

// lock makes the transaction conflict with every other that writes a document: it increments a
// field of an existing document, or inserts a missing one and deletes it.
func (s *snap) lock(ctx context.Context, ref store.Ref, exists bool) error {
	ctx, id := s.in(ctx), refID(ref)
	if exists {
		r, err := s.db.res.UpdateOne(ctx, bson.D{{Key: "_id", Value: id}},
			bson.D{{Key: "$inc", Value: bson.D{{Key: "c", Value: int64(1)}}}}, options.UpdateOne().SetHint(byID))
		if err == nil && r.MatchedCount == 0 {
			err = errRetry
		}
		return err
	}
	// d makes its entry of the unique index D distinct.
	if _, err := s.db.res.InsertOne(ctx, bson.D{{Key: "_id", Value: id}, {Key: "d", Value: id}}); err != nil {
		return conflictIfDuplicate("check of "+ref.String(), err)
	}
	_, err := s.db.res.DeleteOne(ctx, bson.D{{Key: "_id", Value: id}}, options.DeleteOne().SetHint(byID))
	return err
}
