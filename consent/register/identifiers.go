package register

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/store"
)

// NewNames returns the identifiers and the Patient ids that deciding Consents among some writes name.
func (r *Register) NewNames(writes []store.Write) (identifiers, patients []string) {
	for _, w := range writes {
		said := statementOf(w.Doc)
		if w.Doc.Ref.Type != "Consent" || !said.decides() {
			continue
		}
		for _, name := range said.names {
			if facts.IsIdentifierName(name) {
				identifiers = append(identifiers, name)
			} else {
				patients = append(patients, name)
			}
		}
	}
	return identifiers, patients
}

// FindPatients finds the Patients that have or had some identifiers, and the identifiers of some Patients.
// Begin adds the Patients that other commits write at the same time.
func (r *Register) FindPatients(ctx context.Context, s store.Store, identifiers, patients []string) error {
	if len(identifiers)+len(patients) == 0 {
		return nil
	}
	err := s.Read(ctx, func(snap store.Snapshot) error {
		for _, name := range identifiers {
			for d, err := range snap.Scan(ctx, store.Query{Type: "Patient", Where: store.Eq{Key: index.BearsKey(name)}, KeysOnly: true}) {
				if err != nil {
					return err
				}
				r.mu.Lock()
				r.link(name, d.Ref.ID, true)
				r.mu.Unlock()
			}
		}
		for _, id := range patients {
			d, err := snap.Get(ctx, store.Ref{Type: "Patient", ID: id})
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			r.mu.Lock()
			for _, name := range index.Names(d.Keys, index.BearsPrefix()) {
				r.link(name, id, true)
			}
			if d.Deleted() {
				r.deleted[id] = true
			}
			r.mu.Unlock()
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look up the patients of a directive: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for w, written := range r.inFlight {
		for _, name := range written {
			if slices.Contains(identifiers, name) || slices.Contains(patients, w.Doc.Ref.ID) {
				r.link(name, w.Doc.Ref.ID, false)
			}
		}
	}
	return nil
}

// linkNamed links a Patient to those of its identifiers that a Consent names, and to all if there is a
// statement about its id. mu must be held, here and below.
func (r *Register) linkNamed(identifiers []string, patient string, committed bool) {
	for _, name := range identifiers {
		if r.identifierCount[name] > 0 || r.patientCount[patient] > 0 {
			r.link(name, patient, committed)
		}
	}
}

func (r *Register) link(name, patient string, committed bool) {
	if r.patientsOf[name] == nil {
		r.patientsOf[name] = map[string]bool{}
	}
	if r.identifiersOf[patient] == nil {
		r.identifiersOf[patient] = map[string]bool{}
	}
	committed = committed || r.patientsOf[name][patient]
	r.patientsOf[name][patient], r.identifiersOf[patient][name] = committed, committed
}

// unlinkFailed withdraws the identifiers of a failed commit, except those that another commit wrote or may
// write.
func (r *Register) unlinkFailed(identifiers []string, patient string) {
	for _, name := range identifiers {
		committed, linked := r.patientsOf[name][patient]
		for w, pending := range r.inFlight {
			committed = committed || w.Doc.Ref.ID == patient && slices.Contains(pending, name)
		}
		if linked && !committed {
			r.unlink(name, patient)
		}
	}
}

func (r *Register) unlink(name, patient string) {
	if delete(r.patientsOf[name], patient); len(r.patientsOf[name]) == 0 {
		delete(r.patientsOf, name)
	}
	if delete(r.identifiersOf[patient], name); len(r.identifiersOf[patient]) == 0 {
		delete(r.identifiersOf, patient)
	}
}

// unlinkIdentifier forgets the Patients of an identifier that no Consent names.
func (r *Register) unlinkIdentifier(name string) {
	for patient := range r.patientsOf[name] {
		if r.patientCount[patient] == 0 {
			r.unlink(name, patient)
		}
	}
}

// unlinkPatient forgets the identifiers of a Patient without statements about its id, except those that a
// Consent names.
func (r *Register) unlinkPatient(patient string) {
	for name := range r.identifiersOf[patient] {
		if r.identifierCount[name] == 0 || r.deleted[patient] {
			r.unlink(name, patient)
		}
	}
	delete(r.deleted, patient)
}
