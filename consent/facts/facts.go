package facts

import (
	"context"
	"fmt"
	"slices"

	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// Keyed are the keys and the row ID of a document.
type Keyed struct {
	Keys  []store.Key
	RowID store.RowID
}

// Reader reads other documents: from a snapshot, or from a snapshot with a batch on top.
type Reader interface {
	// Newest returns the newest version of a document, or store.ErrNotFound.
	Newest(ctx context.Context, ref store.Ref) (store.Doc, error)
	// BeforeDeletion returns the version before a tombstone that Newest returned.
	BeforeDeletion(ctx context.Context, tombstone store.Doc) (store.Doc, error)
	// PatientsOfPerson returns the live Patients of a source with a person key, by id.
	PatientsOfPerson(ctx context.Context, person, source string) ([]store.Doc, error)
	// FormerIdentifiers returns the names of the identifiers in older versions of a Patient
	// (index.BearsKey).
	FormerIdentifiers(ctx context.Context, patient store.Doc) ([]string, error)
	// AttachedBy returns the live documents of a source that attach a Binary, by its id.
	AttachedBy(ctx context.Context, binary, source string) ([]store.Doc, error)
}

// Extract reads from the body of a document what its keys are made of.
func (k *Keyer) Extract(d store.Doc) (index.Entry, error) {
	row, err := k.Index.Index(d.Ref.Type, d.Ref.ID, d.Updated, d.Body)
	if err != nil {
		return index.Entry{}, fmt.Errorf("index %s: %w", d.Ref, err)
	}
	return row, nil
}

// Describe makes the keys of a document: those of its body, which row contains, and all facts but
// index.FactRefersToLabelled, which labels.go adds. Of d.Keys, the stored keys, it keeps CarriedFacts.
func (k *Keyer) Describe(ctx context.Context, reader Reader, d store.Doc, row index.Entry) (Keyed, error) {
	keys := append(slices.Clone(row.Keys), index.TypeKey(d.Ref.Type))
	if d.Source != "" {
		keys = append(keys, index.SourceKey(d.Source))
	}
	about, err := k.owners(ctx, reader, d, row.Owners)
	if err != nil {
		return Keyed{}, err
	}
	keys = about.appendKeys(keys)
	if d.Ref.Type == "Patient" { // a Patient's own NHS number is not a mention
		own := IdentifierNames(d.Body)
		row.Numbers = slices.DeleteFunc(slices.Clone(row.Numbers), func(number string) bool {
			return slices.Contains(own, IdentifierName(nhsNumber, number))
		})
	}
	for _, name := range mentions(row, about) {
		keys = append(keys, index.MentionKey(name))
	}
	keys = append(keys, k.namedFacts(d, row, about)...)
	keys = append(keys, CarriedFacts(d.Keys)...)
	if Has(d.Keys, index.FactInPerson) && len(index.Names(d.Keys, index.MakerPrefix())) == 0 { // the first version
		for _, person := range about.owners {
			keys = append(keys, index.MakerKey(person))
		}
	}
	if d.Ref.Type == "Patient" {
		if keys, err = k.appendIdentifiers(ctx, reader, d, keys); err != nil {
			return Keyed{}, err
		}
	}
	if d.Ref.Type == "Binary" {
		if keys, err = k.inheritFromParents(ctx, reader, d, row.Owners, keys); err != nil {
			return Keyed{}, err
		}
	} else if !inheritsFromAny(d.Ref.Type) {
		for _, id := range row.Attachments {
			keys = append(keys, index.AttachesKey(id, d.Source))
		}
	}
	home, together, err := k.home(ctx, reader, d, row.Owners)
	if err != nil {
		return Keyed{}, err
	}
	id := store.RowID{Partition: index.PartitionOf(home), SortKey: index.SortKeyOf(row.Date, d.Ref.Type, d.Ref.ID)}
	keys = append(keys, index.OtherPartitionKeys(row.Keys, together, func(system, number string) bool {
		_, ok := nationalName(k.Identity, system, number)
		return ok
	})...)
	if d.Ref.Type == "Patient" {
		keys = append(keys, index.HomeKey(home))
	}
	for _, id := range index.LogicalReferences(row.Keys) {
		if name, ok := nationalName(k.Identity, id.System, id.Value); ok && slices.Contains(about.owners, name) {
			keys = append(keys, index.NamesNumberKey(name))
		}
	}
	keys = withCrossTypeKeys(d.Ref.Type, store.Sorted(keys), d.Source)
	keys = store.Sorted(append(keys, labelledKeys(d.Ref.Type, keys)...))
	return Keyed{Keys: MarkKeys(keys, id.Partition, false), RowID: id}, nil
}

// CarriedFacts are the facts that follow from the author of the first version, and the person about whom it was made: a Patient
// may become somebody else. They are carried from version to version.
func CarriedFacts(keys []store.Key) []store.Key {
	if !Has(keys, index.FactInPerson) {
		return nil
	}
	out := []store.Key{index.FactKey(index.FactInPerson)}
	for _, person := range index.Names(keys, index.MakerPrefix()) {
		out = append(out, index.MakerKey(person))
	}
	return store.Sorted(out)
}

// appendIdentifiers adds the identifiers that a Patient has or had: a directive by one of them covers
// the Patient forever.
func (k *Keyer) appendIdentifiers(ctx context.Context, reader Reader, d store.Doc, keys []store.Key) ([]store.Key, error) {
	former, err := reader.FormerIdentifiers(ctx, d)
	if err != nil {
		return nil, err
	}
	former = slices.DeleteFunc(former, k.IsIndexTie) // the patient index may withdraw its links
	names, dependsOn, err := k.withMerged(ctx, reader, d, append(append(former, PatientNames(d.Body)...), k.tieNames(d.Body, d.Source)...))
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		keys = append(keys, index.BearsKey(name))
	}
	for _, name := range dependsOn {
		keys = append(keys, index.DependsOnKey(name))
	}
	for _, name := range validNumbers(k.Identity, d.Body) {
		keys = append(keys, index.NumberKey(name))
	}
	return keys, nil
}

// withCrossTypeKeys returns sorted keys of a document of a type with the cross-type keys that they imply.
func withCrossTypeKeys(typ string, keys []store.Key, source string) []store.Key {
	for _, name := range index.Names(keys, index.DependsOnPrefix()) {
		keys = append(keys, index.CrossTypeDependsOnKey(name))
	}
	keys = store.Sorted(keys)
	owners := index.Owners(keys)
	ordinary := Has(keys, index.FactOrdinary)
	several := len(owners) > 1 || len(index.Names(keys, index.AboutPrefix())) > 0
	for _, owner := range owners {
		if ordinary && source != "" && index.IsCare(typ) {
			keys = append(keys, index.SourceRowKey(owner, source))
		}
		if !ordinary || several {
			keys = append(keys, index.IrregularKey(owner))
		}
	}
	return store.Sorted(keys)
}

// mentions returns the names of the persons to whom a document refers without being about them: ids of
// Patients, and NHS numbers (CON-407).
func mentions(row index.Entry, about ownership) []string {
	out := slices.Clone(row.Mentions)
	for _, number := range row.Numbers {
		out = append(out, IdentifierName(nhsNumber, number))
	}
	return slices.DeleteFunc(out, func(name string) bool {
		return slices.Contains(about.owners, name) || slices.Contains(about.patients, name)
	})
}

// namedFacts returns the named facts of a document.
func (k *Keyer) namedFacts(d store.Doc, row index.Entry, about ownership) []store.Key {
	var keys []store.Key
	fact := func(name string, holds bool) {
		if holds {
			keys = append(keys, index.FactKey(name))
		}
	}
	labels, inPerson := policy.LabelsOf(d.Body), len(CarriedFacts(d.Keys)) > 0
	directive := d.Ref.Type == "Consent" || slices.ContainsFunc(row.Owners.InheritFrom, func(r fhir.Ref) bool { return r.Type == "Consent" })
	fact(index.FactResolved, about.resolved)
	fact(index.FactBarred, about.barred)
	fact(index.FactOrdinary, !labels.Restricted && !labels.Sensitive && !about.barred)
	fact(index.FactReleased, !labels.NoPatient)
	fact(index.FactShared, !directive)
	fact(index.FactByNumber, about.byNumber)
	fact(index.FactContradicted, about.contradicted)
	fact(index.FactTwoNumbers, about.twoNumbers)
	if d.Ref.Type == "Consent" {
		kind := policy.Read(d.Body, inPerson)
		fact(index.FactOptOut, kind == policy.OptOut)
		fact(index.FactDirective, kind == policy.OtherDirective)
		for _, name := range k.Covers(d.Body) {
			keys = append(keys, index.CoversKey(name))
		}
	}
	fact(index.FactRestricted, d.Ref.Type == "Patient" && (labels.Restricted || labels.Sensitive)) // CON-703
	return keys
}
