package consent

import (
	"context"
	"errors"
	"slices"

	"carerecord/fhir/index"
	"carerecord/store"
)

// A count over the region is the count of all less what is hidden. To look at each
// document would cost what the answer is large; nearly all of it is about one patient,
// stands in that patient's place, and is hidden only where the patient wishes it. So
// what is hidden is found in small parts: the documents that stand apart, those of them
// that match otherwise when references are cut, and what stands in the places of patients
// with wishes.

// factApart: what a clinician sees of the document may depend on something else than
// the wishes of one patient in whose place it stands. Documents with factPoints have it.
const factApart = index.FactIrregular

// apart reports whether a document with these keys at a place stands apart.
func apart(keys []store.Key, at store.Partition) bool {
	owners := ownersOf(keys)
	for _, name := range []string{factResolved, factOrdinary, factShared} {
		if !store.Match(fact(name), keys) {
			return true
		}
	}
	return len(names(keys, index.AboutPrefix())) > 0 || len(owners) > 1 || len(owners) == 1 && index.PartitionOf(owners[0]) != at || len(names(keys, index.MentionPrefix())) > 0
}

// whole reports whether a count is made of the count of all: a clinician asks for
// many patients, postings alone decide what is asked, and only the steps that are built
// in hide.
func (v *View) whole(q store.Query) bool {
	g := v.grant
	return g.principal.Kind == Staff && g.patient == "" && g.gone == "" && g.rules.idle() && g.stale.empty() && len(g.stale.relabelled) == 0 &&
		q.After == nil && q.Partitions == nil && q.Type != "" && q.Type != "Consent" && !unseen(q.Type) &&
		(v.letters == "" || g.May(q.Type, v.letters)) && store.DecidedByPostings(q.Where)
}

// perPatient is about how many documents are looked at in the time of a look into the
// place of one patient.
const perPatient = 4

// less counts what is visible as what there is less what is hidden. ok is false where
// to look at each document costs less, or where there are max and more: to count on would
// cost what the record holds, and no more than max of them need to be looked at.
func (v *View) less(ctx context.Context, q store.Query, max int) (n int, ok bool, err error) {
	if !v.whole(q) {
		return 0, false, nil
	}
	q.KeysOnly, q.TimingSafe = true, false
	n, err = v.snap.Count(ctx, q, max)
	if err != nil {
		return 0, false, err
	}
	wish := v.guard.register.patients()
	if max > 0 && n == max || n <= perPatient*(len(wish)+1) {
		return 0, false, nil
	}
	stands, hidden := fact(factApart), none(v.where(q.Type))
	odd, err := v.snap.Count(ctx, store.Query{Type: q.Type, Where: store.And{q.Where, stands, hidden}, KeysOnly: true}, 0)
	if err == nil {
		err = v.eachTouched(ctx, q, func(whole, cut bool) bool {
			if whole {
				odd++
			}
			if cut {
				odd--
			}
			return true
		})
	}
	if err != nil || len(wish) == 0 {
		return n - odd, true, errors.Join(err, *v.failed)
	}
	places := make([]store.Partition, len(wish))
	for i, p := range wish {
		places[i] = index.PartitionOf(p)
	}
	slices.Sort(places)
	of, err := v.snap.Count(ctx, store.Query{Type: q.Type, Where: store.And{q.Where, none(stands), hidden}, Partitions: slices.Compact(places), KeysOnly: true}, 0)
	//law:count-by-complement
	return n - odd - of, true, errors.Join(err, *v.failed)
}
