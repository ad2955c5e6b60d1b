package policy

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/fhir"
)

// Kind is the kind of a Consent, as far as it is decided today.
type Kind byte

// The kinds of a Consent.
const (
	// NotADirective denies nothing: certainly not active, certainly of another scope, or a proxy
	// authority (CON-601).
	NotADirective Kind = iota
	// OptOut is exactly the regional shared-record opt-out (CON-501).
	OptOut
	// OtherDirective is every other active Consent. Until the consent engine reads it a person may
	// not write it, and one from a source system denies all direct care (CON-641).
	OtherDirective
)

const (
	scopeSystem        = "http://terminology.hl7.org/CodeSystem/consentscope"
	snomed             = "http://snomed.info/sct"
	sharingRefusedCode = "416409005" // refused consent for upload to a shared record
	sharingAgreedCode  = "417528008" // consented to upload to a shared record
	policySystem       = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
)

// proxyBases are the legal bases of a proxy authority, as policyRule. A table, never changed.
var proxyBases = map[string]bool{
	"parental-responsibility": true, "court-appointed-deputy": true,
	"lasting-power-of-attorney": true, "best-interest": true,
}

// Read returns the kind of a Consent that fhir.Parse accepted. A Consent is NotADirective only where that is
// certain, so a misspelt refusal still refuses (CON-641). inPerson: a person recorded it. A proxy authority
// of a source system is a directive, since no source system may write authorities yet.
func Read(body []byte, inPerson bool) Kind {
	r := gjson.ParseBytes(body)
	element, _ := optOutFault(r)
	switch {
	case notActive(r.Get("status")):
		return NotADirective
	case element == "":
		return OptOut
	case categoryHas(r, sharingRefused):
		return OtherDirective // of any scope (CON-503)
	//law:directive-scope
	case otherScope(r.Get("scope")), inPerson && ProxyAuthority(body):
		return NotADirective
	}
	return OtherDirective
}

// notActive reports whether a status certainly has no effect. Absent, misspelt and unknown ones count as
// active.
func notActive(status gjson.Result) bool {
	switch status.Str {
	case "draft", "proposed", "rejected", "inactive", "entered-in-error":
		return true
	}
	return false
}

// otherScope reports whether a scope is certainly treatment or adr: every coding is, in the correct system,
// and there is nothing else.
func otherScope(scope gjson.Result) bool {
	names := map[string][]string{"treatment": {"treatment"}, "adr": {"adr", "advanced care directive"}}
	found := ""
	sure := allMembers(scope, func(name string, value gjson.Result) bool {
		return name == "id" || name == "text" || name == "coding" && value.IsArray()
	})
	for _, c := range scope.Get("coding").Array() {
		code := c.Get("code").Str
		sure = sure && names[code] != nil && (found == "" || found == code) && c.Get("system").Str == scopeSystem &&
			allMembers(c, func(name string, value gjson.Result) bool {
				return slices.Contains([]string{"id", "system", "version", "code", "userSelected"}, name) ||
					name == "display" && slices.Contains(names[code], folded(value.Str))
			})
		found = code
	}
	text := scope.Get("text")
	return sure && found != "" && (!text.Exists() || slices.Contains(names[found], folded(text.Str)))
}

// allMembers reports whether a value is an object with members that all pass.
func allMembers(object gjson.Result, passes func(name string, value gjson.Result) bool) bool {
	all, some := object.IsObject(), false
	object.ForEach(func(name, value gjson.Result) bool {
		some = true
		all = all && passes(name.String(), value)
		return all
	})
	return all && some
}

// ProxyAuthority reports whether a Consent is a proxy authority (CON-601): category INFA, only legal bases of
// proxies as policyRule, and no denial. It reads narrowly, since it makes a Consent no directive: system and
// code must both be correct. The caller knows the author: one that is not from practice staff or an authority
// source is a directive (CON-641).
func ProxyAuthority(body []byte) bool {
	r := gjson.ParseBytes(body)
	infa := false
	for _, concept := range r.Get("category").Array() {
		for _, c := range concept.Get("coding").Array() {
			infa = infa || c.Get("system").Str == policySystem && c.Get("code").Str == "INFA"
		}
	}
	rules := r.Get("policyRule.coding").Array()
	for _, c := range rules {
		infa = infa && proxyBases[strings.ToLower(c.Get("code").Str)]
	}
	return infa && len(rules) > 0 && permits(r.Get("provision")) && !r.Get("modifierExtension").Exists()
}

// permits reports whether a provision and its nested ones only permit.
func permits(provision gjson.Result) bool {
	typ := provision.Get("type")
	ok := (!typ.Exists() || typ.Str == "permit") && !provision.Get("_type").Exists() && !provision.Get("modifierExtension").Exists()
	for _, nested := range provision.Get("provision").Array() {
		ok = ok && permits(nested)
	}
	return ok
}

// optOutFault returns the element and the reason why a Consent is not exactly the regional opt-out of the
// whole record; an empty element for one that is. Codes match as in has. A period does not count: a longer
// refusal hides more.
func optOutFault(r gjson.Result) (element, text string) {
	scope, rule, provision := r.Get("scope"), r.Get("policyRule"), r.Get("provision")
	switch {
	case !has(scope, privacy) || has(scope, research) || has(scope, treatment) || has(scope, advanced):
		return "scope", "Only Consents of scope patient-privacy that record the regional opt-out can be written yet."
	case !categoryHas(r, sharingRefused) || categoryHas(r, sharingAgreed):
		return "category", "Only the regional opt-out (SNOMED CT 416409005) can be recorded yet: this Consent could not be enforced."
	case !has(rule, optOut) || has(rule, optIn):
		return "policyRule", "The regional opt-out has the policyRule OPTOUT of " + policySystem + "."
	}
	prefix := "The regional opt-out is for the whole record: "
	for _, name := range []string{"modifierExtension", "implicitRules"} {
		if r.Get(name).Exists() || r.Get("_"+name).Exists() {
			return name, prefix + name + " could not be enforced."
		}
	}
	if provision.Exists() && !provision.IsObject() {
		return "provision", prefix + "provision is not an object."
	}
	provision.ForEach(func(key, value gjson.Result) bool {
		name := strings.TrimPrefix(key.String(), "_")
		switch {
		case key.String() == "id", key.String() == "period" && value.IsObject():
		case key.String() == "type" && folded(value.Str) == "deny":
		case name == "type":
			element, text = "provision.type", "The regional opt-out is a refusal: its provision is of type deny, or has none."
		default:
			element, text = "provision."+name, prefix+"provision."+name+" could not be enforced."
		}
		return element == ""
	})
	return element, text
}

// NewOptOut returns the regional opt-out of a patient as a Consent: of a Patient, or of an NHS number where there is no usable record
// (IDN-131). Check accepts it.
func NewOptOut(patient, number string, at time.Time) []byte {
	coding := func(system, code string) map[string]any {
		return map[string]any{"coding": []any{map[string]any{"system": system, "code": code}}}
	}
	of := map[string]any{"reference": "Patient/" + patient}
	if patient == "" {
		of = map[string]any{"identifier": map[string]any{"system": fhir.NHSNumberSystem, "value": number}}
	}
	body, err := json.Marshal(map[string]any{
		"resourceType": "Consent", "status": "active", "patient": of, "dateTime": at.UTC().Format(time.RFC3339), "scope": coding(scopeSystem, privacy.code),
		"category": []any{coding(snomed, sharingRefusedCode)}, "policyRule": coding(policySystem, optOut.code), "provision": map[string]any{"type": "deny"},
	})
	if err != nil {
		panic("a Consent of strings cannot be written") // it has strings alone
	}
	return body
}

// AboutSharing reports whether a Consent is, or once was, a statement about sharing the record: a regional opt-out, or any other directive.
// One that a person has ended is about sharing still.
func AboutSharing(body []byte) bool {
	r := gjson.ParseBytes(body)
	element, _ := optOutFault(r)
	return element == "" || categoryHas(r, sharingRefused) || !otherScope(r.Get("scope")) && !ProxyAuthority(body)
}

// Check returns why a person may not write this Consent, or nil. A Consent that cannot be enforced exactly is
// refused with the element (CON-640). Read returns OptOut for an active Consent that passes.
func Check(body []byte) *fhir.Error {
	r := gjson.ParseBytes(body)
	refuse := func(element, text string) *fhir.Error {
		return &fhir.Error{Status: 422, Issues: []fhir.Issue{{Code: "business-rule", Text: text, Expression: "Consent." + element}}}
	}
	if element, text := optOutFault(r); element != "" {
		return refuse(element, text)
	}
	for _, c := range []struct {
		element string
		exact   bool
	}{
		{"scope", exactly(r.Get("scope"), privacy)},
		{"category", slices.ContainsFunc(r.Get("category").Array(), func(c gjson.Result) bool { return exactly(c, sharingRefused) })},
		{"policyRule", exactly(r.Get("policyRule"), optOut)},
		{"provision.type", !r.Get("provision.type").Exists() || r.Get("provision.type").Str == "deny"},
	} {
		if !c.exact {
			return refuse(c.element, "The code or its system is not written as its code system writes it.")
		}
	}
	if text := periodFault(r); text != "" {
		return refuse("provision.period", text)
	}
	switch r.Get("status").Str {
	case "active", "inactive", "entered-in-error":
	default:
		return refuse("status", "The status of a regional opt-out is active, inactive or entered-in-error.")
	}
	return nil
}

// periodFault returns why the period of an opt-out cannot be enforced: it ends, or it begins after the
// Consent was given; empty for none.
func periodFault(r gjson.Result) string {
	period := r.Get("provision.period")
	start, given := period.Get("start"), r.Get("dateTime").Str
	begins := start.Str
	n := min(len(begins), len(given), len("2006-01-02"))
	switch {
	case !period.Exists():
		return ""
	case !allMembers(period, func(name string, value gjson.Result) bool {
		return name == "id" || name == "start" && value.Type == gjson.String
	}):
		return "The regional opt-out holds until it is ended by its status: an end could not be enforced."
	case given == "" || begins[:n] > given[:n]:
		return "The regional opt-out holds from when it is recorded: a later start could not be enforced."
	}
	return ""
}
