package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/index"
)

// indexStatus is what an operator learns of the index.
type indexStatus struct {
	// Reindex is the last walk over all documents, Indexing the last one for
	// search parameters that stored definitions bring; null where there was none.
	Reindex    *consent.Reindexing `json:"reindex"`
	Indexing   *consent.Reindexing `json:"indexing"`
	Parameters []consent.Parameter `json:"parameters"`
}

func (r *record) indexStatus(ctx context.Context) (indexStatus, error) {
	st := indexStatus{Parameters: r.guard.Parameters()}
	if at, found, err := consent.ReindexStatus(ctx, r.engine); err != nil {
		return st, err
	} else if found {
		st.Reindex = &at
	}
	at, found, err := consent.IndexingStatus(ctx, r.engine)
	if found {
		st.Indexing = &at
	}
	return st, err
}

// tell prints the status for people.
func (st indexStatus) tell(w io.Writer) error {
	if st.Reindex == nil {
		fmt.Fprintln(w, "this store was never keyed anew")
	} else {
		fmt.Fprintf(w, "keying %s, %s\n", st.Reindex.Keying, walked(*st.Reindex))
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

func walked(at consent.Reindexing) string {
	state := "done"
	if !at.Done {
		state = fmt.Sprintf("at %s, round %d", at.Type, at.Round)
	}
	return fmt.Sprintf("begun %s, resumed %d times, %s: %d documents read, of which %d stood under other keys",
		at.Began.Format(time.RFC3339), at.Resumed, state, at.Read, at.Rekeyed)
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

// adminRoutes are the operator's requests on the address of --admin. Each needs a
// token with the scope carerecord/operations, but under --auth off.
func (r *record) adminRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /admin/reindex", func(w http.ResponseWriter, q *http.Request) {
		if err := r.operates(q); err != nil {
			refuse(w, err)
			return
		}
		r.answerStatus(q.Context(), w)
	})
}

// operates refuses who does not operate the record. The error is a *fhir.Error.
func (r *record) operates(q *http.Request) error {
	if r.tokens == nil {
		return nil // --auth off
	}
	p, err := r.tokens.Verify(q.Context(), q.Header, q.RemoteAddr)
	if err != nil || p.Operates() {
		return err
	}
	e := fhir.Fault(403, "forbidden", "The token has no scope for this: %s is missing.", consent.Operations())
	e.Header = map[string]string{"WWW-Authenticate": fmt.Sprintf(`Bearer realm="carerecord", error="insufficient_scope", scope="%s"`, consent.Operations())}
	return e
}

func refuse(w http.ResponseWriter, err error) {
	e, ok := fhir.AsError(err)
	if !ok {
		e = fhir.Fault(500, "exception", "The request cannot be answered.")
	}
	for name, value := range e.Header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", "application/fhir+json")
	w.WriteHeader(e.Status)
	w.Write(fhir.Outcome(e.Issues))
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
			case <-r.guard.Wake():
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
	err := r.guard.IndexParameters(ctx, r.engine, r.throttle(cmp.Or(rate, besideServer)))
	if err == nil {
		r.log.Info("search parameters are indexed")
	}
	return err
}
