package pebble

import (
	"context"

	"carerecord/store"
)

// Explain returns how Scan would find the candidates of a query.
func (db *DB) Explain(_ context.Context, q store.Query) (store.Way, error) {
	if err := db.up(); err != nil {
		return store.Way{}, err
	}
	p, err := planOf(q)
	if err != nil {
		return store.Way{}, err
	}
	return wayOf(p), nil
}

func wayOf(p plan) store.Way {
	const index = "postings"
	of := func(do string, plans []plan) store.Way {
		w := store.Way{Do: do}
		for _, q := range plans {
			w.Of = append(w.Of, wayOf(q))
		}
		return w
	}
	switch p := p.(type) {
	case everything:
		return store.Way{Do: "walk", Index: "documents of the type"}
	case posting:
		return store.Way{Do: "walk", Index: index, Key: p.key}
	case meet:
		return of("meet", p)
	case join:
		return of("merge", p)
	case least:
		return of("least", p)
	case collected:
		w := store.Way{Do: "collect", Verify: !p.whole}
		for _, r := range p.ranges {
			w.Of = append(w.Of, store.Way{Do: "range", Index: index, Key: r.Low, High: r.High})
		}
		return w
	case verified:
		w := wayOf(p.plan)
		w.Verify = true
		return w
	}
	return store.Way{}
}
