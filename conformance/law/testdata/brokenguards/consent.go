package consent

import (
	"context"
	"slices"
	"sync"

	"carerecord/conformance/law/brokenguard"
	"carerecord/store"
)

func broken(name string) bool { return brokenguard.On(name) }

// Open returns the View with which the program runs under --auth off.
func (v *View) Open() *View {
	out := *v
	out.grant, out.permissions = &Grant{principal: &Principal{Kind: System}}, ""
	return &out
}

// Unconstrained returns the View whose scopes have no constraints.
func (v *View) Unconstrained() *View {
	principal, grant, out := *v.grant.principal, *v.grant, *v
	principal.Scopes = nil
	for _, s := range v.grant.principal.Scopes {
		s.Constraint = ""
		principal.Scopes = append(principal.Scopes, s)
	}
	grant.principal, grant.scoped = &principal, nil
	out.grant = &grant
	return &out
}

// EitherLetter returns the View whose queries are limited to what either r or s permits, whichever the query asks for.
func (v *View) EitherLetter() *View {
	grant, principal, out := *v.grant, *v.grant.principal, *v
	principal.Scopes = slices.Clone(principal.Scopes)
	for i := range principal.Scopes {
		if principal.Scopes[i].Permissions == "r" {
			principal.Scopes[i].Permissions = "rs"
		}
	}
	grant.principal, grant.scoped, out.grant = &principal, nil, &grant
	return &out
}

// allPermitted returns the View without the permissions that rules leave.
func (v *View) allPermitted() *View {
	grant, out := *v.grant, *v
	grant.rules.Permissions = nil
	out.grant = &grant
	return &out
}

// firstRules are the rules that a guard was given first.
var firstRules sync.Map

// first returns the rules that were first decided, for a context that says so.
func (d *decision) first(ctx context.Context, rules Rules) Rules {
	if first, kept := firstRules.Load(d.guard); kept && ctx.Value(Kind(0)) != nil {
		return first.(Rules)
	}
	firstRules.Store(d.guard, rules)
	return rules
}

// rekeyingUnseen makes checks hold for documents that were rekeyed after they were read, or
// whose keys changed.
func (g *Guard) rekeyingUnseen(checks []store.Check) {
	_ = g.store.Read(context.Background(), func(snap store.Snapshot) error {
		for i := range checks {
			if checks[i].Where != nil {
				checks[i].Where = store.And{}
			} else if d, err := snap.Get(context.Background(), checks[i].Ref); err == nil && d.Version == checks[i].Version {
				checks[i].KeyRevision = d.KeyRevision
			}
		}
		return nil
	})
}
