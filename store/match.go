package store

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Match reports whether a document with these keys, which must be sorted, satisfies the
// predicate. No other function defines what a predicate means. A nil predicate panics.
func Match(p Pred, keys []Key) bool {
	switch p := p.(type) {
	case Eq:
		_, found := slices.BinarySearch(keys, p.Key)
		return found
	case Range:
		i := lowerBound(keys, p.Low)
		return i < len(keys) && (p.High == "" || keys[i] < p.High)
	case Interval:
		return anyWithPrefix(keys, p.Prefix, p.matches)
	case Contains:
		return anyWithPrefix(keys, p.Prefix, p.matches)
	case In:
		return anyWithPrefix(keys, p.Prefix, p.matches)
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
	panic(fmt.Sprintf("store: unknown predicate %T", p))
}

func lowerBound(keys []Key, low Key) int {
	return sort.Search(len(keys), func(i int) bool { return keys[i] >= low })
}

func anyWithPrefix(keys []Key, prefix Key, holds func(Key) bool) bool {
	for i := lowerBound(keys, prefix); i < len(keys) && strings.HasPrefix(string(keys[i]), string(prefix)); i++ {
		if holds(keys[i]) {
			return true
		}
	}
	return false
}

// Sorted sorts keys in place, removes duplicates and returns the result.
func Sorted(keys []Key) []Key {
	slices.Sort(keys)
	return slices.Compact(keys)
}
