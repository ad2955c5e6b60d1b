package mongo

import (
	"context"
	"iter"
	"math"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"carerecord/store"
)

// History implements store.Snapshot.
func (s *snap) History(ctx context.Context, q store.HistoryQuery) iter.Seq2[store.Doc, error] {
	rows := s.typeHistory
	if q.ID != "" {
		rows = s.docHistory
	}
	return func(yield func(store.Doc, error) bool) {
		for d, err := range rows(ctx, q) {
			if err != nil {
				yield(store.Doc{}, err)
				return
			}
			if !yield(d, nil) {
				return
			}
		}
	}
}

// matchesHistory reports whether a query selects a version.
func matchesHistory(q store.HistoryQuery, d *store.Doc) bool {
	return !d.Updated.Before(q.Since) &&
		(q.Before == nil || store.CompareMarks(d.HistoryMark(), *q.Before) > 0) &&
		(q.Where == nil || store.Match(q.Where, d.Keys))
}

func compareHistory(a, b store.Doc) int { return store.CompareMarks(a.HistoryMark(), b.HistoryMark()) }

// docHistory yields the versions of one document: all of them are read without bodies, sorted
// here and then fetched.
func (s *snap) docHistory(ctx context.Context, q store.HistoryQuery) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		id := q.Type + "/" + q.ID
		var newest, older []store.Doc
		for _, from := range []struct {
			c      *mongo.Collection
			filter any
			docs   *[]store.Doc
		}{
			{s.db.res, id, &newest},
			{s.db.old, bson.D{{Key: "$gte", Value: id + "/"}, {Key: "$lt", Value: id + "0"}}, &older}, // '0' follows '/'
		} {
			o := s.db.hint(byID).SetProjection(withoutBody()).SetBatchSize(s.batchSize(true, 1))
			for d, err := range s.find(ctx, from.c, bson.D{{Key: "_id", Value: from.filter}}, o) {
				if err != nil {
					yield(store.Doc{}, err)
					return
				}
				if matchesHistory(q, &d) {
					*from.docs = append(*from.docs, d)
				}
			}
		}
		slices.SortFunc(older, compareHistory)
		rows := store.Merge([]iter.Seq2[store.Doc, error]{
			s.fetch(ctx, s.db.res, newest, false),
			s.fetch(ctx, s.db.old, older, false),
		}, compareHistory)
		for d, err := range rows {
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

// typeHistory yields the versions of a type, read by L from res and old.
func (s *snap) typeHistory(ctx context.Context, q store.HistoryQuery) iter.Seq2[store.Doc, error] {
	rows := store.Merge([]iter.Seq2[store.Doc, error]{
		sortedCommits(s.byUpdated(ctx, s.db.res, q)),
		sortedCommits(s.byUpdated(ctx, s.db.old, q)),
	}, compareHistory)
	return func(yield func(store.Doc, error) bool) {
		for d, err := range rows {
			if err == nil && !matchesHistory(q, &d) {
				continue
			}
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

// byUpdated reads versions of a type newest first, in order of Updated and Seq.
func (s *snap) byUpdated(ctx context.Context, c *mongo.Collection, q store.HistoryQuery) iter.Seq2[store.Doc, error] {
	since := bson.E{Key: "$gte", Value: bson.DateTime(math.MinInt64)}
	if !q.Since.IsZero() {
		since.Value = bson.DateTime(q.Since.UnixMilli()) // rounds down; shows is exact
	}
	of := func(e ...bson.E) bson.D { return append(bson.D{{Key: "t", Value: q.Type}}, e...) }
	filters := []bson.D{of(bson.E{Key: "lu", Value: bson.D{since}})}
	if q.Before != nil {
		before := bson.DateTime(q.Before.Updated.UnixMilli())
		filters = []bson.D{
			of(bson.E{Key: "lu", Value: before}, bson.E{Key: "q", Value: bson.D{{Key: "$lte", Value: signed(q.Before.Seq)}}}),
			of(bson.E{Key: "lu", Value: bson.D{since, {Key: "$lt", Value: before}}}),
		}
		if q.Before.Updated.Nanosecond()%int(time.Millisecond) != 0 {
			filters = []bson.D{of(bson.E{Key: "lu", Value: bson.D{since, {Key: "$lte", Value: before}}})}
		}
	}
	return func(yield func(store.Doc, error) bool) {
		for _, filter := range filters {
			o := s.db.hint(byUpdated).SetBatchSize(s.batchSize(false, 1)).SetProjection(bson.D{{Key: "k", Value: 0}}).
				SetSort(bson.D{{Key: "lu", Value: -1}, {Key: "q", Value: -1}, {Key: "_id", Value: 1}})
			for d, err := range s.find(ctx, c, filter, o) {
				if !yield(d, err) || err != nil {
					return
				}
			}
		}
	}
}

// sortedCommits sorts the versions of each commit: the order of _id in old is not that of the
// documents.
func sortedCommits(rows iter.Seq2[store.Doc, error]) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		var group []store.Doc
		flush := func() bool {
			slices.SortFunc(group, compareHistory)
			for _, d := range group {
				if !yield(d, nil) {
					return false
				}
			}
			group = group[:0]
			return true
		}
		for d, err := range rows {
			if err != nil {
				yield(store.Doc{}, err)
				return
			}
			if len(group) > 0 && (group[0].Seq != d.Seq || !group[0].Updated.Equal(d.Updated)) && !flush() {
				return
			}
			group = append(group, d)
		}
		flush()
	}
}
