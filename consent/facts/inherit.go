package facts

import (
	"slices"

	"carerecord/fhir/index"
	"carerecord/store"
)

// SameInheritance reports whether dependents inherit the same from two versions: owners, names, named
// facts, and for a Binary also mentions.
func SameInheritance(a, b []store.Key) bool {
	for _, prefix := range []store.Key{index.OwnerPrefix(), index.AboutPrefix(), index.MentionPrefix()} {
		if !slices.Equal(index.Names(a, prefix), index.Names(b, prefix)) {
			return false
		}
	}
	return !slices.ContainsFunc(inheritedFacts, func(name string) bool { return Has(a, name) != Has(b, name) })
}

// NamesChanged returns the names on which dependents of a document depend and that a new version
// changes: its address, and of a Patient the NHS numbers that it gains or loses.
func NamesChanged(now, before store.Doc) []string {
	var out []string
	isNew := before.Version == 0 || before.Deleted()
	if isNew || now.Deleted() || !SameInheritance(now.Keys, before.Keys) {
		out = append(out, now.Ref.String())
	}
	if now.Ref.Type != "Patient" {
		return out
	}
	var after, removed []string
	if !now.Deleted() {
		after = NHSNumbers(now.Body)
	}
	if !isNew {
		removed = NHSNumbers(before.Body)
	}
	for _, number := range append(slices.Clone(after), removed...) {
		if slices.Contains(after, number) != slices.Contains(removed, number) {
			out = append(out, "nhs:"+number)
		}
	}
	return out
}
