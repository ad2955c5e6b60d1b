package consent

import (
	"slices"

	"carerecord/fhir/index"
	"carerecord/store"
)

// Predicates that a Grant is made of.
var (
	nothing    = store.Or{}
	everything = store.And{}
)

func fact(name string) store.Pred           { return store.Eq{Key: index.FactKey(name)} }
func verifyOnly(name string) store.Pred     { return store.VerifyOnly{Pred: fact(name)} }
func mentions(in store.Set) store.Pred      { return store.In{Prefix: index.MentionPrefix(), Set: in} }
func from(organisation string) store.Pred   { return store.Eq{Key: index.SourceKey(organisation)} }
func none(p store.Pred) store.Pred          { return store.Not{Pred: p} }
func either(preds ...store.Pred) store.Pred { return store.Or(preds) }
func all(preds ...store.Pred) store.Pred    { return store.And(preds) }

// owned is what is about somebody in a set: as an owner, or by another name.
func owned(in store.Set) store.Pred {
	//law:names-covered
	return either(store.In{Prefix: index.OwnerPrefix(), Set: in}, store.In{Prefix: index.AboutPrefix(), Set: in})
}

// aboutPerson is what is about somebody, by a name. It drives an index.
func aboutPerson(name string) store.Or {
	return store.Or{store.Eq{Key: index.OwnerKey(name)}, store.Eq{Key: index.AboutKey(name)}}
}

func otherThan(prefix, own store.Key) store.Pred {
	return store.Or{
		store.Range{Low: prefix, High: own},
		store.Range{Low: own + "\x00", High: store.PrefixEnd(prefix)},
	}
}

// unseen are the types that nobody sees over FHIR today: the trail, and what
// belongs to documents whose owner is not settled.
func unseen(typ string) bool { return typ == "AuditEvent" }

// kept from patients: unstructured documents (CON-1102).
func keptFromPatients(typ string) bool {
	return slices.Contains([]string{"Binary", "DocumentReference", "Composition", "Media"}, typ)
}

// Where is the predicate of a type: what a document of it must satisfy to be
// there for this Principal. Engines and search AND it into every question.
func (g *Grant) Where(typ string) store.Pred { return g.rules.narrowed(g.pipeline(typ)) }

// pipeline is the predicate of the steps that are built in.
func (g *Grant) pipeline(typ string) store.Pred {
	if unseen(typ) && g.principal.Kind != System {
		return nothing
	}
	switch g.principal.Kind {
	case System:
		return everything
	case SourceSystem:
		return from(g.principal.Organisation)
	case Staff:
		return g.whereClinician(typ)
	case Patient:
		return g.wherePatient(typ)
	case Backend:
		if typ == definitionType && g.principal.Operates() {
			return everything
		}
	}
	return nothing
}

// whereClinician puts steps 4, 7, 8 and 9 into one predicate.
func (g *Grant) whereClinician(typ string) store.Pred {
	own := from(g.principal.Organisation)
	always := store.And{
		none(owned(g.sets.restricted)),            // step 4
		none(owned(g.sets.denied)),                // step 8
		none(mentions(mentionedHidden{g.hidden})), // section 12, thin
	}
	shared := store.And{verifyOnly(factShared), verifyOnly(factResolved), none(owned(g.sets.optedOut))} // step 7
	if !g.stale.empty() {
		always = append(always, none(g.stale.of(g.sets.denied)), none(g.stale.of(g.sets.restricted)), none(g.stale.restricted()))
		shared = append(shared, none(g.stale.where()))
	}
	switch typ {
	case "Consent":
		// CON-409. Its own labels do not hide it: somebody has to be able to end it.
		return append(always, own)
	}
	always = append(always, verifyOnly(factOrdinary)) // step 9
	switch typ {
	case "Patient":
		// Own-source rows bring the Patient of their record with them.
		return append(always, verifyOnly(factResolved), either(own, none(owned(g.hidden))))
	}
	return append(always, either(own, shared))
}

// wherePatient is step 10, thin: the own record alone, and of it what is
// released.
func (g *Grant) wherePatient(typ string) store.Pred {
	p := g.principal.Patient
	if p == "" || g.nothing || keptFromPatients(typ) {
		return nothing
	}
	out := store.And{
		store.Eq{Key: index.OwnerKey(p)},
		verifyOnly(factResolved),
		none(owned(g.sets.restricted)),
		none(otherThan(index.OwnerPrefix(), index.OwnerKey(p))),
		none(store.WithPrefix(index.MentionPrefix())),
	}
	switch typ {
	case "Consent": // its own labels do not hide what the patient said
		out = append(out, either(verifyOnly(factReleased), all(fact(factInPerson), none(store.WithPrefix(index.SourcePrefix())))))
	default:
		out = append(out, verifyOnly(factReleased), verifyOnly(factOrdinary))
	}
	if !g.stale.empty() {
		out = append(out, none(g.stale.where()))
	}
	return out
}
