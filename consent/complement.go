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

// complementApplies reports whether a count is made of the count of all: a clinician asks for
// many patients, postings alone decide what is asked, and only the steps that are built
// in hide.
func (v *View) complementApplies(q store.Query) bool {
	g := v.grant
	return g.principal.Kind == Staff && g.patient == "" && g.hiddenSuffix == "" && g.rules.empty() && g.stale.Empty() && len(g.stale.Relabelled) == 0 &&
		q.After == nil && q.Partitions == nil && q.Type != "" && q.Type != "Consent" && !neverShown(q.Type) &&
		(v.permissions == "" || g.May(q.Type, v.permissions)) && store.DecidedByPostings(q.Where)
}

// docsPerPatientRead is about how many documents are looked at in the time of a look into the
// place of one patient.
const docsPerPatientRead = 4

// countByComplement counts what is visible as what there is less what is hidden. ok is false where
// to look at each document costs less, or where there are max and more: to count on would
// cost what the record holds, and no more than max of them need to be looked at.
func (v *View) countByComplement(ctx context.Context, q store.Query, max int) (n int, ok bool, err error) {
	if !v.complementApplies(q) {
		return 0, false, nil
	}
	q.KeysOnly, q.TimingSafe = true, false
	n, err = v.snap.Count(ctx, q, max)
	if err != nil {
		return 0, false, err
	}
	patients := v.guard.register.Patients()
	if max > 0 && n == max || n <= docsPerPatientRead*(len(patients)+1) {
		return 0, false, nil
	}
	isIrregular, hidden := fact(index.FactIrregular), not(v.where(q.Type))
	hiddenIrregular, err := v.snap.Count(ctx, store.Query{Type: q.Type, Where: store.And{q.Where, isIrregular, hidden}, KeysOnly: true}, 0)
	if err == nil {
		err = v.eachCutCandidate(ctx, q, func(whole, cut bool) bool {
			if whole {
				hiddenIrregular++
			}
			if cut {
				hiddenIrregular--
			}
			return true
		})
	}
	if err != nil || len(patients) == 0 {
		return n - hiddenIrregular, true, errors.Join(err, *v.failed)
	}
	partitions := make([]store.Partition, len(patients))
	for i, p := range patients {
		partitions[i] = index.PartitionOf(p)
	}
	slices.Sort(partitions)
	hiddenInPartitions, err := v.snap.Count(ctx, store.Query{Type: q.Type, Where: store.And{q.Where, not(isIrregular), hidden}, Partitions: slices.Compact(partitions), KeysOnly: true}, 0)
	//law:count-by-complement
	return n - hiddenIrregular - hiddenInPartitions, true, errors.Join(err, *v.failed)
}
