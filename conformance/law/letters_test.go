package law_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"carerecord/consent"
	"carerecord/consent/consenttest"
	"carerecord/store"
	"carerecord/store/storetest"
)

// TestReadingByLetter checks L1 for scopes of which those of one type have other letters: what r permits is read, what s permits is
// searched for, and neither opens the other (SMART-234, 250, 252, 270, 272, 274). A requester sends questions of one letter, whose
// visible part is that of the letter alone.
func TestReadingByLetter(t *testing.T) {
	began := time.Now()
	n := cases(t, 1_500)
	var c tally
	seeds(t, 9_000_001, func() bool { return c.cases >= n }, func(seed uint64) {
		onPebble(t, func(p store.Store) { readByLetter(t, seed, 60, &c, storetest.NewReference(nil), p) })
	})
	c.logAndCheckShare(t, "reference store and embedded engine", began, 14) // half of the questions read one resource
}

// readByLetter sends questions of one letter to one world and checks L1 for each.
func readByLetter(t testing.TB, seed uint64, questions int, c *tally, stores ...store.Store) {
	t.Helper()
	g := newGenerator(seed)
	m := mode{region: g.region}
	all := m.open(t, stores...)
	defer closeServers(all...)
	populate(t, g, all...)
	docs := all[0].versions()
	for sent := 0; sent < questions; {
		p := g.byLetters(g.unscoped())
		if p.Kind == consent.SourceSystem {
			continue
		}
		l := &reading{TB: t, g: g, seed: seed, mode: m, fullSides: all, docs: docs, principal: p, tally: c, letter: pick(g, "r", "s")}
		l.decide(consenttest.Decision{})
		for n := min(15, questions-sent); n > 0; n-- {
			q := g.ofLetter(l.letter)
			for (l.evaluator.namesAnother(q) || l.evaluator.recordHidden(l.evaluator.namedPerson(q)) || !l.evaluator.requester.permits(q)) && g.chance(80) {
				q = g.ofLetter(l.letter)
			}
			sent += l.comparePages(q)
		}
		closeServers(l.visible)
	}
}

// byLetters gives a requester scopes of each type for each letter: of the whole type, constrained, or none.
func (g *generator) byLetters(p consent.Principal) consent.Principal {
	if len(p.Scopes) == 0 {
		return p
	}
	level := p.Scopes[0].Level
	var list []string
	for _, typ := range rowTypes {
		for _, letter := range []string{"r", "s"} {
			whole := level + "/" + typ + "." + letter
			switch choices := constraints[typ]; {
			case g.chance(8):
			case len(choices) == 0 || g.chance(30):
				list = append(list, whole)
			default:
				list = append(list, whole+"?"+pick(g, choices...))
			}
		}
	}
	list = append(list, level+"/Patient.rs")
	p.Scopes = scopes(strings.Join(list, " "))
	return p
}

// joins matches queries that read rows by more than their own letter: joins, inclusions, and value sets of the record.
var joins = regexp.MustCompile(`_include|_revinclude|_has|_list|_filter|%5B|\[|:in=|:not-in=|:below=|:above=|[?&][^=&]*\.`)

// ofLetter draws a question that needs one letter on one type.
func (g *generator) ofLetter(letter string) question {
	for {
		q := g.read()
		if letter == "s" {
			if q = g.typeSearch(); g.chance(20) {
				q = g.history()
			}
		} else if g.chance(25) {
			q = g.history()
		}
		typ, of := typeOf(q)
		if of == letter && typ != "" && !joins.MatchString(q.path) && !joins.MatchString("&"+q.body) && !slices.Contains([]string{"Binary", "Bundle"}, typ) {
			return q
		}
	}
}
