package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carerecord/interop/smart/authorize"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/launch"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/session"
	"carerecord/interop/smart/signin"
	"carerecord/store"
)

// unfinished are the prefixes of values that live for a sign-in or an authorization.
func unfinished() []string {
	return []string{session.StatePrefix, session.ListPrefix, launch.StatePrefix, signin.StatePrefix, authorize.StatePrefix, authorize.BackPrefix}
}

// endCopied ends every grant with all its tokens, every session and whatever was under way, in a store that other tools copied: what was
// revoked after the copy would be valid again (SMART-499). at is the time of the copy's return; grants of later are not affected.
func endCopied(ctx context.Context, e store.Engine, at time.Time) error {
	c, err := ledger.Read[grants.Cutoffs](ctx, e, grants.CutoffsKey)
	if err != nil && !ledger.Missing(err) {
		return err
	}
	c.Content.Everybody = at.UTC()
	w, err := ledger.Put(grants.CutoffsKey, c.Content, time.Time{})
	if err != nil {
		return err
	}
	if _, err := e.Commit(ctx, store.Batch{State: []store.StateWrite{w}}); err != nil {
		return fmt.Errorf("end the grants of a copied store: %w", err)
	}
	for _, prefix := range unfinished() {
		var keys []string
		for v, err := range e.Values(ctx, prefix) {
			if err != nil {
				return fmt.Errorf("list %s of a copied store: %w", prefix, err)
			}
			keys = append(keys, v.Key)
		}
		for _, key := range keys {
			if _, err := e.Take(ctx, key); err != nil && !errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("end %s of a copied store: %w", prefix, err)
			}
		}
	}
	return nil
}
