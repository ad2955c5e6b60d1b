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
	// guessLife is how long a count is believed, guessesMax how many are.
	guessLife, guessesMax = 5 * time.Minute, 10_000
)

// guesses remembers about how many documents a post has. It only decides what
// drives a query, never what the answer is.
type guesses struct {
	clock func() time.Time
	mu    sync.Mutex
	known map[string]guess
}

type guess struct {
	n    int // at most limits.count
	made time.Time
}

func newGuesses(clock func() time.Time) *guesses {
	return &guesses{clock: clock, known: map[string]guess{}}
}

func (g *guesses) get(name string) (int, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	k, found := g.known[name]
	if !found || g.clock().Sub(k.made) > guessLife {
		return 0, false
	}
	return k.n, true
}

func (g *guesses) put(name string, n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.known) >= guessesMax {
		clear(g.known)
	}
	g.known[name] = guess{n, g.clock()}
}

// cheapest returns the lead with the fewest candidates, counting no more than
// it must: a lead that is rare enough ends the search, and the last one that is
// not known is taken uncounted where all others are known to be common.
func (s *snap) cheapest(ctx context.Context, typ string, leads []lead) (lead, error) {
	if len(leads) == 1 {
		return leads[0], nil
	}
	var best *lead
	least := 0
	var unknown []*lead
	for i := range leads {
		l := &leads[i]
		if n, found := s.db.guess.get(l.name(typ)); !found {
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
			return lead{}, err
		}
		s.db.guess.put(l.name(typ), n)
		if best == nil || s.cost(l, n) < least {
			best, least = l, s.cost(l, n)
		}
	}
	return *best, nil
}

// cost is what n candidates of a lead cost. Those that must be sorted here are
// read to the last one before the first is given.
func (s *snap) cost(l *lead, n int) int {
	switch {
	case l.ordered(s.db.limits.merge):
		return n + 10*max(len(l.eqs)-1, 0) // each stream is a command of its own
	case n >= s.db.limits.count:
		return 2 * s.db.limits.collect
	}
	return 2*n + 10
}

// name tells leads apart in guesses.
func (l *lead) name(typ string) string {
	if len(l.eqs) == 1 && len(l.ranges) == 0 {
		return post(typ, l.eqs[0].key)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", l.eqs, l.ranges)) // a lead of many ids has a long name
	return typ + " " + string(sum[:])
}

// count counts the candidates of a lead in K, up to limits.count.
func (s *snap) count(ctx context.Context, typ string, l lead) (int, error) {
	n, enough := 0, s.db.limits.count
	for _, on := range l.conditions(typ, s.db.limits.posts) {
		m, err := s.aggregate(ctx, bson.D{{Key: "k", Value: on}}, enough-n)
		if err != nil {
			return 0, err
		}
		if n += m; n >= enough {
			return enough, nil
		}
	}
	return n, nil
}

// aggregate lets the server count documents of res by K; at most max if max > 0.
func (s *snap) aggregate(ctx context.Context, filter bson.D, max int) (int, error) {
	pipeline := bson.A{bson.D{{Key: "$match", Value: filter}}}
	if max > 0 {
		pipeline = append(pipeline, bson.D{{Key: "$limit", Value: max}})
	}
	pipeline = append(pipeline, bson.D{{Key: "$count", Value: "n"}})
	o := options.Aggregate().SetAllowDiskUse(false)
	if !s.db.noHints {
		o.SetHint(byPost)
	}
	cursor, err := first(ctx, s, func(ctx context.Context) (*mongo.Cursor, error) {
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
		return 0, nil // nothing to count gives no row
	}
	return rows[0].N, nil
}
