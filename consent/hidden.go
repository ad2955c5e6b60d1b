package consent

import (
	"context"
	"errors"
	"slices"

	"carerecord/consent/facts"
	"carerecord/consent/register"
	"carerecord/fhir/index"
	"carerecord/store"
)

// hiddenPatients is the set of patients of whom staff of an organisation see no record:
// restricted, denied, or opted out without rows of the own organisation. It is for the
// goroutine of one request.
type hiddenPatients struct {
	sets     register.Sets
	noRecord store.Set // by a Decider; nil for none
	reads    patientReads
	searched bool            // whether rows of the own organisation were looked for
	optedOut map[string]bool // whether the record of a patient who opted out is hidden
	deleted  map[string]bool // whether the record of a deleted Patient is hidden
}

func newHiddenPatients(ctx context.Context, snap store.Snapshot, sets register.Sets, organisation string, failed *error) *hiddenPatients {
	h := &hiddenPatients{sets: sets, optedOut: map[string]bool{}, deleted: map[string]bool{}}
	h.reads = newPatientReads(ctx, snap, organisation, &h.searched, failed)
	return h
}

// Has implements store.Set.
func (h *hiddenPatients) Has(patient string) bool {
	if h.sets.Restricted.Has(patient) || h.sets.Denied.Has(patient) || h.noRecord != nil && h.noRecord.Has(patient) {
		return true
	}
	if !h.sets.OptedOut.Has(patient) {
		return false
	}
	hidden, known := h.optedOut[patient]
	if !known {
		hidden = !h.reads.hasSourceRows(patient)
		h.optedOut[patient] = hidden
	}
	return hidden
}

// mentionedHidden is the set of patients whose mention hides a document (CON-407): those of
// hiddenPatients, and deleted ones, whom the register does not contain.
type mentionedHidden struct{ *hiddenPatients }

// Has implements store.Set. The record of a deleted Patient is hidden if the Patient was
// restricted when deleted, or if a directive names an identifier that the Patient had.
func (h mentionedHidden) Has(patient string) bool {
	if h.hiddenPatients.Has(patient) {
		return true
	}
	if facts.IsIdentifierName(patient) {
		return false
	}
	hidden, known := h.deleted[patient]
	if !known {
		keys := h.reads.deletedKeys(patient)
		hidden = facts.Has(keys, index.FactRestricted) ||
			slices.ContainsFunc(index.Names(keys, index.BearsPrefix()), h.hiddenPatients.Has)
		h.deleted[patient] = hidden
	}
	return hidden
}

// patientReads are the reads of these sets. Engines call Has while they evaluate a predicate: it has
// no context and returns no error. The sets cannot be resolved before, since nearly all patients who
// opted out occur in no row of a request. So the functions are closures that are made for one request:
// they use its context, and the first error ends the request (View.failed). After an error the
// result hides.
type patientReads struct {
	hasSourceRows func(patient string) bool        // whether there are rows of the own organisation
	deletedKeys   func(patient string) []store.Key // of a deleted Patient; nil for every other
}

// newPatientReads makes the reads of a request. hasSourceRows sets searched.
func newPatientReads(ctx context.Context, snap store.Snapshot, organisation string, searched *bool, failed *error) patientReads {
	return patientReads{
		hasSourceRows: func(patient string) bool {
			*searched = true
			n, err := snap.Count(ctx, store.Query{Where: store.Eq{Key: index.SourceRowKey(patient, organisation)}, KeysOnly: true}, 1)
			if err != nil {
				*failed = err
			}
			return err == nil && n > 0
		},
		deletedKeys: func(patient string) []store.Key {
			d, err := snap.Get(ctx, store.Ref{Type: "Patient", ID: patient})
			switch {
			case err != nil && !errors.Is(err, store.ErrNotFound):
				*failed = err
				return []store.Key{index.FactKey(index.FactRestricted)}
			case err == nil && d.Deleted():
				return d.Keys
			}
			return nil
		},
	}
}
