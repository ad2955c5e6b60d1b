package facts

import (
	"fmt"
	"maps"
	"slices"

	"github.com/tidwall/gjson"

	"carerecord/fhir/index"
	"carerecord/store"
)

// SameInheritance reports whether dependents inherit the same from two versions: owners, names, named
// facts, and for a Binary also mentions.
func SameInheritance(a, b []store.Key) bool {
	for _, prefix := range inheritedPrefixes() {
		if !slices.Equal(index.Names(a, prefix), index.Names(b, prefix)) {
			return false
		}
	}
	return sameFacts(a, b, append(addedFacts(), inheritedFacts...))
}

// inheritedPrefixes are those of the keys that dependents inherit.
func inheritedPrefixes() []store.Key {
	return []store.Key{index.OwnerPrefix(), index.PatientPrefix(), index.AboutPrefix(), index.MentionPrefix()}
}

// addedFacts are the named facts that a document has if one of those has it from which it inherits.
func addedFacts() []string { return []string{index.FactBarred, index.FactByNumber} }

func sameFacts(a, b []store.Key, names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return Has(a, name) != Has(b, name) })
}

// SamePerson reports whether documents that refer to a Patient have the same owners and the same partition by two
// versions of it.
func SamePerson(a, b []store.Key) bool {
	return slices.Equal(index.Owners(a), index.Owners(b)) && slices.Equal(index.Names(a, index.HomePrefix()), index.Names(b, index.HomePrefix())) && sameFacts(a, b, []string{index.FactResolved})
}

// NamesChanged returns the names on which dependents of a document depend and that a new version changes: its
// address, also where a Patient has other identifiers (Keyer.withMerged), and the numbers of a Patient of the patient index
// (IndexName).
func (k *Keyer) NamesChanged(now, before store.Doc) []string {
	var out []string
	isNew := before.Version == 0 || before.Deleted()
	if isNew || now.Deleted() || !SameInheritance(now.Keys, before.Keys) || now.Ref.Type == "Patient" && !(SamePerson(now.Keys, before.Keys) && slices.Equal(index.Names(now.Keys, index.BearsPrefix()), index.Names(before.Keys, index.BearsPrefix()))) {
		out = append(out, now.Ref.String())
	}
	if now.Ref.Type != "Patient" || !k.Identity.IsIndex(now.Source) {
		return out
	}
	// What indexKnowledge says of a number, before and now; not empty where the number is joined.
	known := map[string][2]string{}
	note := func(d store.Doc, at int) {
		if d.Version == 0 || d.Deleted() {
			return
		}
		replaces, replacedBy := k.Links(d.Body)
		for _, number := range index.Owners(d.Keys) {
			of := known[number]
			of[at] = fmt.Sprintln("born", gjson.GetBytes(d.Body, "birthDate").Str, k.AliasNumber(d) != "", replaces, replacedBy)
			known[number] = of
		}
	}
	note(before, 0)
	note(now, 1)
	for _, number := range slices.Sorted(maps.Keys(known)) {
		if of := known[number]; of[0] != of[1] && IsIdentifierName(number) {
			out = append(out, IndexName(number))
		}
	}
	return out
}

// IndexPrefix begins the names on which Patients with a national number depend: the Patient of the patient
// index that has it. The name of the number follows.
const IndexPrefix = "index:"

// IndexName is the name on which the Patients with a national number depend.
func IndexName(number string) string { return IndexPrefix + number }

// ReliesOn returns the names on which a live document depends without a DependsOnKey: the Patients through whom
// it is about its owners, and the patient index's Patients of its own numbers.
func (k *Keyer) ReliesOn(d store.Doc) []string {
	var out []string
	for _, id := range index.Names(d.Keys, index.PatientPrefix()) {
		if d.Ref != (store.Ref{Type: "Patient", ID: id}) {
			out = append(out, "Patient/"+id)
		}
	}
	if d.Ref.Type == "Patient" && k.Identity != nil && k.Identity.Index != "" && !k.Identity.IsIndex(d.Source) {
		for _, number := range index.Names(d.Keys, index.NumberPrefix()) {
			out = append(out, IndexName(number))
		}
	}
	return out
}
