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

// reindexTries is how often a page is keyed that other writes overtook, each time with half
// as many documents, and reindexPatience how long a store may not answer: a transaction of a process
// that was killed keeps its documents on MongoDB for a minute.
const (
	reindexTries    = 100
	reindexPatience = 2 * time.Minute
	reindexPause    = time.Second
)

// reindexSome keys the next page anew, in one commit with its mark, and moves
// at on. The page has at most size documents; next is the size for the page behind it.
func (g *Guard) reindexSome(ctx context.Context, at *Reindexing, size int) (next int, err error) {
	for began, try := time.Now(), 1; ; {
		to := *at
		err := g.reindexOnce(ctx, &to, size)
		switch {
		case err == nil:
			*at = to
			return min(2*size, at.page()), nil
		case errors.Is(err, errDefined) && ctx.Err() == nil: // whoever defines parameters ends some time
		case errors.Is(err, store.ErrConflict) && try < reindexTries:
			try, size = try+1, max(size/2, 1)
		case errors.Is(err, store.ErrUnavailable) && time.Since(began) < reindexPatience:
			select {
			case <-ctx.Done():
				return size, errors.Join(err, ctx.Err())
			case <-time.After(reindexPause):
			}
		default:
			return size, err
		}
	}
}

func (g *Guard) reindexOnce(ctx context.Context, at *Reindexing, size int) error {
	defer g.readers.enter()()
	l := &landing{installed: g.index.Installed(), began: g.backlog.began()}
	n := 0
	err := g.store.Read(ctx, func(snap store.Snap) error {
		var err error
		n, err = g.keyAnew(ctx, snap, at, l, size)
		return err
	})
	if err != nil {
		return err
	}
	if !at.Marking {
		at.Read += n
	}
	at.Rekeyed += len(l.Writes)
	at.Changed = at.Changed || len(l.Writes) > 0 && loops(at.Type)
	if n < size {
		at.next()
	}
	if n == 0 && !at.Done {
		return nil // nothing that a mark would save
	}
	mark, err := json.Marshal(at)
	if err != nil {
		return fmt.Errorf("mark how far the reindex is: %w", err)
	}
	l.State = append(l.State, store.StateWrite{Key: at.mark(), Value: mark})
	if at.Done {
		if at.Types == nil {
			l.State = append(l.State, g.keyed())
		}
		l.completes = at.Parameters
	}
	return g.land(ctx, l)
}

// keyAnew reads one page of at most size documents and makes the writes of the documents that stand under
// other keys than they should. It returns how many documents it read.
func (g *Guard) keyAnew(ctx context.Context, snap store.Snap, at *Reindexing, l *landing, size int) (n int, err error) {
	w := g.reads(snap)
	before := map[store.Ref]store.Doc{}
	stale := g.backlog.now().where()
	l.Batch, l.wants = store.Batch{}, nil // a store may read again
	rows := g.labelled(snap, nil)
	l.before = func(ref store.Ref) store.Doc { return before[ref] }
	for d, err := range snap.Scan(ctx, store.Query{Type: at.Type, Where: everything, After: at.After}) {
		if err != nil {
			return n, err
		}
		n++
		after := d.RowID
		at.After = &after
		made := described{keys: d.Keys, id: d.RowID}
		if !at.Marking {
			row, err := g.row(d)
			if err != nil {
				return n, err
			}
			if made, err = g.describe(ctx, w, d, row); err != nil {
				return n, err
			}
		}
		if made.keys, err = rows.marked(ctx, made.keys, made.id.Partition, d.Body); err != nil {
			return n, err
		}
		switch {
		case d.RowID == made.id && slices.Equal(d.Keys, made.keys):
		case store.Match(stale, d.Keys) && !sameHeirs(d.Keys, made.keys):
			// The backlog keys it, and then what depends on it, which nobody would know to
			// be stale if it was found keyed.
		default:
			before[d.Ref] = d
			for _, name := range relabels(d, store.Doc{Version: d.Version, Keys: made.keys}) {
				if at.Relabelled = true; at.Types != nil { // another walk marks at its end
					l.addStale(labelsName+name, staleName{})
				}
			}
			d.RowID, d.Keys = made.id, made.keys
			l.Writes = append(l.Writes, store.Write{Doc: d, Expect: d.Version, KeyRevision: d.KeyRevision, Rekey: true})
			l.wants = append(l.wants, names(made.keys, index.DependsOnPrefix())...)
		}
		if n == size {
			break
		}
	}
	if len(l.Writes) > 0 {
		w.demand(&l.Batch)
	}
	return n, nil
}
