package reindex

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"carerecord/consent"
	"carerecord/consent/definitions"
	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/store"
)

// DB is a store with its State.
type DB interface {
	store.Store
	store.State
}

// Reindexer rekeys the documents of a store through its Guard. One walk may run at a time; other
// commits of the Guard may run at the same time.
type Reindexer struct {
	guard *consent.Guard
	db    DB
	clock func() time.Time
}

// New makes a Reindexer of the store that a Guard was opened with.
func New(guard *consent.Guard, db DB, clock func() time.Time) *Reindexer {
	return &Reindexer{guard: guard, db: db, clock: clock}
}

// Pause is called between the pages of a walk, with its progress. It may wait, and its error
// ends the walk.
type Pause func(context.Context, Walk) error

// All rekeys every live document and sets the key format of the store to that of this program.
// It resumes an interrupted walk.
func (r *Reindexer) All(ctx context.Context, pause Pause) (Walk, error) {
	w, found, err := Status(ctx, r.db)
	if err != nil {
		return w, err
	}
	if !found || w.Done || w.Format != r.keyFormat() {
		w = Walk{Format: r.keyFormat(), Began: r.clock().UTC(), Type: typeOrder(0)[0]}
		for _, p := range r.incomplete() {
			w.Parameters = append(w.Parameters, p.Number)
		}
	} else {
		w.Resumed++
	}
	return w, r.run(ctx, &w, pause)
}

// incomplete returns the defined search parameters that wait for a walk.
func (r *Reindexer) incomplete() []definitions.Parameter {
	return slices.DeleteFunc(r.guard.Parameters(), func(p definitions.Parameter) bool { return p.Phase != index.Indexing })
}

// Parameters walks all documents of the base types of the defined search parameters that are
// not complete, until all are (SRCH-242). A walk completes the parameters that were in force
// when it began; later ones are left to the next walk. It resumes an interrupted walk.
func (r *Reindexer) Parameters(ctx context.Context, pause Pause) error {
	for {
		waiting := r.incomplete()
		if len(waiting) == 0 {
			return nil
		}
		w, found, err := ParameterStatus(ctx, r.db)
		if err != nil {
			return err
		}
		waits := func(number uint16) bool {
			return slices.ContainsFunc(waiting, func(p definitions.Parameter) bool { return p.Number == number })
		}
		if found && !w.Done && w.Format == r.keyFormat() && slices.ContainsFunc(w.Parameters, waits) {
			w.Resumed++
		} else {
			w = r.parameterWalk(waiting)
		}
		if err := r.run(ctx, &w, pause); err != nil {
			return err
		}
	}
}

// parameterWalk returns a new walk for some parameters.
func (r *Reindexer) parameterWalk(waiting []definitions.Parameter) Walk {
	w := Walk{Format: r.keyFormat(), Began: r.clock().UTC(), Types: []string{}}
	for _, p := range waiting {
		w.Parameters = append(w.Parameters, p.Number)
		w.Types = append(w.Types, p.Type)
	}
	slices.Sort(w.Types)
	w.Types = slices.Compact(w.Types)
	slices.SortStableFunc(w.Types, func(a, b string) int { return facts.KeyOrder(a) - facts.KeyOrder(b) })
	w.Type = w.Types[0]
	return w
}

// run continues a walk to its end.
func (r *Reindexer) run(ctx context.Context, w *Walk, pause Pause) error {
	size := w.pageSize()
	for !w.Done {
		var err error
		if size, err = r.page(ctx, w, size); err != nil {
			return fmt.Errorf("reindex %s: %w", w.Type, err)
		}
		if err := pause(ctx, *w); err != nil {
			return err
		}
	}
	return nil
}

// maxTries is how often a page is tried that conflicts with other commits, each time with half as
// many documents. outagePatience is for how long the store may be unavailable: after a process
// was killed, its transaction blocks its documents on MongoDB for a minute.
const (
	maxTries       = 100
	outagePatience = 2 * time.Minute
	outagePause    = time.Second
)

// page rekeys the next page, of at most size documents, in one commit with the progress of the
// walk, and moves w on. It returns the size for the next page.
func (r *Reindexer) page(ctx context.Context, w *Walk, size int) (next int, err error) {
	for began, try := time.Now(), 1; ; {
		to := *w
		err := r.pageOnce(ctx, &to, size)
		switch {
		case err == nil:
			*w = to
			return min(2*size, w.pageSize()), nil
		case errors.Is(err, definitions.ErrTableChanged) && ctx.Err() == nil: // definitions change rarely
		case errors.Is(err, store.ErrConflict) && try < maxTries:
			try, size = try+1, max(size/2, 1)
		case errors.Is(err, store.ErrUnavailable) && time.Since(began) < outagePatience:
			select {
			case <-ctx.Done():
				return size, errors.Join(err, ctx.Err())
			case <-time.After(outagePause):
			}
		default:
			return size, err
		}
	}
}

func (r *Reindexer) pageOnce(ctx context.Context, w *Walk, size int) error {
	req := consent.RekeyRequest{Page: consent.Page{Type: w.Type, After: w.After, Size: size}, MarksOnly: w.Marking, MarkLater: w.Types != nil}
	return r.guard.RekeyPage(ctx, req, func(page consent.RekeyResult) (out consent.RekeyCommit, err error) {
		if w.After = page.Last; !w.Marking {
			w.Read += page.Read
		}
		w.Rekeyed += page.Rekeyed
		w.Relabelled = w.Relabelled || page.Relabelled
		w.Changed = w.Changed || page.Rekeyed > 0 && facts.MayInheritFromItself(w.Type)
		if page.Read < size {
			w.nextType()
		}
		if page.Read == 0 && !w.Done {
			return consent.RekeyCommit{Skip: true}, nil // the stored progress is still good enough
		}
		progress, err := json.Marshal(w)
		if err != nil {
			return out, fmt.Errorf("encode the progress of the reindex: %w", err)
		}
		out.State = append(out.State, store.StateWrite{Key: w.stateKey(), Value: progress})
		if w.Done {
			if w.Types == nil {
				out.State = append(out.State, r.keyFormatWrite())
			}
			out.Complete = w.Parameters
		}
		return out, nil
	})
}
