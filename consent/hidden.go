package consent

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"carerecord/consent/facts"
	"carerecord/consent/register"
	"carerecord/fhir/index"
	"carerecord/store"
)

// hiddenPatients is the set of persons, by name, of whom staff of an organisation see no record:
// restricted, denied, or opted out without rows of the own organisation. It is for the
// goroutine of one request.
type hiddenPatients struct {
	sets     register.Sets
	noRecord store.Set // by a Decider; nil for none
	reads    patientReads
	searched bool            // whether rows of the own organisation were looked for
	optedOut map[string]bool // whether the record of a patient who opted out is hidden
	// By the name of a person or the id of a Patient: answers of ownRowsName, hasNoPatient and
	// mentionedHidden.
	named, unknown, mentioned map[string]bool
}

func (g *Guard) newHiddenPatients(ctx context.Context, snap store.Snapshot, sets register.Sets, organisation string, failed *error) *hiddenPatients {
	h := &hiddenPatients{sets: sets, optedOut: map[string]bool{}, named: map[string]bool{}, unknown: map[string]bool{}, mentioned: map[string]bool{}}
	h.reads = g.newPatientReads(ctx, snap, organisation, &h.searched, failed)
	return h
}

// setNoRecord sets the patients of whom a Decider says that there is no record. Earlier steps may have asked about mentions.
func (h *hiddenPatients) setNoRecord(patients store.Set) {
	h.noRecord = patients
	clear(h.mentioned)
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

// ownRowsName reports whether an own row of the organisation names a Patient of a person who opted out.
func (h *hiddenPatients) ownRowsName(patient string) bool {
	return h.cached(h.named, patient, func() bool {
		d := h.reads.patient(patient)
		owners := index.Owners(d.Keys)
		return !d.Deleted() && len(owners) == 1 && h.reads.rowsName(owners[0], patient)
	})
}

// hasNoPatient reports whether no joined Patient has the number of a person key, or one that acts as one with it.
func (h *hiddenPatients) hasNoPatient(person string) bool {
	if !facts.IsIdentifierName(person) {
		return false
	}
	return h.cached(h.unknown, person, func() bool { return !h.reads.hasPatient(person) })
}

func (h *hiddenPatients) cached(known map[string]bool, name string, read func() bool) bool {
	answer, ok := known[name]
	if !ok {
		answer = read()
		known[name] = answer
	}
	return answer
}

// mentionedHidden is the set of patients whose mention hides a document (CON-407): those of
// hiddenPatients, by the person of a Patient, and deleted ones, whom the register does not contain.
type mentionedHidden struct{ *hiddenPatients }

// Has implements store.Set. The record of a deleted Patient is hidden if the Patient was
// restricted when deleted, or if a directive covers an identifier or a tie that the Patient had.
func (h mentionedHidden) Has(name string) bool {
	if facts.IsIdentifierName(name) {
		return h.hiddenPatients.Has(name)
	}
	return h.cached(h.mentioned, name, func() bool {
		d := h.reads.patient(name)
		switch {
		case d.Version == 0:
			return h.hiddenPatients.Has(name)
		case d.Deleted():
			return h.hiddenPatients.Has(name) || facts.Has(d.Keys, index.FactRestricted) || slices.ContainsFunc(facts.NamesBorne(d), h.hiddenPatients.Has)
		}
		return slices.ContainsFunc(index.Owners(d.Keys), h.hiddenPatients.Has)
	})
}

// patientReads are the reads of these sets. Engines call Has while they evaluate a predicate: it has
// no context and returns no error. The sets cannot be resolved before, since nearly all patients who
// opted out occur in no row of a request. So the functions are closures that are made for one request:
// they use its context, and the first error ends the request (View.failed). After an error the
// result hides.
type patientReads struct {
	hasSourceRows func(person string) bool          // whether there are rows of the own organisation
	rowsName      func(person, patient string) bool // whether one of these names a Patient
	hasPatient    func(person string) bool          // whether there is a joined Patient
	patient       func(id string) store.Doc         // the zero Doc for an absent Patient
}

// newPatientReads makes the reads of a request. hasSourceRows sets searched.
func (g *Guard) newPatientReads(ctx context.Context, snap store.Snapshot, organisation string, searched *bool, failed *error) patientReads {
	exists := func(q store.Query) bool {
		q.KeysOnly = true
		n, err := snap.Count(ctx, q, 1)
		if err != nil {
			*failed = cmp.Or(*failed, err)
		}
		return err == nil && n > 0
	}
	anyOfGroup := func(person string, query func(key string) store.Query) bool { // IDN-134
		group, err := g.groupOf(ctx, snap, person)
		if err != nil {
			*failed = cmp.Or(*failed, err)
		}
		return slices.ContainsFunc(group, func(key string) bool { return exists(query(key)) })
	}
	return patientReads{
		hasSourceRows: func(person string) bool {
			*searched = true
			return anyOfGroup(person, func(key string) store.Query {
				return store.Query{Where: store.Eq{Key: index.SourceRowKey(key, organisation)}}
			})
		},
		rowsName: func(person, patient string) bool {
			return exists(store.Query{Where: store.And{store.Eq{Key: index.SourceRowKey(person, organisation)}, store.Eq{Key: index.PatientKey(patient)}}})
		},
		hasPatient: func(person string) bool {
			return anyOfGroup(person, func(key string) store.Query {
				return store.Query{Type: "Patient", Where: store.And{store.Eq{Key: index.OwnerKey(key)}, verifyOnly(index.FactResolved)}}
			})
		},
		patient: func(id string) store.Doc {
			d, err := snap.Get(ctx, store.Ref{Type: "Patient", ID: id})
			if errors.Is(err, store.ErrNotFound) {
				return store.Doc{}
			}
			if err != nil {
				*failed = cmp.Or(*failed, err)
				return store.Doc{Version: 1, Origin: store.Deleted, Keys: []store.Key{index.FactKey(index.FactRestricted)}}
			}
			return d
		},
	}
}
