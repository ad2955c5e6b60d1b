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
// searched for, and neither opens the other (SMART-234, 250, 252, 270 to 283, 295, SMART-T34). The visible part depends on the letters
// with which a question reads rows (lettersOf).
func TestReadingByLetter(t *testing.T) {
	began := time.Now()
	n := cases(t, 2_500)
	var c tally
	seeds(t, 9_000_001, func() bool { return c.cases >= n }, func(seed uint64) {
		onPebble(t, func(p store.Store) { readByLetter(t, seed, 60, &c, storetest.NewReference(nil), p) })
	})
	c.logAndCheckShare(t, "reference store and embedded engine", began, 20)
	c.checkMinima(t, readingCases, slices.DeleteFunc(slices.Clone(readings), func(ch channel) bool { return !slices.Contains(channelsByLetter, ch.name) }))
}

// channelsByLetter are the channels of questions that join types.
var channelsByLetter = []string{"01 compartment", "05 totals", "08 include", "08 revinclude", "08 iterate", "08 wildcard", "09 chain", "10 _has", "11 _filter", "11 _list", "11 :in and :not-in", "19 $everything"}

// readByLetter sends questions of several letters to one world and checks L1 for each.
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
		parts := &lettered{reading: &reading{TB: t, g: g, seed: seed, mode: m, fullSides: all, docs: docs, principal: p, tally: c}}
		for n := min(20, questions-sent); n > 0; n-- {
			q, by := g.byLetter()
			parts.choose(by)
			for (parts.evaluator.namesAnother(q) || parts.evaluator.recordHidden(parts.evaluator.namedPerson(q)) || !parts.evaluator.requester.permits(q)) && g.chance(80) {
				q, by = g.byLetter()
				parts.choose(by)
			}
			sent += parts.comparePages(q)
		}
		parts.close()
	}
}

// byLetters gives a requester scopes of each type for each letter: of the whole type, constrained, or none. Some of staff are of
// the patient in context.
func (g *generator) byLetters(p consent.Principal) consent.Principal {
	if len(p.Scopes) == 0 {
		return p
	}
	level := p.Scopes[0].Level
	if p.Kind == consent.Staff && g.chance(30) {
		p.Context.Patient = g.patients[g.IntN(len(g.patients))]
	}
	var list []string
	for _, typ := range rowTypes {
		for _, letter := range []string{"r", "s"} {
			of := level
			if p.Context.Patient != "" && typ != "Practitioner" && g.chance(40) {
				of = "patient"
			}
			whole := of + "/" + typ + "." + letter
			switch choices := slices.Concat(constraints[typ], constraintsByLetter[typ]); {
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

// constraintsByLetter are constraints of types that questions rarely search, and join.
var constraintsByLetter = map[string][]string{"ValueSet": {"status=active", "status=draft"}, "CodeSystem": {"status=active", "status=draft"}, "CareTeam": {"status=active", "status=proposed"}}

// permissionsByUse are the permissions with which a question reads rows: r, s, or rs for either of the two. t is s, and rs for terminology.
type permissionsByUse struct {
	searched  string // the rows of searches: matches, joined rows, rows that refer to a match
	named     string // the rows that others name: included resources
	addressed string // the resource that the address names
}

var (
	includes  = regexp.MustCompile(`_(rev)?include(:iterate|%3Aiterate)?=`)
	valueSets = regexp.MustCompile(`:(not-)?in=|%3A(not-)?in=|:below=|:above=|\+(in|ni|sb|ss)\+`)
)

// lettersOf returns the letters of a question (SMART-270 to 283, 295).
func lettersOf(q question) permissionsByUse {
	typ, of := typeOf(q)
	path, query, _ := strings.Cut(q.path, "?")
	query += "&" + q.body
	switch {
	case strings.Contains(path, "$everything"):
		return permissionsByUse{"s", "s", "r"}
	case of == "r", strings.Contains(path, "$meta"):
		return permissionsByUse{"r", "r", "r"}
	}
	out := permissionsByUse{"s", "s", "s"}
	if valueSets.MatchString(query) && typ != "" && !isTerminology(typ) {
		out.searched, out.named, out.addressed = "t", "t", "t"
	}
	if parts := strings.Split(strings.TrimSuffix(path, "/_search"), "/"); includes.MatchString(query) || len(parts) == 4 && parts[3] != "_history" {
		out.named, out.addressed = "rs", "rs"
	}
	return out
}

// byLetter draws a question and its letters. A List that _list names needs s, and one that is included needs either: no question
// has both.
func (g *generator) byLetter() (question, permissionsByUse) {
	for {
		q := g.reading()
		switch n := g.IntN(100); {
		case n < 25:
			q = g.scopeSearch()
		case n < 45:
			q = g.typeSearch()
		}
		text := q.path + "&" + q.body
		if q.path == "/metadata" || strings.Contains(text, "_list=") && includes.MatchString(text) {
			continue
		}
		return q, lettersOf(q)
	}
}

// lettered compares the answers to the questions of one requester, each with the visible part of its letters.
type lettered struct {
	*reading
	evaluators map[string]*evaluator
	stores     map[string]*storetest.Reference
	sides      map[permissionsByUse]*side
}

// choose makes the next comparisons with the visible part of some letters.
func (l *lettered) choose(by permissionsByUse) {
	l.Helper()
	if l.sides == nil {
		l.evaluators, l.stores, l.sides = map[string]*evaluator{}, map[string]*storetest.Reference{}, map[permissionsByUse]*side{}
		for _, s := range l.fullSides {
			s.decider.Set(consenttest.Decision{})
		}
	}
	searched, named, addressed := l.part(by.searched), l.part(by.named), l.part(by.addressed)
	if l.sides[by] == nil {
		w := serve(l, byLetterStore{Store: searched, named: named, addressed: addressed}, l.mode.region)
		l.mode.configure(w)
		w.startRequest(600)
		l.sides[by] = w
	}
	l.evaluator, l.visible = l.evaluators[by.searched], l.sides[by]
}

// part returns the store with the visible part of one letter.
func (l *lettered) part(of string) store.Store {
	if l.stores[of] == nil {
		r := asRequester(l.principal)
		r.permissions, r.terminology = map[string]string{"r": "r", "s": "s", "t": "s"}[of], of == "t"
		l.evaluators[of] = evaluate(l.docs, l.mode.region, r, consenttest.Decision{})
		l.stores[of] = visibleStore(l, l.evaluators[of])
	}
	return l.stores[of]
}

func (l *lettered) close() {
	for _, w := range l.sides {
		closeServers(w)
	}
}
