package consent

import (
	"slices"
	"strings"

	"carerecord/fhir/index"
	"carerecord/store"
)

// staleSet says which documents may stand under keys that are not theirs any more. It
// does not change once it is made.
type staleSet struct {
	all     staleNames
	barred  staleNames // those of the names that are Barred
	entries []staleName
	// relabelled are persons, by name, whose documents may lack factPoints. Their keys
	// are theirs otherwise.
	relabelled members
}

func newStaleSet(binaryIDs store.Key) *staleSet {
	return &staleSet{all: newStaleNames(binaryIDs), barred: newStaleNames(binaryIDs), relabelled: members{}}
}

func (s *staleSet) add(entry staleName) {
	if person, labels := strings.CutPrefix(entry.Name, labelsName); labels {
		s.relabelled[person] = true
		return
	}
	s.entries = append(s.entries, entry)
	s.all.add(entry)
	if entry.Barred {
		s.barred.add(entry)
	}
}

func (s *staleSet) empty() bool { return len(s.entries) == 0 }

// covering says why a document is stale: what the names say by which it is.
func (s *staleSet) covering(keys []store.Key) (out staleName) {
	for _, entry := range s.entries {
		one := newStaleNames(s.all.binaryIDs)
		one.add(entry)
		if store.Match(one.where(), keys) {
			out = out.with(staleName{Of: entry.Of, Barred: entry.Barred, Depth: entry.Depth})
		}
	}
	return out
}

// where is what such documents satisfy.
func (s *staleSet) where() store.Pred { return s.all.where() }

// restricted is what those of such documents satisfy that may be about a Patient who was
// restricted when deleted.
func (s *staleSet) restricted() store.Pred { return s.barred.where() }

// of is what those of such documents satisfy that may be about somebody in a set.
func (s *staleSet) of(set store.Set) store.Pred {
	some := newStaleNames(s.all.binaryIDs)
	for _, entry := range s.entries {
		if slices.ContainsFunc(entry.Of, set.Has) {
			some.add(entry)
		}
	}
	return some.where()
}

// unmarked is what documents satisfy that may lack factPoints, as far as where does not
// hide them; the empty Or for none. It drives an index where they are of few persons.
func (s *staleSet) unmarked() store.Or {
	if len(s.relabelled) > unmarkedMost {
		return store.Or{owned(s.relabelled)}
	}
	var out store.Or
	for name := range s.relabelled {
		out = append(out, aboutPerson(name)...)
	}
	return out
}

// unmarkedMost is of how many persons documents are found by the index.
const unmarkedMost = 50

// staleNames are stale names, by the keys of the documents that depend on them.
type staleNames struct {
	binaryIDs store.Key // begins the key of the id of a Binary
	owners    members   // ids of deleted Patients, whose documents these are
	wants     members   // on which documents depend
	// persons are those of wants that are Patients and numbers: what follows a document
	// through others is about the person by the same name (index.AboutKey).
	persons  members
	binaries members // ids of Binaries that are to be keyed
	rest     *rest   // beside these; nil for nothing
}

func newStaleNames(binaryIDs store.Key) staleNames {
	return staleNames{binaryIDs: binaryIDs, owners: members{}, wants: members{}, persons: members{}, binaries: members{}}
}

func (n *staleNames) add(entry staleName) {
	name := entry.Name
	n.rest = n.rest.with(entry.Rest)
	if id, owner := strings.CutPrefix(name, ownerName); owner {
		n.owners[id] = true
		return
	}
	if id, attached := strings.CutPrefix(name, attachedName); attached {
		n.binaries[id], n.wants["Binary/"+id] = true, true
		return
	}
	n.wants[name] = true
	if patient, is := strings.CutPrefix(name, "Patient/"); is {
		n.persons[patient] = true
	} else if strings.HasPrefix(name, "nhs:") {
		n.persons[name] = true
	}
}

// where is what documents satisfy that depend on one of the names.
func (n *staleNames) where() store.Pred {
	out := store.Or{
		store.In{Prefix: index.OwnerPrefix(), Set: n.owners},
		store.In{Prefix: index.DependsOnPrefix(), Set: n.wants},
		store.In{Prefix: index.AboutPrefix(), Set: n.persons},
		store.In{Prefix: n.binaryIDs, Set: n.binaries},
	}
	if n.rest != nil {
		out = append(out, n.rest.where())
	}
	return out
}

// members is a set that does not change.
type members map[string]bool

// Has implements store.Set.
func (m members) Has(name string) bool { return m[name] }
