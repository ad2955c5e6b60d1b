package consent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"carerecord/fhir/index"
	"carerecord/store"
)

// For staff, patients and everybody without a guard a reference to a Patient means the person, as far as the View
// shows it (IDN-120). Source systems search literally (IDN-124). The functions of this file read with the decision of
// the View and without its scopes (ForPersons): an app that may search Observations of a patient finds those of the whole person.

// ForPersons returns the View in which the Patients of a person are looked up: without the scopes, unless these permit to see
// Patients of the person in context alone. Then other Patients join nothing, as if they were absent.
func (v *View) ForPersons() *View {
	p := v.grant.principal
	if p.May("Patient", "rs") && p.contextOnly("Patient", "rs") {
		return v.WithPermission("rs")
	}
	return v.WithPermission("")
}

// Joins reports whether the View shows persons rather than Patients.
func (v *View) Joins() bool {
	if v.guard.keyer.Identity == nil {
		return false
	}
	switch v.grant.principal.Kind {
	case Staff, Patient, System:
		return true
	case Nobody, SourceSystem, Backend, Administrator:
	}
	return false
}

// Person is a person whom the View shows.
type Person struct {
	// Keys are the person keys that act as one (IDN-134), the surviving one first; they must not leave the server.
	Keys     []string
	Patients []store.Doc          // the visible Patients, without bodies, best first (IDN-122)
	Numbers  []index.PersonNumber // by which rows may refer to the person
}

// personCache has the persons of one View, by each person key; nil for one whom it does not show.
type personCache map[string]*Person

// SourcesOf returns the visible Patients of the person of a Patient, with bodies, best first (IDN-121, 122). It
// returns the Patient alone where the View shows no persons (IDN-124), and store.ErrNotFound for one who is hidden,
// absent or deleted.
func (v *View) SourcesOf(ctx context.Context, id string) ([]store.Doc, error) {
	d, err := v.Get(ctx, store.Ref{Type: "Patient", ID: id})
	if err != nil {
		return nil, err
	}
	if d.Deleted() {
		return nil, store.ErrNotFound
	}
	return v.withOthers(ctx, []store.Doc{d})
}

// PatientsByIdentifier returns the visible Patients of the person of a national number; else those that match a predicate, which
// says who has the identifier, and the other visible Patients of these persons. They have bodies, each person's best comes first.
// Where the View shows no persons, it returns the matches alone (IDN-124). If more than most Patients match, the error is
// ErrManyPatients.
func (v *View) PatientsByIdentifier(ctx context.Context, system, value string, where store.Pred, most int) ([]store.Doc, error) {
	if v.Joins() {
		p, err := v.PersonByNumber(ctx, system, value)
		if err != nil {
			return nil, err
		}
		if p != nil {
			return v.withOthers(ctx, p.Patients[:1])
		}
	}
	var matches []store.Doc
	for d, err := range v.Scan(ctx, store.Query{Type: "Patient", Where: where}) {
		if err != nil {
			return nil, fmt.Errorf("find the Patients of an identifier: %w", err)
		}
		if matches = append(matches, d); len(matches) > most {
			return nil, ErrManyPatients
		}
	}
	return v.withOthers(ctx, matches)
}

// ErrManyPatients says that more Patients match than one answer may have.
var ErrManyPatients = errors.New("too many Patients match")

// withOthers returns some Patients and the other visible Patients of their persons, with bodies: each person's
// best first, persons in the order of the Patients.
func (v *View) withOthers(ctx context.Context, patients []store.Doc) ([]store.Doc, error) {
	if !v.Joins() {
		return patients, nil
	}
	keys := make([]string, len(patients))
	for i, d := range patients {
		keys[i] = personKey(d)
	}
	persons, err := v.PersonsByKey(ctx, keys)
	if err != nil {
		return nil, err
	}
	var refs []store.Ref
	for _, p := range persons {
		for _, d := range p.Patients {
			refs = append(refs, d.Ref)
		}
	}
	byRef := map[store.Ref]store.Doc{}
	for d, err := range v.All(ctx, refs) {
		if err != nil {
			return nil, fmt.Errorf("read the Patients of a person: %w", err)
		}
		byRef[d.Ref] = d
	}
	out := make([]store.Doc, 0, len(refs))
	for _, ref := range refs {
		if d, shown := byRef[ref]; shown {
			out = append(out, d)
		}
	}
	return out, nil
}

// SourceOf returns the organisation that a document came from, by ODS code; empty where it is unknown, where the
// region has no identity policy, and for requesters who are not staff (IDN-125).
func (v *View) SourceOf(d store.Doc) string {
	p := v.grant.principal
	if v.guard.keyer.Identity == nil || p.Kind != Staff && (p.Kind != System || p.Patient != "") {
		return ""
	}
	return d.Source
}

// PersonByNumber returns the person of a national number, or nil where the View shows no Patient of it, or it is no
// national number.
func (v *View) PersonByNumber(ctx context.Context, system, number string) (*Person, error) {
	name, ok := v.guard.keyer.NationalName(system, number)
	if !ok {
		return nil, nil
	}
	return v.PersonByKey(ctx, name)
}

// PersonByKey returns the person with a person key, or nil where the View shows no Patient of it.
func (v *View) PersonByKey(ctx context.Context, key string) (*Person, error) {
	if p, known := v.persons[key]; known || key == "" {
		return p, nil
	}
	found, err := v.PersonsByKey(ctx, []string{key})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// personChunk is how many persons are looked up in one query.
const personChunk = 100

// PersonsByKey returns the persons with some person keys whom the View shows, in the order of the keys.
func (v *View) PersonsByKey(ctx context.Context, keys []string) ([]*Person, error) {
	var missing []string
	noted := map[string]bool{}
	for _, key := range keys {
		if _, known := v.persons[key]; !known && !noted[key] {
			noted[key] = true
			missing = append(missing, key)
		}
	}
	for chunk := range slices.Chunk(missing, personChunk) {
		if err := v.readPersons(ctx, chunk); err != nil {
			return nil, err
		}
	}
	var out []*Person
	taken := map[*Person]bool{}
	for _, key := range keys {
		if p := v.persons[key]; p != nil && !taken[p] {
			taken[p] = true
			out = append(out, p)
		}
	}
	return out, nil
}

// readPersons reads the visible Patients of some persons.
func (v *View) readPersons(ctx context.Context, keys []string) error {
	persons := make([]*Person, 0, len(keys))
	of := make(map[string]*Person, len(keys)) // by each of its keys
	owners := make(store.Or, 0, len(keys))
	for _, key := range keys {
		if of[key] != nil {
			continue
		}
		group, err := v.GroupOf(ctx, key)
		if err != nil {
			return err
		}
		p := &Person{Keys: group}
		persons = append(persons, p)
		for _, key := range group {
			of[key] = p
			owners = append(owners, store.Eq{Key: index.OwnerKey(key)})
		}
	}
	for d, err := range v.ForPersons().Scan(ctx, store.Query{Type: "Patient", Where: owners, KeysOnly: true}) {
		if err != nil {
			return fmt.Errorf("find the Patients of a person: %w", err)
		}
		if p := of[personKey(d)]; p != nil {
			p.Patients = append(p.Patients, d)
		}
	}
	for _, p := range persons {
		slices.SortFunc(p.Patients, v.rank)
		for _, key := range p.Keys {
			if err := v.readNumber(ctx, p, key, len(keys) == 1); err != nil {
				return err
			}
		}
		for _, key := range p.Keys {
			if v.persons[key] = p; len(p.Patients) == 0 {
				v.persons[key] = nil
			}
		}
	}
	return nil
}

// readNumber adds a number of a person if rows may refer to the person by it. Most have no such row, and their searches
// need not look for it: look finds out, which is not worth a read for each of many. The answer depends on hidden rows too, which
// changes no result.
func (v *View) readNumber(ctx context.Context, p *Person, key string, look bool) error {
	system, number := v.guard.keyer.NumberOf(key)
	if number == "" || len(p.Patients) == 0 {
		return nil
	}
	if look {
		n, err := v.snap.Count(ctx, store.Query{Where: store.Eq{Key: index.NamesNumberKey(key)}, KeysOnly: true}, 1)
		if err != nil {
			return fmt.Errorf("find rows by the number of a person: %w", err)
		}
		if n == 0 {
			return nil
		}
	}
	p.Numbers = append(p.Numbers, index.PersonNumber{System: system, Value: number, Key: key})
	return nil
}

// rank orders the Patients of a person, best first (IDN-122).
func (v *View) rank(a, b store.Doc) int {
	switch {
	case v.Prefers(a, b):
		return -1
	case v.Prefers(b, a):
		return 1
	}
	return 0
}

// Prefers reports whether a Patient comes before another one of the same person (IDN-122). Of the patient index's own, one with
// the surviving number comes first.
func (v *View) Prefers(a, b store.Doc) bool {
	return v.guard.prefers(a, b, v.groups[personKey(a)])
}

// PersonKeyOf returns the person key of a Patient that the View returned. Those of Patients of one person may differ (GroupOf).
func (v *View) PersonKeyOf(patient store.Doc) string { return personKey(patient) }

// AddPersonKeys adds the person keys of some Patients whom the View shows, by id, and those that act as one with them.
func (v *View) AddPersonKeys(ctx context.Context, ids []string, keys index.NameSet) error {
	for d, err := range v.ForPersons().All(ctx, patientRefs(ids)) {
		if err != nil {
			return fmt.Errorf("find the persons of Patients: %w", err)
		}
		group, err := v.GroupOf(ctx, personKey(d))
		if err != nil {
			return err
		}
		for _, key := range group {
			keys[key] = true
		}
	}
	return nil
}

// MaySpread reports whether the Patients of a person may be in several partitions: the patient index links its number to
// another one (IDN-134).
func (v *View) MaySpread(person string) bool { return v.guard.MaySpread(person) }

// SpreadBetween returns the person keys of those persons of whom a Patient may be in one of the partitions from first to last and
// others elsewhere.
func (v *View) SpreadBetween(first, last store.Partition) []string {
	return v.guard.aliases.Between(first, last)
}

// OwnedBy matches the documents about the person of a Patient that the View returned.
func (v *View) OwnedBy(ctx context.Context, patient store.Doc) (store.Pred, error) {
	group, err := v.GroupOf(ctx, personKey(patient))
	return ownedBy(group), err
}

// Expand returns a predicate in which each reference to a Patient, and each identifier of a reference that is a
// national number, means the person whom the View shows (IDN-120). Everything else stays literal.
func (v *View) Expand(ctx context.Context, where store.Pred) (store.Pred, error) {
	if !v.Joins() {
		return where, nil
	}
	keys, err := v.referredKeys(ctx, where)
	if err != nil || keys == nil {
		return where, err
	}
	return index.ExpandPatients(where, func(id string) (index.PersonRefs, error) {
		p, err := v.PersonByKey(ctx, keys[id])
		return p.Refs(), err
	}, func(system, value string) (index.PersonRefs, error) {
		p, err := v.PersonByNumber(ctx, system, value)
		return p.Refs(), err
	})
}

// referredKeys returns the person keys of the visible Patients to whom a predicate refers, by id; nil if it refers to nobody.
// Where there are several it reads all their persons, and those of the national numbers to which it refers, together.
func (v *View) referredKeys(ctx context.Context, where store.Pred) (map[string]string, error) {
	var ids, persons []string
	refers := false
	if _, err := index.ExpandPatients(where, func(id string) (index.PersonRefs, error) {
		ids, refers = append(ids, id), true
		return index.PersonRefs{}, nil
	}, func(system, value string) (index.PersonRefs, error) {
		if name, ok := v.guard.keyer.NationalName(system, value); ok {
			persons = append(persons, name)
		}
		refers = true
		return index.PersonRefs{}, nil
	}); err != nil || !refers {
		return nil, err
	}
	keys := map[string]string{}
	all := v.ForPersons()
	if len(ids) == 1 { // the decision has read it
		d, err := all.Get(ctx, store.Ref{Type: "Patient", ID: ids[0]})
		if errors.Is(err, store.ErrNotFound) || err == nil && d.Deleted() {
			return keys, nil
		}
		keys[ids[0]] = personKey(d)
		return keys, err
	}
	for d, err := range all.All(ctx, patientRefs(ids)) {
		if err != nil {
			return nil, fmt.Errorf("find the persons of a search: %w", err)
		}
		keys[d.Ref.ID] = personKey(d)
		persons = append(persons, personKey(d))
	}
	if len(persons) > 1 {
		if _, err := v.PersonsByKey(ctx, persons); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// KeyOf returns the person key with a national number: digits without blanks; empty for none.
func (p *Person) KeyOf(digits string) string {
	for _, key := range p.Keys {
		if strings.HasSuffix(key, ":"+digits) || strings.HasSuffix(key, "|"+digits) {
			return key
		}
	}
	return ""
}

// Refs returns how rows refer to a person; the zero PersonRefs for nil.
func (p *Person) Refs() (r index.PersonRefs) {
	if p == nil {
		return r
	}
	r.Numbers = p.Numbers
	for _, d := range p.Patients {
		r.Patients = append(r.Patients, d.Ref.ID)
	}
	return r
}
