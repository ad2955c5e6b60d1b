package node

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

// IndexStatus is the progress of the index. It has no number of documents (CON-206).
type IndexStatus struct {
	// Reindex is the last walk over all documents. Indexing is the last walk for search
	// parameters that stored definitions add. Null if there was none.
	Reindex    *reindex.Progress       `json:"reindex"`
	Indexing   *reindex.Progress       `json:"indexing"`
	Parameters []definitions.Parameter `json:"parameters"`
}

func (n *Node) indexStatus(ctx context.Context) (IndexStatus, error) {
	st := IndexStatus{Parameters: n.guard.Parameters()}
	if at, found, err := reindex.Status(ctx, n.engine); err != nil {
		return st, err
	} else if found {
		p := at.Progress()
		st.Reindex = &p
	}
	at, found, err := reindex.ParameterStatus(ctx, n.engine)
	if found {
		p := at.Progress()
		st.Indexing = &p
	}
	return st, err
}

// Print writes the status for people.
func (st IndexStatus) Print(w io.Writer) error {
	if st.Reindex == nil {
		fmt.Fprintln(w, "no reindex has run on this store")
	} else {
		fmt.Fprintf(w, "key format %s, %s\n", st.Reindex.Format, describe(*st.Reindex))
	}
	if st.Indexing != nil {
		fmt.Fprintf(w, "search parameters, %s\n", describe(*st.Indexing))
	}
	var err error
	for _, p := range st.Parameters {
		_, err = fmt.Fprintf(w, "SearchParameter/%s, version %d: %s of %s is %s\n", p.ID, p.Version, p.Code, p.Type, p.Phase)
	}
	return err
}

func describe(p reindex.Progress) string {
	state := "done: 100 %"
	if p.Phase != reindex.PhaseDone {
		state = fmt.Sprintf("in %s, %.0f %%", p.Phase, 100*p.Share)
	}
	return fmt.Sprintf("begun %s, resumed %d times, %s of the way", p.Began.Format(time.RFC3339), p.Resumed, state)
}

// answerStatus answers GET /reindex on the socket and GET /admin/reindex.
func (n *Node) answerStatus(w http.ResponseWriter, q *http.Request) {
	st, err := n.indexStatus(q.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(st)
}

// retryAfter is how long the server waits after background work that failed.
const retryAfter = 10 * time.Second

// repeat runs background work at once, whenever wake is signalled, and some time after a failure,
// until the context ends. The returned function waits for the end.
func (n *Node) repeat(ctx context.Context, failure string, wake <-chan struct{}, work func(context.Context) error) (wait func()) {
	done := make(chan struct{})
	go func() { // ends with the context
		defer close(done)
		for {
			var retry <-chan time.Time
			if err := work(ctx); err != nil && ctx.Err() == nil {
				n.log.Error(failure, "err", err, "again", retryAfter)
				retry = time.After(retryAfter)
			}
			select {
			case <-ctx.Done():
				return
			case <-retry:
			case <-wake:
			}
		}
	}()
	return func() { <-done }
}

// keepIndexing indexes search parameters as they are defined, until the context ends.
func (n *Node) keepIndexing(ctx context.Context, rate int) (wait func()) {
	return n.repeat(ctx, "indexing search parameters", n.guard.ParameterWork(), func(ctx context.Context) error { return n.indexParameters(ctx, rate) })
}

// keepCatchingUp empties the backlog as it fills, until the context ends.
func (n *Node) keepCatchingUp(ctx context.Context) (wait func()) {
	return n.repeat(ctx, "rekeying the backlog", n.guard.BacklogWork(), n.catchUp)
}

func (n *Node) indexParameters(ctx context.Context, rate int) error {
	n.reindexing.Lock()
	defer n.reindexing.Unlock()
	waiting := 0
	for _, p := range n.guard.Parameters() {
		if p.Phase == index.Indexing {
			waiting++
		}
	}
	if waiting == 0 {
		return nil
	}
	n.log.Info("indexing search parameters", "parameters", waiting)
	err := reindex.New(n.guard, n.engine, time.Now).Parameters(ctx, n.throttle(cmp.Or(rate, backgroundRate)))
	if err == nil {
		n.log.Info("search parameters are indexed")
	}
	return err
}

// catchUp rekeys the documents of the backlog, at most backgroundRate a second.
func (n *Node) catchUp(ctx context.Context) error {
	return n.guard.CatchUp(ctx, func(ctx context.Context, checked int) error {
		if !n.lease.valid() {
			return errLeaseLost
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(checked) * time.Second / backgroundRate):
			return nil
		}
	})
}
