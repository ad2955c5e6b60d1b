package mongo

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	// estimateLife is how long an estimate is used, maxEstimates how many are kept.
	estimateLife, maxEstimates = 5 * time.Minute, 10_000
)

// estimates caches about how many documents a driving condition has. They only decide the plan
// of a query, never its result.
type estimates struct {
	clock func() time.Time
	mu    sync.Mutex
	known map[string]estimate
}

type estimate struct {
	n    int // at most limits.count
	made time.Time
}

func newEstimates(clock func() time.Time) *estimates {
	return &estimates{clock: clock, known: map[string]estimate{}}
}

func (g *estimates) get(name string) (int, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	k, found := g.known[name]
	if !found || g.clock().Sub(k.made) > estimateLife {
		return 0, false
	}
	return k.n, true
}

func (g *estimates) put(name string, n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.known) >= maxEstimates {
		clear(g.known)
	}
	g.known[name] = estimate{n, g.clock()}
}

// cheapest returns the condition with the fewest candidates. It counts as few as possible: a
// rare condition ends the search, and the last one without an estimate is chosen uncounted if
// all others are common.
func (s *snap) cheapest(ctx context.Context, typ string, conditions []drivingCondition) (drivingCondition, error) {
	if len(conditions) == 1 {
		return conditions[0], nil
	}
	var best *drivingCondition
	least := 0
	var unknown []*drivingCondition
	for i := range conditions {
		l := &conditions[i]
		if n, found := s.db.estimates.get(l.name(typ)); !found {
			unknown = append(unknown, l)
		} else if best == nil || s.cost(l, n) < least {
			best, least = l, s.cost(l, n)
		}
	}
	for i, l := range unknown {
		if best != nil && least <= s.db.limits.rare {
			break
		}
		if i == len(unknown)-1 && best != nil && least >= s.db.limits.count && l.ordered(s.db.limits.merge) {
			best = l
			break
		}
		n, err := s.count(ctx, typ, *l)
		if err != nil {
			return drivingCondition{}, err
		}
		s.db.estimates.put(l.name(typ), n)
		if best == nil || s.cost(l, n) < least {
			best, least = l, s.cost(l, n)
		}
	}
	return *best, nil
}

// cost is the cost of n candidates of a condition. Candidates that must be sorted here are all
// read before the first is returned.
func (s *snap) cost(l *drivingCondition, n int) int {
	switch {
	case l.ordered(s.db.limits.merge):
		return n + 10*max(len(l.keys)-1, 0) // each stream is its own command
	case n >= s.db.limits.count:
		return 2 * s.db.limits.collect
	}
	return 2*n + 10
}

// name identifies a condition in estimates.
func (l *drivingCondition) name(typ string) string {
	if len(l.keys) == 1 && len(l.ranges) == 0 {
		return posting(typ, l.keys[0].key)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", l.keys, l.ranges)) // a condition of many ids has a long name
	return typ + " " + string(sum[:])
}

// count counts the candidates of a condition in K, up to limits.count.
func (s *snap) count(ctx context.Context, typ string, l drivingCondition) (int, error) {
	n, max := 0, s.db.limits.count
	for _, on := range l.filters(typ, s.db.limits.postings) {
		m, err := s.countByFilter(ctx, bson.D{{Key: "k", Value: on}}, max-n)
		if err != nil {
			return 0, err
		}
		if n += m; n >= max {
			return max, nil
		}
	}
	return n, nil
}

// countByFilter counts documents of res on the server by K; at most max if max > 0.
func (s *snap) countByFilter(ctx context.Context, filter bson.D, max int) (int, error) {
	pipeline := bson.A{bson.D{{Key: "$match", Value: filter}}}
	if max > 0 {
		pipeline = append(pipeline, bson.D{{Key: "$limit", Value: max}})
	}
	pipeline = append(pipeline, bson.D{{Key: "$count", Value: "n"}})
	o := options.Aggregate().SetAllowDiskUse(false)
	if !s.db.noHints {
		o.SetHint(byPosting)
	}
	cursor, err := retryFirst(ctx, s, func(ctx context.Context) (*mongo.Cursor, error) {
		return s.db.res.Aggregate(ctx, pipeline, o)
	})
	if err != nil {
		return 0, failed("count", err)
	}
	var rows []struct {
		N int `bson:"n"`
	}
	if err := cursor.All(s.in(ctx), &rows); err != nil {
		return 0, failed("count", err)
	}
	if len(rows) == 0 {
		return 0, nil // no document gives no row
	}
	return rows[0].N, nil
}
