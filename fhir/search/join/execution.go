package join

import (
	"context"
	"errors"
	"iter"
	"slices"

	"carerecord/store"
)

// execution is one run of a Stream from a position on. It alternates between the forward and the
// reverse scan, batch by batch. It is for one goroutine; stop releases its cursors.
//
// Invariant: every matching row up to position has been yielded, once, in the order of the store. Both
// scans resume after position, so a change between them neither skips nor repeats a row.
type execution struct {
	Stream
	position *store.RowID // nil: nothing has been yielded
	reverse  *reverseScan // nil if there is none
	yield    func(store.Doc) bool
	budget   int // of the reverse scan
	// forwardDocs is how many documents the forward scan has read.
	forwardDocs int
	dear        *reverseScan // the reverse scan while it is over its budget, else nil

	forward    cursor[store.Doc]
	progress   [2]progress // of the forward and of the reverse scan
	triedLimit int         // the largest number of ids that narrow has tried
	stopped    bool        // the consumer wants no more rows
	ended      bool        // there are no more rows
}

// progress is the position of a scan and the number of rows that it read.
type progress struct {
	partitions float64 // width of the partitions that were covered
	docs       int     // documents read
}

// fasterThan reports whether a scan covered more partitions per document.
func (p progress) fasterThan(other progress) bool {
	return p.partitions*float64(other.docs) >= other.partitions*float64(p.docs)
}

func (x *execution) stop() {
	x.forward.stop()
	if x.reverse != nil {
		x.reverse.stop()
	}
	if x.dear != nil {
		x.dear.stop()
	}
}

// run yields all rows after the position, until the consumer stops.
func (x *execution) run(ctx context.Context) error {
	forwardSize, reverseSize := x.exec.firstChunk(), max(1, x.exec.firstChunk()/4)
	if x.reverse != nil && x.reverse.crossPartition == nil && x.pageSize > 0 {
		reverseSize = x.pageSize // every Patient is a row
	}
	x.setBudget(x.exec.firstChunk())
	for turn := 0; !x.ended && !x.stopped; turn++ {
		if err := x.narrow(ctx, turn); err != nil {
			return err
		}
		if x.dear != nil && x.forwardDocs >= 4*x.budget {
			x.reverse, x.dear = x.dear, nil
			x.setBudget(4 * x.budget)
		}
		var err error
		if x.reverse != nil && chooseReverse(turn, x.drives, x.progress[0], x.progress[1], x.exec.firstChunk()) {
			err = x.reverseBatch(ctx, reverseSize)
			reverseSize = min(x.reverse.growthFactor()*reverseSize, x.exec.maxChunk())
			if errors.Is(err, errOverBudget) {
				x.reverse.stop()
				x.reverse, x.dear, err = nil, x.reverse, nil
			}
		} else {
			err = x.forwardBatch(ctx, forwardSize)
			forwardSize = min(2*forwardSize, x.exec.maxChunk())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// setBudget sets what the reverse scan may read before its first row. A scan that needs more is tried again once the
// forward scan has read four times as much, with four times the budget: so a scan that is given up adds a part of the rows of the other one.
func (x *execution) setBudget(n int) {
	x.budget = n
	if x.reverse != nil && x.reverse.setBudget != nil {
		x.reverse.setBudget(n)
	}
}

// chooseReverse decides which scan reads the next batch, where both are possible. The first turn is
// forward if an index can drive it. After that a scan that has not run yet is tried, except that the
// forward scan is not tried when the reverse scan has already read four chunks: a page
// that is nearly full is not worth a scan of the whole type. Else the faster one continues.
func chooseReverse(turn int, driven bool, forward, reverse progress, chunk int) bool {
	switch {
	case turn == 0:
		return !driven
	case reverse.docs == 0:
		return true
	case forward.docs == 0:
		return reverse.docs < 4*chunk
	}
	return reverse.fasterThan(forward)
}

// narrow adds predicates that follow from joins which few documents satisfy, so that an index can
// drive by them. It tries a small limit first: at once if nothing drives, else after the first
// turn; and a larger limit when many documents have not filled the page.
func (x *execution) narrow(ctx context.Context, turn int) error {
	cheapLimit, fullLimit := x.exec.firstChunk(), min(x.exec.maxChunk(), maxDrivingIDs)
	limit := x.triedLimit
	switch {
	case x.triedLimit == 0 && (turn > 0 || !x.drives && x.reverse == nil):
		limit = cheapLimit
	case x.triedLimit == cheapLimit && x.progress[0].docs+x.progress[1].docs >= 2*x.exec.maxChunk():
		limit = fullLimit
	}
	if limit == x.triedLimit {
		return nil
	}
	x.triedLimit = limit
	for i, n := range x.joins {
		if x.reverse != nil && x.reverse.join == i {
			continue // the reverse scan begins there
		}
		pred, err := n.implied(ctx, &x.Stream, limit)
		if err != nil {
			return err
		}
		if pred != nil {
			x.where = append(slices.Clone(x.where), pred)
			x.drives, x.triedLimit, x.progress = true, fullLimit, [2]progress{}
			x.stop() // the cursors read without the predicate
		}
	}
	return nil
}

// maxDrivingIDs is how many ids a driving predicate may list.
const maxDrivingIDs = 1000

// advance moves the position, and counts the documents that a scan read for it.
func (x *execution) advance(scan int, to store.RowID, docs int) {
	from := store.Partition(0)
	if x.position != nil {
		from = x.position.Partition
	}
	x.progress[scan].partitions += float64(to.Partition - from)
	x.progress[scan].docs += docs
	x.position = &to
}

// forwardBatch reads the next n documents that satisfy the conditions without joins, and yields
// those that satisfy the joins.
func (x *execution) forwardBatch(ctx context.Context, n int) error {
	x.forward.resume(x.position, func() iter.Seq2[store.Doc, error] { return x.scan(ctx, x.position, nil) })
	docs := make([]store.Doc, 0, n)
	for len(docs) < n {
		d, err, more := x.forward.take()
		if err != nil {
			return err
		}
		if !more {
			x.ended = true
			break
		}
		docs = append(docs, d)
	}
	if len(docs) == 0 {
		return nil
	}
	x.forwardDocs += len(docs)
	last := docs[len(docs)-1].RowID
	matching, err := x.exec.satisfying(ctx, docs, x.joins)
	if err != nil {
		return err
	}
	for _, d := range matching {
		if x.stopped = !x.yield(d); x.stopped {
			return nil
		}
	}
	x.advance(0, last, n)
	x.forward.at = x.position
	return nil
}

// reverseBatch reads the next n Patients at the far end of a join, and yields the rows that are
// joined to them.
func (x *execution) reverseBatch(ctx context.Context, n int) error {
	b, err := x.reverse.next(ctx, &x.Stream, x.position, n)
	if err != nil {
		return err
	}
	docs := b.patients
	others := slices.Delete(slices.Clone(x.joins), x.reverse.join, x.reverse.join+1)
	for d, err := range x.exec.filter(ctx, countInto(b.rows, &docs), others) {
		if err != nil {
			return err
		}
		if x.stopped = !x.yield(d); x.stopped {
			return nil
		}
	}
	if b.to == nil {
		x.ended = true
		return nil
	}
	x.advance(1, *b.to, docs)
	return nil
}

// countInto adds one to n for each document of a sequence.
func countInto(docs iter.Seq2[store.Doc, error], n *int) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		for d, err := range docs {
			*n++
			if !yield(d, err) {
				return
			}
		}
	}
}
