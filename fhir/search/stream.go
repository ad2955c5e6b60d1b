package search

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"carerecord/consent"
	"carerecord/fhir/index"
	"carerecord/store"
)

// stream yields the Patients to whom documents of a type refer, in the order of
// the store and page by page: those documents stand in the places of their
// patients, so one pass over them, from the place of the page on, meets the
// patients in their order. What refers to a Patient in another place is known by
// a key of its own (index.Stray), and asked for beforehand.
type stream struct {
	has  has
	pred store.Pred // what the referring documents satisfy
	away []store.DocID
	ids  map[store.DocID]string // of the Patients of away
}

// mayStream: the rows are wanted in the order of the store, a page of them, and
// what the View shows stands where its keys say.
func (p *Plan) mayStream(v *consent.View) bool {
	return len(p.Parts) == 1 && p.Type() == "Patient" && len(p.Sort) == 0 && !p.OnlyHow && p.Total != TotalAccurate && p.Named.None() && !v.Cuts()
}

// streams: something says what the referring documents have.
func (h has) streams() bool {
	return h.inner.positive()
}

// stream prepares a _has to be streamed.
func (j *joiner) stream(ctx context.Context, h has) (*stream, error) {
	pred, err := h.inner.resolve(ctx, j, nil)
	if err != nil {
		return nil, err
	}
	stray, err := j.view.Index().Stray(h.typ, h.param)
	if err != nil {
		return nil, err
	}
	s := &stream{has: h, pred: pred, ids: map[store.DocID]string{}}
	for d, err := range j.view.Scan(ctx, store.Query{Type: h.typ, Where: store.And{pred, stray}, KeysOnly: true}) {
		if err == nil {
			err = s.pointees(j.view, d, s.ids)
		}
		if err != nil {
			return nil, fmt.Errorf("stream _has: %w", err)
		}
	}
	s.away = slices.SortedFunc(maps.Keys(s.ids), store.DocID.Compare)
	return s, nil
}

// pointees adds the Patients to whom a document refers.
func (s *stream) pointees(v *consent.View, d store.Doc, to map[store.DocID]string) error {
	list, err := v.Index().Pointees(s.has.typ, s.has.param, s.has.here, d.Keys)
	for _, id := range list {
		to[index.PatientID(id)] = id
	}
	return err
}

// rows yields the Patients that satisfy where, behind a place.
func (s *stream) rows(ctx context.Context, v *consent.View, where store.Pred, after *store.DocID) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		for at, err := range s.named(ctx, v, after) {
			var d store.Doc
			if err == nil {
				d, err = v.Get(ctx, store.Ref{Type: "Patient", ID: at.patient})
			}
			if errors.Is(err, store.ErrNotFound) || err == nil && (d.Dead() || !store.Match(where, d.Keys)) {
				continue
			}
			if err != nil {
				err = fmt.Errorf("stream _has: %w", err)
			}
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

// standing is a Patient and its place.
type standing struct {
	id      store.DocID
	patient string
}

// named yields the Patients to whom something refers, each once, in order, behind
// a place.
func (s *stream) named(ctx context.Context, v *consent.View, after *store.DocID) iter.Seq2[standing, error] {
	return func(yield func(standing, error) bool) {
		away := s.away
		if after != nil {
			i, found := slices.BinarySearchFunc(away, *after, store.DocID.Compare)
			if found {
				i++
			}
			away = away[i:]
		}
		for at, err := range s.here(ctx, v, after) {
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
func (s *stream) here(ctx context.Context, v *consent.View, after *store.DocID) iter.Seq2[standing, error] {
	return func(yield func(standing, error) bool) {
		q := store.Query{Type: s.has.typ, Where: s.pred, KeysOnly: true}
		if after != nil {
			q.After = &store.DocID{Place: after.Place}
		}
		at, place := map[store.DocID]string{}, store.Place(0)
		leave := func() bool {
			for _, id := range slices.SortedFunc(maps.Keys(at), store.DocID.Compare) {
				if id.Place == place && (after == nil || id.Compare(*after) > 0) && !yield(standing{id, at[id]}, nil) {
					return false
				}
			}
			clear(at)
			return true
		}
		for d, err := range v.Scan(ctx, q) {
			if err == nil && d.ID.Place != place {
				if !leave() {
					return
				}
				place = d.ID.Place
			}
			if err == nil {
				err = s.pointees(v, d, at)
			}
			if err != nil {
				yield(standing{}, err)
				return
			}
		}
		leave()
	}
}
