package consent

import (
	"context"
	"slices"

	"carerecord/fhir/index"
	"carerecord/store"
)

// directoryTypes are the types whose rows without an owner patients may read, and staff with patient/ scopes (SMART-256).
// Policy limits those of staff as it does under user/.
func directoryTypes() []string {
	return []string{"CodeSystem", "ConceptMap", "HealthcareService", "Location", "Medication", "NamingSystem", "Organization", "Practitioner", "PractitionerRole", "Substance", "ValueSet"}
}

// scopeKey selects a predicate of scopes.
type scopeKey struct{ typ, permissions string }

// withinScopes returns the predicate of the documents of a type on which the scopes give one of some permissions: the
// union over the scopes, each limited to the population of its level and to its constraint (SMART-250). It returns nil
// where one of them is limited by neither, so that it costs nothing.
func (g *Grant) withinScopes(x *index.Indexer, typ, permissions string) store.Pred {
	if g.principal.unlimited() {
		return nil
	}
	key := scopeKey{typ, permissions}
	where, made := g.scoped[key]
	if !made {
		where = g.newWithinScopes(x, typ, permissions)
		if g.scoped == nil {
			g.scoped = map[scopeKey]store.Pred{}
		}
		g.scoped[key] = where
	}
	return where
}

func (g *Grant) newWithinScopes(x *index.Indexer, typ, permissions string) store.Pred {
	var union store.Or
	for _, s := range g.principal.Scopes {
		if !g.principal.counts(s) || !s.isFor(typ, permissions) {
			continue
		}
		parts := append(g.population(s.Level, typ), constraintOn(x, typ, s.Constraint)...)
		if len(parts) == 0 {
			return nil
		}
		union = append(union, oneOfAll(parts))
	}
	//law:scope-union
	if g.readsFHIRUser && typ == g.principal.FHIRUser.Type {
		union = append(union, idIs(x, g.principal.FHIRUser))
	}
	return oneOf(union)
}

// oneOfAll is an And, or its one element.
func oneOfAll(parts store.And) store.Pred {
	if len(parts) == 1 {
		return parts[0]
	}
	return parts
}

// idIs matches one resource of its type.
func idIs(x *index.Indexer, ref store.Ref) store.Pred {
	where, err := x.Predicate(index.Query{Type: ref.Type, Name: "_id", Values: []string{ref.ID}})
	if err != nil {
		return nothing
	}
	return where
}

// population returns the predicates of the documents of a type to which a level is limited; none for everything that
// policy shows. For a Patient who signed in, policy shows the own record alone.
func (g *Grant) population(level, typ string) store.And {
	if level != levelPatient || g.principal.Kind != Staff {
		return nil
	}
	//law:scope-context
	o := g.context
	if o == nil || o.person == "" || g.contextHidden {
		return store.And{nothing}
	}
	others := not(mentions(o.others()))
	own := ownedByOne(o.group) // another owner counts as hidden (SMART-264)
	//law:scope-owners
	if slices.Contains(directoryTypes(), typ) {
		own = anyOf(own, not(store.WithPrefix(index.OwnerPrefix())))
	}
	return store.And{own, others}
}

// constraintOn returns the predicates of a constraint on a type: those of a strict search (SMART-241). A constraint that
// cannot be compiled permits nothing.
func constraintOn(x *index.Indexer, typ string, c Constraint) store.And {
	all, err := c.clauses(typ)
	if err != nil {
		return store.And{nothing}
	}
	var out store.And
	for _, one := range all {
		where, err := x.Predicate(index.Query{Type: typ, Name: one.param, Values: one.values})
		if err != nil {
			return store.And{nothing}
		}
		out = append(out, where)
	}
	return out
}

// withinScopes is that of the Grant for the permissions of the View; nil for no limit.
func (v *View) withinScopes(typ string) store.Pred {
	if v.permissions == "" {
		return nil
	}
	return v.grant.withinScopes(v.guard.index, typ, v.permissions)
}

// inScope reports whether the scopes permit a version that the View projected. newest are the keys of the newest
// version, for the projection. A constraint compares the elements that are left after cuts, and those of a tombstone are
// those of the version before it.
func (v *View) inScope(ctx context.Context, d, newest store.Doc) (bool, error) {
	where := v.withinScopes(d.Ref.Type)
	if where == nil {
		return true, nil
	}
	if !d.Deleted() && d.Version == newest.Version {
		return store.Match(where, d.Keys), nil
	}
	live := d
	if d.Deleted() {
		var err error
		if live, err = v.guard.keyer.Snapshot(v.snap).BeforeDeletion(ctx, d); err != nil {
			return false, err
		}
		live.Keys = d.Keys
		if live, err = v.project(ctx, live, newest.Keys); err != nil {
			return false, err
		}
	}
	return v.satisfies(where, live, d.Keys)
}

// satisfies reports whether a body, with the facts among some keys, satisfies the predicate of a scope.
func (v *View) satisfies(where store.Pred, d store.Doc, facts []store.Key) (bool, error) {
	row, err := v.index.Index(d.Ref.Type, d.Ref.ID, d.Updated, d.Body)
	if err != nil {
		return false, err
	}
	keys := slices.Clone(row.Keys)
	for _, k := range facts {
		if index.IsFact(k) {
			keys = append(keys, k)
		}
	}
	return store.Match(where, store.Sorted(keys)), nil
}

// deletedInScope reports whether the scopes may permit a tombstone: false if they do not permit the version before it, uncut. No
// cut makes a document satisfy a constraint, and the rows that decide about cuts need not be read (sameReads). It is true
// for all other versions.
func (v *View) deletedInScope(ctx context.Context, d store.Doc) (bool, error) {
	where := v.withinScopes(d.Ref.Type)
	if where == nil || !d.Deleted() {
		return true, nil
	}
	last, err := v.guard.keyer.Snapshot(v.snap).BeforeDeletion(ctx, d)
	if err != nil {
		return false, err
	}
	return v.satisfies(where, last, d.Keys)
}

// CheckNamed returns the Refusal of a search that lists a type where the scopes need its resources to be named
// (Principal.NeedsName), else nil.
func (g *Guard) CheckNamed(p Principal, typ string) error {
	if !p.NeedsName(typ) {
		return nil
	}
	d := &decision{guard: g, p: p}
	return d.missingScope(Scope{Level: levelUser, Type: typ, Permissions: string(rune(PermitSearch))})
}

// contextShown is the part of step 10 for staff: patient/ scopes permit nothing while policy hides the Patient in context
// from the user, so that no answer depends on that Patient.
func contextShown(_ context.Context, d *decision) *Refusal {
	g := d.grant
	if o := g.context; o != nil && o.person != "" {
		g.contextHidden = !g.rules.permit("Patient", permissionOrder) || !store.Match(g.Where("Patient"), o.keys) || g.rules.apply(o.keys, map[string]bool{})
	}
	return nil
}

// readContext reads the Patient in context, if a scope needs it.
func (d *decision) readContext(ctx context.Context) (err error) {
	p := d.p
	if p.Kind != Staff || p.Context.Patient == "" || !slices.ContainsFunc(p.Scopes, func(s Scope) bool { return s.Level == levelPatient }) {
		return nil
	}
	d.grant.context, err = d.guard.newOwnRecord(ctx, d.snap, p.Context.Patient, p.Context.Person, d.grant.failed)
	return err
}

// outsideContext reports whether the named patient is not the person in context, and the scopes permit the request for that
// person alone: the named patient is then like an absent one (SMART-274).
func (d *decision) outsideContext(named namedPerson) bool {
	permissions := "rs"
	if d.req.Permission != 0 {
		permissions = string(rune(d.req.Permission))
	}
	if !d.p.contextOnly(d.req.Type, permissions) {
		return false
	}
	return d.grant.context == nil || !slices.Contains(d.grant.context.group, named.person)
}
