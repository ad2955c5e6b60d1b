package search

import (
	"context"
	"slices"

	"carerecord/store"
)

// every, some and none join nodes of one type, for _filter.
type (
	every []node
	some  []node
	none  struct{ of node }
)

func (e every) positive() bool { return slices.ContainsFunc(e, node.positive) }
func (none) positive() bool    { return false }
func (s some) positive() bool {
	return !slices.ContainsFunc(s, func(n node) bool { return !n.positive() })
}

func (e every) resolve(ctx context.Context, j *joiner, among *few) (store.Pred, error) {
	preds, err := resolveAll(ctx, j, among, e)
	return store.And(preds), err
}

func (s some) resolve(ctx context.Context, j *joiner, among *few) (store.Pred, error) {
	preds, err := resolveAll(ctx, j, among, s)
	return store.Or(preds), err
}

func (n none) resolve(ctx context.Context, j *joiner, among *few) (store.Pred, error) {
	pred, err := n.of.resolve(ctx, j, among)
	return store.Not{Pred: pred}, err
}

func resolveAll(ctx context.Context, j *joiner, among *few, list []node) ([]store.Pred, error) {
	preds := make([]store.Pred, len(list))
	for i, n := range list {
		var err error
		if preds[i], err = n.resolve(ctx, j, among); err != nil {
			return nil, err
		}
	}
	return preds, nil
}
