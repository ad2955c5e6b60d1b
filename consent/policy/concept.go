package policy

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// concept is a code with the spellings of its system.
type concept struct {
	code    string
	systems []string // the first is the correct one
}

// Codes that decide. Tables, never changed.
var (
	scopes         = []string{scopeSystem, "http://hl7.org/fhir/consentscope"}
	acts           = []string{policySystem, "http://hl7.org/fhir/v3/ActCode", "urn:oid:2.16.840.1.113883.5.4"}
	clinical       = []string{snomed, "urn:oid:2.16.840.1.113883.6.96"}
	privacy        = concept{"patient-privacy", scopes}
	research       = concept{"research", scopes}
	treatment      = concept{"treatment", scopes}
	advanced       = concept{"adr", scopes}
	optOut         = concept{"OPTOUT", acts}
	optIn          = concept{"OPTIN", acts}
	sharingRefused = concept{sharingRefusedCode, clinical}
	sharingAgreed  = concept{sharingAgreedCode, clinical}
)

// has reports whether a CodeableConcept has a coding, in any letter case, without a system or with a
// known spelling of it.
func has(value gjson.Result, want concept) bool {
	return slices.ContainsFunc(value.Get("coding").Array(), func(c gjson.Result) bool {
		if folded(c.Get("code").String()) != folded(want.code) {
			return false
		}
		system := spelling(c.Get("system").String())
		return system == "" || slices.ContainsFunc(want.systems, func(s string) bool { return spelling(s) == system })
	})
}

// exactly reports whether a CodeableConcept has a coding as its code system writes it, or without a
// system.
func exactly(value gjson.Result, want concept) bool {
	return slices.ContainsFunc(value.Get("coding").Array(), func(c gjson.Result) bool {
		system := c.Get("system")
		return c.Get("code").Str == want.code && (!system.Exists() || system.Str == want.systems[0])
	})
}

func categoryHas(consent gjson.Result, want concept) bool {
	return slices.ContainsFunc(consent.Get("category").Array(), func(c gjson.Result) bool { return has(c, want) })
}

// folded is a text in lower case without surrounding blanks.
func folded(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// spelling is the system of a code in lower case, without blanks, scheme, trailing slash and version.
func spelling(system string) string {
	system, _, _ = strings.Cut(folded(system), "|")
	system = strings.TrimPrefix(strings.TrimPrefix(system, "https://"), "http://")
	return strings.TrimRight(system, "/ ")
}
