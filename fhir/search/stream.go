package search

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"carerecord/fhir/index"
	"carerecord/store"
)

// stream yields the Patients to whom documents of a type refer, in the order of
// the store: those documents stand in the places of their patients, so one pass over
// them, from a place on, meets the patients in their order. What refers to a Patient in
// another place is known by a key of its own (index.Stray), and asked for beforehand.
type stream struct {
	j    *joiner
	has  has
	from *flow // the referring documents
	away []store.RowID
	ids  map[store.RowID]string // of the Patients of away; nil before they were asked for
}

// farHas goes by what refers to Patients.
func (f *flow) farHas(ctx context.Context, h has) (*far, error) {
	if h.here != "Patient" {
		return nil, nil
	}
	from, err := f.j.flow(ctx, TypeQuery{h.typ, store.And{}}, false, []node{h.inner})
	if err != nil || !from.streams() {
		return nil, err
	}
	s := &stream{j: f.j, has: h, from: from}
	return &far{
		ends:   s.named,
		joined: func(patients ids) (store.Pred, error) { return f.j.view.Index().IDIn(h.here, patients) },
	}, nil
}

// strays asks for what refers to Patients in whose places it does not stand.
func (s *stream) strays(ctx context.Context) error {
	if s.ids != nil {
		return nil
	}
	stray, err := s.j.view.Index().CrossPartitionRefs(s.has.typ, s.has.param)
	if err != nil {
		return err
	}
	from := *s.from
	from.where = append(slices.Clone(from.where), stray)
	found := map[store.RowID]string{}
	for d, err := range from.rows(ctx, nil) {
		if err == nil {
			err = s.pointees(d, found)
		}
		if err != nil {
			return fmt.Errorf("stream _has: %w", err)
		}
	}
	s.ids, s.away = found, slices.SortedFunc(maps.Keys(found), store.RowID.Compare)
	return nil
}

// pointees adds the Patients to whom a document refers.
func (s *stream) pointees(d store.Doc, to map[store.RowID]string) error {
	list, err := s.j.view.Index().ReferredIDs(s.has.typ, s.has.param, s.has.here, d.Keys)
	for _, id := range list {
		to[index.PatientRowID(id)] = id
	}
	return err
}

// named yields the Patients to whom something refers, each once, in order, behind
// a place.
func (s *stream) named(ctx context.Context, after *store.RowID) iter.Seq2[standing, error] {
	return func(yield func(standing, error) bool) {
		if err := s.strays(ctx); err != nil {
			yield(standing{}, err)
			return
		}
		away := s.away
		if after != nil {
			i, found := slices.BinarySearchFunc(away, *after, store.RowID.Compare)
			if found {
				i++
			}
			away = away[i:]
		}
		for at, err := range s.here(ctx, after) {
			for err == nil && len(away) > 0 && away[0].Compare(at.id) <= 0 {
				if away[0] != at.id && !yield(standing{away[0], s.ids[away[0]]}, nil) {
					return
				}
				away = away[1:]
			}
			if !yield(at, err) || err != nil {
				return
			}
		}
		for _, id := range away {
			if !yield(standing{id, s.ids[id]}, nil) {
				return
			}
		}
	}
}

// here yields the Patients in whose places something stands that refers to them,
// each once, in order, behind a place.
func (s *stream) here(ctx context.Context, after *store.RowID) iter.Seq2[standing, error] {
	return func(yield func(standing, error) bool) {
		at, place := map[store.RowID]string{}, store.Partition(0)
		leave := func() bool {
			for _, id := range slices.SortedFunc(maps.Keys(at), store.RowID.Compare) {
				if id.Partition == place && (after == nil || id.Compare(*after) > 0) && !yield(standing{id, at[id]}, nil) {
					return false
				}
			}
			clear(at)
			return true
		}
		for d, err := range s.from.rows(ctx, placeOf(after)) {
			if err == nil && d.RowID.Partition != place {
				if !leave() {
					return
				}
				place = d.RowID.Partition
			}
			if err == nil {
				err = s.pointees(d, at)
			}
			if err != nil {
				yield(standing{}, err)
				return
			}
		}
		leave()
	}
}
