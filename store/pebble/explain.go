package pebble

import (
	"context"

	"carerecord/store"
)

// Explain implements store.Explainer.
func (db *DB) Explain(_ context.Context, q store.Query) (store.PlanNode, error) {
	if err := db.outOfService(); err != nil {
		return store.PlanNode{}, err
	}
	p, err := planOf(q)
	if err != nil {
		return store.PlanNode{}, err
	}
	return nodeOf(p), nil
}

func nodeOf(p plan) store.PlanNode {
	const index = "postings"
	of := func(do string, plans []plan) store.PlanNode {
		w := store.PlanNode{Action: do}
		for _, q := range plans {
			w.Children = append(w.Children, nodeOf(q))
		}
		return w
	}
	switch p := p.(type) {
	case allOfType:
		return store.PlanNode{Action: "walk", Index: "documents of the type"}
	case posting:
		return store.PlanNode{Action: "walk", Index: index, Key: p.key}
	case intersection:
		return of("intersect", p)
	case union:
		return of("merge", p)
	case cheapestOf:
		return of("fewest", p)
	case collected:
		w := store.PlanNode{Action: "collect", Verify: !p.complete}
		for _, r := range p.ranges {
			w.Children = append(w.Children, store.PlanNode{Action: "range", Index: index, Key: r.Low, High: r.High})
		}
		return w
	case verified:
		w := nodeOf(p.plan)
		w.Verify = true
		return w
	}
	return store.PlanNode{}
}
