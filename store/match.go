package store

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Match reports whether a document with these keys satisfies the predicate. It
// is the one meaning of a predicate in the whole program. keys must be sorted.
// A nil predicate is a fault of the caller and panics.
func Match(p Pred, keys []Key) bool {
	switch p := p.(type) {
	case Eq:
		_, found := slices.BinarySearch(keys, p.Key)
		return found
	case Range:
		i := from(keys, p.Low)
		return i < len(keys) && (p.High == "" || keys[i] < p.High)
	case Span:
		return some(keys, p.Prefix, p.holds)
	case Contains:
		return some(keys, p.Prefix, p.holds)
	case In:
		return some(keys, p.Prefix, p.holds)
	case And:
		for _, q := range p {
			if !Match(q, keys) {
				return false
			}
		}
		return true
	case Or:
		for _, q := range p {
			if Match(q, keys) {
				return true
			}
		}
		return false
	case Not:
		return !Match(p.Pred, keys)
	case VerifyOnly:
		return Match(p.Pred, keys)
	}
	panic(fmt.Sprintf("store: no meaning for predicate %T", p))
}

func from(keys []Key, low Key) int {
	return sort.Search(len(keys), func(i int) bool { return keys[i] >= low })
}

func some(keys []Key, prefix Key, holds func(Key) bool) bool {
	for i := from(keys, prefix); i < len(keys) && strings.HasPrefix(string(keys[i]), string(prefix)); i++ {
		if holds(keys[i]) {
			return true
		}
	}
	return false
}

// Sorted sorts keys, drops doubles and returns them, reusing the slice.
func Sorted(keys []Key) []Key {
	slices.Sort(keys)
	return slices.Compact(keys)
}
