package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"carerecord/consent/definitions"
	"carerecord/consent/reindex"
	"carerecord/fhir/index"
)

// indexStatus is what an operator learns of the index: how far the work is, and no number
// of documents (CON-206).
type indexStatus struct {
	// Reindex is the last walk over all documents, Indexing the last one for
	// search parameters that stored definitions bring; null where there was none.
	Reindex    *reindex.Progress       `json:"reindex"`
	Indexing   *reindex.Progress       `json:"indexing"`
	Parameters []definitions.Parameter `json:"parameters"`
}

func (r *record) indexStatus(ctx context.Context) (indexStatus, error) {
	st := indexStatus{Parameters: r.guard.Parameters()}
	if at, found, err := reindex.Status(ctx, r.engine); err != nil {
		return st, err
	} else if found {
		p := at.Progress()
		st.Reindex = &p
	}
	at, found, err := reindex.ParameterStatus(ctx, r.engine)
	if found {
		p := at.Progress()
		st.Indexing = &p
	}
	return st, err
}

// tell prints the status for people.
func (st indexStatus) tell(w io.Writer) error {
	if st.Reindex == nil {
		fmt.Fprintln(w, "this store was never keyed anew")
	} else {
		fmt.Fprintf(w, "keying %s, %s\n", st.Reindex.Format, walked(*st.Reindex))
	}
	if st.Indexing != nil {
		fmt.Fprintf(w, "search parameters, %s\n", walked(*st.Indexing))
	}
	var err error
	for _, p := range st.Parameters {
		_, err = fmt.Fprintf(w, "SearchParameter/%s, version %d: %s of %s is %s\n", p.ID, p.Version, p.Code, p.Type, p.Phase)
	}
	return err
}

func walked(p reindex.Progress) string {
	state := "done: 100 %"
	if p.Phase != reindex.PhaseDone {
		state = fmt.Sprintf("in %s, %.0f %%", p.Phase, 100*p.Share)
	}
	return fmt.Sprintf("begun %s, resumed %d times, %s of the way", p.Began.Format(time.RFC3339), p.Resumed, state)
}

func (r *record) answerStatus(ctx context.Context, w http.ResponseWriter) {
	st, err := r.indexStatus(ctx)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(st)
}

// indexAgain is how long the server waits after a walk that failed.
const indexAgain = 10 * time.Second

// keepIndexing walks the record for search parameters as they are defined, until
// the context ends. The returned function waits for the end.
func (r *record) keepIndexing(ctx context.Context, rate int) (wait func()) {
	done := make(chan struct{})
	go func() { // ends with the context
		defer close(done)
		for {
			err := r.indexParameters(ctx, rate)
			again := (<-chan time.Time)(nil)
			if err != nil && ctx.Err() == nil {
				r.log.Error("indexing search parameters", "err", err, "again", indexAgain)
				again = time.After(indexAgain)
			}
			select {
			case <-ctx.Done():
				return
			case <-again:
			case <-r.guard.ParameterWork():
			}
		}
	}()
	return func() { <-done }
}

func (r *record) indexParameters(ctx context.Context, rate int) error {
	r.reindexing.Lock()
	defer r.reindexing.Unlock()
	waiting := 0
	for _, p := range r.guard.Parameters() {
		if p.Phase == index.Indexing {
			waiting++
		}
	}
	if waiting == 0 {
		return nil
	}
	r.log.Info("indexing search parameters", "parameters", waiting)
	err := reindex.New(r.guard, r.engine, time.Now).Parameters(ctx, r.throttle(cmp.Or(rate, besideServer)))
	if err == nil {
		r.log.Info("search parameters are indexed")
	}
	return err
}
