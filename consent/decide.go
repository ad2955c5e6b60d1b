package consent

import (
	"context"
	"fmt"
	"slices"

	"carerecord/consent/definitions"
	"carerecord/consent/policy"
	"carerecord/fhir"
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

// Codes returns the codes that details.coding of an OperationOutcome may have for a request that was refused or not carried out. Each has a line on
// the page for developers (SMART-010).
func Codes() []string {
	return []string{PurposeRefused, FlowNotApproved, NoAgreement, RoleNotAllowed, ScopeNotGranted, NoRelationship, NoPatientConsent, NotStored, MayBeStored}
}

// decision is the state of a request while its steps run.
type decision struct {
	guard *Guard
	p     Principal
	req   Request
	snap  store.Snapshot // nil in the steps that read no patient
	grant *Grant
	named namedPerson
	err   error // of the store
}

// step decides one thing: nil continues, a Refusal ends the request.
type step struct {
	number int
	run    func(context.Context, *decision) *Refusal
}

// stepsBeforePatient read no patient (CON-403): their refusals are the same for existing, hidden and
// unknown patients.
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

// stepsOnPatient read the patient whom the request names.
func stepsOnPatient() []step {
	return []step{
		{3, patient},
		{4, restriction},
		{7, optOut},
		{8, directives},
		{8, decided},
		{10, ownRecord},
		{10, contextShown},
		{13, impliedPermit},
	}
}

// identity is step 1 after the token was verified: the zero Principal is refused.
func identity(_ context.Context, d *decision) *Refusal {
	if d.p.Kind == Nobody {
		return d.refuse(1, "UNAUTHENTICATED", &fhir.Error{Status: 401, Issues: []fhir.Issue{{Code: "login", Text: "An access token is required."}}})
	}
	return nil
}

// purpose is step 2: exactly one purpose, known, and registered for the client.
func purpose(_ context.Context, d *decision) *Refusal {
	if d.p.Kind == System {
		return nil
	}
	if d.p.Kind == Administrator {
		return d.forbid(2, PurposeRefused, "The token of an administrator reads no patient data.")
	}
	want := directCare
	if d.p.Kind == Patient {
		want = patientOwn
	}
	registered := slices.Contains(d.p.ClientPurposes, d.p.Purpose)
	if d.operates() && registered {
		return nil
	}
	if d.p.Kind == Backend && d.p.Operates() && classOf(d.p.Purpose) != want && registered {
		return d.forbid(2, PurposeRefused, "The token of an operator reads no patient data.")
	}
	if classOf(d.p.Purpose) != want || !registered || d.p.Kind == Patient && d.p.Purpose != "PATRQT" {
		return d.forbid(2, PurposeRefused, "The purpose of use %q is not permitted to this client.", d.p.Purpose)
	}
	return nil
}

// operates reports whether an operator's backend client requests definitions of search parameters, which
// contain no patient data, or a bundle, whose entries are decided one by one. An operator may request
// nothing else.
func (d *decision) operates() bool {
	bundle := d.req.Type == "" && (d.req.Interaction == Batch || d.req.Interaction == Transaction)
	return d.p.Kind == Backend && d.p.Operates() && (d.req.Type == definitions.Type || bundle)
}

// flow is step 5 in part: no secondary use, and of backend clients only source systems and operators.
func flow(_ context.Context, d *decision) *Refusal {
	if d.operates() {
		return nil
	}
	if d.p.Kind == Backend || d.p.Kind == SourceSystem && d.p.Flow != FlowIngest {
		return d.forbid(5, FlowNotApproved, "No approved flow of data covers this request.")
	}
	return nil
}

// agreement is the first part of step 6: the acting organisation signed the agreement.
func agreement(_ context.Context, d *decision) *Refusal {
	if d.p.Kind != Staff && d.p.Kind != SourceSystem {
		return nil
	}
	if d.p.Organisation == "" || !d.guard.policy.Signed(d.p.Organisation) {
		return d.forbid(6, NoAgreement, "The acting organisation has not signed the sharing agreement.")
	}
	return nil
}

// role is the second part of step 6: the role permits the interaction. Some people may record the
// regional opt-out; only source systems may write anything else.
func role(_ context.Context, d *decision) *Refusal {
	no := func() *Refusal {
		return d.forbid(6, RoleNotAllowed, "The acting role does not permit this.")
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
	case Nobody, SourceSystem, Backend, System, Administrator: // have no role; other steps decide about them
	}
	return nil
}

// writesDirective reports whether a person creates, updates or patches a Consent.
func (d *decision) writesDirective() bool {
	return d.req.Type == "Consent" && (d.req.Interaction == Create || d.req.Interaction == Update || d.req.Interaction == Patch)
}

// relationship is the third part of step 6. It is assumed or refused for everybody alike, so it
// reads no patient (CON-404).
func relationship(_ context.Context, d *decision) *Refusal {
	if d.p.Kind == Staff && d.guard.policy.Agreement.Relationship != policy.RelationshipAssumed {
		return d.forbid(6, NoRelationship, "A legitimate relationship with the patient is required, and none can be shown: claims and evidence of relationships are not built yet.")
	}
	return nil
}

// scope is step 11 for the interaction: a scope permits it on the type, and only operators write
// definitions of search parameters (SRCH-240). Rows are limited by scopes in View.where and
// View.withinScopes.
func scope(_ context.Context, d *decision) *Refusal {
	if d.p.unlimited() || d.req.Permission == 0 || d.req.Type == "" {
		return nil
	}
	if d.req.Write && d.req.Type == definitions.Type && !d.p.Operates() {
		return d.missingScope(Operations())
	}
	//law:scope-checked
	if d.p.May(d.req.Type, string(rune(d.req.Permission))) || d.readsFHIRUser() {
		return nil
	}
	return d.missingScope(Scope{Level: level(d.p.Kind), Type: d.req.Type, Permissions: string(rune(d.req.Permission))})
}

// readsFHIRUser reports whether the request reads the one resource that fhirUser names (SMART-261).
func (d *decision) readsFHIRUser() bool {
	reads := d.req.Interaction == Read || d.req.Interaction == VRead
	return reads && d.req.Permission == PermitRead && d.p.FHIRUser.ID != "" && d.p.FHIRUser == (store.Ref{Type: d.req.Type, ID: d.req.ID})
}

// missingScope is the refusal where a scope is missing.
func (d *decision) missingScope(missing Scope) *Refusal {
	r := d.forbid(11, ScopeNotGranted, "The token lacks the scope %s.", missing)
	r.Err.Header = map[string]string{"WWW-Authenticate": fmt.Sprintf(`Bearer realm="carerecord", error="insufficient_scope", scope="%s"`, missing)}
	return r
}

func level(k Kind) string {
	switch k {
	case Staff:
		return "user"
	case Patient:
		return "patient"
	case Nobody, SourceSystem, Backend, System, Administrator:
	}
	return "system"
}

func (d *decision) refuse(number int, reason string, err *fhir.Error) *Refusal {
	return &Refusal{Step: number, Reason: reason, Err: err}
}

// forbid is a refusal with a code of this server (CON-1704).
func (d *decision) forbid(number int, reason, format string, args ...any) *Refusal {
	err := fhir.Fault(403, "forbidden", format, args...)
	err.Issues[0].Detail = fhir.Coding{System: d.guard.publicURL + accessSystemSuffix, Code: reason}
	return d.refuse(number, reason, err)
}
