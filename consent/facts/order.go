package facts

import (
	"slices"
	"sync"

	"carerecord/fhir/index"
	"carerecord/fhir/r4"
)

// inheritsFromAny reports whether documents of a type may inherit owners from documents of any type.
// A Binary does not inherit from these.
func inheritsFromAny(typ string) bool {
	switch typ {
	case "Provenance", "List", "Group", "Linkage", "AuditEvent", "Binary":
		return true
	}
	return false
}

// keyOrders is the order in which types are keyed: Patients first, and types after those that they may
// inherit owners from. Types that inherit from each other in a cycle come last (lastKeyOrder).
var keyOrders = sync.OnceValue(func() map[string]int {
	at := map[string]int{}
	for range lastKeyOrder {
		for _, typ := range r4.Resources() {
			if typ == "Patient" {
				continue
			}
			at[typ] = max(at[typ], 1)
			for _, from := range index.InheritsFrom(typ) {
				if from != typ {
					at[typ] = min(max(at[typ], at[from]+1), lastKeyOrder)
				}
			}
		}
	}
	return at
})

const lastKeyOrder = 12

// KeyOrder returns the position of a type in the order of keying.
func KeyOrder(typ string) int { return keyOrders()[typ] }

// MayInheritFromItself reports whether a document of a type may inherit, directly or through others,
// from another one of the type, so that one walk over the type may not be enough.
func MayInheritFromItself(typ string) bool {
	return KeyOrder(typ) == lastKeyOrder || slices.Contains(index.InheritsFrom(typ), typ)
}
