package register

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/store"
)

// NewNames returns the identifiers and the Patient ids whose links some writes make necessary: those that deciding
// Consents among them name, Patients about whom there is a statement, and linked Patients with ties. Begin must have been
// called.
func (r *Register) NewNames(writes []store.Write) (identifiers, patients []string) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, w := range writes {
		id := w.Doc.Ref.ID
		if w.Doc.Ref.Type == "Patient" && !w.Doc.Deleted() && len(r.identifiersOf[id]) > 0 {
			tied := slices.ContainsFunc(index.Names(w.Doc.Keys, index.BearsPrefix()), func(name string) bool { _, tie := facts.TiedPatient(name); return tie })
			if r.patientCount[id] > 0 || tied {
				patients = append(patients, id)
			}
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

// FindPatients links the Patients that have or had some identifiers, and some Patients together with all that have or had
// one of their connecting identifiers; and for each the Patients tied to it. Patients that other commits write at the same
// time are included.
func (r *Register) FindPatients(ctx context.Context, s store.Store, identifiers, patients []string) error {
	if len(identifiers)+len(patients) == 0 {
		return nil
	}
	err := s.Read(ctx, func(snap store.Snapshot) error {
		f := finder{register: r, snap: snap, searched: map[string]bool{}, linked: map[string]bool{}}
		for _, id := range patients {
			if err := f.patient(ctx, id, true); err != nil {
				return err
			}
		}
		for _, name := range identifiers {
			if err := f.identifier(ctx, name, false); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look up the patients of a directive: %w", err)
	}
	return nil
}

// finder links the Patients of one FindPatients. Each Patient is read, and each identifier is looked up, at most twice.
type finder struct {
	register         *Register
	snap             store.Snapshot
	searched, linked map[string]bool // identifiers; ids of Patients; true with all connecting identifiers
}

// patient links a Patient and those tied to it. with says that there may be a statement about its id: then all that have or
// had one of its connecting identifiers are linked too.
func (f *finder) patient(ctx context.Context, id string, with bool) error {
	if all, known := f.linked[id]; all || known && !with {
		return nil
	}
	f.linked[id] = with
	d, err := f.snap.Get(ctx, store.Ref{Type: "Patient", ID: id})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	var names []string
	deleted := err == nil && d.Deleted()
	if err == nil && !(deleted && !f.register.hasStatement(id)) { // others are forgotten when they are deleted
		names = facts.NamesBorne(d)
	}
	return f.follow(ctx, f.register.linkPatient(id, names, deleted), with)
}

// follow looks up the connecting identifiers of a linked Patient.
func (f *finder) follow(ctx context.Context, names []string, with bool) error {
	for _, name := range names {
		tied, tie := facts.TiedPatient(name)
		if tie {
			if err := f.patient(ctx, tied, with); err != nil {
				return err
			}
		}
		if tie || with && f.register.connects(name) {
			if err := f.identifier(ctx, name, tie && with); err != nil {
				return err
			}
		}
	}
	return nil
}

// identifier links the Patients that have or had an identifier, and those tied to them. with is that of patient.
func (f *finder) identifier(ctx context.Context, name string, with bool) error {
	if all, known := f.searched[name]; all || known && !with {
		return nil
	}
	f.searched[name] = with
	var found []string
	for d, err := range f.snap.Scan(ctx, store.Query{Type: "Patient", Where: store.Eq{Key: index.BearsKey(name)}, KeysOnly: true}) {
		if err != nil {
			return err
		}
		found = append(found, d.Ref.ID)
	}
	found = append(found, f.register.inFlightWith(name)...)
	for _, id := range found {
		if err := f.patient(ctx, id, with); err != nil {
			return err
		}
	}
	return nil
}

// hasStatement reports whether there is a statement about the id of a Patient.
func (r *Register) hasStatement(id string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.patientCount[id] > 0
}

// linkPatient links a Patient to identifiers that are committed and to those of its in-flight commits. It returns
// all of them.
func (r *Register) linkPatient(id string, committed []string, deleted bool) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range committed {
		r.link(name, id, true)
	}
	if deleted && r.patientCount[id] > 0 {
		r.deleted[id] = true
	}
	found := slices.Clone(committed)
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

// inFlightWith returns the ids of the Patients that in-flight commits write with an identifier.
func (r *Register) inFlightWith(identifier string) (ids []string) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for w, written := range r.inFlight {
		if slices.Contains(written, identifier) {
			ids = append(ids, w.Doc.Ref.ID)
		}
	}
	return ids
}

// linkRelevant links a Patient to all its identifiers if a statement may be about it: about its id, about one of the
// identifiers, or about another Patient that has or had a connecting one. mu must be held, here and below.
func (r *Register) linkRelevant(identifiers []string, patient string, committed bool) {
	if r.patientCount[patient] == 0 && !slices.ContainsFunc(identifiers, func(name string) bool { return r.relevant(name, patient) }) {
		return
	}
	for _, name := range identifiers {
		r.link(name, patient, committed)
	}
}

// relevant reports whether there is a statement about an identifier of a Patient, or about another Patient that has or had
// it and it connects them; or whether another linked Patient has the name of a tie.
func (r *Register) relevant(identifier, of string) bool {
	if r.identifierCount[identifier] > 0 {
		return true
	}
	if !r.connects(identifier) {
		return false
	}
	_, tie := facts.TiedPatient(identifier)
	for patient := range r.patientsOf[identifier] {
		if tie && patient != of {
			return true
		}
		if slices.ContainsFunc(r.withTied([]string{patient}, false), func(id string) bool { return r.patientCount[id] > 0 }) {
			return true
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

// hasIndexTie reports whether a document is a Patient of the patient index with a link.
func (r *Register) hasIndexTie(d store.Doc) bool {
	return slices.ContainsFunc(index.Names(d.Keys, index.BearsPrefix()), r.isIndexTie)
}

// unlinkWithdrawn withdraws the ties that the patient index no longer sends with a Patient (IDN-134), after a commit.
func (r *Register) unlinkWithdrawn(identifiers []string, ref store.Ref) {
	if ref.Type != "Patient" {
		return
	}
	var withdrawn []string
	for name := range r.identifiersOf[ref.ID] {
		if r.isIndexTie(name) && !slices.Contains(identifiers, name) {
			r.patientsOf[name][ref.ID], r.identifiersOf[ref.ID][name] = false, false
			withdrawn = append(withdrawn, name)
		}
	}
	r.unlinkFailed(withdrawn, ref.ID)
}

// unlinkPatient forgets the identifiers of a deleted Patient, except those of commits in flight: one may restore it.
func (r *Register) unlinkPatient(patient string) {
	identifiers := slices.Collect(maps.Keys(r.identifiersOf[patient]))
	for _, name := range identifiers {
		r.patientsOf[name][patient], r.identifiersOf[patient][name] = false, false // no longer committed
	}
	r.unlinkFailed(identifiers, patient)
	delete(r.deleted, patient)
}
