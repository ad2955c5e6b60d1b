package consent

import (
	"context"
	"strings"

	"carerecord/consent/backlog"
	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/store"
)

// Decider decides which documents one requester may see, in addition to the built-in steps: the
// consent engine. It is called once a request, as step 8, with the person key of the named patient who has
// a record, or "". It must be safe for concurrent use. An error is answered with 503 (CON-405).
type Decider interface {
	Decide(ctx context.Context, p Principal, req Request, person string) (Rules, error)
}

// Rules are a decision as data. They only take away: the zero Rules hide nothing, and the Rules
// cannot show a document that the built-in steps hide.
type Rules struct {
	// Hide hides documents of any type and any owner: a predicate over stored keys. nil hides
	// nothing.
	Hide store.Pred
	// NoRecord are patients of whom there is no record, the Patient included. nil for none.
	NoRecord store.Set
	// Owners are rules for the documents about a person, by person key (index.OwnerKey). Documents
	// about several people are subject to the rules of each.
	Owners map[string][]OwnerRule
	// Permissions are the permissions that are left on a type, by type. Other types keep all.
	Permissions map[string]string
	// Withheld: the requester must be told that rows of the named patient are withheld
	// (signal S2). Signal S1 follows from NoRecord.
	Withheld bool
}

// empty reports whether the rules hide and cut nothing, and leave all permissions.
func (r Rules) empty() bool {
	return r.Hide == nil && r.NoRecord == nil && len(r.Owners) == 0 && len(r.Permissions) == 0
}

// OwnerRule is a rule for documents about one patient.
type OwnerRule struct {
	When store.Pred // over stored keys; nil for every document
	Hide bool
	// Cut are paths of elements to remove, as edit.RemovePaths names them. Each is a
	// complete value with its indexes.
	Cut []string
}

// ownersWithRules is the set of patients with rules.
type ownersWithRules map[string][]OwnerRule

// Has implements store.Set.
func (r ownersWithRules) Has(patient string) bool { return len(r[patient]) > 0 }

// cutCandidates matches the documents that may be cut, or hidden one by one by rules; nil where
// every document may be.
func (g *Grant) cutCandidates() store.Pred {
	switch {
	case g.principal.Kind == Patient:
		return nil
	case len(g.rules.Owners) == 0:
		return g.refersToLabelled
	}
	return anyOf(facts.About(ownersWithRules(g.rules.Owners)), g.refersToLabelled)
}

// refersToLabelled matches the documents that may refer to rows that labels hide.
func refersToLabelled(stale *backlog.StaleSet) store.Pred {
	if unmarked := stale.WhereUnmarked(); len(unmarked) > 0 {
		return append(unmarked, fact(index.FactRefersToLabelled))
	}
	return fact(index.FactRefersToLabelled)
}

// apply adds the paths that the rules of a document's owners cut, and reports whether one of them
// hides it.
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

// decided is the part of step 8 that a Decider decides.
func decided(ctx context.Context, d *decision) *Refusal {
	if d.guard.decider == nil || d.p.Kind != Staff && d.p.Kind != Patient {
		return nil
	}
	rules, err := d.guard.decider.Decide(ctx, d.p, d.req, d.grant.person)
	//law:rules-decided
	if err != nil {
		d.err = err
		return nil
	}
	d.grant.rules = rules
	if rules.NoRecord == nil {
		return nil
	}
	d.grant.hidden.setNoRecord(rules.NoRecord)
	return d.hiddenRecord(8, rules.NoRecord)
}

// narrow adds the rules to a predicate of the built-in steps.
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

// permit reports whether the rules leave one of some permissions on a type.
func (r *Rules) permit(typ, permissions string) bool {
	left, named := r.Permissions[typ]
	//law:permissions-left
	return !named || strings.ContainsAny(left, permissions)
}
