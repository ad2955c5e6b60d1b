package pebble

import (
	"fmt"
	"slices"
	"strings"

	"carerecord/store"
)

// plan is a way to find candidates. It proposes every document of the type that matches, and
// others too unless it is exact; store.Match decides.
//
//sumtype:decl
type plan interface {
	// exact reports whether the plan proposes only documents that match.
	exact() bool
	// cheap reports whether its stream can be opened without reading postings.
	cheap() bool
	String() string
}

type (
	// allOfType is all documents of the type.
	allOfType struct{}
	// posting is the documents with a driving key.
	posting struct{ key store.Key }
	// intersection is the documents that all of its members propose, found by leapfrog.
	intersection []plan
	// union is the documents that any of its members proposes, merged.
	union []plan
	// collected is the documents with a key in one of the ranges, collected and sorted before
	// the first is proposed.
	collected struct {
		ranges   []store.Range
		complete bool // the ranges decide the predicate
	}
)

// cheapestOf is the one of its members with the fewest postings, which are counted when the
// query runs. Each member finds all matches.
type cheapestOf []plan

// maxMerged is how many postings a union merges. A wider one is collected: reading its postings
// one after the other costs less than as many open iterators.
const maxMerged = 16

func planOf(q store.Query) (plan, error) {
	if q.Type != "" {
		return planTyped(q.Where), nil
	}
	key, ok := store.CrossTypeKey(q.Where)
	if !ok {
		return nil, store.ErrNeedsCrossTypeKey
	}
	_, whole := q.Where.(store.Eq)
	return verifiedIf(posting{key}, !whole), nil
}

func planTyped(p store.Pred) plan {
	if pl := planPred(p); pl != nil {
		return pl
	}
	return verified{allOfType{}}
}

// planPred returns a plan for a predicate, nil if it has no driving key.
func planPred(p store.Pred) plan {
	switch p := p.(type) {
	case store.Eq:
		if p.Key.Driving() {
			return posting{p.Key}
		}
	case store.Range:
		if p.Driving() {
			return collected{[]store.Range{p}, true}
		}
	case store.Interval:
		if len(p.Scan) > 0 && !slices.ContainsFunc(p.Scan, func(r store.Range) bool { return !r.Driving() }) {
			return collected{ranges: p.Scan}
		}
	case store.And:
		return planAnd(flatten(p, nil))
	case store.Or:
		return planOr(p)
	case store.Contains, store.In, store.Not, store.VerifyOnly:
	}
	return nil
}

// flatten returns the members of a conjunction and of those within it.
func flatten(p store.And, into []store.Pred) []store.Pred {
	for _, q := range p {
		if and, ok := q.(store.And); ok {
			into = flatten(and, into)
		} else {
			into = append(into, q)
		}
	}
	return into
}

// planAnd intersects all members that have a cheap plan. Without one, the cheapest member
// drives.
func planAnd(members []store.Pred) plan {
	if len(members) == 0 {
		return allOfType{}
	}
	var cheap intersection
	var expensive cheapestOf
	undecided := 0 // members that the cheap plans do not decide
	for _, q := range members {
		pl := planPred(q)
		switch {
		case pl == nil:
			undecided++
			continue
		case !pl.cheap():
			undecided++
			expensive = append(expensive, pl)
		case !slices.ContainsFunc(cheap, func(other plan) bool { return other.String() == pl.String() }):
			cheap = append(cheap, pl)
		}
	}
	switch {
	case len(cheap) == 0 && len(expensive) == 0:
		return nil
	case len(cheap) == 0 && len(expensive) == 1:
		return verifiedIf(expensive[0], len(members) > 1)
	case len(cheap) == 0:
		return verified{expensive}
	case len(cheap) == 1:
		return verifiedIf(cheap[0], undecided > 0)
	case undecided > 0:
		return verified{cheap}
	}
	return cheap
}

// planOr returns the union of its members, nil if a member has no plan.
func planOr(members store.Or) plan {
	all := make(union, 0, len(members))
	keyRanges := collected{complete: true}
	for _, q := range members {
		pl := planPred(q)
		if pl == nil {
			return nil
		}
		if _, ok := pl.(allOfType); ok {
			return pl
		}
		all = append(all, pl)
		if key, ok := pl.(posting); ok {
			keyRanges.ranges = append(keyRanges.ranges, singleKeyRange(key.key))
		}
	}
	if len(all) > maxMerged && len(keyRanges.ranges) == len(all) {
		return keyRanges
	}
	if len(all) == 1 {
		return all[0]
	}
	return all
}

// singleKeyRange is the range of one key.
func singleKeyRange(k store.Key) store.Range { return store.Range{Low: k, High: k + "\x00"} }

// verified is a plan whose candidates may not match.
type verified struct{ plan }

func (verified) exact() bool { return false }

func verifiedIf(p plan, undecided bool) plan {
	if undecided {
		return verified{p}
	}
	return p
}

func (allOfType) exact() bool      { return true }
func (posting) exact() bool        { return true }
func (m intersection) exact() bool { return all(m, plan.exact) }
func (j union) exact() bool        { return all(j, plan.exact) }
func (c collected) exact() bool    { return c.complete }
func (cheapestOf) exact() bool     { return false }

func (allOfType) cheap() bool      { return true }
func (posting) cheap() bool        { return true }
func (m intersection) cheap() bool { return all(m, plan.cheap) }
func (j union) cheap() bool        { return all(j, plan.cheap) }
func (collected) cheap() bool      { return false }
func (cheapestOf) cheap() bool     { return false }

func all(plans []plan, holds func(plan) bool) bool {
	return !slices.ContainsFunc(plans, func(p plan) bool { return !holds(p) })
}

func (allOfType) String() string      { return "all" }
func (p posting) String() string      { return fmt.Sprintf("posting(%q)", string(p.key)) }
func (m intersection) String() string { return "intersection(" + joinPlans(m) + ")" }
func (j union) String() string        { return "union(" + joinPlans(j) + ")" }
func (l cheapestOf) String() string   { return "cheapest(" + joinPlans(l) + ")" }
func (v verified) String() string     { return "verify(" + v.plan.String() + ")" }

func (c collected) String() string {
	words := make([]string, len(c.ranges))
	for i, r := range c.ranges {
		words[i] = fmt.Sprintf("%q:%q", string(r.Low), string(r.High))
	}
	s := "collect(" + strings.Join(words, ", ") + ")"
	if !c.complete {
		s = "verify(" + s + ")"
	}
	return s
}

func joinPlans(plans []plan) string {
	words := make([]string, len(plans))
	for i, p := range plans {
		words[i] = p.String()
	}
	return strings.Join(words, ", ")
}
