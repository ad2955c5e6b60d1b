package consent

import (
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/fhir"
)

// nhsNumber is the identifier system of NHS numbers.
const nhsNumber = "https://fhir.nhs.uk/Id/nhs-number"

// identifierName is the name (index.AboutKey) of whoever bears an identifier.
func identifierName(system, value string) string {
	if system == nhsNumber {
		return "nhs:" + compact(value)
	}
	return "id:" + system + "|" + strings.TrimSpace(value)
}

// compact takes the blanks and hyphens out of an NHS number.
func compact(number string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '\u00a0' {
			return -1
		}
		return r
	}, number)
}

// identifierNames are the names of the identifiers that a Patient bears.
func identifierNames(body []byte) []string {
	var out []string
	gjson.GetBytes(body, "identifier").ForEach(func(_, id gjson.Result) bool {
		if value := id.Get("value").Str; value != "" {
			out = append(out, identifierName(id.Get("system").Str, value))
		}
		return true
	})
	return out
}

// covers are the names of those whom a Consent may be about.
func (g *Guard) covers(body []byte) []string {
	patient := gjson.GetBytes(body, "patient")
	var out []string
	if ref, ok := fhir.ParseRef(g.publicURL+"/fhir", patient.Get("reference").Str); ok && ref.Type == "Patient" {
		out = append(out, ref.ID)
	}
	if value := patient.Get("identifier.value").Str; value != "" {
		out = append(out, identifierName(patient.Get("identifier.system").Str, value))
	}
	return out
}

// nhsNumbers reads the NHS numbers that a Patient bears, as written.
func nhsNumbers(body []byte) []string {
	var out []string
	for _, id := range gjson.GetBytes(body, "identifier").Array() {
		if v := id.Get("value").Str; id.Get("system").Str == nhsNumber && v != "" {
			out = append(out, v)
		}
	}
	return out
}
