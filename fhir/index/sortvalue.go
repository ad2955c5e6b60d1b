package index

import (
	"sort"
	"strings"

	"carerecord/store"
)

// SortValue returns the value by which a document sorts: the smallest one ascending, the largest
// one descending (SRCH-191, SRCH-193). Strings sort by their folded form, then as written; tokens
// by code; dates and numbers by their start ascending and by their end descending; quantities by
// dimension and value in base units. Quantities that cannot be converted sort first, by the
// number as written. Values compare by their bytes. It returns false for a document without a
// value and for a parameter that is not Sortable.
func (x *Indexer) SortValue(typ, name string, keys []store.Key, descending bool) (string, bool) {
	p, err := x.served(typ, name)
	if err != nil || !Sortable(p.Kind) {
		return "", false
	}
	var best string
	found := false
	consider := func(value string) {
		if !found || descending && value > best || !descending && value < best {
			best, found = value, true
		}
	}
	for _, s := range p.sortClasses() {
		if s.class == classNumber && found {
			break // the same values, as written
		}
		for value := range keysWithPrefix(keys, prefix(s.number, s.class)) {
			consider(s.value(value, descending))
		}
	}
	return best, found
}

// sortClass selects the keys that have sort values, and how they are read.
type sortClass struct {
	number uint16
	class  byte
	value  func(rest string, descending bool) string
}

func (p *param) sortClasses() []sortClass {
	switch p.Kind {
	case String:
		return []sortClass{{p.number | verifies, classExact, func(s string, _ bool) string { return fold(s) + "\x00" + s }}}
	case Token:
		code := func(s string, _ bool) string { return foldCode(s) }
		return []sortClass{{p.number, classCode, code}, {p.number, classFolded, code}, {p.number, classPhone, code}}
	case URI:
		return []sortClass{{p.number, classURI, func(s string, _ bool) string { return s }}}
	case DateTime:
		return []sortClass{{p.number, classDate, ends(dateWidth)}}
	case Quantity:
		byEnds := ends(numberWidth)
		canonical := func(s string, descending bool) string {
			dimension, rest, _ := strings.Cut(s, "\x00")
			return dimension + "\x00" + byEnds(rest, descending)
		}
		written := func(s string, descending bool) string { return "\x00" + byEnds(s, descending) }
		return []sortClass{{p.number, classCanonical, canonical}, {p.number, classNumber, written}}
	case Number:
		return []sortClass{{p.number, classNumber, ends(numberWidth)}}
	case Reference, Composite, Special: // not Sortable
	}
	return nil
}

// ends returns a function that reads one end of an interval after one byte.
func ends(width int) func(string, bool) string {
	return func(s string, descending bool) string {
		s = s[1:]
		if descending && len(s) >= 2*width {
			s = s[width:]
		}
		return s[:width]
	}
}

// keysWithPrefix yields the rest of each of the sorted keys that has a prefix.
func keysWithPrefix(keys []store.Key, under store.Key) func(func(string) bool) {
	return func(yield func(string) bool) {
		i := sort.Search(len(keys), func(i int) bool { return keys[i] >= under })
		for ; i < len(keys) && strings.HasPrefix(string(keys[i]), string(under)); i++ {
			if !yield(string(keys[i][len(under):])) {
				return
			}
		}
	}
}
