package join

import (
	"context"
	"slices"

	"carerecord/consent"
	"carerecord/store"
)

// All, Any and Not combine nodes of one type, for _filter.
type (
	All []Node
	Any []Node
	Not struct{ Node Node }
)

func (a All) resolve(ctx context.Context, e *Executor, among *candidates) (store.Pred, error) {
	preds, err := resolveAll(ctx, e, among, a)
	return store.And(preds), err
}

func (a Any) resolve(ctx context.Context, e *Executor, among *candidates) (store.Pred, error) {
	preds, err := resolveAll(ctx, e, among, a)
	return store.Or(preds), err
}

func (n Not) resolve(ctx context.Context, e *Executor, among *candidates) (store.Pred, error) {
	pred, err := n.Node.resolve(ctx, e, among)
	return store.Not{Pred: pred}, err
}

func resolveAll(ctx context.Context, e *Executor, among *candidates, list []Node) ([]store.Pred, error) {
	preds := make([]store.Pred, len(list))
	for i, n := range list {
		var err error
		if preds[i], err = n.resolve(ctx, e, among); err != nil {
			return nil, err
		}
	}
	return preds, nil
}

// Affirms implements Node.
func (a All) Affirms() bool { return slices.ContainsFunc(a, Node.Affirms) }

// Affirms implements Node.
func (a Any) Affirms() bool {
	return !slices.ContainsFunc(a, func(n Node) bool { return !n.Affirms() })
}

// Affirms implements Node.
func (Not) Affirms() bool { return false }

func (a All) drivable() bool { return slices.ContainsFunc(a, Node.drivable) }
func (a Any) drivable() bool { return !slices.ContainsFunc(a, notDrivable) }
func (Not) drivable() bool   { return false }

func (All) isJoin() bool { return false }
func (Any) isJoin() bool { return false }
func (Not) isJoin() bool { return false }

func (a All) inner() []Node { return a }
func (a Any) inner() []Node { return a }
func (n Not) inner() []Node { return []Node{n.Node} }

func (All) withInner(list []Node) Node { return All(list) }
func (Any) withInner(list []Node) Node { return Any(list) }
func (Not) withInner(list []Node) Node { return Not{list[0]} }

func (a All) implied(ctx context.Context, s *Stream, max int) (store.Pred, error) {
	for _, n := range a {
		if pred, err := n.implied(ctx, s, max); pred != nil || err != nil {
			return pred, err
		}
	}
	return nil, nil
}

func (a Any) implied(ctx context.Context, s *Stream, max int) (store.Pred, error) {
	preds := make(store.Or, len(a))
	for i, n := range a {
		pred, err := n.implied(ctx, s, max)
		if pred == nil || err != nil {
			return nil, err
		}
		preds[i] = pred
	}
	return preds, nil
}

func (Not) implied(context.Context, *Stream, int) (store.Pred, error) { return nil, nil }

func (All) reverse(context.Context, *Stream) (*reverseScan, error) { return nil, nil }
func (Any) reverse(context.Context, *Stream) (*reverseScan, error) { return nil, nil }
func (Not) reverse(context.Context, *Stream) (*reverseScan, error) { return nil, nil }

func (a All) noteVersions(ctx context.Context, v *consent.View, rows []store.Doc, seen map[string]bool) error {
	return noteVersions(ctx, v, a, rows, seen)
}

func (a Any) noteVersions(ctx context.Context, v *consent.View, rows []store.Doc, seen map[string]bool) error {
	return noteVersions(ctx, v, a, rows, seen)
}

func (n Not) noteVersions(ctx context.Context, v *consent.View, rows []store.Doc, seen map[string]bool) error {
	return n.Node.noteVersions(ctx, v, rows, seen)
}

// Explain implements Node.
func (a All) Explain() ExplainNode { return ExplainNode{Kind: "all of", Children: explainAll(a)} }

// Explain implements Node.
func (a Any) Explain() ExplainNode { return ExplainNode{Kind: "one of", Children: explainAll(a)} }

// Explain implements Node.
func (n Not) Explain() ExplainNode {
	return ExplainNode{Kind: "not", Children: explainAll([]Node{n.Node})}
}

func (All) streamDetail() string { return "" }
func (Any) streamDetail() string { return "" }
func (Not) streamDetail() string { return "" }
