package consent

import (
	"context"
	"strings"

	"carerecord/consent/backlog"
	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/store"
)

// Decider says what one requester may see of whom, beside the steps of the
// pipeline that are built in: the consent engine. It is asked once a request, as
// step 8, with the patient whom the request names and who has a record, or "".
// It is safe for concurrent use. An error is 503 (CON-405): nothing is answered
// from part of the inputs.
type Decider interface {
	Decide(ctx context.Context, p Principal, req Request, patient string) (Rules, error)
}

// Rules are a decision as data. They only take away: the zero Rules take away
// nothing, and what the pipeline hides stays hidden.
type Rules struct {
	// Hide is what is not there, of any type and whoever it is about: a
	// predicate over stored keys. nil hides nothing.
	Hide store.Pred
	// NoRecord are patients of whom there is no record, the Patient included. nil
	// for nobody.
	NoRecord store.Set
	// Owners are rules over single documents, by the id of the patient whom they
	// are about. For a document of several patients the rules of each hold.
	Owners map[string][]OwnerRule
	// Permissions are what is left of the letters of a type that it names.
	Permissions map[string]string
	// Withheld: the requester must be told that something of the named patient is
	// withheld (S2). That nothing is left of a record (S1) follows from Without.
	Withheld bool
}

// empty reports whether the rules hide and cut nothing, and leave all letters.
func (r Rules) empty() bool {
	return r.Hide == nil && r.NoRecord == nil && len(r.Owners) == 0 && len(r.Permissions) == 0
}

// OwnerRule is a rule over documents about one patient.
type OwnerRule struct {
	When store.Pred // over stored keys; nil for every document
	Hide bool
	// Cut are paths of elements that are taken out, as edit.RemovePaths names them.
	// Each is a whole value with its indexes, never a part of one.
	Cut []string
}

// ownersWithRules are the patients with rules of their own.
type ownersWithRules map[string][]OwnerRule

// Has reports whether a patient has rules.
func (r ownersWithRules) Has(patient string) bool { return len(r[patient]) > 0 }

// cutCandidates is which documents may be cut, or hidden by rules, one by one; nil where that
// may be any.
func (g *Grant) cutCandidates() store.Pred {
	switch {
	case g.principal.Kind == Patient:
		return nil
	case len(g.rules.Owners) == 0:
		return g.refersToLabelled
	}
	return anyOf(facts.About(ownersWithRules(g.rules.Owners)), g.refersToLabelled)
}

// refersToLabelled is which documents may refer to rows that labels hide.
func refersToLabelled(stale *backlog.StaleSet) store.Pred {
	if unmarked := stale.WhereUnmarked(); len(unmarked) > 0 {
		return append(unmarked, fact(index.FactRefersToLabelled))
	}
	return fact(index.FactRefersToLabelled)
}

// apply returns the paths that the rules of a document's owners cut, and whether
// one of them hides it.
func (r *Rules) apply(keys []store.Key, paths map[string]bool) (hidden bool) {
	for _, patient := range index.Names(keys, index.OwnerPrefix()) {
		//law:owner-rules
		for _, rule := range r.Owners[patient] {
			if rule.When != nil && !store.Match(rule.When, keys) {
				continue
			}
			if rule.Hide {
				return true
			}
			for _, path := range rule.Cut {
				paths[path] = true
			}
		}
	}
	return false
}

// decided is step 8 as an engine of directives decides it.
func decided(ctx context.Context, d *decision) *Refusal {
	if d.guard.decider == nil || d.p.Kind != Staff && d.p.Kind != Patient {
		return nil
	}
	rules, err := d.guard.decider.Decide(ctx, d.p, d.req, d.grant.patient)
	//law:rules-decided
	if err != nil {
		d.err = err
		return nil
	}
	d.grant.rules = rules
	if rules.NoRecord == nil {
		return nil
	}
	d.grant.hidden.noRecord = rules.NoRecord
	return d.hiddenRecord(8, rules.NoRecord)
}

// narrow is what the rules leave of a predicate of the pipeline.
func (r *Rules) narrow(where store.Pred) store.Pred {
	if r.Hide == nil && r.NoRecord == nil {
		return where
	}
	out := store.And{where}
	if r.Hide != nil {
		out = append(out, not(r.Hide))
	}
	//law:no-record
	if r.NoRecord != nil {
		out = append(out, not(facts.About(r.NoRecord)))
	}
	return out
}

// permit reports whether the rules leave one of the letters of a type.
func (r *Rules) permit(typ, letters string) bool {
	left, named := r.Permissions[typ]
	//law:permissions-left
	return !named || strings.ContainsAny(left, letters)
}
