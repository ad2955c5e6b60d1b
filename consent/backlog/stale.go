package backlog

import (
	"slices"
	"strings"

	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/store"
)

// StaleSet matches the documents whose keys may be outdated. It is immutable.
type StaleSet struct {
	all     entryKeys
	barred  entryKeys // of the entries that are Barred
	entries []Entry
	// Relabelled are persons, by name, whose documents may lack index.FactRefersToLabelled. Their
	// other keys are up to date.
	Relabelled facts.NameSet
}

func newStaleSet(binaryIDs store.Key) *StaleSet {
	return &StaleSet{all: newEntryKeys(binaryIDs), barred: newEntryKeys(binaryIDs), Relabelled: facts.NameSet{}}
}

func (s *StaleSet) add(entry Entry) {
	if person, labels := strings.CutPrefix(entry.Name, LabelsPrefix); labels {
		s.Relabelled[person] = true
		return
	}
	s.entries = append(s.entries, entry)
	s.all.add(entry)
	if entry.Barred {
		s.barred.add(entry)
	}
}

// Empty reports whether no document has outdated keys; persons may still be Relabelled.
func (s *StaleSet) Empty() bool { return len(s.entries) == 0 }

// Matching returns the merged entries that match a document.
func (s *StaleSet) Matching(keys []store.Key) (out Entry) {
	for _, entry := range s.entries {
		one := newEntryKeys(s.all.binaryIDPrefix)
		one.add(entry)
		if store.Match(one.where(), keys) {
			out = out.Merge(Entry{Subjects: entry.Subjects, Barred: entry.Barred, Depth: entry.Depth})
		}
	}
	return out
}

// Where matches all documents of the set.
func (s *StaleSet) Where() store.Pred { return s.all.where() }

// WhereCompared matches the Patients that are compared with the patient index again: some may be contradicted (IDN-104).
func (s *StaleSet) WhereCompared() store.Pred {
	if len(s.all.numbers) == 0 {
		return store.Or{}
	}
	return store.Or{store.In{Prefix: index.BearsPrefix(), Set: s.all.numbers}, store.In{Prefix: index.OwnerPrefix(), Set: s.all.numbers}}
}

// WhereBarred matches those that may be about a Patient who was restricted when deleted.
func (s *StaleSet) WhereBarred() store.Pred { return s.barred.where() }

// WhereAbout matches those that may be about a person in a set.
func (s *StaleSet) WhereAbout(set store.Set) store.Pred {
	some := newEntryKeys(s.all.binaryIDPrefix)
	for _, entry := range s.entries {
		if slices.ContainsFunc(entry.Subjects, set.Has) {
			some.add(entry)
		}
	}
	return some.where()
}

// WhereUnmarked matches documents that may lack index.FactRefersToLabelled; it is the empty Or for none.
// It can drive an index where they are about few persons.
func (s *StaleSet) WhereUnmarked() store.Or {
	if len(s.Relabelled) > maxIndexedPersons {
		return store.Or{facts.About(s.Relabelled)}
	}
	var out store.Or
	for name := range s.Relabelled {
		out = append(out, facts.AboutPerson(name)...)
	}
	return out
}

// maxIndexedPersons is for how many persons WhereUnmarked drives an index.
const maxIndexedPersons = 50

// entryKeys are the names of entries, by the keys of their documents.
type entryKeys struct {
	binaryIDPrefix store.Key     // begins the key of the id of a Binary
	patients       facts.NameSet // ids of Patients that were deleted or whose person changed
	numbers        facts.NameSet // whose Patients are compared with the patient index again
	dependedOn     facts.NameSet // on which documents depend
	// persons are those of dependedOn that are Patients: indirect dependents are about the person
	// by the same name (index.AboutKey).
	persons   facts.NameSet
	binaries  facts.NameSet // ids of Binaries that must be rekeyed
	remainder *Remainder    // nil for none
}

func newEntryKeys(binaryIDs store.Key) entryKeys {
	return entryKeys{binaryIDPrefix: binaryIDs, patients: facts.NameSet{}, numbers: facts.NameSet{}, dependedOn: facts.NameSet{}, persons: facts.NameSet{}, binaries: facts.NameSet{}}
}

func (n *entryKeys) add(entry Entry) {
	name := entry.Name
	n.remainder = n.remainder.Merge(entry.Remainder)
	if id, owner := strings.CutPrefix(name, OwnerPrefix); owner {
		n.patients[id] = true
		return
	}
	if number, is := strings.CutPrefix(name, facts.IndexPrefix); is {
		n.numbers[number] = true
		return
	}
	if id, attached := strings.CutPrefix(name, AttachedPrefix); attached {
		n.binaries[id], n.dependedOn["Binary/"+id] = true, true
		return
	}
	n.dependedOn[name] = true
	if patient, is := strings.CutPrefix(name, "Patient/"); is {
		n.persons[patient] = true
	}
}

// where matches the documents of the entries.
func (n *entryKeys) where() store.Pred {
	out := store.Or{
		store.In{Prefix: index.PatientPrefix(), Set: n.patients},
		store.In{Prefix: index.BearsPrefix(), Set: n.numbers},
		store.In{Prefix: index.OwnerPrefix(), Set: n.numbers},
		store.In{Prefix: index.DependsOnPrefix(), Set: n.dependedOn},
		store.In{Prefix: index.AboutPrefix(), Set: n.persons},
		store.In{Prefix: n.binaryIDPrefix, Set: n.binaries},
	}
	if n.remainder != nil {
		out = append(out, n.remainder.where())
	}
	return out
}
