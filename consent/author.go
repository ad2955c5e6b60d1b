package consent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/consent/definitions"
	"carerecord/consent/facts"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// notAllowed is the answer to a person who may not write this. It is the same for every patient and for
// none (CON-404).
func notAllowed(g *Guard) *fhir.Error {
	e := fhir.Fault(403, "forbidden", "The acting role does not permit this.")
	e.Issues[0].Detail = fhir.Coding{System: g.publicURL + accessSystemSuffix, Code: RoleNotAllowed}
	return e
}

// mayRecordFor returns an error unless a person may record a directive of the patient whom the Consent
// names: the patient, or staff of the registered practice (CON-502, IDN-133). The error is the same for other
// people and for patients who are unknown to or hidden from the writer. current is the version that is replaced, the zero Doc
// for none.
func (c *commitBuilder) mayRecordFor(ctx context.Context, body []byte, current store.Doc) error {
	g := c.view.guard
	p := c.view.grant.principal
	if c.namesOwnNumber(body) {
		return nil
	}
	ref, ok := fhir.ParseRef(g.publicURL+"/fhir", gjson.GetBytes(body, "patient.reference").Str)
	if !ok || ref.Type != "Patient" || ref.Version != "" {
		return notAllowed(g)
	}
	if p.Kind == Patient {
		own := c.view.grant.own
		if ref.ID == p.Patient || c.ownStatementOf(current, ref) {
			return nil
		}
		// A Patient who is hidden from the writer is like an absent one.
		_, err := c.view.Get(ctx, store.Ref{Type: "Patient", ID: ref.ID})
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("read the patient of a directive: %w", err)
		}
		if err != nil || own.person == "" || !own.isOwn(ref.ID) {
			return notAllowed(g)
		}
		return nil
	}
	get := c.view.Get
	if c.ownDirectiveFor(current, ref) { // its own refusal may hide the Patient from the practice
		get = c.view.snap.Get
	}
	patient, err := get(ctx, store.Ref{Type: "Patient", ID: ref.ID})
	if errors.Is(err, store.ErrNotFound) || err == nil && patient.Deleted() {
		return notAllowed(g)
	}
	if err != nil {
		return fmt.Errorf("read the patient of a directive: %w", err)
	}
	by, err := c.registration(ctx, patient)
	if err != nil {
		return err
	}
	registered, err := c.registeredWith(ctx, by.Body, p.Organisation)
	if err != nil {
		return err
	}
	if !registered {
		return notAllowed(g)
	}
	return nil
}

// ownStatementOf reports whether a stored Consent is one that the patient who writes made, about a Patient that may be deleted or
// somebody else by now.
func (c *commitBuilder) ownStatementOf(d store.Doc, patient fhir.Ref) bool {
	own := c.view.grant.own
	ref, ok := fhir.ParseRef(c.view.guard.publicURL+"/fhir", gjson.GetBytes(d.Body, "patient.reference").Str)
	return d.Ref.Type == "Consent" && d.Source == "" && ok && ref.Type == "Patient" && ref.ID == patient.ID &&
		slices.ContainsFunc(index.Names(d.Keys, index.MakerPrefix()), func(person string) bool { return slices.Contains(own.group, person) })
}

// ownDirectiveFor reports whether a stored Consent is a directive that the organisation of the writer recorded for a Patient.
func (c *commitBuilder) ownDirectiveFor(d store.Doc, patient fhir.Ref) bool {
	p := c.view.grant.principal
	if d.Version == 0 || d.Deleted() || d.Ref.Type != "Consent" || p.Organisation == "" || d.Source != p.Organisation || !facts.Has(d.Keys, index.FactInPerson) {
		return false
	}
	ref, ok := fhir.ParseRef(c.view.guard.publicURL+"/fhir", gjson.GetBytes(d.Body, "patient.reference").Str)
	return ok && ref.Type == "Patient" && ref.ID == patient.ID
}

// namesOwnNumber reports whether a Consent names its patient by the NHS number alone with which the patient signed in: so
// somebody without a usable record can refuse (IDN-131).
func (c *commitBuilder) namesOwnNumber(body []byte) bool {
	p, patient := c.view.grant.principal, gjson.GetBytes(body, "patient")
	digits, ok := fhir.CleanNHSNumber(p.Number)
	return p.Kind == Patient && ok && fhir.ValidNHSNumber(digits) && !patient.Get("reference").Exists() &&
		patient.Get("identifier.system").Str == fhir.NHSNumberSystem && patient.Get("identifier.value").Str == digits
}

// registration returns the Patient whose generalPractitioner is the registered practice of a person (IDN-133): that of the
// patient index, if the person has one; else the writer's own; else, without an identity policy, the Patient itself. It
// returns the zero Doc for none.
func (c *commitBuilder) registration(ctx context.Context, patient store.Doc) (store.Doc, error) {
	identity := c.view.guard.keyer.Identity
	if identity == nil {
		return patient, nil
	}
	// Without the View: whether a refusal hides the patient index's Patient must not decide who may end it.
	group, err := c.view.guard.groupOf(ctx, c.view.snap, personKey(patient))
	if err != nil {
		return store.Doc{}, err
	}
	if !facts.IsIdentifierName(group[0]) { // a directive of one who is not joined covers the person of the number that it bears
		group = append(group, index.Names(patient.Keys, index.NumberPrefix())...)
	}
	var own store.Doc
	for _, person := range group { // the surviving number first
		for d, err := range c.view.snap.Scan(ctx, store.Query{Type: "Patient", Where: store.Eq{Key: index.OwnerKey(person)}}) {
			switch {
			case err != nil:
				return store.Doc{}, fmt.Errorf("read the registration of a patient: %w", err)
			case identity.IsIndex(d.Source):
				return d, nil
			case d.Source == c.view.grant.principal.Organisation && (own.Version == 0 || c.view.guard.prefers(d, own, group)):
				own = d
			}
		}
	}
	return own, nil
}

// registeredWith reports whether a Patient's generalPractitioner is an organisation: by its ODS
// identifier, or by a reference to its Organization.
func (c *commitBuilder) registeredWith(ctx context.Context, patient []byte, ods string) (bool, error) {
	for _, gp := range gjson.GetBytes(patient, "generalPractitioner").Array() {
		if id := gp.Get("identifier"); id.Get("system").Str == fhir.ODSCodeSystem && id.Get("value").Str == ods && ods != "" {
			return true, nil
		}
		ref, ok := fhir.ParseRef(c.view.guard.publicURL+"/fhir", gp.Get("reference").Str)
		if !ok || ref.Type != "Organization" {
			continue
		}
		org, err := c.view.Get(ctx, store.Ref{Type: ref.Type, ID: ref.ID})
		if errors.Is(err, store.ErrNotFound) || err == nil && org.Deleted() {
			continue
		}
		if err != nil {
			return false, fmt.Errorf("read the practice of a patient: %w", err)
		}
		for _, id := range gjson.GetBytes(org.Body, "identifier").Array() {
			if id.Get("system").Str == fhir.ODSCodeSystem && id.Get("value").Str == ods && ods != "" {
				return true, nil
			}
		}
	}
	return false, nil
}

// mayChange refuses a change of a Consent by others than its author: a source system does not change the
// statement of a person, nor a person one of a source system (CON-502).
func (c *commitBuilder) mayChange(ch *Change, t *target) error {
	if ch.Ref.Type != "Consent" || !t.visible {
		return nil
	}
	inPerson := facts.Has(t.cur.Keys, index.FactInPerson)
	switch c.view.grant.principal.Kind {
	case SourceSystem:
		if inPerson {
			return foreignID()
		}
	case Staff, Patient:
		if !inPerson || c.recordedByAnotherPractice(t.cur) {
			return notAllowed(c.view.guard)
		}
	case Nobody, Backend, System, Administrator: // their rights do not depend on the maker of a statement
	}
	return nil
}

// recordedByAnotherPractice reports whether staff of a practice would change the directive that another practice recorded,
// in a region without a patient index that says which one the patient is registered with (IDN-133).
func (c *commitBuilder) recordedByAnotherPractice(directive store.Doc) bool {
	p, identity := c.view.grant.principal, c.view.guard.keyer.Identity
	return p.Kind == Staff && identity != nil && identity.Index == "" && directive.Source != "" && directive.Source != p.Organisation
}

// authorFacts returns the facts of a new version that follow from the author of the first version.
func (c *commitBuilder) authorFacts(ref store.Ref, t *target) []store.Key {
	kind := c.view.grant.principal.Kind
	switch {
	case t.exists:
		return facts.CarriedFacts(t.cur.Keys)
	case ref.Type == "Consent" && (kind == Staff || kind == Patient):
		return []store.Key{index.FactKey(index.FactInPerson)}
	}
	return nil
}

// requirePatient refuses a Consent that names no patient (CON-641).
func requirePatient(g *Guard, w *store.Write) error {
	if w.Doc.Ref.Type != "Consent" || slices.ContainsFunc(g.keyer.Covers(w.Doc.Body), func(name string) bool {
		return !strings.HasPrefix(name, "url:urn:") // an entry that the bundle does not have
	}) {
		return nil
	}
	return &fhir.Error{Status: 422, Issues: []fhir.Issue{{Code: "business-rule", Expression: "Consent.patient",
		Text: "A Consent must name its patient by a reference, an identifier or a contained Patient."}}}
}

// requireSinglePatient refuses an active directive of a person that names anybody but the patient for whom
// the person may record it: as its patient, in any form that policy.SubjectsOf reads, since it would
// refuse for them too; or as a mention, since their refusal would hide it from those who may end it
// (CON-502, CON-640).
func (c *commitBuilder) requireSinglePatient(ctx context.Context, w *store.Write) error {
	if policy.Read(w.Doc.Body, true) == policy.NotADirective {
		return nil
	}
	ref, _ := fhir.ParseRef(c.view.guard.publicURL+"/fhir", gjson.GetBytes(w.Doc.Body, "patient.reference").Str)
	patient, err := c.Newest(ctx, store.Ref{Type: "Patient", ID: ref.ID})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("read the patient of a directive: %w", err)
	}
	own := append(facts.PatientNames(patient.Body), ref.ID)
	if c.namesOwnNumber(w.Doc.Body) {
		own = []string{facts.IdentifierName(fhir.NHSNumberSystem, c.view.grant.principal.Number)}
	}
	refuse := func(element, text string) error {
		return &fhir.Error{Status: 422, Issues: []fhir.Issue{{Code: "business-rule", Expression: element, Text: text}}}
	}
	for _, name := range c.view.guard.keyer.Covers(w.Doc.Body) {
		if !slices.Contains(own, name) {
			return refuse("Consent.patient", "A person records a directive for one patient: it names only the Patient of its reference, and only identifiers that this Patient has.")
		}
	}
	for _, name := range index.Names(w.Doc.Keys, index.MentionPrefix()) {
		if !slices.Contains(own, name) {
			return refuse("Consent", "A directive that a person records must not refer to another patient.")
		}
	}
	return nil
}

// requireSamePatient refuses an update of a directive that no longer names a patient whom it covers.
func (c *commitBuilder) requireSamePatient(w *store.Write) error {
	before := c.replaced[w.Doc.Ref]
	if w.Doc.Ref.Type != "Consent" || before.Version == 0 || before.Deleted() {
		return nil
	}
	is := c.view.guard.keyer.Covers(w.Doc.Body)
	for _, name := range c.view.guard.keyer.Covers(before.Body) {
		if !slices.Contains(is, name) {
			return &fhir.Error{Status: 422, Issues: []fhir.Issue{{Code: "business-rule", Expression: "Consent.patient",
				Text: "The patient of a directive cannot be changed. End the directive and record another one."}}}
		}
	}
	return nil
}

// checkAuthor checks, on the final version, who may write a directive about whom.
func (c *commitBuilder) checkAuthor(ctx context.Context, ch *Change) error {
	w, ok := c.pending[ch.Ref]
	if !ok || ch.Kind == ChangeFind || ch.Kind == ChangeDelete {
		return nil
	}
	p := c.view.grant.principal
	switch p.Kind {
	case System:
		return nil
	case SourceSystem:
		if err := requirePatient(c.view.guard, w); err != nil {
			return err
		}
		return c.requireSamePatient(w)
	case Backend: // stage has checked that it operates the record
		if ch.Ref.Type == definitions.Type {
			return nil
		}
	case Nobody, Staff, Patient, Administrator:
	}
	if ch.Ref.Type != "Consent" {
		return notAllowed(c.view.guard)
	}
	// Both the new and the current version are checked, for every kind of change.
	if before := c.replaced[ch.Ref]; before.Version > 0 && !before.Deleted() {
		if err := c.mayRecordFor(ctx, before.Body, before); err != nil {
			return err
		}
	}
	if err := c.mayRecordFor(ctx, w.Doc.Body, c.replaced[ch.Ref]); err != nil {
		return err
	}
	if err := policy.Check(w.Doc.Body); err != nil {
		return err
	}
	if err := c.requireSinglePatient(ctx, w); err != nil {
		return err
	}
	return c.requireSamePatient(w)
}
