// Package consenttest holds a Decider for tests: it decides by rules that a test
// gives it, as plain data, so that every shape of a decision can be tried before
// an engine of directives makes them. The program must not import it.
package consenttest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"carerecord/consent"
	"carerecord/fhir/index"
	"carerecord/store"
)

// Rule takes documents away, or elements of them.
type Rule struct {
	// Patient is whom the documents are about; empty for whoever it is, and then
	// the rule hides.
	Patient string
	// Trait is what the documents are like.
	Trait Trait
	Hide  bool
	Cut   []string // paths of elements, as edit.RemovePaths names them
}

// Trait is a type, and a search parameter with the value that documents of it
// have. Without a parameter it is every document of the type, without a type
// every document.
type Trait struct{ Type, Param, Value string }

// Decision is one decision as plain data.
type Decision struct {
	Rules       []Rule
	NoRecord    []string          // patients of whom there is no record
	Permissions map[string]string // what is left of the letters of a type
	Withheld    bool
}

// Decider answers with the decision that it was given last. It is safe for
// concurrent use.
type Decider struct {
	index *index.Indexer
	now   atomic.Pointer[Decision]
}

// New makes a Decider that takes nothing away.
func New(x *index.Indexer) *Decider {
	d := &Decider{index: x}
	d.now.Store(&Decision{})
	return d
}

// Set gives the decision of all requests from now on.
func (d *Decider) Set(to Decision) { d.now.Store(&to) }

// Decide compiles the decision: traits become predicates by the function that
// makes those of searches.
func (d *Decider) Decide(context.Context, consent.Principal, consent.Request, string) (consent.Rules, error) {
	decision := d.now.Load()
	out := consent.Rules{Owners: map[string][]consent.OwnerRule{}, Permissions: decision.Permissions, Withheld: decision.Withheld}
	if len(decision.NoRecord) > 0 {
		out.NoRecord = set(decision.NoRecord)
	}
	var hide store.Or
	for _, rule := range decision.Rules {
		when, err := d.compile(rule.Trait)
		if err != nil {
			return consent.Rules{}, fmt.Errorf("compile a rule: %w", err)
		}
		if rule.Patient == "" {
			hide = append(hide, when)
			continue
		}
		out.Owners[rule.Patient] = append(out.Owners[rule.Patient], consent.OwnerRule{When: when, Hide: rule.Hide, Cut: rule.Cut})
	}
	if len(hide) > 0 {
		out.Hide = hide
	}
	return out, nil
}

func (d *Decider) compile(t Trait) (store.Pred, error) {
	when := store.And{}
	if t.Type != "" {
		when = append(when, store.Eq{Key: index.TypeKey(t.Type)})
	}
	if t.Param == "" {
		return when, nil
	}
	pred, err := d.index.Predicate(index.Query{Type: t.Type, Name: t.Param, Values: []string{t.Value}})
	return append(when, pred), err
}

type set []string

func (s set) Has(patient string) bool { return slices.Contains(s, patient) }

// World is what random decisions are about.
type World struct {
	Patients []string
	Traits   []Trait             // with a type
	Paths    map[string][]string // elements that may be cut, by type: none mandatory, none that orders rows
}

// Random makes a decision of any shape about a world.
func Random(r *rand.Rand, w World) Decision {
	out := Decision{Withheld: r.IntN(3) == 0}
	for range r.IntN(12) {
		out.Rules = append(out.Rules, random(r, w))
	}
	if r.IntN(3) == 0 {
		out.NoRecord = append(out.NoRecord, w.Patients[r.IntN(len(w.Patients))])
	}
	if r.IntN(4) == 0 {
		left := []string{"", "", "rs"}[r.IntN(3)] // nothing, or reading alone
		out.Permissions = map[string]string{w.Traits[r.IntN(len(w.Traits))].Type: left}
	}
	return out
}

func random(r *rand.Rand, w World) Rule {
	rule := Rule{Trait: w.Traits[r.IntN(len(w.Traits))]}
	if r.IntN(2) == 0 {
		rule.Trait.Param, rule.Trait.Value = "", ""
	}
	if r.IntN(6) == 0 { // whoever it is
		rule.Hide = true
		return rule
	}
	rule.Patient = w.Patients[r.IntN(len(w.Patients))]
	paths := w.Paths[rule.Trait.Type]
	if rule.Hide = len(paths) == 0 || r.IntN(6) == 0; !rule.Hide {
		for range 1 + r.IntN(3) {
			rule.Cut = append(rule.Cut, paths[r.IntN(len(paths))])
		}
	}
	return rule
}
