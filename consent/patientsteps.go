package consent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"carerecord/consent/facts"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// patient is step 3: it finds the named patient. A search under a token that is bound to a patient
// names that patient.
func patient(ctx context.Context, d *decision) *Refusal {
	named, err := d.guard.findNamed(ctx, d.snap, d.req.Named, d.absent, d.shown)
	if err == nil && d.p.Kind == Patient {
		d.grant.own, err = d.guard.newOwnRecord(ctx, d.snap, d.p.Patient, d.p.Person, d.grant.failed)
		if d.req.Named.None() {
			named = namedPerson{id: d.p.Patient, person: d.grant.own.person}
		}
	}
	if err == nil {
		err = d.readContext(ctx)
	}
	if err != nil {
		d.err = err
		return nil
	}
	if d.outsideContext(named) {
		named = namedPerson{}
	}
	d.grant.patient, d.grant.person, d.named = named.id, named.person, named
	return nil
}

// namedPerson is a live Patient and its person key. keys are those of a Patient that is named by its id.
type namedPerson struct {
	id, person string
	keys       []store.Key
	found      [][]store.Key // of all Patients that are named
}

// absent reports whether a named Patient is absent for the requester: a contradicted one of another source
// (IDN-104). Otherwise signal S1 would reveal it, and by its number it would conceal signal S2.
func (d *decision) absent(p store.Doc) bool {
	//law:contradicted-absent
	return d.p.Kind == Staff && facts.Has(p.Keys, index.FactContradicted) && !store.Match(fromSource(d.p.Organisation), p.Keys)
}

// shown reports whether staff see a Patient by the steps up to here: where several Patients are named, one who is hidden must not
// decide whether they are one person.
func (d *decision) shown(p store.Doc) bool {
	return d.p.Kind == Staff && store.Match(d.grant.pipeline("Patient"), p.Keys)
}

// namedMaximum is how many Patients with one identifier are read. If there are more, it names nobody: a local identifier that
// stands for "unknown".
const namedMaximum = 1000

// findNamed returns the person who is named, with the best of the Patients that name it; the zero namedPerson if
// that is nobody, or not one person. Patients that absent reports do not count. By a national number only the Patients that are
// joined by it count, if there are some; of these, only those that shown reports, if there are some.
func (g *Guard) findNamed(ctx context.Context, snap store.Snapshot, n NamedPatient, absent, shown func(store.Doc) bool) (namedPerson, error) {
	if n.Where != nil {
		var matches []store.Doc
		var found [][]store.Key
		for p, err := range snap.Scan(ctx, store.Query{Type: "Patient", Where: n.Where, KeysOnly: true, TimingSafe: true}) {
			if err != nil {
				return namedPerson{}, fmt.Errorf("find the named patient: %w", err)
			}
			if absent(p) {
				continue
			}
			if len(matches) == namedMaximum {
				return namedPerson{}, nil
			}
			matches, found = append(matches, p), append(found, p.Keys)
		}
		if len(matches) == 0 {
			return namedPerson{}, nil
		}
		group, err := g.groupOf(ctx, snap, personKey(matches[0]))
		if name, ok := g.keyer.NationalName(n.System, n.Value); err == nil && ok {
			if group, err = g.groupOf(ctx, snap, name); err == nil {
				matches = those(matches, func(p store.Doc) bool { return slices.Contains(group, personKey(p)) })
			}
		}
		if len(matches) > 1 { // one Patient is the one who is named, and costs no more than an absent one (CON-1510)
			matches = those(matches, shown)
		}
		if err == nil && !slices.Contains(group, personKey(matches[0])) {
			group, err = g.groupOf(ctx, snap, personKey(matches[0]))
		}
		if err != nil {
			return namedPerson{}, err
		}
		best := matches[0]
		for _, p := range matches {
			if !slices.Contains(group, personKey(p)) {
				return namedPerson{}, nil
			}
			if g.prefers(p, best, group) {
				best = p
			}
		}
		return namedPerson{id: best.Ref.ID, person: personKey(best), found: found}, nil
	}
	if n.ID == "" {
		return namedPerson{}, nil
	}
	p, err := snap.Get(ctx, store.Ref{Type: "Patient", ID: n.ID})
	if errors.Is(err, store.ErrNotFound) || err == nil && p.Deleted() {
		return namedPerson{}, nil
	}
	if err != nil {
		return namedPerson{}, fmt.Errorf("find the named patient: %w", err)
	}
	if absent(p) {
		return namedPerson{}, nil
	}
	return namedPerson{n.ID, personKey(p), p.Keys, [][]store.Key{p.Keys}}, nil
}

// those returns the Patients that a function reports, or all if it reports none.
func those(patients []store.Doc, is func(store.Doc) bool) []store.Doc {
	some := slices.DeleteFunc(slices.Clone(patients), func(p store.Doc) bool { return !is(p) })
	if len(some) == 0 {
		return patients
	}
	return some
}

// restriction is step 4 in part: only the source sees a Patient labelled R, V or REDACTED. The
// predicate of the Grant hides it; this step removes it as the named patient, so no signal is sent.
func restriction(_ context.Context, d *decision) *Refusal {
	if d.p.Kind == Staff && d.grant.patient != "" && d.grant.sets.Restricted.Has(d.grant.person) {
		d.hideNamed()
		d.grant.Step = 4
	}
	return nil
}

// optOut is step 7. The predicate hides all rows but those of the own source. A person who may break
// the glass and sees nothing of the named record gets a refusal with signal S1 (CON-1702); for all
// others the record is absent.
func optOut(_ context.Context, d *decision) *Refusal {
	return d.hiddenRecord(7, d.grant.sets.OptedOut)
}

// directives is step 8 in part: any other directive denies all direct care, rows of the own source
// included.
func directives(_ context.Context, d *decision) *Refusal {
	return d.hiddenRecord(8, d.grant.sets.Denied)
}

// hideNamed makes the named patient absent. The queries of the request find nothing (unsatisfiable.go), unless one of the
// named Patients is visible although there is no record: the organisation's own.
func (d *decision) hideNamed() {
	g := d.grant
	g.patient, g.person = "", ""
	if where := g.pipeline("Patient"); !slices.ContainsFunc(d.named.found, func(keys []store.Key) bool { return store.Match(where, keys) }) {
		g.hiddenSuffix = hiddenKeySuffix(d.req.Named)
	}
}

func (d *decision) hiddenRecord(number int, set store.Set) *Refusal {
	g := d.grant
	if d.p.Kind != Staff || g.patient == "" || !set.Has(g.person) || !g.hidden.Has(g.person) {
		return nil
	}
	g.Step, g.Reason = number, NoPatientConsent
	if !slices.Contains(d.p.Activities, policy.ActivityBreakGlass) {
		d.hideNamed()
		return nil
	}
	reason := "The patient does not share this record. Ask the patient: they, or their GP practice, can lift the opt-out. "
	if number == 8 {
		reason = "A directive of the patient withholds this record. Ask the patient. The organisation that recorded the directive can end it. "
	}
	return d.refuse(number, NoPatientConsent, &fhir.Error{Status: 403, Issues: []fhir.Issue{{
		Code:   "forbidden",
		Text:   reason + "In an emergency a session can be opened with Patient/[id]/$break-glass, once that operation exists.",
		Detail: fhir.Coding{System: spineWarnings, Code: NoPatientConsent},
	}}})
}

// ownRecord is step 10 for the request: a token that is bound to a patient can name no other
// (CON-205). Where the Patient resource itself is withheld, the whole record is (as in CON-620).
func ownRecord(_ context.Context, d *decision) *Refusal {
	g := d.grant
	if d.p.Kind != Patient {
		return nil
	}
	o := d.grant.own
	g.ownRecordWithheld = o.person == "" || !store.Match(g.Where("Patient"), o.keys) || g.rules.apply(o.keys, map[string]bool{})
	if !slices.Contains(o.group, g.person) || g.ownRecordWithheld {
		g.patient, g.person, g.Step = "", "", 10
	}
	return nil
}

// impliedPermit is step 13: the rest is permitted. It finds out whether rows of the named patient are
// withheld (signal S2, CON-1104).
func impliedPermit(ctx context.Context, d *decision) *Refusal {
	g := d.grant
	if g.Step == 0 {
		g.Step = 13
	}
	if d.p.Kind != Staff {
		return nil
	}
	if g.patient != "" && d.named.keys != nil && !store.Match(g.pipeline("Patient"), d.named.keys) {
		// A hidden Patient of a person with visible rows is absent, so signal S2 must not reveal it.
		g.patient, g.person = "", ""
	}
	if g.patient == "" {
		// A request that names no existing patient makes the same reads as one that names a
		// patient whose record is hidden: the time of the answer is no signal (CON-1510).
		if !d.req.Named.None() && !g.hidden.searched {
			g.hidden.reads.hasSourceRows(cmp.Or(d.req.Named.ID, "nobody"))
		}
		return nil
	}
	some, err := d.hasWithheldRows(ctx)
	if err != nil {
		d.err = fmt.Errorf("look up withheld rows: %w", err)
	}
	g.withheld = some || g.rules.Withheld
	return nil
}

// hasWithheldRows reports whether rows of the named patient are withheld. Of a patient with a
// directive nearly all are, so a scan type by type ends soon. Of all others only irregular rows can
// be (index.IrregularKey).
func (d *decision) hasWithheldRows(ctx context.Context) (bool, error) {
	group, err := d.guard.groupOf(ctx, d.snap, d.grant.person)
	if err != nil {
		return false, err
	}
	rows, person := d.whereWithheld(group), d.grant.person
	if d.grant.sets.OptedOut.Has(person) || d.grant.sets.Denied.Has(person) {
		return d.guard.catalog.anyMatch(ctx, d.snap, rows)
	}
	for _, person := range group {
		n, err := d.snap.Count(ctx, store.Query{Where: allOf(store.Eq{Key: index.IrregularKey(person)}, rows), KeysOnly: true}, 1)
		if n > 0 || err != nil {
			return n > 0, err
		}
	}
	return false, nil
}

// whereWithheld matches the rows of the named patient, by its person keys, that only steps 7 to 9 hide from the Principal. A
// row about two patients is also hidden by a directive of the other one. A directive does not hide
// the Patient resource as long as other rows of the record are visible.
func (d *decision) whereWithheld(group []string) store.Pred {
	g := d.grant
	hides := store.Or{
		not(fact(index.FactOrdinary)),
		facts.About(g.sets.Denied),
		store.And{facts.About(g.sets.OptedOut), not(fromSource(d.p.Organisation)), not(store.Eq{Key: index.TypeKey("Patient")})},
	}
	rows := store.And{
		ownedBy(group),
		verifyOnly(index.FactResolved), verifyOnly(index.FactShared),
		not(facts.About(g.sets.Restricted)),
		hides,
	}
	if readable := d.readableRows(); readable != nil {
		rows = append(rows, readable)
	}
	return rows
}

// readableRows matches the documents about patients that the scopes permit to read or to search; nil for all.
func (d *decision) readableRows() store.Pred {
	if d.p.unlimited() {
		return nil
	}
	var types store.Or
	for _, s := range d.p.Scopes {
		if !d.p.counts(s) || !s.isFor(s.Type, "rs") {
			continue
		}
		where := d.grant.withinScopes(d.guard.index, s.Type, "rs")
		switch {
		case s.Type != "*" && where == nil:
			where = store.Eq{Key: index.TypeKey(s.Type)}
		case s.Type != "*":
			where = allOf(store.Eq{Key: index.TypeKey(s.Type)}, where)
		case where == nil:
			return nil
		}
		types = append(types, where)
	}
	return types
}
