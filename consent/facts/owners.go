package facts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tidwall/gjson"

	"carerecord/consent/policy"
	"carerecord/fhir/index"
	"carerecord/store"
)

// ownership is the resolved ownership of a document.
type ownership struct {
	owners []string // person keys (index.OwnerKey), sorted and distinct
	// patients are the ids of the Patients through whom it is about these people, sorted and
	// distinct (index.PatientKey).
	patients []string
	// about are the names (index.AboutKey) of persons whom it names in a way that does not make
	// them owners, sorted and distinct.
	about []string
	// dependsOn are the names on which the result depends: a missing Patient, a number of the
	// patient index, a document that owners are inherited from.
	dependsOn    []string
	resolved     bool // every person whom it is about is known
	barred       bool // one of the persons was restricted when deleted
	byNumber     bool // an owner is known by a national number alone
	contradicted bool // it is a Patient whose number is not believed
	twoNumbers   bool // that is so because it has two numbers
}

// add adds the owners of another document.
func (o *ownership) add(of ownership) {
	o.owners, o.patients = append(o.owners, of.owners...), append(o.patients, of.patients...)
	o.about, o.dependsOn = append(o.about, of.about...), append(o.dependsOn, of.dependsOn...)
	o.barred, o.byNumber = o.barred || of.barred, o.byNumber || of.byNumber
	o.contradicted, o.twoNumbers = o.contradicted || of.contradicted, o.twoNumbers || of.twoNumbers
}

// appendKeys appends the keys of the owners and names.
func (o *ownership) appendKeys(keys []store.Key) []store.Key {
	for _, p := range o.owners {
		keys = append(keys, index.OwnerKey(p))
	}
	for _, id := range o.patients {
		keys = append(keys, index.PatientKey(id))
	}
	for _, name := range o.about {
		keys = append(keys, index.AboutKey(name))
	}
	for _, name := range o.dependsOn {
		keys = append(keys, index.DependsOnKey(name))
	}
	return keys
}

// owners resolves the people whom a document is about (IDN-110). The document is its own owner if it is a
// Patient with an address.
func (k *Keyer) owners(ctx context.Context, reader Reader, d store.Doc, o index.Ownership) (ownership, error) {
	switch {
	case o.Rule == index.Unowned:
		return ownership{resolved: true}, nil
	case o.Rule == index.NoRule:
		return ownership{}, nil
	}
	out := ownership{resolved: true}
	add := func(of ownership, err error) error {
		out.add(of)
		out.resolved = out.resolved && of.resolved
		return err
	}
	for _, p := range o.Patients {
		if err := add(k.ownerByID(ctx, reader, d, store.Ref{Type: "Patient", ID: p})); err != nil {
			return ownership{}, err
		}
	}
	for _, id := range o.Identifiers {
		if err := add(k.ownerByIdentifier(d, id), nil); err != nil {
			return ownership{}, err
		}
	}
	for _, b := range o.Beside {
		if err := add(k.besideReference(ctx, reader, d, b)); err != nil {
			return ownership{}, err
		}
	}
	for _, url := range o.Foreign {
		out.about = append(append(out.about, "url:"+url), policy.NamesInLiteral(url)...)
	}
	for _, ref := range o.InheritFrom {
		target := store.Ref{Type: ref.Type, ID: ref.ID}
		of, err := k.inheritOwners(ctx, reader, target)
		of.dependsOn = append(of.dependsOn, target.String())
		if err := add(of, err); err != nil {
			return ownership{}, err
		}
	}
	out.owners, out.patients = Distinct(out.owners), Distinct(out.patients)
	out.about = slices.DeleteFunc(Distinct(out.about), func(name string) bool { return slices.Contains(out.owners, name) })
	named := len(o.Patients) + len(o.Identifiers) + len(o.InheritFrom)
	// Without an owner it is resolved only if it may be about nobody and all its sources
	// are: a Slot of a Practitioner's Schedule.
	nobody := o.Optional && len(o.Identifiers) == 0
	out.resolved = out.resolved && !o.Unsettled && named > 0 && (!o.Unresolved || nobody || len(out.owners) > 0)
	return out, nil
}

// ownerByID resolves an owner that is named by the id of a Patient: the person of that Patient. Directives
// about the identifiers that a deleted Patient had, and about Patients that its source merged with it, still apply.
func (k *Keyer) ownerByID(ctx context.Context, reader Reader, d store.Doc, ref store.Ref) (ownership, error) {
	if d.Ref == ref {
		return k.ownerItself(ctx, reader, d)
	}
	p, err := reader.Newest(ctx, ref)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return ownership{}, fmt.Errorf("look up owner: %w", err)
	}
	if err == nil && !p.Deleted() {
		return ownership{owners: index.Owners(p.Keys), patients: []string{ref.ID}, resolved: Has(p.Keys, index.FactResolved)}, nil
	}
	out := ownership{about: []string{ref.ID}, dependsOn: []string{ref.String()}}
	//law:dead-patient
	if err == nil {
		out.about = append(out.about, NamesBorne(p)...)
		out.barred = Has(p.Keys, index.FactRestricted)
	}
	return out, nil
}

// ownerItself is the ownership of a Patient.
func (k *Keyer) ownerItself(ctx context.Context, reader Reader, d store.Doc) (ownership, error) {
	state, err := k.StateOf(ctx, reader, d)
	if err != nil {
		return ownership{}, err
	}
	//law:patient-contradicted
	return ownership{owners: []string{cmp.Or(state.Number, d.Ref.ID)}, patients: []string{d.Ref.ID}, resolved: !state.Contradicted, contradicted: state.Contradicted,
		twoNumbers: state.Reason == TwoNumbers}, nil
}

// StateOf returns who a Patient is, and why (IDN-102 to 106).
func (k *Keyer) StateOf(ctx context.Context, reader Reader, d store.Doc) (PersonState, error) {
	return personOf(k.Identity, d.Body, d.Source, d.Updated, indexPatients{ctx, k, reader})
}

// indexPatients is the indexKnowledge of the stored Patients of the patient index.
type indexPatients struct {
	ctx    context.Context
	keyer  *Keyer
	reader Reader
}

// birthDate implements indexKnowledge. Where the index has several Patients of a number, it is that of the smallest id.
func (x indexPatients) birthDate(number string) (string, bool, error) {
	patients, err := x.reader.PatientsOfPerson(x.ctx, number, x.keyer.Identity.Index)
	if err != nil || len(patients) == 0 {
		return "", false, err
	}
	return gjson.GetBytes(patients[0].Body, "birthDate").Str, true, nil
}

// supersedes implements indexKnowledge.
func (x indexPatients) supersedes(current, old string) (bool, error) {
	survivors, err := x.reader.PatientsOfPerson(x.ctx, current, x.keyer.Identity.Index)
	if err != nil {
		return false, err
	}
	former, err := x.reader.PatientsOfPerson(x.ctx, old, x.keyer.Identity.Index)
	for _, o := range former {
		for _, s := range survivors {
			if x.keyer.Supersedes(s, o) {
				return true, nil
			}
		}
	}
	return false, err
}

// ownerByIdentifier resolves an owner that is named by an identifier: the person of a national number, if
// the source traces numbers, whether or not a Patient of that number exists. The number in a patient's own statement is the one
// with which the patient signed in.
func (k *Keyer) ownerByIdentifier(d store.Doc, id index.Identifier) ownership {
	proved := d.Ref.Type == "Consent" && d.Source == "" && Has(d.Keys, index.FactInPerson)
	if name, ok := nationalName(k.Identity, id.System, id.Value); ok && (proved || k.Identity.Traces(d.Source)) {
		return ownership{owners: []string{name}, resolved: true, byNumber: true}
	}
	return ownership{about: append(aliases(id.System, id.Value), IdentifierName(id.System, id.Value))}
}

// besideReference adds the number that a reference to a Patient has besides the id (IDN-111, 114). The document
// is unresolved if the Patient is of the same source and does not bear the number. The Patient of another source
// is not compared: the result would tell its number.
func (k *Keyer) besideReference(ctx context.Context, reader Reader, d store.Doc, b index.Beside) (ownership, error) {
	name, ok := nationalName(k.Identity, b.Identifier.System, b.Identifier.Value)
	if !ok {
		return ownership{resolved: true}, nil
	}
	//law:number-beside
	out := ownership{about: []string{name}, resolved: true}
	if !k.Identity.Traces(d.Source) {
		return out, nil
	}
	p, err := reader.Newest(ctx, store.Ref{Type: "Patient", ID: b.Patient})
	if errors.Is(err, store.ErrNotFound) {
		return out, nil
	}
	if err != nil {
		return ownership{}, fmt.Errorf("look up owner: %w", err)
	}
	out.resolved = p.Deleted() || p.Source != d.Source || store.Match(store.Eq{Key: index.NumberKey(name)}, p.Keys)
	return out, nil
}

// inheritOwners returns the owners of another document, and the names on which they depend in addition
// to that document. They are not resolved where that document is missing or not resolved.
func (k *Keyer) inheritOwners(ctx context.Context, reader Reader, ref store.Ref) (ownership, error) {
	d, err := reader.Newest(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return ownership{}, nil
	}
	if err != nil {
		return ownership{}, fmt.Errorf("look up owners of a target: %w", err)
	}
	if d.Deleted() {
		out, err := k.ownersOfTombstone(ctx, reader, d)
		out.resolved = false
		return out, err
	}
	return inherited(d.Keys), nil
}

// inherited is the ownership that dependents of a live document inherit from its keys.
func inherited(keys []store.Key) ownership {
	return ownership{
		owners: index.Owners(keys), patients: index.Names(keys, index.PatientPrefix()), about: index.Names(keys, index.AboutPrefix()),
		resolved: Has(keys, index.FactResolved), barred: Has(keys, index.FactBarred), byNumber: Has(keys, index.FactByNumber),
	}
}

// visitedOnce is a Reader for tombstones that refer to each other: each is visited once.
type visitedOnce struct {
	Reader
	visited []store.Ref
}

// ownersOfTombstone returns the owners that the last version of a deleted document would have now
// (docs/decisions/019), and the names on which they depend.
func (k *Keyer) ownersOfTombstone(ctx context.Context, reader Reader, d store.Doc) (ownership, error) {
	once, nested := reader.(visitedOnce)
	if !nested {
		once.Reader = reader
	}
	if slices.Contains(once.visited, d.Ref) {
		return ownership{}, nil
	}
	once.visited = append(slices.Clone(once.visited), d.Ref)
	last, err := reader.BeforeDeletion(ctx, d)
	if err != nil {
		return ownership{}, err
	}
	row, err := k.Extract(last)
	if err != nil {
		return ownership{}, err
	}
	// Without its own address: a deleted Patient owns nothing.
	self := last
	self.Ref = store.Ref{}
	out, err := k.owners(ctx, once, self, row.Owners)
	if err != nil || d.Ref.Type != "Binary" {
		return out, err
	}
	keys, err := k.inheritFromParents(ctx, once, last, row.Owners, nil)
	keys = store.Sorted(keys)
	of := inherited(keys)
	of.dependsOn = index.Names(keys, index.DependsOnPrefix())
	out.add(of)
	return out, err
}
