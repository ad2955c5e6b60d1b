package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	"carerecord/store"
)

// allChanges lists all commits that made versions. r.mu must be held.
func (r *Reference) allChanges() []store.Change {
	made := map[uint64][]store.VersionID{}
	for ref, versions := range r.state.versions {
		for _, d := range versions {
			if d.Version > 0 {
				made[d.Seq] = append(made[d.Seq], store.VersionID{Ref: ref, Version: d.Version})
			}
		}
	}
	var all []store.Change
	for seq, versions := range made {
		slices.SortFunc(versions, store.CompareVersions)
		all = append(all, store.Change{At: store.Position{FeedID: r.feedID, Seq: seq}, Versions: versions})
	}
	slices.SortFunc(all, func(a, b store.Change) int { return int(a.At.Seq) - int(b.At.Seq) })
	return all
}

// changesAfter returns the commits after a position, and a channel that is closed when there may be
// more.
func (r *Reference) changesAfter(ctx context.Context, after store.Position) ([]store.Change, <-chan struct{}, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if after != (store.Position{}) && after.FeedID != r.feedID || after.Seq > r.state.seq {
		return nil, nil, fmt.Errorf("position %d of feed %q: %w", after.Seq, after.FeedID, store.ErrUnknownPosition)
	}
	all := slices.DeleteFunc(r.allChanges(), func(c store.Change) bool { return c.At.Seq <= after.Seq })
	return all, r.feedChanged, nil
}

// Changes implements store.ChangeFeed.
func (r *Reference) Changes(ctx context.Context, after store.Position, max int) ([]store.Change, error) {
	all, _, err := r.changesAfter(ctx, after)
	return all[:min(len(all), max)], err
}

// End implements store.ChangeFeed.
func (r *Reference) End(ctx context.Context) (store.Position, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return store.Position{FeedID: r.feedID, Seq: r.state.seq}, ctx.Err()
}

// Await implements store.ChangeFeed.
func (r *Reference) Await(ctx context.Context, after store.Position) error {
	for {
		all, grown, err := r.changesAfter(ctx, after)
		if err != nil || len(all) > 0 {
			return err
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// RenewFeed implements store.Copier.
func (r *Reference) RenewFeed(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.feedID = rand.Text()
	r.wakeAwaiters()
	return nil
}

// wakeAwaiters wakes the callers of Await. r.mu must be held.
func (r *Reference) wakeAwaiters() {
	close(r.feedChanged)
	r.feedChanged = make(chan struct{})
}
