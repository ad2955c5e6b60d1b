package search

import (
	"context"
	"fmt"
	"iter"

	"carerecord/store"
)

// standing is a Patient at the far end of a hop, and where that Patient stands.
type standing struct {
	id      store.RowID
	patient string
}

// far is the way to the rows of a flow from the other end of one of its hops: it meets
// the Patients there in the order of the store, and rows stand in their places. It is
// for one goroutine; stop ends it.
type far struct {
	flow *flow
	node int // which of the hops it is
	// ends yields the Patients behind a place, and may yield those in it again.
	ends func(context.Context, *store.RowID) iter.Seq2[standing, error]
	// joined is what a row has that is joined to one of some Patients.
	joined func(ids) (store.Pred, error)
	// loose rows may be joined to a Patient in whose place they do not stand: the hop
	// is followed from them. nil where there are none.
	loose store.Pred

	met    cursor[standing]
	astray cursor[store.Doc]
}

// far returns the far way of a flow, or nil where it has none: no hop that an index
// drives is to or from a Patient, or keys may have been cut, so that they do not say
// where documents stand.
func (f *flow) far(ctx context.Context) (*far, error) {
	if f.j.view.MayCut() {
		return nil, nil
	}
	for i, n := range f.nodes {
		var out *far
		var err error
		switch n := n.(type) {
		case chain:
			out, err = f.farChain(ctx, n)
		case has:
			out, err = f.farHas(ctx, n)
		}
		if err != nil {
			return nil, err
		}
		if out != nil {
			out.flow, out.node = f, i
			return out, nil
		}
	}
	return nil, nil
}

// farChain goes by the Patients to whom a chain leads.
func (f *flow) farChain(ctx context.Context, c chain) (*far, error) {
	if c.target != "Patient" {
		return nil, nil
	}
	x := f.j.view.Index()
	to, err := f.j.flow(ctx, TypeQuery{c.target, store.And{}}, false, []node{c.inner})
	if err != nil || !to.streams() {
		return nil, err
	}
	stray, err := x.CrossPartitionRefs(c.typ, c.param)
	if err != nil {
		return nil, err
	}
	holds, err := x.HasContained(c.typ, c.param, c.target)
	if err != nil {
		return nil, err
	}
	loose := store.Or{stray, holds}
	return &far{
		ends: func(ctx context.Context, after *store.RowID) iter.Seq2[standing, error] {
			return func(yield func(standing, error) bool) {
				for d, err := range to.rows(ctx, placeOf(after)) {
					if !yield(standing{d.RowID, d.Ref.ID}, err) || err != nil {
						return
					}
				}
			}
		},
		joined: func(patients ids) (store.Pred, error) {
			points, err := x.RefersTo(c.typ, c.param, c.target, patients)
			return store.And{points, store.Not{Pred: loose}}, err
		},
		loose: loose,
	}, nil
}

// placeOf is where the documents in the place of a document begin.
func placeOf(d *store.RowID) *store.RowID {
	if d == nil {
		return nil
	}
	return &store.RowID{Partition: d.Partition}
}

// endOf is behind all documents in a place.
func endOf(p store.Partition) *store.RowID {
	end := store.RowID{Partition: p}
	for i := range end.SortKey {
		end.SortKey[i] = 0xff
	}
	return &end
}

// stretch is the rows that the next few Patients bring.
type stretch struct {
	rows iter.Seq2[store.Doc, error]
	to   *store.RowID // they are all rows up to here; nil for all
	met  int          // Patients
}

// stretch takes the next n Patients behind a place.
func (r *far) stretch(ctx context.Context, at *store.RowID, n int) (s stretch, err error) {
	r.met.begin(at, func() iter.Seq2[standing, error] { return r.ends(ctx, at) })
	patients := ids{}
	places := []store.Partition{}
	for {
		e, err, more := r.met.peek()
		if err != nil {
			return s, fmt.Errorf("meet the patients at the far end of a hop: %w", err)
		}
		if !more {
			break
		}
		if len(places) == 0 || places[len(places)-1] != e.id.Partition {
			if s.met >= n { // and not between two Patients who share a place
				s.to = endOf(places[len(places)-1])
				break
			}
			places = append(places, e.id.Partition)
		}
		patients[e.patient] = true
		s.met++
		r.met.drop()
	}
	r.met.at = s.to
	s.rows = noRows
	if s.met > 0 {
		where, err := r.joined(patients)
		if err != nil {
			return s, err
		}
		s.rows = r.flow.scan(ctx, at, places, where)
	}
	if r.loose != nil {
		s.rows = MergeStreams([]iter.Seq2[store.Doc, error]{s.rows, r.elsewhere(ctx, at, s.to)}, func(a, b store.Doc) int { return a.RowID.Compare(b.RowID) })
	}
	return s, nil
}

func noRows(func(store.Doc, error) bool) {}

// elsewhere yields the loose rows that satisfy the hop, from one place to another.
func (r *far) elsewhere(ctx context.Context, at, to *store.RowID) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		r.astray.begin(at, func() iter.Seq2[store.Doc, error] {
			return r.flow.j.follow(ctx, r.flow.scan(ctx, at, nil, r.loose), r.flow.nodes[r.node:r.node+1])
		})
		r.astray.at = to
		for {
			d, err, more := r.astray.peek()
			switch {
			case err != nil:
				yield(d, err)
				return
			case !more || to != nil && d.RowID.Compare(*to) > 0:
				return
			}
			r.astray.drop()
			if !yield(d, nil) {
				return
			}
		}
	}
}

// growth is how many times as many Patients the next stretch takes. To meet one to whom
// a chain leads is to look at one document; to meet one by what refers to them, at many.
func (r *far) growth() int {
	if r.loose == nil {
		return 2
	}
	return 4
}

func (r *far) stop() {
	r.met.stop()
	r.astray.stop()
}

// cursor is a sequence that is gone on with where it was left.
type cursor[T any] struct {
	pull func() (T, error, bool)
	halt func()
	at   *store.RowID // behind which the next is
	head []T          // what was looked at and not taken
}

// begin begins a sequence, unless the one that was left stands behind a place.
func (c *cursor[T]) begin(at *store.RowID, sequence func() iter.Seq2[T, error]) {
	if c.pull != nil && same(c.at, at) {
		return
	}
	c.stop()
	c.pull, c.halt = iter.Pull2(sequence())
}

func (c *cursor[T]) next() (T, error, bool) {
	v, err, more := c.peek()
	c.drop()
	return v, err, more
}

func (c *cursor[T]) peek() (v T, err error, more bool) {
	if len(c.head) == 0 {
		if v, err, more = c.pull(); err != nil || !more {
			return v, err, more
		}
		c.head = append(c.head, v)
	}
	return c.head[0], nil, true
}

func (c *cursor[T]) drop() { c.head = c.head[:0] }

// stop ends the sequence.
func (c *cursor[T]) stop() {
	if c.halt != nil {
		c.halt()
	}
	*c = cursor[T]{}
}

func same(a, b *store.RowID) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}
