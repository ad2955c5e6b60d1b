package join

import (
	"context"

	"carerecord/conformance/law/brokenguard"
	"carerecord/consent"
	"carerecord/store"
)

func broken(name string) bool { return brokenguard.On(name) }

// uncut are the stored keys of a row that a View may have cut.
func uncut(ctx context.Context, v *consent.View, d store.Doc) []store.Key {
	stored, err := v.Open().Get(ctx, d.Ref)
	if err != nil {
		return d.Keys
	}
	return stored.Keys
}

// unconstrained returns the Executor whose View has scopes without constraints.
func (e *Executor) unconstrained() *Executor {
	out := *e
	out.view = e.view.Unconstrained()
	return &out
}

// open returns the Executor with an unguarded View.
func (e *Executor) open() *Executor {
	out := *e
	out.view = e.view.Open()
	return &out
}
