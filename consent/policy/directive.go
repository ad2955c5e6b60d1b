package policy

import (
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/fhir"
)

// Kind says what a Consent asks for, as far as it is decided today.
type Kind byte

// The kinds of a Consent.
const (
	// Silent takes nothing from anybody: not active, of another scope, or a
	// proxy authority (CON-601).
	Silent Kind = iota
	// OptOut is the regional shared-record opt-out (CON-501).
	OptOut
	// Other is a directive that the consent engine will read. Until it exists a
	// person may not write it, and one from a feed denies all direct care.
	Other
)

const (
	scopeSystem  = "http://terminology.hl7.org/CodeSystem/consentscope"
	snomed       = "http://snomed.info/sct"
	dissentCode  = "416409005" // refused consent for upload to a shared record
	policySystem = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
)

// proxyBases are the legal bases of a proxy authority, as policyRule.
// A table, never changed.
var proxyBases = map[string]bool{
	"parental-responsibility": true, "court-appointed-deputy": true,
	"lasting-power-of-attorney": true, "best-interest": true,
}

// Read says what a Consent asks for. body is a Consent that fhir.Parse
// accepted.
func Read(body []byte) Kind {
	r := gjson.ParseBytes(body)
	if r.Get("status").Str != "active" {
		return Silent
	}
	scope := coded(r.Get("scope"), scopeSystem, "patient-privacy")
	if scope && categoryIs(r, snomed, dissentCode) && coded(r.Get("policyRule"), policySystem, "OPTOUT") {
		return OptOut
	}
	if proxyAuthority(r) {
		return Silent
	}
	if scope || coded(r.Get("scope"), scopeSystem, "research") {
		return Other
	}
	return Silent
}

// Check says why a person may not write this Consent, or nil. What cannot be
// enforced exactly is refused with its place (CON-640).
func Check(body []byte) *fhir.Error {
	r := gjson.ParseBytes(body)
	refuse := func(place, text string) *fhir.Error {
		return &fhir.Error{Status: 422, Issues: []fhir.Issue{{Code: "business-rule", Text: text, Expression: "Consent." + place}}}
	}
	if !coded(r.Get("scope"), scopeSystem, "patient-privacy") {
		return refuse("scope", "Only Consents of scope patient-privacy that record the regional opt-out can be written yet.")
	}
	if !categoryIs(r, snomed, dissentCode) {
		return refuse("category", "Only the regional opt-out (SNOMED CT 416409005) can be recorded yet: this Consent could not be enforced.")
	}
	if !coded(r.Get("policyRule"), policySystem, "OPTOUT") {
		return refuse("policyRule", "The regional opt-out has the policyRule OPTOUT of "+policySystem+".")
	}
	for _, name := range []string{"provision", "modifierExtension", "implicitRules"} {
		if r.Get(name).Exists() {
			return refuse(name, "The regional opt-out is for the whole record: "+name+" could not be enforced.")
		}
	}
	switch r.Get("status").Str {
	case "active", "inactive", "entered-in-error":
	default:
		return refuse("status", "The status of a regional opt-out is active, inactive or entered-in-error.")
	}
	return nil
}

// coded reports whether a CodeableConcept has a coding. A coding without a
// system counts, since a deny reads wide.
func coded(concept gjson.Result, system, code string) bool {
	found := false
	concept.Get("coding").ForEach(func(_, c gjson.Result) bool {
		s := c.Get("system")
		found = c.Get("code").Str == code && (!s.Exists() || s.Str == system)
		return !found
	})
	return found
}

func categoryIs(r gjson.Result, system, code string) bool {
	found := false
	r.Get("category").ForEach(func(_, c gjson.Result) bool {
		found = coded(c, system, code)
		return !found
	})
	return found
}

// proxyAuthority reads narrow: it silences a Consent, so system and code must
// both be as written.
func proxyAuthority(r gjson.Result) bool {
	infa, basis := false, false
	r.Get("category").ForEach(func(_, concept gjson.Result) bool {
		concept.Get("coding").ForEach(func(_, c gjson.Result) bool {
			infa = infa || c.Get("system").Str == policySystem && c.Get("code").Str == "INFA"
			return true
		})
		return true
	})
	r.Get("policyRule.coding").ForEach(func(_, c gjson.Result) bool {
		basis = basis || proxyBases[strings.ToLower(c.Get("code").Str)]
		return true
	})
	return infa && basis
}
