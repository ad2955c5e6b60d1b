package consent

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// inlineLimit is up to how many documents one goroutine prepares by itself.
const inlineLimit = 16

// extractAll stamps the live documents of the batch and reads from their bodies
// what they are to be found by. That depends on nothing else, so the documents
// of a large bundle are shared out among the processors; every goroutine has
// ended when prepare returns.
func (c *commitBuilder) extractAll(ctx context.Context, refs []store.Ref) error {
	rows, errs := make([]index.Entry, len(refs)), make([]error, len(refs))
	var next atomic.Int64
	work := func() {
		for ctx.Err() == nil {
			n := int(next.Add(1)) - 1
			if n >= len(refs) {
				return
			}
			rows[n], errs[n] = c.extractOne(c.pending[refs[n]])
		}
	}
	if len(refs) <= inlineLimit {
		work()
	} else {
		var wg sync.WaitGroup
		for range runtime.GOMAXPROCS(0) {
			wg.Go(work)
		}
		wg.Wait()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for n, ref := range refs {
		if errs[n] != nil {
			return errs[n]
		}
		c.entries[ref] = rows[n]
	}
	return nil
}

// extractOne stamps and reads one document. A panic is an error: it must end the
// request, and nothing else, also where it does not run in the request's own
// goroutine.
func (c *commitBuilder) extractOne(w *store.Write) (row index.Entry, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("index %s: panic: %v", w.Doc.Ref, p)
		}
	}()
	if w.Doc.Deleted() {
		return index.Entry{}, nil
	}
	w.Doc.Body = fhir.Stamp(w.Doc.Body, w.Doc.Ref.ID, w.Doc.Version, w.Doc.Updated)
	return c.view.guard.keyer.Extract(w.Doc)
}
