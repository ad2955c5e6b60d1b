package facts

import (
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/consent/policy"
	"carerecord/fhir"
)

// nhsNumber is the identifier system of NHS numbers.
const nhsNumber = fhir.NHSNumberSystem

// IdentifierName returns the name (index.AboutKey) of the person with an identifier. Spellings of the
// same identifier have the same name.
func IdentifierName(system, value string) string {
	system, value = strings.TrimSpace(system), strings.TrimSpace(value)
	if digits, ok := fhir.NHSNumberOf(system, value); ok {
		return "nhs:" + digits
	}
	return "id:" + strings.ToLower(strings.TrimRight(system, "/")) + "|" + value
}

// aliases returns the other names by which a Consent may mean the person with an identifier: the value
// without a system, and an NHS number under an unknown system.
func aliases(system, value string) []string {
	name, value := IdentifierName(system, value), strings.TrimSpace(value)
	if strings.HasPrefix(name, "nhs:") || value == "" {
		return nil
	}
	out := []string{"id:|" + value}
	if digits, ok := fhir.NHSNumberOf("", value); ok {
		out = append(out, "nhs:"+digits)
	}
	return out
}

// IdentifierNames returns the names of the identifiers of a Patient.
func IdentifierNames(body []byte) []string {
	var out []string
	gjson.GetBytes(body, "identifier").ForEach(func(_, id gjson.Result) bool {
		if value := id.Get("value").Str; value != "" {
			out = append(out, IdentifierName(id.Get("system").Str, value))
		}
		return true
	})
	return out
}

// PatientNames returns the names by which a Consent may mean a Patient for its identifiers.
func PatientNames(body []byte) []string {
	out := IdentifierNames(body)
	gjson.GetBytes(body, "identifier").ForEach(func(_, id gjson.Result) bool {
		out = append(out, aliases(id.Get("system").Str, id.Get("value").Str)...)
		return true
	})
	return out
}

// Covers returns the names of the persons whom a Consent may be about.
func (k *Keyer) Covers(body []byte) []string {
	s := policy.SubjectsOf(body, k.FHIRBase)
	out := slices.Clone(s.IDs)
	for _, number := range s.Numbers {
		out = append(out, "nhs:"+number)
	}
	for _, id := range s.Identifiers {
		out = append(out, IdentifierName(id.System, id.Value))
	}
	for _, url := range s.URLs {
		out = append(out, "url:"+url)
	}
	return out
}

// HasNumberNow reports whether a Patient has an NHS number at an instant. Numbers that are marked as
// old or are outside their period do not count.
func HasNumberNow(body []byte, number string, now time.Time) bool {
	for _, id := range gjson.GetBytes(body, "identifier").Array() {
		if id.Get("system").Str == nhsNumber && id.Get("value").Str == number && inUse(id, now) {
			return true
		}
	}
	return false
}

// IsNational reports whether the name of an identifier is that of a valid national number.
func (k *Keyer) IsNational(name string) bool {
	if digits, ok := strings.CutPrefix(name, "nhs:"); ok {
		return k.Identity.Valid(nhsNumber, digits)
	}
	system, value, ok := strings.Cut(strings.TrimPrefix(name, "id:"), "|")
	return ok && k.Identity.ValidFolded(system, value)
}

// NationalName returns the name of a national number (IDN-102); ok is false for any other identifier.
func (k *Keyer) NationalName(system, value string) (name string, ok bool) {
	return nationalName(k.Identity, system, value)
}

// NumberOf returns the system and the digits of a person key that is a national number, or "".
func (k *Keyer) NumberOf(person string) (system, digits string) {
	if k.Identity == nil || !IsIdentifierName(person) {
		return "", ""
	}
	for _, s := range k.Identity.Systems {
		if digits, ok := strings.CutPrefix(person, IdentifierName(s.System, "")); ok && s.System != nhsNumber {
			return s.System, digits
		}
	}
	digits, _ = strings.CutPrefix(person, "nhs:")
	return nhsNumber, digits
}
