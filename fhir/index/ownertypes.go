package index

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"carerecord/fhir/r4"
)

// InheritsFrom returns the types, sorted, from which documents of a type may inherit owners: the
// types with owners, except Patient, to which references at its owner paths may refer. Bundle and
// Parameters inherit from all types from which their entries may inherit. A Binary inherits from
// these and from the targets of its securityContext. It is nil for a type whose owners are only
// Patients, and for a type without owners.
func InheritsFrom(typ string) []string { return slices.Clone(inheritance()[typ]) }

// Inherits reports whether documents of a type can inherit owners from another resource.
func Inherits(typ string) bool { return len(inheritance()[typ]) > 0 }

// IsCare reports whether resources of a type are care given: the column care of owners.txt (IDN-132).
func IsCare(typ string) bool { return ownerLines()[typ].care }

var ownerLines = sync.OnceValue(func() map[string]ownerLine {
	rules, err := parseOwners(ownerTable)
	if err != nil {
		panic("index: " + err.Error()) // the file is part of the program
	}
	return rules
})

var inheritance = sync.OnceValue(func() map[string][]string {
	rules := ownerLines()
	through := map[string][]string{}
	every := map[string]bool{}
	for typ, rule := range rules {
		set := map[string]bool{}
		for _, p := range rule.owners {
			p, limit, _ := strings.Cut(p, ":")
			for _, target := range ownerTargets(typ, p) {
				if rules[target].rule == Owned && target != "Patient" && (limit == "" || limit == target) {
					set[target], every[target] = true, true
				}
			}
		}
		through[typ] = slices.Sorted(maps.Keys(set))
	}
	for typ, rule := range rules {
		if rule.byMention || typ == "Binary" {
			through[typ] = slices.Sorted(maps.Keys(every))
		}
	}
	return through
})

// ownerTargets returns the types to which a reference at an owner path may refer.
func ownerTargets(typ, path string) []string {
	e := r4.ElementAt(typ + "." + path)
	if e == nil {
		return r4.Resources()
	}
	var out []string
	for _, ref := range e.Types {
		if ref.Name != "Reference" {
			continue
		}
		if ref.Targets == nil || slices.Contains(ref.Targets, "Resource") {
			return r4.Resources()
		}
		out = append(out, ref.Targets...)
	}
	return out
}
