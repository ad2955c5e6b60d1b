package mongo

import (
	"context"

	"carerecord/store"
)

// Explain implements store.Explainer. Match decides every candidate.
func (db *DB) Explain(ctx context.Context, q store.Query) (node store.PlanNode, err error) {
	err = db.Read(ctx, func(view store.Snapshot) error {
		s, ok := view.(*snap)
		if !ok {
			return nil
		}
		l, err := s.chooseDriving(ctx, q)
		if err == nil {
			node = l.node(db.limits.merge)
		}
		return err
	})
	return node, err
}

// node returns the plan of a driving condition; streams is how many are merged at most.
func (l drivingCondition) node(streams int) store.PlanNode {
	w := store.PlanNode{Action: "merge", Verify: true}
	for _, e := range l.keys {
		w.Children = append(w.Children, store.PlanNode{Action: "walk", Index: "K", Key: e.key})
	}
	for _, r := range l.ranges {
		w.Children = append(w.Children, store.PlanNode{Action: "range", Index: "K", Key: r.Low, High: r.High})
	}
	switch {
	case !l.ordered(streams):
		w.Action = "collect"
	case len(w.Children) == 1:
		w = w.Children[0]
		w.Verify = true
	}
	return w
}
