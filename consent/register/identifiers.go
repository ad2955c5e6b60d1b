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

// NewNames returns the identifiers and the Patient ids whose links some writes make necessary: those that deciding
// Consents among them name, and the national numbers of Patients about whom there is a statement. Begin must have
// been called.
func (r *Register) NewNames(writes []store.Write) (identifiers, patients []string) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, w := range writes {
		if w.Doc.Ref.Type == "Patient" && !w.Doc.Deleted() && r.patientCount[w.Doc.Ref.ID] > 0 {
			identifiers = append(identifiers, r.numbersAmong(index.Names(w.Doc.Keys, index.BearsPrefix()))...)
		}
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

// numbersAmong returns the national numbers among some identifiers.
func (r *Register) numbersAmong(identifiers []string) []string {
	return slices.DeleteFunc(slices.Clone(identifiers), func(name string) bool { return !r.national(name) })
}

// FindPatients links the Patients that have or had some identifiers, and some Patients together with all that have
// or had one of their national numbers. Patients that other commits write at the same time are included.
func (r *Register) FindPatients(ctx context.Context, s store.Store, identifiers, patients []string) error {
	if len(identifiers)+len(patients) == 0 {
		return nil
	}
	err := s.Read(ctx, func(snap store.Snapshot) error {
		search := slices.Clone(identifiers)
		for _, id := range patients {
			d, err := snap.Get(ctx, store.Ref{Type: "Patient", ID: id})
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			found := r.linkPatient(id, index.Names(d.Keys, index.BearsPrefix()), err == nil && d.Deleted())
			search = append(search, r.numbersAmong(found)...)
		}
		for _, name := range facts.Distinct(search) {
			for d, err := range snap.Scan(ctx, store.Query{Type: "Patient", Where: store.Eq{Key: index.BearsKey(name)}, KeysOnly: true}) {
				if err != nil {
					return err
				}
				r.linkPatient(d.Ref.ID, index.Names(d.Keys, index.BearsPrefix()), false)
			}
			r.linkInFlight(name)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look up the patients of a directive: %w", err)
	}
	return nil
}

// linkPatient links a Patient to identifiers that are committed and to those of its in-flight commits. It returns
// all of them.
func (r *Register) linkPatient(id string, committed []string, deleted bool) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range committed {
		r.link(name, id, true)
	}
	if deleted {
		r.deleted[id] = true
	}
	found := committed
	for w, written := range r.inFlight {
		if w.Doc.Ref.ID != id {
			continue
		}
		for _, name := range written {
			r.link(name, id, false)
		}
		found = append(found, written...)
	}
	return found
}

// linkInFlight links the Patients of in-flight commits that have an identifier to all their identifiers.
func (r *Register) linkInFlight(identifier string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for w, written := range r.inFlight {
		if slices.Contains(written, identifier) {
			for _, name := range written {
				r.link(name, w.Doc.Ref.ID, false)
			}
		}
	}
}

// linkRelevant links a Patient to all its identifiers if a statement may be about it: about its id, about one of the
// identifiers, or about another Patient that has or had one of its national numbers. mu must be held, here and below.
func (r *Register) linkRelevant(identifiers []string, patient string, committed bool) {
	if r.patientCount[patient] == 0 && !slices.ContainsFunc(identifiers, r.relevant) {
		return
	}
	for _, name := range identifiers {
		r.link(name, patient, committed)
	}
}

// relevant reports whether there is a statement about an identifier, or about a Patient that has or had it and it is
// a national number.
func (r *Register) relevant(identifier string) bool {
	if r.identifierCount[identifier] > 0 {
		return true
	}
	if r.national(identifier) {
		for patient := range r.patientsOf[identifier] {
			if r.patientCount[patient] > 0 {
				return true
			}
		}
	}
	return false
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

// unlinkPatient forgets the identifiers of a deleted Patient.
func (r *Register) unlinkPatient(patient string) {
	for name := range r.identifiersOf[patient] {
		r.unlink(name, patient)
	}
	delete(r.deleted, patient)
}
