package consent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"carerecord/consent/definitions"
	"carerecord/consent/facts"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// The codes of refusals (CON-1704, CON-1702).
const (
	PurposeRefused     = "PURPOSE_REFUSED"
	FlowNotApproved    = "FLOW_NOT_APPROVED"
	NoAgreement        = "NO_ORGANISATION_AGREEMENT"
	RoleNotAllowed     = "ROLE_NOT_ALLOWED"
	ScopeNotGranted    = "SCOPE_NOT_GRANTED"
	NoRelationship     = "NO_RELATIONSHIP"
	NoPatientConsent   = "NO_PATIENT_CONSENT"
	spineWarnings      = "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1"
	accessSystemSuffix = "/CodeSystem/access"
)

// decision is one request on its way through the pipeline.
type decision struct {
	guard *Guard
	p     Principal
	req   Request
	snap  store.Snap // nil until the steps that look at patients
	grant *Grant
	err   error // the store did not answer
}

// step decides one thing: nil goes on, a Refusal ends the request.
type step struct {
	number int
	run    func(context.Context, *decision) *Refusal
}

// stepsBeforePatient are the steps that look at no patient (CON-403): their refusals are
// the same for existing, hidden and unknown patients.
func stepsBeforePatient() []step {
	return []step{
		{1, identity},
		{2, purpose},
		{5, flow},
		{6, agreement},
		{6, role},
		{6, relationship},
		{11, scope},
	}
}

// stepsOnPatient are the steps that look at the patient whom the request names.
func stepsOnPatient() []step {
	return []step{
		{3, patient},
		{4, restriction},
		{7, optOut},
		{8, directives},
		{8, decided},
		{10, ownRecord},
		{13, impliedPermit},
	}
}

// identity is step 1, as far as it is left after the token: a Principal that
// was never built asks for nothing.
func identity(_ context.Context, d *decision) *Refusal {
	if d.p.Kind == Nobody {
		return d.refuse(1, "UNAUTHENTICATED", &fhir.Error{Status: 401, Issues: []fhir.Issue{{Code: "login", Text: "An access token is needed."}}})
	}
	return nil
}

// purpose is step 2: exactly one, known, and registered for the client.
func purpose(_ context.Context, d *decision) *Refusal {
	if d.p.Kind == System {
		return nil
	}
	want := directCare
	if d.p.Kind == Patient {
		want = patientOwn
	}
	registered := slices.Contains(d.p.ClientPurposes, d.p.Purpose)
	if d.operates() && registered {
		return nil
	}
	if classOf(d.p.Purpose) != want || !registered || d.p.Kind == Patient && d.p.Purpose != "PATRQT" {
		return d.forbid(2, PurposeRefused, "This client may not ask for the purpose of use %q.", d.p.Purpose)
	}
	return nil
}

// operates: a backend client that operates the record asks about definitions of
// search parameters, which are about nobody, or for a bundle whose entries are
// judged alone. Nothing else is there for it.
func (d *decision) operates() bool {
	bundle := d.req.Type == "" && (d.req.Interaction == Batch || d.req.Interaction == Transaction)
	return d.p.Kind == Backend && d.p.Operates() && (d.req.Type == definitions.Type || bundle)
}

// flow is step 5, thin: no secondary use, and of backend clients only feeds, and
// who operates the record.
func flow(_ context.Context, d *decision) *Refusal {
	if d.operates() {
		return nil
	}
	if d.p.Kind == Backend || d.p.Kind == SourceSystem && d.p.Flow != FlowIngest {
		return d.forbid(5, FlowNotApproved, "No approved flow of data covers this request.")
	}
	return nil
}

// agreement is step 6, first part: the acting organisation signed it.
func agreement(_ context.Context, d *decision) *Refusal {
	if d.p.Kind != Staff && d.p.Kind != SourceSystem {
		return nil
	}
	if d.p.Organisation == "" || !d.guard.policy.Signed(d.p.Organisation) {
		return d.forbid(6, NoAgreement, "The acting organisation is not in the sharing agreement.")
	}
	return nil
}

// role is step 6, second part: the role allows what is asked. Of people, some
// record the regional opt-out; every other write is a feed's.
func role(_ context.Context, d *decision) *Refusal {
	no := func() *Refusal {
		return d.forbid(6, RoleNotAllowed, "The acting role does not allow this.")
	}
	switch d.p.Kind {
	case Staff:
		if d.p.Role == "" {
			return no()
		}
		if !d.req.Write && !slices.Contains(d.p.Activities, policy.ActivityRead) {
			return no()
		}
		if d.req.Write && (!d.writesDirective() || !slices.Contains(d.p.Activities, policy.ActivityOptOut)) {
			return no()
		}
	case Patient:
		if d.req.Write && !d.writesDirective() {
			return no()
		}
	}
	return nil
}

// writesDirective: a person creates, updates or patches Consents, one at a time
// or in a bundle whose entries are judged alone.
func (d *decision) writesDirective() bool {
	return d.req.Type == "Consent" && (d.req.Interaction == Create || d.req.Interaction == Update || d.req.Interaction == Patch)
}

// relationship is step 6, third part. It is assumed or refused, for everybody
// alike, so it needs no patient yet (CON-404).
func relationship(_ context.Context, d *decision) *Refusal {
	if d.p.Kind == Staff && d.guard.policy.Agreement.Relationship != policy.RelationshipAssumed {
		return d.forbid(6, NoRelationship, "No legitimate relationship with a patient can be shown: claims and evidence of relationships are not built yet.")
	}
	return nil
}

// scope is step 11 for the interaction: some scope has the letter on the type, and
// who writes definitions of search parameters operates the record (SRCH-240).
// Rows are cut by it where they are asked for.
func scope(_ context.Context, d *decision) *Refusal {
	if d.p.unlimited() || d.req.Permission == 0 || d.req.Type == "" {
		return nil
	}
	if d.req.Write && d.req.Type == definitions.Type && !d.p.Operates() {
		return d.missingScope(Operations())
	}
	//law:scope-checked
	if d.p.Scopes.Allow(d.req.Type, d.req.Permission) {
		return nil
	}
	return d.missingScope(Scope{Level: level(d.p.Kind), Type: d.req.Type, Permissions: string(rune(d.req.Permission))})
}

// missingScope is the refusal for want of a scope.
func (d *decision) missingScope(missing Scope) *Refusal {
	r := d.forbid(11, ScopeNotGranted, "The token has no scope for this: %s is missing.", missing)
	r.Err.Header = map[string]string{"WWW-Authenticate": fmt.Sprintf(`Bearer realm="carerecord", error="insufficient_scope", scope="%s"`, missing)}
	return r
}

func level(k Kind) string {
	switch k {
	case Staff:
		return "user"
	case Patient:
		return "patient"
	}
	return "system"
}

// patient is step 3: whom the request names, and whether there is such a
// record. A search under a token that is bound to a patient names that patient.
func patient(ctx context.Context, d *decision) *Refusal {
	id, err := d.guard.findNamed(ctx, d.snap, d.req.Named)
	if err != nil {
		d.err = err
		return nil
	}
	if d.p.Kind == Patient && d.req.Named.None() {
		id = d.p.Patient
	}
	d.grant.patient = id
	return nil
}

// findNamed returns the id of the one live Patient who is named, or "".
func (g *Guard) findNamed(ctx context.Context, snap store.Snap, n NamedPatient) (string, error) {
	if n.Where != nil {
		var found []string
		for p, err := range snap.Scan(ctx, store.Query{Type: "Patient", Where: n.Where, KeysOnly: true, TimingSafe: true}) {
			if err != nil {
				return "", fmt.Errorf("find the named patient: %w", err)
			}
			if found = append(found, p.Ref.ID); len(found) > 1 {
				return "", nil
			}
		}
		if len(found) == 1 {
			return found[0], nil
		}
		return "", nil
	}
	if n.ID == "" {
		return "", nil
	}
	p, err := snap.Get(ctx, store.Ref{Type: "Patient", ID: n.ID})
	if errors.Is(err, store.ErrNotFound) || err == nil && p.Deleted() {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("find the named patient: %w", err)
	}
	return n.ID, nil
}

// restriction is step 4, thin: a Patient labelled R, V or REDACTED is no record
// for anybody but its feed. The predicate of the Grant hides it; here the
// request stops naming somebody, so that no signal speaks of it.
func restriction(_ context.Context, d *decision) *Refusal {
	if d.p.Kind == Staff && d.grant.patient != "" && d.grant.sets.Restricted.Has(d.grant.patient) {
		d.grant.patient, d.grant.hiddenSuffix, d.grant.Step = "", hiddenKeySuffix(d.req.Named), 4
	}
	return nil
}

// optOut is step 7: the predicate hides all but own-source rows. A person who
// may break the glass, and to whom nothing is left of the record that is named,
// is told so (S1, CON-1702); to all others it is absent.
func optOut(_ context.Context, d *decision) *Refusal {
	return d.hiddenRecord(7, d.grant.sets.OptedOut)
}

// directives is step 8, thin: a directive that cannot be read yet denies all
// direct care, own-source rows included.
func directives(_ context.Context, d *decision) *Refusal {
	return d.hiddenRecord(8, d.grant.sets.Denied)
}

func (d *decision) hiddenRecord(number int, set store.Set) *Refusal {
	g := d.grant
	if d.p.Kind != Staff || g.patient == "" || !set.Has(g.patient) || !g.hidden.Has(g.patient) {
		return nil
	}
	g.Step, g.Reason = number, NoPatientConsent
	if !slices.Contains(d.p.Activities, policy.ActivityBreakGlass) {
		g.patient, g.hiddenSuffix = "", hiddenKeySuffix(d.req.Named)
		return nil
	}
	return d.refuse(number, NoPatientConsent, &fhir.Error{Status: 403, Issues: []fhir.Issue{{
		Code: "forbidden",
		Text: "The patient does not share this record. Ask the patient: they, or their GP practice, can lift the opt-out. " +
			"In an emergency a session can be opened with Patient/[id]/$break-glass, once that operation exists.",
		Detail: fhir.Coding{System: spineWarnings, Code: NoPatientConsent},
	}}})
}

// ownRecord is step 10 for the request: a token that is bound to a patient knows no
// other (CON-205), and where the Patient resource itself is withheld, the record
// is withheld whole, as CON-620 has it for step 8.
func ownRecord(ctx context.Context, d *decision) *Refusal {
	g := d.grant
	if d.p.Kind != Patient {
		return nil
	}
	p, err := d.snap.Get(ctx, store.Ref{Type: "Patient", ID: d.p.Patient})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		d.err = fmt.Errorf("read the own Patient: %w", err)
		return nil
	}
	g.ownRecordWithheld = err != nil || p.Deleted() || !store.Match(g.Where("Patient"), p.Keys) || g.rules.apply(p.Keys, map[string]bool{})
	if g.patient != d.p.Patient || g.ownRecordWithheld {
		g.patient, g.Step = "", 10
	}
	return nil
}

// impliedPermit is step 13: what is left is permitted, and whether something of the
// named patient is withheld is found out (S2, CON-1104).
func impliedPermit(ctx context.Context, d *decision) *Refusal {
	g := d.grant
	if g.Step == 0 {
		g.Step = 13
	}
	if d.p.Kind != Staff {
		return nil
	}
	if g.patient == "" {
		// A request that names nobody who is there does what one does that names a
		// patient whose record is hidden, so that time tells neither (CON-1510).
		if !d.req.Named.None() && !g.hidden.searched {
			_, d.err = g.hidden.hasSourceRows(cmp.Or(d.req.Named.ID, "nobody"))
		}
		return nil
	}
	some, err := d.hasWithheldRows(ctx)
	if err != nil {
		d.err = fmt.Errorf("look for withheld rows: %w", err)
	}
	g.withheld = some || g.rules.Withheld
	return nil
}

// hasWithheldRows reports whether rows of the named patient are withheld. Of one who
// dissents nearly all are, so that the first type with rows has one; of all others
// those alone can be that stand apart.
func (d *decision) hasWithheldRows(ctx context.Context) (bool, error) {
	rows, patient := d.whereWithheld(), d.grant.patient
	if d.grant.sets.OptedOut.Has(patient) || d.grant.sets.Denied.Has(patient) {
		return d.guard.catalog.anyMatch(ctx, d.snap, rows)
	}
	n, err := d.snap.Count(ctx, store.Query{Where: allOf(store.Eq{Key: index.IrregularKey(patient)}, rows), KeysOnly: true}, 1)
	return n > 0, err
}

// whereWithheld are the rows of the named patient that steps 7 to 9 hide from
// this Principal, and that nothing else does. A row about two patients is also
// hidden by what the other one wishes. A Patient is not hidden by a dissent as
// long as something of the record is left.
func (d *decision) whereWithheld() store.Pred {
	g := d.grant
	hides := store.Or{
		not(fact(index.FactOrdinary)),
		facts.About(g.sets.Denied),
		store.And{facts.About(g.sets.OptedOut), not(fromSource(d.p.Organisation)), not(store.Eq{Key: index.TypeKey("Patient")})},
	}
	rows := store.And{
		store.Eq{Key: index.OwnerKey(g.patient)},
		usual(index.FactResolved), usual(index.FactShared),
		not(facts.About(g.sets.Restricted)),
		hides,
	}
	if !d.p.Scopes.AllowAny("*", "rs") {
		types := store.Or{}
		for _, s := range d.p.Scopes {
			if d.p.Scopes.AllowAny(s.Type, "rs") {
				types = append(types, store.Eq{Key: index.TypeKey(s.Type)})
			}
		}
		rows = append(rows, types)
	}
	return rows
}

func (d *decision) refuse(number int, reason string, err *fhir.Error) *Refusal {
	return &Refusal{Step: number, Reason: reason, Err: err}
}

// forbid is a refusal with a code of ours (CON-1704).
func (d *decision) forbid(number int, reason, format string, args ...any) *Refusal {
	err := fhir.Fault(403, "forbidden", format, args...)
	err.Issues[0].Detail = fhir.Coding{System: d.guard.publicURL + accessSystemSuffix, Code: reason}
	return d.refuse(number, reason, err)
}
