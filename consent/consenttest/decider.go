// Package consenttest has a Decider for tests: it decides by rules that a test sets as data, so that every
// form of a decision can be tested before an engine of directives exists. The program must not import it.
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

// Rule hides documents, or cuts elements of them.
type Rule struct {
	// Patient is the owner of the documents; empty for any owner, and then the rule must hide.
	Patient string
	// Trait selects the documents.
	Trait Trait
	Hide  bool
	Cut   []string // paths of elements, as edit.RemovePaths names them
}

// Trait selects the documents of a type that have a value of a search parameter; without a parameter all of
// the type, without a type all documents.
type Trait struct{ Type, Param, Value string }

// Decision is one decision as data.
type Decision struct {
	Rules       []Rule
	NoRecord    []string          // patients of whom there is no record
	Permissions map[string]string // the permissions that are left, by type
	Withheld    bool
}

// Decider decides as it was set last. It is safe for concurrent use.
type Decider struct {
	index *index.Indexer
	now   atomic.Pointer[Decision]
}

// New makes a Decider that hides and cuts nothing.
func New(x *index.Indexer) *Decider {
	d := &Decider{index: x}
	d.now.Store(&Decision{})
	return d
}

// Set sets the decision for all later requests.
func (d *Decider) Set(to Decision) { d.now.Store(&to) }

// Decide compiles the decision. Traits become predicates in the same way as searches.
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

// World is the input of random decisions.
type World struct {
	Patients []string
	Traits   []Trait             // with a type
	Paths    map[string][]string // elements that may be cut, by type: none mandatory, none that orders rows
}

// Random makes a random decision of any form.
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
	if r.IntN(6) == 0 { // any owner
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
