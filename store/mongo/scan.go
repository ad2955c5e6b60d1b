package mongo

import (
	"context"
	"iter"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"carerecord/store"
)

// rowOrder is the order of the store, which K has within one posting.
func rowOrder() bson.D { return bson.D{{Key: "p", Value: 1}, {Key: "o", Value: 1}} }

// Scan implements store.Snapshot.
func (s *snap) Scan(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		driving, err := s.chooseDriving(ctx, q)
		if err != nil {
			yield(store.Doc{}, err)
			return
		}
		rows, verified, err := s.scanDriving(ctx, q, driving)
		if err != nil {
			yield(store.Doc{}, err)
			return
		}
		for d, err := range rows {
			if err != nil {
				yield(store.Doc{}, err)
				return
			}
			if !verified && !store.Match(q.Where, d.Keys) {
				continue
			}
			if !yield(d, nil) {
				return
			}
		}
	}
}

// scanDriving returns the candidates of a driving condition in row order. verified means that
// Match has decided them already.
func (s *snap) scanDriving(ctx context.Context, q store.Query, l drivingCondition) (rows iter.Seq2[store.Doc, error], verified bool, err error) {
	if !l.ordered(s.db.limits.merge) && q.Partitions != nil {
		l = l.orderedFallback() // few partitions have few candidates
	}
	separately, err := s.walkSeparately(ctx, q, l)
	if err != nil {
		return nil, false, err
	}
	if !separately {
		docs, complete, err := s.collect(ctx, q, l)
		if err != nil {
			return nil, false, err
		}
		if complete {
			return s.fetch(ctx, s.db.res, docs, q.KeysOnly), true, nil
		}
		if !l.ordered(s.db.limits.merge) {
			l = l.orderedFallback()
		}
	}
	streams := make([]iter.Seq2[store.Doc, error], len(l.keys))
	for i, e := range l.keys {
		streams[i] = s.walk(ctx, q, e, len(l.keys))
	}
	if len(streams) == 1 {
		return streams[0], false, nil
	}
	return mergeDistinct(streams), false, nil
}

// walkSeparately reports whether each posting of a driving condition is walked by its own
// command, in row order. One command for all is cheaper for several postings with few
// candidates, such as the ids that a search looks up.
func (s *snap) walkSeparately(ctx context.Context, q store.Query, l drivingCondition) (bool, error) {
	if !l.ordered(s.db.limits.merge) || len(l.keys) <= s.db.limits.separate || q.Partitions != nil {
		return l.ordered(s.db.limits.merge), nil
	}
	n, known := s.db.estimates.get(l.name(q.Type))
	if !known {
		var err error
		if n, err = s.count(ctx, q.Type, l); err != nil {
			return false, err
		}
		s.db.estimates.put(l.name(q.Type), n)
	}
	return n >= s.db.limits.count, nil
}

// walk yields the documents of one posting in row order. width is the number of streams that
// are merged; it divides the batch size.
func (s *snap) walk(ctx context.Context, q store.Query, e keyCondition, width int) iter.Seq2[store.Doc, error] {
	base := bson.D{{Key: "k", Value: posting(q.Type, e.key)}}
	if len(e.also) > 0 && !s.db.noHints { // only narrows: Match decides
		base = append(base, bson.E{Key: "f", Value: bson.D{{Key: "$all", Value: binaries(e.also)}}})
	}
	return func(yield func(store.Doc, error) bool) {
		for _, r := range s.postingRanges(base, q) {
			o := s.db.hint(byPosting).SetSort(r.order).SetBatchSize(s.batchSize(q.KeysOnly, width))
			if q.KeysOnly {
				o.SetProjection(withoutBody())
			} else {
				o.SetProjection(bson.D{{Key: "k", Value: 0}})
			}
			for d, err := range s.find(ctx, s.db.res, r.filter, o) {
				if !yield(d, err) || err != nil {
					return
				}
			}
		}
	}
}

func withoutBody() bson.D { return bson.D{{Key: "b", Value: 0}, {Key: "k", Value: 0}} }

// batchSize is the batch size of one of width merged streams.
func (s *snap) batchSize(keysOnly bool, width int) int32 {
	n := s.db.limits.bodies
	if keysOnly {
		n = s.db.limits.keys
	}
	return int32(max(n/width, n/10, 1))
}

// mergeDistinct merges streams that are in row order, and yields each document once. Live
// documents have different row IDs, so equal ones are adjacent.
func mergeDistinct(streams []iter.Seq2[store.Doc, error]) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		var last store.RowID
		started := false
		for d, err := range store.Merge(streams, store.ByRow) {
			if err == nil && started && d.RowID == last {
				continue
			}
			if !yield(d, err) {
				return
			}
			last, started = d.RowID, true
		}
	}
}

// collect returns the matches without bodies, sorted. complete is false if there were too many
// candidates.
func (s *snap) collect(ctx context.Context, q store.Query, l drivingCondition) (docs []store.Doc, complete bool, err error) {
	seen := map[store.Ref]bool{}
	for _, on := range l.filters(q.Type, s.db.limits.postings) {
		filter := bson.D{{Key: "k", Value: on}}
		if q.After != nil {
			filter = append(filter, bson.E{Key: "p", Value: bson.D{{Key: "$gte", Value: int64(q.After.Partition)}}})
		}
		o := s.db.hint(byPosting).SetProjection(withoutBody()).SetBatchSize(s.batchSize(true, 1))
		for d, err := range s.find(ctx, s.db.res, filter, o) {
			if err != nil {
				return nil, false, err
			}
			if seen[d.Ref] {
				continue
			}
			if len(seen) == s.db.limits.collect {
				return nil, false, nil
			}
			seen[d.Ref] = true
			if (q.After == nil || d.RowID.Compare(*q.After) > 0) && store.Match(q.Where, d.Keys) {
				docs = append(docs, d)
			}
		}
	}
	slices.SortFunc(docs, func(a, b store.Doc) int { return a.RowID.Compare(b.RowID) })
	return docs, true, nil
}

// fetch yields documents that were read without bodies, in their order, with the bodies. c is
// their collection.
func (s *snap) fetch(ctx context.Context, c *mongo.Collection, docs []store.Doc, keysOnly bool) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		for chunk := range slices.Chunk(docs, s.db.limits.fetch) {
			if !keysOnly {
				if err := s.fill(ctx, c, chunk); err != nil {
					yield(store.Doc{}, err)
					return
				}
			}
			for i, d := range chunk {
				chunk[i] = store.Doc{} // frees the body
				if !yield(d, nil) {
					return
				}
			}
		}
	}
}

// fill reads the bodies of documents of c.
func (s *snap) fill(ctx context.Context, c *mongo.Collection, docs []store.Doc) error {
	type version struct {
		ref store.Ref
		n   uint64
	}
	at := make(map[version]int, len(docs))
	ids := make(bson.A, len(docs))
	for i, d := range docs {
		at[version{d.Ref, d.Version}] = i
		ids[i] = refID(d.Ref)
		if c == s.db.old {
			ids[i] = versionID(d.Ref, d.Version)
		}
	}
	filter := bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}
	o := s.db.hint(byID).SetProjection(bson.D{{Key: "t", Value: 1}, {Key: "v", Value: 1}, {Key: "b", Value: 1}})
	for d, err := range s.find(ctx, c, filter, o) {
		if err != nil {
			return err
		}
		docs[at[version{d.Ref, d.Version}]].Body = d.Body
	}
	return nil
}
