package backlog

import (
	"slices"
	"strings"

	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/store"
)

// PerType reports whether the documents of an entry are found type by type.
func PerType(name string) bool {
	return strings.HasPrefix(name, OwnerPrefix) || strings.HasPrefix(name, LabelsPrefix)
}

// NextType moves on to the documents of the next type, if there is one.
func (s *Entry) NextType(types []string) bool {
	if !PerType(s.Name) {
		return false
	}
	at := 0
	if s.Type != "" {
		at, _ = slices.BinarySearch(types, s.Type)
	}
	if at+1 >= len(types) {
		return false
	}
	s.Type, s.After = types[at+1], nil
	return true
}

// AttachedPrefix begins the name by which a Binary depends on the documents that attach it. The id of
// the Binary follows.
const AttachedPrefix = "attached:"

// LabelsPrefix begins the names of entries for persons of whom other rows are labelled than before. The
// name of the person follows.
const LabelsPrefix = "labels:"

// Entry is a name that a commit changed, and the position up to which its dependents have been rekeyed.
type Entry struct {
	// Name is the name on which documents depend, Type/id; or owner:id, for the documents about a
	// Patient whose person changed or that was deleted; or index:number, for the Patients that bear
	// a number of which the patient index's Patient changed; or attached:id, for a Binary that must be rekeyed from its
	// parents; or labels:name, for documents of a person whose marks must be renewed.
	Name string `json:"name"`
	// Subjects are the patients, by name, whom the dependents may be about after the change:
	// refusals of these apply at once.
	Subjects []string `json:"of,omitempty"`
	// Persons are, in an entry owner:id, the person keys that the documents may have as owners.
	Persons []string `json:"persons,omitempty"`
	// Barred: the dependents may be about a Patient who was restricted when deleted.
	Barred bool `json:"barred,omitempty"`
	// Remainder matches indirect dependents that have no entries of their own; nil where all have.
	Remainder *Remainder `json:"rest,omitempty"`
	// Depth is the length of the chain of documents from one that was written, for an entry of
	// an indirect dependent. It is processed after those of less depth.
	Depth int `json:"depth,omitempty"`
	// Type is the type that is being processed, where PerType is true.
	Type     string       `json:"type,omitempty"`
	After    *store.RowID `json:"after,omitempty"` // the last document that is done
	Done     int          `json:"done"`            // documents read
	Revision int          `json:"round,omitempty"` // number of the addition
}

// OwnerPrefix begins the names of entries for the documents about a Patient whose person changed, or that was
// deleted. The id of the Patient follows.
const OwnerPrefix = "owner:"

// samePosition reports whether two entries are the same addition at the same position.
func (s Entry) samePosition(o Entry) bool {
	same := s.After == nil && o.After == nil || s.After != nil && o.After != nil && *s.After == *o.After
	return same && s.Name == o.Name && s.Type == o.Type && s.Revision == o.Revision
}

// Merge returns the entry with the properties of another entry of the same name.
func (s Entry) Merge(o Entry) Entry {
	s.Subjects = append(slices.Clone(s.Subjects), o.Subjects...)
	slices.Sort(s.Subjects)
	s.Subjects, s.Barred = slices.Compact(s.Subjects), s.Barred || o.Barred
	s.Persons = facts.Distinct(s.Persons, o.Persons)
	s.Remainder, s.Depth = s.Remainder.Merge(o.Remainder), max(s.Depth, o.Depth)
	return s
}

// Dependents returns the query for the remaining documents of an entry. types are the types of which the
// store has documents.
func (b *Backlog) Dependents(s Entry, types []string) store.Query {
	typ := s.Type
	if typ == "" && PerType(s.Name) {
		typ = types[0]
	}
	if id, isOwner := strings.CutPrefix(s.Name, OwnerPrefix); isOwner {
		owners := store.Or{}
		for _, person := range s.Persons {
			owners = append(owners, store.Eq{Key: index.OwnerKey(person)})
		}
		if len(s.Persons) == 0 { // of an older program
			owners = store.Or{store.Eq{Key: index.OwnerKey(id)}}
		}
		return store.Query{Type: typ, Where: store.And{owners, store.Eq{Key: index.PatientKey(id)}}, After: s.After}
	}
	if person, isLabels := strings.CutPrefix(s.Name, LabelsPrefix); isLabels {
		return store.Query{Type: typ, Where: facts.AboutPerson(person), After: s.After}
	}
	if id, isAttached := strings.CutPrefix(s.Name, AttachedPrefix); isAttached {
		return store.Query{Type: "Binary", Where: store.Eq{Key: b.binaryIDPrefix + store.Key(id)}, After: s.After}
	}
	if number, isIndex := strings.CutPrefix(s.Name, facts.IndexPrefix); isIndex {
		return store.Query{Type: "Patient", Where: store.Eq{Key: index.BearsKey(number)}, After: s.After}
	}
	return store.Query{Where: store.Eq{Key: index.CrossTypeDependsOnKey(s.Name)}, After: s.After}
}
