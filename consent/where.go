package consent

import (
	"slices"

	"carerecord/consent/definitions"
	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/store"
)

// Predicates of a Grant.
var (
	nothing    = store.Or{}
	everything = store.And{}
)

func fact(name string) store.Pred { return store.Eq{Key: index.FactKey(name)} }

// verifyOnly matches documents with a fact. Nearly all documents have it, so no index is driven by it.
func verifyOnly(name string) store.Pred { return store.VerifyOnly{Pred: fact(name)} }

func mentions(in store.Set) store.Pred { return store.In{Prefix: index.MentionPrefix(), Set: in} }

func fromSource(organisation string) store.Pred { return store.Eq{Key: index.SourceKey(organisation)} }

func not(p store.Pred) store.Pred { return store.Not{Pred: p} }

func anyOf(preds ...store.Pred) store.Pred { return store.Or(preds) }

func allOf(preds ...store.Pred) store.Pred { return store.And(preds) }

// neverShown reports the types that nobody may see over FHIR.
func neverShown(typ string) bool { return typ == "AuditEvent" }

// withheldFromPatients reports the types of unstructured documents (CON-1102).
func withheldFromPatients(typ string) bool {
	return slices.Contains([]string{"Binary", "DocumentReference", "Composition", "Media"}, typ)
}

// Where returns the predicate that a document of a type must satisfy to be visible. Every query of
// the store contains it.
func (g *Grant) Where(typ string) store.Pred { return g.rules.narrow(g.pipeline(typ)) }

// whereDecided is Where once all steps have run: the predicate of a type is made once.
func (g *Grant) whereDecided(typ string) store.Pred {
	where, made := g.decided[typ]
	if !made {
		if where = g.Where(typ); g.decided == nil {
			g.decided = map[string]store.Pred{}
		}
		g.decided[typ] = where
	}
	return where
}

// pipeline returns the predicate of the built-in steps.
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
	case Nobody, Administrator:
	}
	return nothing
}

// staffParts are the parts of the predicate for staff that are the same for all types.
type staffParts struct {
	own            store.Pred
	always, shared store.And
}

// newStaffParts are the predicates of steps 4, 7 and 8.
func (g *Grant) newStaffParts() *staffParts {
	p := &staffParts{own: fromSource(g.principal.Organisation)}
	p.always = store.And{
		not(facts.About(g.sets.Restricted)),      // step 4
		not(facts.About(g.sets.Denied)),          // step 8
		not(mentions(mentionedHidden{g.hidden})), // section 12 in part
	}
	p.shared = store.And{verifyOnly(index.FactShared), verifyOnly(index.FactResolved), not(facts.About(g.sets.OptedOut)), not(g.unknownPerson())} // step 7
	if !g.stale.Empty() {
		p.always = append(p.always, not(g.stale.WhereAbout(g.sets.Denied)), not(g.stale.WhereAbout(g.sets.Restricted)), not(g.stale.WhereBarred()))
		p.shared = append(p.shared, not(g.stale.Where()))
	}
	return p
}

// whereStaff is the predicate of steps 4, 7, 8 and 9.
func (g *Grant) whereStaff(typ string) store.Pred {
	if g.staff == nil {
		g.staff = g.newStaffParts()
	}
	own, always, shared := g.staff.own, slices.Clip(g.staff.always), g.staff.shared
	switch typ {
	case "Consent":
		// CON-409. Its own labels do not hide it: somebody has to be able to end it.
		return append(always, own)
	}
	always = append(always, verifyOnly(index.FactOrdinary)) // step 9
	switch typ {
	case "Patient":
		// A row of the own organisation brings the Patients that it names, and no other of an
		// opted-out person (IDN-132).
		named := store.In{Prefix: index.PatientPrefix(), Set: facts.SetFunc(g.hidden.ownRowsName)}
		//law:patient-named
		// A contradicted Patient is not resolved: its source alone sees it (IDN-104).
		others := store.And{verifyOnly(index.FactResolved), not(facts.About(g.hidden)), anyOf(not(facts.About(g.sets.OptedOut)), named)}
		if !g.stale.Empty() {
			others = append(others, not(g.stale.WhereCompared()))
		}
		return append(always, anyOf(own, others))
	}
	return append(always, anyOf(own, shared))
}

// unknownPerson matches documents about a person whom they name by a number that no joined Patient has (IDN-110).
func (g *Grant) unknownPerson() store.Pred {
	//law:unknown-person
	return allOf(fact(index.FactByNumber), store.In{Prefix: index.OwnerPrefix(), Set: facts.SetFunc(g.hidden.hasNoPatient)})
}

// wherePatient is the predicate of step 10 in part: released rows of the own record, and those of the directory that are about nobody
// (SMART-256).
func (g *Grant) wherePatient(typ string) store.Pred {
	if g.own == nil || g.own.person == "" || g.ownRecordWithheld || withheldFromPatients(typ) {
		return nothing
	}
	own := ownedByOne(g.own.group)
	if slices.Contains(directoryTypes(), typ) {
		own = anyOf(own, not(store.WithPrefix(index.OwnerPrefix())))
	}
	out := store.And{
		own,
		verifyOnly(index.FactResolved),
		not(facts.About(g.sets.Restricted)),
		not(mentions(g.own.others())),
	}
	if !g.stale.Empty() {
		out = append(out, not(g.stale.Where()))
	}
	if typ != "Consent" {
		return append(out, verifyOnly(index.FactReleased), verifyOnly(index.FactOrdinary))
	}
	// A statement that was made when the Patient was somebody else is theirs. The own labels of a statement of the patient do not
	// hide it, nor what becomes of the Patient that it names.
	made := make(store.Or, len(g.own.group))
	for i, person := range g.own.group {
		made[i] = store.Eq{Key: index.MakerKey(person)}
	}
	madeAbout, byPatient := oneOf(made), allOf(fact(index.FactInPerson), not(store.WithPrefix(index.SourcePrefix())))
	out = append(out, anyOf(verifyOnly(index.FactReleased), byPatient), anyOf(not(fact(index.FactInPerson)), madeAbout))
	return anyOf(out, allOf(madeAbout, byPatient, not(facts.About(g.sets.Restricted))))
}
