package facts

import (
	"slices"
	"sync"

	"carerecord/fhir/index"
	"carerecord/fhir/r4"
)

// inheritsFromAny reports whether documents of a type take their owners from
// documents of any type: a Binary does not follow these.
func inheritsFromAny(typ string) bool {
	switch typ {
	case "Provenance", "List", "Group", "Linkage", "AuditEvent", "Binary":
		return true
	}
	return false
}

// keyOrders says when documents of a type are keyed: behind those of the types that they
// may inherit owners from, Patients first. Types that inherit from one another in a
// circle come last, in lastKeyOrder.
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

func KeyOrder(typ string) int { return keyOrders()[typ] }

// MayInheritFromItself reports whether a document of a type may inherit from another one of it, by
// whatever way, so that one walk over the type may not be enough.
func MayInheritFromItself(typ string) bool {
	return KeyOrder(typ) == lastKeyOrder || slices.Contains(index.InheritsFrom(typ), typ)
}
