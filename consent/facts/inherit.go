package facts

import (
	"slices"

	"carerecord/fhir/index"
	"carerecord/store"
)

// SameInheritance compares what documents that depend on this one take from it: its
// owners, the names that it is about, and named facts; a Binary also its mentions.
func SameInheritance(a, b []store.Key) bool {
	for _, prefix := range []store.Key{index.OwnerPrefix(), index.AboutPrefix(), index.MentionPrefix()} {
		if !slices.Equal(index.Names(a, prefix), index.Names(b, prefix)) {
			return false
		}
	}
	return !slices.ContainsFunc(inheritedFacts, func(name string) bool { return Has(a, name) != Has(b, name) })
}

// NamesChanged are the names of which a new version changes what they stand for.
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
