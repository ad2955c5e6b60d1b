package backlog

import (
	"cmp"
	"slices"

	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/store"
)

// Remainder is a property that all indirect dependents of a name have in common. A document is about
// everybody whom its source is about, and is not resolved where its source is missing.
type Remainder struct {
	Of         []string `json:"of,omitempty"`         // about one of these persons, by name
	Unresolved bool     `json:"unresolved,omitempty"` // or not resolved
	Any        bool     `json:"any,omitempty"`        // or no common property
}

// Merge returns the union of two remainders; nil is the empty one.
func (r *Remainder) Merge(o *Remainder) *Remainder {
	if r == nil || o == nil {
		return cmp.Or(r, o)
	}
	return &Remainder{Of: facts.Distinct(r.Of, o.Of), Unresolved: r.Unresolved || o.Unresolved, Any: r.Any || o.Any}
}

// where matches these documents: they depend on a document, or are Binaries.
func (r *Remainder) where() store.Pred {
	some := store.Or{}
	if r.Any {
		some = append(some, store.And{})
	}
	if r.Unresolved {
		some = append(some, store.Not{Pred: store.Eq{Key: index.FactKey(index.FactResolved)}})
	}
	if len(r.Of) > 0 {
		some = append(some, facts.About(facts.SetFunc(func(name string) bool { _, is := slices.BinarySearch(r.Of, name); return is })))
	}
	dependent := store.Or{store.In{Prefix: index.DependsOnPrefix(), Set: facts.SetFunc(facts.IsDocumentName)}, store.Eq{Key: index.TypeKey("Binary")}}
	return store.And{dependent, some}
}
