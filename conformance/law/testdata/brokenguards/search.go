package search

import (
	"context"
	"errors"
	"slices"

	"carerecord/conformance/law/brokenguard"
	"carerecord/consent"
	"carerecord/fhir/index"
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

// unconstrained returns the includer whose View has scopes without constraints.
func (in *includer) unconstrained() *includer {
	out := *in
	out.view = in.view.Unconstrained()
	return &out
}

// eitherLetter returns the includer whose View has the permissions r and s wherever it has r.
func (in *includer) eitherLetter() *includer {
	out := *in
	out.view = in.view.EitherLetter()
	return &out
}

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

// withoutBetterHidden returns some Patients without those of whose persons a hidden Patient is better.
func (x *execution) withoutBetterHidden(patients []store.Doc) []store.Doc {
	return slices.DeleteFunc(patients, func(d store.Doc) bool {
		for other, err := range x.view.Open().Scan(context.Background(), store.Query{Type: "Patient", Where: store.Eq{Key: index.OwnerKey(x.view.PersonKeyOf(d))}, KeysOnly: true}) {
			if err == nil && x.view.Prefers(other, d) && !slices.ContainsFunc(patients, func(p store.Doc) bool { return p.Ref == other.Ref }) {
				return true
			}
		}
		return false
	})
}
