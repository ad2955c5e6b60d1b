package join

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"carerecord/store"
)

// endPatient is a Patient at the far end of a join, with its row ID. person is the person key, if it is known.
type endPatient struct {
	row        store.RowID
	id, person string
}

// reverseScan yields the rows of a Stream from the far end of one of its joins: it reads the
// Patients there in the order of the store, and the rows in their partitions. It is for one
// goroutine; stop releases its cursors.
type reverseScan struct {
	join int // index of the join in Stream.joins
	// patientsAfter yields the Patients after a row. It may repeat those in the partition of the row.
	patientsAfter func(context.Context, *store.RowID) iter.Seq2[endPatient, error]
	// joinedTo returns the predicate of the rows that are joined to one of some Patients, or to one of
	// their persons, as far as those are known.
	joinedTo func(ctx context.Context, patients, persons idSet) (store.Pred, error)
	// crossPartition matches rows that may be joined to a Patient in another partition. The join is
	// evaluated for each of them. nil if there are none.
	crossPartition store.Pred

	// spreadPatients returns, for persons in several partitions (IDN-134), the Patients at the far end: with each partition of the
	// person between those of two rows, since rows there are joined to a Patient in another one. nil for a View that shows no
	// persons.
	spreadPatients func(ctx context.Context, from, to *store.RowID) ([]endPatient, error)

	// setBudget sets how many documents may be read before the first Patient is known; next returns errOverBudget if these
	// are not enough. nil where none are read.
	setBudget func(int)

	patients    cursor[endPatient]
	strayCursor cursor[store.Doc] // of the crossPartition rows
}

// newReverseScan returns the reverse scan of the first join that has one, or nil. There is none if
// values may have been cut from rows: then their keys do not say in which partition their patients are.
func (s *Stream) newReverseScan(ctx context.Context) (*reverseScan, error) {
	if s.exec.view.MayCut() {
		return nil, nil
	}
	for i, n := range s.joins {
		r, err := n.reverse(ctx, s)
		if err != nil {
			return nil, err
		}
		if r != nil {
			r.join = i
			return r, nil
		}
	}
	return nil, nil
}

// partitionStart is before all documents in the partition of a row.
func partitionStart(d *store.RowID) *store.RowID {
	if d == nil {
		return nil
	}
	return &store.RowID{Partition: d.Partition}
}

// partitionEnd is after all documents in a partition.
func partitionEnd(p store.Partition) *store.RowID {
	end := store.RowID{Partition: p}
	for i := range end.SortKey {
		end.SortKey[i] = 0xff
	}
	return &end
}

// batch is the rows that are joined to a few Patients.
type batch struct {
	rows     iter.Seq2[store.Doc, error]
	to       *store.RowID // rows holds all rows of the Stream up to here; nil: all that follow
	patients int
}

// next returns the rows that are joined to the next n Patients after a position.
func (r *reverseScan) next(ctx context.Context, s *Stream, at *store.RowID, n int) (b batch, err error) {
	r.patients.resume(at, func() iter.Seq2[endPatient, error] { return r.patientsAfter(ctx, at) })
	ids, persons := idSet{}, idSet{}
	partitions := []store.Partition{}
	for {
		p, err, more := r.patients.peek()
		if err != nil {
			return b, fmt.Errorf("read the patients at the far end of a join: %w", err)
		}
		if !more {
			break
		}
		if len(partitions) == 0 || partitions[len(partitions)-1] != p.row.Partition {
			if b.patients >= n { // a batch does not end between two Patients of one partition
				b.to = partitionEnd(partitions[len(partitions)-1])
				break
			}
			partitions = append(partitions, p.row.Partition)
		}
		if ids[p.id] = true; p.person != "" {
			persons[p.person] = true
		}
		b.patients++
		r.patients.drop()
	}
	if r.spreadPatients != nil {
		others, err := r.spreadPatients(ctx, at, b.to)
		if err != nil {
			return b, fmt.Errorf("read the patients at the far end of a join: %w", err)
		}
		for _, p := range others {
			ids[p.id], persons[p.person] = true, true
			partitions = append(partitions, p.row.Partition)
			b.patients++
		}
		slices.Sort(partitions)
		partitions = slices.Compact(partitions)
	}
	r.patients.at = b.to
	b.rows = noRows
	if b.patients > 0 {
		where, err := r.joinedTo(ctx, ids, persons)
		if err != nil {
			return b, err
		}
		b.rows = s.scan(ctx, at, partitions, where)
	}
	if r.crossPartition != nil {
		b.rows = store.Merge([]iter.Seq2[store.Doc, error]{b.rows, r.crossPartitionRows(ctx, s, at, b.to)}, store.ByRow)
	}
	return b, nil
}

func noRows(func(store.Doc, error) bool) {}

// crossPartitionRows yields the crossPartition rows between two positions that satisfy the join.
func (r *reverseScan) crossPartitionRows(ctx context.Context, s *Stream, at, to *store.RowID) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		r.strayCursor.resume(at, func() iter.Seq2[store.Doc, error] {
			return s.exec.filter(ctx, s.scan(ctx, at, nil, r.crossPartition), s.joins[r.join:r.join+1])
		})
		r.strayCursor.at = to
		for {
			d, err, more := r.strayCursor.peek()
			switch {
			case err != nil:
				yield(d, err)
				return
			case !more || to != nil && d.RowID.Compare(*to) > 0:
				return
			}
			r.strayCursor.drop()
			if !yield(d, nil) {
				return
			}
		}
	}
}

// growthFactor is how many times as many Patients the next batch reads. A Patient that a chain refers
// to costs one document; a Patient that is found by its referrers costs many.
func (r *reverseScan) growthFactor() int {
	if r.crossPartition == nil {
		return 2
	}
	return 4
}

func (r *reverseScan) stop() {
	r.patients.stop()
	r.strayCursor.stop()
}

// cursor is a sequence that can be left and resumed. The zero cursor has no sequence.
type cursor[T any] struct {
	next   func() (T, error, bool)
	end    func()
	at     *store.RowID // the next element is after this row
	peeked []T          // at most one element that was read and not taken
}

// resume continues a sequence, or begins a new one if the cursor is at another row.
func (c *cursor[T]) resume(at *store.RowID, sequence func() iter.Seq2[T, error]) {
	if c.next != nil && sameRow(c.at, at) {
		return
	}
	c.stop()
	c.next, c.end = iter.Pull2(sequence())
}

// take returns the next element.
func (c *cursor[T]) take() (T, error, bool) {
	v, err, more := c.peek()
	c.drop()
	return v, err, more
}

// peek returns the next element without taking it.
func (c *cursor[T]) peek() (v T, err error, more bool) {
	if len(c.peeked) == 0 {
		if v, err, more = c.next(); err != nil || !more {
			return v, err, more
		}
		c.peeked = append(c.peeked, v)
	}
	return c.peeked[0], nil, true
}

// drop takes the element that peek returned.
func (c *cursor[T]) drop() { c.peeked = c.peeked[:0] }

// stop ends the sequence.
func (c *cursor[T]) stop() {
	if c.end != nil {
		c.end()
	}
	*c = cursor[T]{}
}

func sameRow(a, b *store.RowID) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}
