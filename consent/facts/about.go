package facts

import (
	"strings"

	"carerecord/fhir/index"
	"carerecord/store"
)

// About is what is about somebody in a set: as an owner, or by another name.
func About(in store.Set) store.Pred {
	//law:names-covered
	return store.Or{store.In{Prefix: index.OwnerPrefix(), Set: in}, store.In{Prefix: index.AboutPrefix(), Set: in}}
}

// AboutPerson is what is about somebody, by a name. It drives an index.
func AboutPerson(name string) store.Or {
	return store.Or{store.Eq{Key: index.OwnerKey(name)}, store.Eq{Key: index.AboutKey(name)}}
}

// NameSet is a set that does not change.
type NameSet map[string]bool

// Has implements store.Set.
func (m NameSet) Has(name string) bool { return m[name] }

// SetFunc is a set of ids, as a function.
type SetFunc func(id string) bool

// Has implements store.Set.
func (f SetFunc) Has(id string) bool { return f(id) }

// SubjectNames are the names of those whom documents may be about that follow from one.
func SubjectNames(d store.Doc) []string {
	if d.Ref.Type == "Patient" {
		return []string{d.Ref.ID}
	}
	return Persons(d.Keys)
}

// IsDocumentName reports whether a name on which documents depend is the address of one
// that they inherit from.
func IsDocumentName(name string) bool {
	return !strings.HasPrefix(name, "nhs:") && !strings.HasPrefix(name, "Patient/")
}

// IsIdentifierName reports whether a name is not the id of a Patient.
func IsIdentifierName(name string) bool { return strings.ContainsRune(name, ':') }
