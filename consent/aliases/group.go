package aliases

import (
	"slices"

	"carerecord/store"
)

// groupMaximum is how many Patients of the patient index a group may have. A larger one is a mistake of the index, and no group.
const groupMaximum = 32

// Group returns the names of the numbers of the person with a number, the surviving one first. read returns those of some
// Patients of the patient index that exist for the caller, with bodies; the others supersede nothing. A number that two
// others supersede, or that supersedes itself through others, has no surviving number but itself.
func (t *Table) Group(number string, read func(ids []string) ([]store.Doc, error)) ([]string, error) {
	ids := t.connected(number)
	if len(ids) < 2 {
		return []string{number}, nil
	}
	docs, err := read(ids)
	if err != nil {
		return nil, err
	}
	next := map[string][]string{} // by a number: those that supersede it
	for _, old := range docs {
		for _, current := range docs {
			if t.keyer.Supersedes(current, old) {
				next[t.keyer.AliasNumber(old)] = append(next[t.keyer.AliasNumber(old)], t.keyer.AliasNumber(current))
			}
		}
	}
	survivor := survivorOf(number, next)
	group := []string{survivor}
	for old := range next {
		if old != survivor && survivorOf(old, next) == survivor {
			group = append(group, old)
		}
	}
	slices.Sort(group[1:])
	return group, nil
}

// survivorOf follows the numbers that supersede each other.
func survivorOf(number string, next map[string][]string) string {
	visited := []string{number}
	for at := number; ; {
		supersede := slices.Compact(slices.Sorted(slices.Values(next[at])))
		if len(supersede) != 1 {
			return at
		}
		if at = supersede[0]; slices.Contains(visited, at) {
			return number // a circle
		}
		visited = append(visited, at)
	}
}

// connected returns the ids of the Patients of a number and of those that links connect to them, sorted; nil if there are too
// many.
func (t *Table) connected(number string) []string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var ids []string
	note := func(id string) {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for id := range t.numbers[number] {
		note(id)
	}
	for i := 0; i < len(ids); i++ {
		if len(ids) > groupMaximum {
			return nil
		}
		for _, to := range t.patients[ids[i]].links {
			note(to)
		}
		for from := range t.linkedTo[ids[i]] {
			note(from)
		}
		for same := range t.numbers[t.patients[ids[i]].number] {
			note(same)
		}
	}
	slices.Sort(ids)
	return ids
}
