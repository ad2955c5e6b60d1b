package consent

import (
	"context"
	"errors"
	"slices"

	"carerecord/fhir/index"
	"carerecord/store"
)

// A count over the whole region is the count of all documents minus the hidden ones: reading each document
// would cost as much as the result is large. Nearly every document is about one patient, is in that
// patient's partition, and is hidden only by a directive of that patient. So the hidden ones are counted in
// small parts: irregular documents, those whose matches a cut changes, and the partitions of patients with
// directives.

// complementApplies reports whether a count can be made so: staff count for many patients, postings alone
// decide the query, and only the built-in steps hide.
func (v *View) complementApplies(q store.Query) bool {
	g := v.grant
	return g.principal.Kind == Staff && g.patient == "" && g.hiddenSuffix == "" && g.rules.empty() && g.stale.Empty() && len(g.stale.Relabelled) == 0 &&
		q.After == nil && q.Partitions == nil && q.Type != "" && q.Type != "Consent" && !neverShown(q.Type) &&
		(v.permissions == "" || g.May(q.Type, v.permissions))
}

// docsPerPatientRead is about how many documents are read in the time that the partition of one patient
// takes.
const docsPerPatientRead = 4

// countByComplement counts visible documents as all minus the hidden ones. ok is false where reading each
// document costs less, or where there are at least max: the exact count would cost as much as the record
// is large, and only max documents have to be read.
func (v *View) countByComplement(ctx context.Context, q store.Query, max int) (n int, ok bool, err error) {
	if !v.complementApplies(q) {
		return 0, false, nil
	}
	if within := v.withinScopes(q.Type); within != nil {
		q.Where = store.And{q.Where, within}
	}
	if !store.DecidedByPostings(q.Where) {
		return 0, false, nil
	}
	q.KeysOnly, q.TimingSafe = true, false
	n, err = v.snap.Count(ctx, q, max)
	if err != nil {
		return 0, false, err
	}
	persons := v.guard.register.Names()
	if max > 0 && n == max || n <= docsPerPatientRead*(len(persons)+1) {
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
	if err != nil || len(persons) == 0 {
		return n - hiddenIrregular, true, errors.Join(err, *v.failed)
	}
	partitions := make([]store.Partition, len(persons))
	for i, p := range persons {
		partitions[i] = index.PartitionOf(p)
	}
	slices.Sort(partitions)
	hiddenInPartitions, err := v.snap.Count(ctx, store.Query{Type: q.Type, Where: store.And{q.Where, not(isIrregular), hidden}, Partitions: slices.Compact(partitions), KeysOnly: true}, 0)
	//law:count-by-complement
	return n - hiddenIrregular - hiddenInPartitions, true, errors.Join(err, *v.failed)
}
