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

// inlineLimit is how many documents are extracted without other goroutines.
const inlineLimit = 16

// extractAll stamps the live documents of the batch and extracts their index entries. Documents do not
// depend on each other here, so those of a large bundle are distributed over the processors. All
// goroutines have ended when extractAll returns.
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

// extractOne stamps and extracts one document. It returns a panic as an error: in a goroutine of its own a
// panic would end the program.
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
