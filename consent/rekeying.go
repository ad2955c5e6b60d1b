package consent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"carerecord/consent/backlog"
	"carerecord/consent/facts"
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

// rekeyPage keys the next page anew, in one commit with its mark, and moves
// at on. The page has at most size documents; next is the size for the page behind it.
func (g *Guard) rekeyPage(ctx context.Context, at *Walk, size int) (next int, err error) {
	for began, try := time.Now(), 1; ; {
		to := *at
		err := g.rekeyPageOnce(ctx, &to, size)
		switch {
		case err == nil:
			*at = to
			return min(2*size, at.pageSize()), nil
		case errors.Is(err, errTableChanged) && ctx.Err() == nil: // whoever defines parameters ends some time
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

func (g *Guard) rekeyPageOnce(ctx context.Context, at *Walk, size int) error {
	defer g.reads.begin()()
	prepared := &preparedCommit{definitions: g.index.Installed(), epoch: g.backlog.Epoch()}
	n := 0
	err := g.store.Read(ctx, func(snap store.Snap) error {
		var err error
		n, err = g.readPage(ctx, snap, at, prepared, size)
		return err
	})
	if err != nil {
		return err
	}
	if !at.Marking {
		at.Read += n
	}
	at.Rekeyed += len(prepared.Writes)
	at.Changed = at.Changed || len(prepared.Writes) > 0 && facts.MayInheritFromItself(at.Type)
	if n < size {
		at.nextType()
	}
	if n == 0 && !at.Done {
		return nil // nothing that a mark would save
	}
	mark, err := json.Marshal(at)
	if err != nil {
		return fmt.Errorf("mark how far the reindex is: %w", err)
	}
	prepared.State = append(prepared.State, store.StateWrite{Key: at.stateKey(), Value: mark})
	if at.Done {
		if at.Types == nil {
			prepared.State = append(prepared.State, g.keyFormatWrite())
		}
		prepared.completedParameters = at.Parameters
	}
	return g.commitPrepared(ctx, prepared)
}

// readPage reads one page of at most size documents and makes the writes of the documents that stand under
// other keys than they should. It returns how many documents it read.
func (g *Guard) readPage(ctx context.Context, snap store.Snap, at *Walk, prepared *preparedCommit, size int) (n int, err error) {
	w := g.keyer.TrackedReader(snap)
	before := map[store.Ref]store.Doc{}
	stale := g.backlog.Stale().Where()
	prepared.Batch, prepared.dependsOn = store.Batch{}, nil // a store may read again
	rows := g.keyer.LabelledRows(snap, nil)
	prepared.replaced = func(ref store.Ref) store.Doc { return before[ref] }
	for d, err := range snap.Scan(ctx, store.Query{Type: at.Type, Where: everything, After: at.After}) {
		if err != nil {
			return n, err
		}
		n++
		after := d.RowID
		at.After = &after
		made := facts.Keyed{Keys: d.Keys, RowID: d.RowID}
		if !at.Marking {
			row, err := g.keyer.Extract(d)
			if err != nil {
				return n, err
			}
			if made, err = g.keyer.Describe(ctx, w, d, row); err != nil {
				return n, err
			}
		}
		if made.Keys, err = rows.Mark(ctx, made.Keys, made.RowID.Partition, d.Body); err != nil {
			return n, err
		}
		switch {
		case d.RowID == made.RowID && slices.Equal(d.Keys, made.Keys):
		case store.Match(stale, d.Keys) && !facts.SameInheritance(d.Keys, made.Keys):
			// The backlog keys it, and then what depends on it, which nobody would know to
			// be stale if it was found keyed.
		default:
			before[d.Ref] = d
			for _, name := range personsRelabelled(d, store.Doc{Version: d.Version, Keys: made.Keys}) {
				if at.Relabelled = true; at.Types != nil { // another walk marks at its end
					prepared.addStale(backlog.LabelsPrefix+name, backlog.Entry{})
				}
			}
			d.RowID, d.Keys = made.RowID, made.Keys
			prepared.Writes = append(prepared.Writes, store.Write{Doc: d, Expect: d.Version, KeyRevision: d.KeyRevision, Rekey: true})
			prepared.dependsOn = append(prepared.dependsOn, index.Names(made.Keys, index.DependsOnPrefix())...)
		}
		if n == size {
			break
		}
	}
	if len(prepared.Writes) > 0 {
		w.AddConditions(&prepared.Batch)
	}
	return n, nil
}
