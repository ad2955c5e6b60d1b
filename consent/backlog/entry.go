package backlog

import (
	"slices"
	"strings"

	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/store"
)

// PerType reports whether the documents of a stale name are found type by type.
func PerType(name string) bool {
	return strings.HasPrefix(name, OwnerPrefix) || strings.HasPrefix(name, LabelsPrefix)
}

// NextType moves the documents of a person on to the next type, if there is one.
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

// AttachedPrefix begins the name by which a Binary depends on the documents that attach it;
// behind it stands the id of the Binary.
const AttachedPrefix = "attached:"

// LabelsPrefix begins the stale names of persons of whom other rows are labelled than were;
// behind it stands the name of the person.
const LabelsPrefix = "labels:"

// Entry is a name of which a commit changed what it stands for, and how far the
// documents that depend on it have been keyed anew.
type Entry struct {
	// Name is Type/id or nhs: and an NHS number: of what documents depend on; or
	// owner: and the id of a Patient who was deleted, whose documents these are; or
	// attached: and the id of a Binary, which is to be keyed from what attaches it; or
	// labels: and the name of a person, whose documents are to be marked (relabel.go).
	Name string `json:"name"`
	// Subjects are the patients, by name, whom documents that depend on it may be about
	// from now on: what these refuse holds for the documents already.
	Subjects []string `json:"of,omitempty"`
	// Barred: they may be about a Patient who was restricted when deleted.
	Barred bool `json:"barred,omitempty"`
	// Remainder: what follows from the documents that depend on it through others is not all
	// noted by name; nil where it is.
	Remainder *Remainder `json:"rest,omitempty"`
	// Depth is how many documents lead to this one from a document that was written, of
	// one that only follows: it is keyed behind these.
	Depth int `json:"depth,omitempty"`
	// Type is that of the documents of a person that are keyed now; empty for those
	// that depend on the name.
	Type     string       `json:"type,omitempty"`
	After    *store.RowID `json:"after,omitempty"` // the last one that is done
	Done     int          `json:"done"`            // documents looked at
	Revision int          `json:"round,omitempty"` // which addition of a name it was
}

// OwnerPrefix begins the names of deleted Patients.
const OwnerPrefix = "owner:"

// samePosition reports whether a page that was read where o stands goes on from s.
func (s Entry) samePosition(o Entry) bool {
	same := s.After == nil && o.After == nil || s.After != nil && o.After != nil && *s.After == *o.After
	return same && s.Name == o.Name && s.Type == o.Type && s.Revision == o.Revision
}

// Merge is the name with what another entry of it says beside.
func (s Entry) Merge(o Entry) Entry {
	s.Subjects = append(slices.Clone(s.Subjects), o.Subjects...)
	slices.Sort(s.Subjects)
	s.Subjects, s.Barred = slices.Compact(s.Subjects), s.Barred || o.Barred
	s.Remainder, s.Depth = s.Remainder.Merge(o.Remainder), max(s.Depth, o.Depth)
	return s
}

// Dependents returns the query for the documents of an entry that are left. types are those
// of which the store has documents.
func (b *Backlog) Dependents(s Entry, types []string) store.Query {
	typ := s.Type
	if typ == "" && PerType(s.Name) {
		typ = types[0]
	}
	if id, owned := strings.CutPrefix(s.Name, OwnerPrefix); owned {
		return store.Query{Type: typ, Where: store.Eq{Key: index.OwnerKey(id)}, After: s.After}
	}
	if person, labels := strings.CutPrefix(s.Name, LabelsPrefix); labels {
		return store.Query{Type: typ, Where: facts.AboutPerson(person), After: s.After}
	}
	if id, attached := strings.CutPrefix(s.Name, AttachedPrefix); attached {
		return store.Query{Type: "Binary", Where: store.Eq{Key: b.binaryIDPrefix + store.Key(id)}, After: s.After}
	}
	return store.Query{Where: store.Eq{Key: index.CrossTypeDependsOnKey(s.Name)}, After: s.After}
}
