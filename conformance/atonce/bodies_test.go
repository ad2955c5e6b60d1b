package atonce

import (
	"fmt"
	"strings"

	"carerecord/store"
)

const nhs = "https://fhir.nhs.uk/Id/nhs-number"

// person is a Reference to a patient, by an id, or by nhs: and a number.
func person(name string) string {
	if number, is := strings.CutPrefix(name, "nhs:"); is {
		return `{"identifier":{"system":"` + nhs + `","value":"` + number + `"}}`
	}
	return reference(store.Ref{Type: "Patient", ID: name})
}

func reference(ref store.Ref) string { return `{"reference":"` + ref.String() + `"}` }

func list[T any](of []T, write func(T) string) string {
	out := make([]string, len(of))
	for i, v := range of {
		out[i] = write(v)
	}
	return strings.Join(out, ",")
}

// body returns the body of a document. serial is its number in the model; readers find it in the language of
// the body.
func body(ref store.Ref, c content, serial int) string {
	return fmt.Sprintf(`{"resourceType":"%s","id":"%s","language":"w%d"%s}`, ref.Type, ref.ID, serial, members(ref.Type, ref.ID, c))
}

func members(typ, id string, c content) string {
	switch typ {
	case "Patient":
		label := ""
		if c.restricted {
			label = `,"meta":{"security":[{"code":"R"}]}`
		}
		if c.born != "" {
			label += `,"birthDate":"` + c.born + `"`
		}
		if c.link != "" {
			label += `,"link":[{"type":"` + c.link + `","other":` + reference(store.Ref{Type: "Patient", ID: otherOfIndex(id)}) + `}]`
		}
		return label + `,"generalPractitioner":[{"identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"G"}}],"identifier":[` +
			list(append([]string{"0"}, c.numbers...), func(n string) string {
				if n == "0" {
					return `{"system":"http://local","value":"1"}`
				}
				return `{"system":"` + nhs + `","value":"` + n + `"}`
			}) + `]`
	case "Consent":
		return consentMembers(c)
	case "Observation":
		performer := ""
		if len(c.mentions) > 0 {
			performer = `,"performer":[` + list(c.mentions, person) + `]`
		}
		return `,"status":"final","code":{"text":"x"},"subject":` + person(c.subjects[0]) + performer
	case "List":
		return `,"status":"current","mode":"working","entry":[` + list(c.through, func(r store.Ref) string { return `{"item":` + reference(r) + `}` }) + `]`
	case "Group":
		return `,"type":"person","actual":true,"member":[` + list(c.subjects, func(p string) string { return `{"entity":` + person(p) + `}` }) + `]`
	case "Appointment":
		return `,"status":"booked","participant":[` + list(c.subjects, func(p string) string { return `{"actor":` + person(p) + `,"status":"accepted"}` }) + `]`
	case "Provenance":
		return `,"target":[` + list(c.through, reference) + `]`
	case "Schedule":
		return `,"actor":[` + list(c.subjects, person) + `]`
	case "Slot":
		return `,"status":"free","schedule":` + reference(c.through[0])
	case "DocumentReference":
		return `,"status":"current","subject":` + person(c.subjects[0]) + `,"content":[{"attachment":{"url":"Binary/` + c.attaches + `"}}]`
	case "Binary":
		context := ""
		if len(c.through) > 0 {
			context = `,"securityContext":` + reference(c.through[0])
		}
		return `,"contentType":"text/plain"` + context + `,"data":"b25l"`
	}
	panic("no body of " + typ)
}

func consentMembers(c content) string {
	status, code := "inactive", "416409005"
	if c.active {
		status = "active"
	}
	if c.denial {
		code = "somethingelse"
	}
	return `,"status":"` + status + `","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},` +
		`"category":[{"coding":[{"system":"http://snomed.info/sct","code":"` + code + `"}]}],"patient":` + person(c.about) + `,` +
		`"policyRule":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"OPTOUT"}]}`
}

// definition is a SearchParameter on Consent. No answer contains what it finds.
func definition(id string, active bool) string {
	status := "retired"
	if active {
		status = "active"
	}
	return `{"resourceType":"SearchParameter","id":"` + id + `","url":"http://p/` + id + `","name":"` + id + `","status":"` + status +
		`","description":"x","code":"` + id + `","base":["Consent","Observation"],"type":"token","expression":"Consent.language | Observation.language"}`
}
