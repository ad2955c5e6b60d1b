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
	stored, err := v.Unguarded(true).Get(ctx, d.Ref)
	if err != nil {
		return d.Keys
	}
	return stored.Keys
}

func hidden(err error) bool { return errors.Is(err, store.ErrNotFound) }

// lettersUnless are the letters of a View, or none.
func lettersUnless(broken bool, letters string) string {
	if broken {
		return ""
	}
	return letters
}
