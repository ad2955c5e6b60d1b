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
	appears := before.Version == 0 || before.Deleted()
	if appears || now.Deleted() || !SameInheritance(now.Keys, before.Keys) {
		out = append(out, now.Ref.String())
	}
	if now.Ref.Type != "Patient" {
		return out
	}
	var a, b []string
	if !now.Deleted() {
		a = NHSNumbers(now.Body)
	}
	if !appears {
		b = NHSNumbers(before.Body)
	}
	for _, number := range append(slices.Clone(a), b...) {
		if slices.Contains(a, number) != slices.Contains(b, number) {
			out = append(out, "nhs:"+number)
		}
	}
	return out
}
