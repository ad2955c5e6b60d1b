package index

import (
	"fmt"
	"strings"
	"sync"

	"carerecord/store"
)

var paramNames = sync.OnceValue(func() map[uint16]paramName {
	out := map[uint16]paramName{}
	for name, number := range paramNumbers() {
		out[number] = name
	}
	return out
})

// Describe formats a key for an operator: the parameter, the class (doc.go), and the quoted
// value.
func Describe(k store.Key) string {
	if f, ok := factOf(k); ok {
		return fmt.Sprintf("(%s) %q", f.name, string(k[len(f.prefix):]))
	}
	if IsFact(k) { // a common prefix of several facts
		return fmt.Sprintf("(fact) %q", string(k))
	}
	if len(k) < 3 {
		return fmt.Sprintf("%q", string(k))
	}
	number := numberOf(k)
	if number >= FirstDefined {
		return fmt.Sprintf("(defined %d) %c %q", number, k[2], string(k[3:]))
	}
	name := paramNames()[number]
	return fmt.Sprintf("%s.%s %c %q", name.typ, name.code, k[2], string(k[3:]))
}

// DescribePred formats a predicate for an operator, its keys with Describe.
func DescribePred(p store.Pred) string {
	list := func(members []store.Pred, between, none string) string {
		if len(members) == 0 {
			return none
		}
		const most = 12
		words := make([]string, 0, len(members))
		for i, q := range members {
			if i == most {
				words = append(words, fmt.Sprintf("%d more", len(members)-most))
				break
			}
			words = append(words, DescribePred(q))
		}
		if len(words) == 1 {
			return words[0]
		}
		return "(" + strings.Join(words, between) + ")"
	}
	switch p := p.(type) {
	case store.Eq:
		return Describe(p.Key)
	case store.Range:
		return "from " + Describe(p.Low) + " to before " + Describe(p.High)
	case store.Interval:
		return "an interval of " + Describe(p.Prefix)
	case store.Contains:
		return Describe(p.Prefix) + " contains " + fmt.Sprintf("%q", p.Text)
	case store.In:
		return Describe(p.Prefix) + " is one of a set"
	case store.And:
		return list(p, " and ", "everything")
	case store.Or:
		return list(p, " or ", "nothing")
	case store.Not:
		return "not " + DescribePred(p.Pred)
	case store.VerifyOnly:
		return DescribePred(p.Pred)
	}
	return "unknown predicate"
}
