package mongo

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"carerecord/store"
)

// feed caches the ID of the change feed.
type feed struct {
	mu   sync.Mutex
	name string
}

// feedName returns the ID of the feed, and creates one if the database has none.
func (db *DB) feedName(ctx context.Context) (string, error) {
	db.feed.mu.Lock()
	defer db.feed.mu.Unlock()
	if db.feed.name != "" {
		return db.feed.name, nil
	}
	var stored struct {
		Name string `bson:"feed"`
	}
	err := db.counters.FindOneAndUpdate(ctx, bson.D{{Key: "_id", Value: "feed"}},
		bson.D{{Key: "$setOnInsert", Value: bson.D{{Key: "feed", Value: rand.Text()}}}},
		options.FindOneAndUpdate().SetUpsert(true).SetHint(byID).SetReturnDocument(options.After)).Decode(&stored)
	if err != nil {
		return "", failed("read the ID of the feed", err)
	}
	db.feed.name = stored.Name
	return stored.Name, nil
}

// RenewFeed implements store.Copier.
func (db *DB) RenewFeed(ctx context.Context) error {
	db.feed.mu.Lock()
	defer db.feed.mu.Unlock()
	_, err := db.counters.UpdateOne(ctx, bson.D{{Key: "_id", Value: "feed"}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "feed", Value: rand.Text()}}}}, options.UpdateOne().SetUpsert(true).SetHint(byID))
	db.feed.name = "" // read again
	if err != nil {
		return failedWrite("write the ID of the feed", err)
	}
	db.seq.mu.Lock()
	defer db.seq.mu.Unlock()
	db.seq.notify()
	return nil
}

// checkPosition returns the end of the feed, or ErrUnknownPosition if a position is not part of
// it. by, unless zero, is when the end may change without a commit.
func (db *DB) checkPosition(ctx context.Context, p store.Position) (end store.Position, by time.Time, err error) {
	if err := ctx.Err(); err != nil {
		return end, by, failed("read the feed", err)
	}
	name, err := db.feedName(ctx)
	if err != nil {
		return end, by, err
	}
	last, upTo, by, err := db.sequenceBounds(ctx)
	if err != nil {
		return end, by, err
	}
	// A position after the end is valid: after a crash the end goes back for a while.
	if p != (store.Position{}) && (p.FeedID != name || p.Seq > last) {
		return end, by, fmt.Errorf("mongo: position %d of feed %q is unknown: the last number of feed %q is %d: %w", p.Seq, p.FeedID, name, last, store.ErrUnknownPosition)
	}
	return store.Position{FeedID: name, Seq: upTo}, by, nil
}

// End implements store.ChangeFeed.
func (db *DB) End(ctx context.Context) (store.Position, error) {
	end, _, err := db.checkPosition(ctx, store.Position{})
	return end, err
}

// Await implements store.ChangeFeed.
func (db *DB) Await(ctx context.Context, after store.Position) error {
	for {
		changed := db.seq.changed() // before reading, so that no commit is missed
		_, by, err := db.checkPosition(ctx, after)
		if err != nil {
			return err
		}
		page, err := db.Changes(ctx, after, 1)
		if err != nil || len(page) > 0 {
			return err
		}
		if err := wait(ctx, changed, by); err != nil {
			return failed("wait for a commit", err)
		}
	}
}

// wait returns when changed is closed or at an instant unless it is zero, and the context's
// error if that ends before.
func wait(ctx context.Context, changed <-chan struct{}, by time.Time) error {
	var come <-chan time.Time
	if !by.IsZero() {
		timer := time.NewTimer(time.Until(by))
		defer timer.Stop()
		come = timer.C
	}
	select {
	case <-changed:
	case <-come:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// maxPageVersions is about how many versions a page of the feed lists at most.
const maxPageVersions = 10_000

// Changes implements store.ChangeFeed. The end is read before the snapshot is taken, so the
// snapshot has all commits up to it.
func (db *DB) Changes(ctx context.Context, after store.Position, max int) (page []store.Change, err error) {
	end, _, err := db.checkPosition(ctx, after)
	if err != nil || after.Seq >= end.Seq {
		return nil, err
	}
	err = db.Read(ctx, func(s store.Snapshot) (err error) {
		page, err = s.(*snap).changes(ctx, after.Seq, end, max)
		return err
	})
	if err != nil {
		return nil, err
	}
	return page, nil
}

// changes reads the commits between a number and the end, by Q from res and old.
func (s *snap) changes(ctx context.Context, after uint64, end store.Position, max int) (page []store.Change, err error) {
	versions := func(c *mongo.Collection) iter.Seq2[store.Doc, error] {
		filter := bson.D{{Key: "q", Value: bson.D{{Key: "$gt", Value: signed(after)}, {Key: "$lte", Value: signed(end.Seq)}}}}
		return s.find(ctx, c, filter, s.db.hint(byCommit).SetSort(bson.D{{Key: "q", Value: 1}}).
			SetProjection(bson.D{{Key: "t", Value: 1}, {Key: "v", Value: 1}, {Key: "q", Value: 1}}).
			SetBatchSize(int32(min(max+1, s.db.limits.keys))))
	}
	bySeq := func(a, b store.Doc) int { return cmp.Compare(a.Seq, b.Seq) }
	named := 0
	for d, err := range store.Merge([]iter.Seq2[store.Doc, error]{versions(s.db.res), versions(s.db.old)}, bySeq) {
		if err != nil {
			return nil, err
		}
		if len(page) == 0 || page[len(page)-1].At.Seq != d.Seq {
			if len(page) == max || named >= maxPageVersions {
				break
			}
			page = append(page, store.Change{At: store.Position{FeedID: end.FeedID, Seq: d.Seq}})
		}
		c := &page[len(page)-1]
		c.Versions = append(c.Versions, store.VersionID{Ref: d.Ref, Version: d.Version})
		named++
	}
	for _, c := range page {
		slices.SortFunc(c.Versions, store.CompareVersions)
	}
	return page, nil
}
