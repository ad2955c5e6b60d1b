package pebble

import (
	"fmt"
	"slices"
	"strings"

	"carerecord/store"
)

// plan is how candidates are found. A plan proposes every document of the type
// that matches, and others too unless it is exact; store.Match decides.
type plan interface {
	// exact reports whether the plan proposes what matches and nothing else.
	exact() bool
	// cheap reports whether its stream costs nothing to open.
	cheap() bool
	String() string
}

type (
	// everything is the documents of the type.
	everything struct{}
	// posting is those with a driving key.
	posting struct{ key store.Key }
	// meet is those that all of its members propose, found by leapfrog.
	meet []plan
	// join is those that one of its members proposes, merged.
	join []plan
	// collected is those with a key in one of the ranges, collected and sorted
	// before the first is proposed.
	collected struct {
		ranges []store.Range
		whole  bool // the ranges are all that the predicate asks
	}
)

// least is plans of which any drives: the one with the fewest postings does, which
// is counted when the query runs.
type least []plan

// maxMerged is how many postings a join merges. A wider one is collected:
// its postings one after the other cost less than as many open iterators.
const maxMerged = 16

// Plan explains how the engine will find candidates for a query.
func Plan(q store.Query) string {
	p, err := planOf(q)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s: %s", q.Type, p)
}

func planOf(q store.Query) (plan, error) {
	if q.Type != "" {
		return planTyped(q.Where), nil
	}
	key, ok := store.CrossTypeKey(q.Where)
	if !ok {
		return nil, store.ErrNeedsCrossTypeKey
	}
	_, whole := q.Where.(store.Eq)
	return inexact(posting{key}, !whole), nil
}

func planTyped(p store.Pred) plan {
	if pl := propose(p); pl != nil {
		return pl
	}
	return verified{everything{}}
}

// propose returns a plan for a predicate, nil if it cannot drive.
func propose(p store.Pred) plan {
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
		return proposeAnd(flatten(p, nil))
	case store.Or:
		return proposeOr(p)
	case store.Contains, store.In, store.Not, store.VerifyOnly:
	}
	return nil
}

// flatten lists the members of a conjunction and of those within it.
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

// proposeAnd drives by all members that are cheap, or else by the smallest that
// can drive at all.
func proposeAnd(members []store.Pred) plan {
	if len(members) == 0 {
		return everything{}
	}
	var cheap meet
	var dear least
	left := 0 // members that the cheap ones do not decide
	for _, q := range members {
		pl := propose(q)
		switch {
		case pl == nil:
			left++
			continue
		case !pl.cheap():
			left++
			dear = append(dear, pl)
		case !slices.ContainsFunc(cheap, func(other plan) bool { return other.String() == pl.String() }):
			cheap = append(cheap, pl)
		}
	}
	switch {
	case len(cheap) == 0 && len(dear) == 0:
		return nil
	case len(cheap) == 0 && len(dear) == 1:
		return inexact(dear[0], len(members) > 1)
	case len(cheap) == 0:
		return verified{dear}
	case len(cheap) == 1:
		return inexact(cheap[0], left > 0)
	case left > 0:
		return verified{cheap}
	}
	return cheap
}

// proposeOr merges its members; if one cannot drive, nor can the whole.
func proposeOr(members store.Or) plan {
	all := make(join, 0, len(members))
	wide := collected{whole: true}
	for _, q := range members {
		pl := propose(q)
		if pl == nil {
			return nil
		}
		if _, ok := pl.(everything); ok {
			return pl
		}
		all = append(all, pl)
		if key, ok := pl.(posting); ok {
			wide.ranges = append(wide.ranges, only(key.key))
		}
	}
	if len(all) > maxMerged && len(wide.ranges) == len(all) {
		return wide
	}
	if len(all) == 1 {
		return all[0]
	}
	return all
}

// only is the range of one key.
func only(k store.Key) store.Range { return store.Range{Low: k, High: k + "\x00"} }

// verified is a plan that leaves something to be decided.
type verified struct{ plan }

func (verified) exact() bool { return false }

func inexact(p plan, left bool) plan {
	if left {
		return verified{p}
	}
	return p
}

func (everything) exact() bool  { return true }
func (posting) exact() bool     { return true }
func (m meet) exact() bool      { return all(m, plan.exact) }
func (j join) exact() bool      { return all(j, plan.exact) }
func (c collected) exact() bool { return c.whole }
func (least) exact() bool       { return false }

func (everything) cheap() bool { return true }
func (posting) cheap() bool    { return true }
func (m meet) cheap() bool     { return all(m, plan.cheap) }
func (j join) cheap() bool     { return all(j, plan.cheap) }
func (collected) cheap() bool  { return false }
func (least) cheap() bool      { return false }

func all(plans []plan, holds func(plan) bool) bool {
	return !slices.ContainsFunc(plans, func(p plan) bool { return !holds(p) })
}

func (everything) String() string { return "all" }
func (p posting) String() string  { return fmt.Sprintf("posting(%q)", string(p.key)) }
func (m meet) String() string     { return "meet(" + list(m) + ")" }
func (j join) String() string     { return "join(" + list(j) + ")" }
func (l least) String() string    { return "least(" + list(l) + ")" }
func (v verified) String() string { return "verify(" + v.plan.String() + ")" }

func (c collected) String() string {
	words := make([]string, len(c.ranges))
	for i, r := range c.ranges {
		words[i] = fmt.Sprintf("%q:%q", string(r.Low), string(r.High))
	}
	s := "collect(" + strings.Join(words, ", ") + ")"
	if !c.whole {
		s = "verify(" + s + ")"
	}
	return s
}

func list(plans []plan) string {
	words := make([]string, len(plans))
	for i, p := range plans {
		words[i] = p.String()
	}
	return strings.Join(words, ", ")
}
