package search

import (
	"context"
	"errors"
	"slices"

	"carerecord/conformance/law/brokenguard"
	"carerecord/consent"
	"carerecord/store"
)

func broken(name string) bool { return brokenguard.On(name) }

// shown takes out of a filled page what a View hides.
func shown(ctx context.Context, v *consent.View, docs []store.Doc) []store.Doc {
	return slices.DeleteFunc(docs, func(d store.Doc) bool {
		_, err := v.Get(ctx, d.Ref)
		return err != nil
	})
}

// uncut are the stored keys of a row that a View may have cut.
func uncut(ctx context.Context, v *consent.View, d store.Doc) []store.Key {
	stored, err := v.Open().Get(ctx, d.Ref)
	if err != nil {
		return d.Keys
	}
	return stored.Keys
}

func hidden(err error) bool { return errors.Is(err, store.ErrNotFound) }

// open returns the includer with an unguarded View.
func (in *includer) open() *includer {
	out := *in
	out.view = in.view.Open()
	return &out
}

// open returns the execution with an unguarded View.
func (x *execution) open() *execution {
	out := *x
	out.view = x.view.Open()
	return &out
}
