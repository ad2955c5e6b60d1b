package facts

import (
	"strings"

	"carerecord/fhir/index"
	"carerecord/store"
)

// About matches the documents about a person in a set, as an owner or by another name.
func About(in store.Set) store.Pred {
	//law:names-covered
	return store.Or{store.In{Prefix: index.OwnerPrefix(), Set: in}, store.In{Prefix: index.AboutPrefix(), Set: in}}
}

// AboutPerson matches the documents about a person, by a name. It can drive an index.
func AboutPerson(name string) store.Or {
	return store.Or{store.Eq{Key: index.OwnerKey(name)}, store.Eq{Key: index.AboutKey(name)}}
}

// NameSet is an immutable set of names.
type NameSet map[string]bool

// Has implements store.Set.
func (m NameSet) Has(name string) bool { return m[name] }

// SetFunc is a set as a function.
type SetFunc func(id string) bool

// Has implements store.Set.
func (f SetFunc) Has(id string) bool { return f(id) }

// SubjectNames returns the names of the persons whom dependents of a document may be about.
func SubjectNames(d store.Doc) []string {
	if d.Ref.Type == "Patient" {
		return Distinct(index.Owners(d.Keys), []string{d.Ref.ID})
	}
	return Persons(d.Keys)
}

// IsDocumentName reports whether a name on which documents depend is the address of a document that
// owners are inherited from, and not that of a Patient.
func IsDocumentName(name string) bool {
	return !strings.HasPrefix(name, IndexPrefix) && !strings.HasPrefix(name, "Patient/")
}

// IsIdentifierName reports whether the name of a person is not the id of a Patient.
func IsIdentifierName(name string) bool { return strings.ContainsRune(name, ':') }

// ForLog returns the name of a document or of a person as it may stand in a log: without identifiers of people
// (identity.md, section 1). It keeps addresses of documents and ids of Patients.
func ForLog(name string) string {
	for _, kind := range []string{"nhs:", "id:", "url:", tiePrefix} {
		if at := strings.Index(name, kind); at >= 0 {
			return name[:at] + kind + "…"
		}
	}
	return name
}
