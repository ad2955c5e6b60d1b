package consent

import (
	"slices"

	"carerecord/consent/definitions"
	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/store"
)

// Predicates that a Grant is made of. usual is a fact by which no index is driven:
// nearly all documents have it, so that its postings would propose everything, and
// time would be lost with them.
var (
	nothing    = store.Or{}
	everything = store.And{}
)

func fact(name string) store.Pred { return store.Eq{Key: index.FactKey(name)} }

func usual(name string) store.Pred { return not(not(fact(name))) }

func mentions(in store.Set) store.Pred { return store.In{Prefix: index.MentionPrefix(), Set: in} }

func fromSource(organisation string) store.Pred { return store.Eq{Key: index.SourceKey(organisation)} }

func not(p store.Pred) store.Pred { return store.Not{Pred: p} }

func anyOf(preds ...store.Pred) store.Pred { return store.Or(preds) }

func allOf(preds ...store.Pred) store.Pred { return store.And(preds) }

func otherThan(prefix, own store.Key) store.Pred {
	return store.Or{
		store.Range{Low: prefix, High: own},
		store.Range{Low: own + "\x00", High: store.PrefixEnd(prefix)},
	}
}

// neverShown are the types that nobody sees over FHIR today: the trail, and what
// belongs to documents whose owner is not settled.
func neverShown(typ string) bool { return typ == "AuditEvent" }

// kept from patients: unstructured documents (CON-1102).
func withheldFromPatients(typ string) bool {
	return slices.Contains([]string{"Binary", "DocumentReference", "Composition", "Media"}, typ)
}

// Where is the predicate of a type: what a document of it must satisfy to be
// there for this Principal. Engines and search AND it into every question.
func (g *Grant) Where(typ string) store.Pred { return g.rules.narrow(g.pipeline(typ)) }

// pipeline is the predicate of the steps that are built in.
func (g *Grant) pipeline(typ string) store.Pred {
	if neverShown(typ) && g.principal.Kind != System {
		return nothing
	}
	switch g.principal.Kind {
	case System:
		return everything
	case SourceSystem:
		return fromSource(g.principal.Organisation)
	case Staff:
		return g.whereStaff(typ)
	case Patient:
		return g.wherePatient(typ)
	case Backend:
		if typ == definitions.Type && g.principal.Operates() {
			return everything
		}
	}
	return nothing
}

// whereStaff puts steps 4, 7, 8 and 9 into one predicate.
func (g *Grant) whereStaff(typ string) store.Pred {
	own := fromSource(g.principal.Organisation)
	always := store.And{
		not(facts.About(g.sets.Restricted)),      // step 4
		not(facts.About(g.sets.Denied)),          // step 8
		not(mentions(mentionedHidden{g.hidden})), // section 12, thin
	}
	shared := store.And{usual(index.FactShared), usual(index.FactResolved), not(facts.About(g.sets.OptedOut))} // step 7
	if !g.stale.Empty() {
		always = append(always, not(g.stale.WhereAbout(g.sets.Denied)), not(g.stale.WhereAbout(g.sets.Restricted)), not(g.stale.WhereBarred()))
		shared = append(shared, not(g.stale.Where()))
	}
	switch typ {
	case "Consent":
		// CON-409. Its own labels do not hide it: somebody has to be able to end it.
		return append(always, own)
	}
	always = append(always, usual(index.FactOrdinary)) // step 9
	switch typ {
	case "Patient":
		// Own-source rows bring the Patient of their record with them.
		return append(always, usual(index.FactResolved), anyOf(own, not(facts.About(g.hidden))))
	}
	return append(always, anyOf(own, shared))
}

// wherePatient is step 10, thin: the own record alone, and of it what is
// released.
func (g *Grant) wherePatient(typ string) store.Pred {
	p := g.principal.Patient
	if p == "" || g.ownRecordWithheld || withheldFromPatients(typ) {
		return nothing
	}
	out := store.And{
		store.Eq{Key: index.OwnerKey(p)},
		usual(index.FactResolved),
		not(facts.About(g.sets.Restricted)),
		not(otherThan(index.OwnerPrefix(), index.OwnerKey(p))),
		not(store.WithPrefix(index.MentionPrefix())),
	}
	switch typ {
	case "Consent": // its own labels do not hide what the patient said
		out = append(out, anyOf(usual(index.FactReleased), allOf(fact(index.FactInPerson), not(store.WithPrefix(index.SourcePrefix())))))
	default:
		out = append(out, usual(index.FactReleased), usual(index.FactOrdinary))
	}
	if !g.stale.Empty() {
		out = append(out, not(g.stale.Where()))
	}
	return out
}
