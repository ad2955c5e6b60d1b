package consent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"carerecord/fhir/index"
	"carerecord/store"
)

// rekeying is a world that remembers what it was asked for.
type rekeying struct {
	standing
	checks map[store.Ref]store.Check
}

func (w rekeying) newest(ctx context.Context, ref store.Ref) (store.Doc, error) {
	d, err := w.standing.newest(ctx, ref)
	if err == nil || errors.Is(err, store.ErrNotFound) {
		w.checks[ref] = store.Check{Ref: ref, Version: d.Version, Keying: d.Keying}
	}
	return d, err
}

func (w rekeying) holders(ctx context.Context, binary string) ([]store.Doc, error) {
	docs, err := w.standing.holders(ctx, binary)
	for _, d := range docs {
		w.checks[d.Ref] = store.Check{Ref: d.Ref, Version: d.Version, Keying: d.Keying}
	}
	return docs, err
}

// reindexTries is how often a page is keyed that other writes overtook, and
// reindexPatience how long a store may not answer: a transaction of a process
// that was killed keeps its documents on MongoDB for a minute.
const (
	reindexTries    = 20
	reindexPatience = 2 * time.Minute
	reindexPause    = time.Second
)

// reindexSome keys the next page anew, in one commit with its mark, and moves
// at on.
func (g *Guard) reindexSome(ctx context.Context, at *Reindexing) error {
	for began, try := time.Now(), 1; ; {
		next := *at
		err := g.reindexOnce(ctx, &next)
		switch {
		case err == nil:
			*at = next
			return nil
		case errors.Is(err, errDefined) && ctx.Err() == nil: // whoever defines parameters ends some time
		case errors.Is(err, store.ErrConflict) && try < reindexTries:
			try++
		case errors.Is(err, store.ErrUnavailable) && time.Since(began) < reindexPatience:
			select {
			case <-ctx.Done():
				return errors.Join(err, ctx.Err())
			case <-time.After(reindexPause):
			}
		default:
			return err
		}
	}
}

func (g *Guard) reindexOnce(ctx context.Context, at *Reindexing) error {
	// A Rekey does not show in the version that a write expects, so none may be
	// made between the snapshot and the commit.
	g.rekeys.Lock()
	defer g.rekeys.Unlock()
	installed := g.index.Installed()
	var b store.Batch
	n := 0
	err := g.store.Read(ctx, func(snap store.Snap) error {
		var err error
		b, n, err = g.keyAnew(ctx, snap, at)
		return err
	})
	if err != nil {
		return err
	}
	at.Read += n
	at.Rekeyed += len(b.Writes)
	at.Changed = at.Changed || len(b.Writes) > 0
	if n < at.page() {
		at.next()
	}
	if n == 0 && !at.Done {
		return nil // nothing that a mark would save
	}
	mark, err := json.Marshal(at)
	if err != nil {
		return fmt.Errorf("mark how far the reindex is: %w", err)
	}
	b.State = append(b.State, store.StateWrite{Key: at.mark(), Value: mark})
	if err := g.commitPage(ctx, b, at, installed); err != nil {
		return err
	}
	for _, w := range b.Writes { // what was found under wrong keys may speak now
		g.types.want(names(w.Doc.Keys, index.WantsPrefix()))
		g.register.apply(w.Doc)
	}
	return nil
}

// commitPage commits a page that was keyed with some defined parameters. With the
// last one those that were walked for are complete.
func (g *Guard) commitPage(ctx context.Context, b store.Batch, at *Reindexing, installed *index.Definitions) error {
	release, err := g.holdTable(ctx, at.Done)
	if err != nil {
		return err
	}
	defer release()
	if g.index.Installed() != installed {
		return errDefined
	}
	var table *parameters
	if at.Done {
		if at.Types == nil {
			b.State = append(b.State, g.keyed())
		}
		if len(at.Parameters) > 0 {
			t := g.defined.table.completed(at.Parameters, g.clock())
			table = &t
			b.State = append(b.State, t.mark())
		}
	}
	_, err = g.store.Commit(ctx, b)
	return errors.Join(g.tableOutcome(table, err), err)
}

// keyAnew reads one page and makes the writes of the documents that stand under
// other keys than they should. It returns how many documents it read.
func (g *Guard) keyAnew(ctx context.Context, snap store.Snap, at *Reindexing) (b store.Batch, n int, err error) {
	w := rekeying{g.standing(snap), map[store.Ref]store.Check{}}
	for d, err := range snap.Scan(ctx, store.Query{Type: at.Type, Where: everything, After: at.After}) {
		if err != nil {
			return b, n, err
		}
		n++
		after := d.ID
		at.After = &after
		row, err := g.row(d)
		if err != nil {
			return b, n, err
		}
		made, err := g.describe(ctx, w, d, row)
		if err != nil {
			return b, n, err
		}
		if d.ID != made.id || !slices.Equal(d.Keys, made.keys) {
			d.ID, d.Keys = made.id, made.keys
			b.Writes = append(b.Writes, store.Write{Doc: d, Expect: d.Version, Keying: d.Keying, Rekey: true})
		}
		if n == at.page() {
			break
		}
	}
	if len(b.Writes) == 0 {
		return b, n, nil
	}
	for _, write := range b.Writes {
		delete(w.checks, write.Doc.Ref)
	}
	for _, check := range w.checks {
		b.Checks = append(b.Checks, check)
	}
	return b, n, nil
}
