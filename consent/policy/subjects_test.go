package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"carerecord/consent/policy"
)

// TestSubjects: every person whom a Consent may mean is found, in every form (CON-641).
func TestSubjects(t *testing.T) {
	const nhs = `"system":"https://fhir.nhs.uk/Id/nhs-number"`
	ids := func(ids ...string) policy.Subjects { return policy.Subjects{IDs: ids} }
	numbers := func(numbers ...string) policy.Subjects { return policy.Subjects{Numbers: numbers} }
	local := policy.Identifier{System: "http://hospital.example/mrn", Value: "A 17"}
	for _, c := range []struct {
		name, members string
		want          policy.Subjects
	}{
		{"a relative reference", `"patient":{"reference":"Patient/g.1"}`, ids("g.1")},
		{"with a version", `"patient":{"reference":"Patient/g.1/_history/3"}`, ids("g.1")},
		{"absolute under the base", `"patient":{"reference":"https://record.test/fhir/Patient/g.1"}`, ids("g.1")},
		{"absolute with a version", `"patient":{"reference":"https://record.test/fhir/Patient/g.1/_history/3"}`, ids("g.1")},
		{"absolute in another scheme and letter case", `"patient":{"reference":"HTTP://Record.Test/FHIR/Patient/g.1"}`, ids("g.1")},
		{"with blanks", `"patient":{"reference":" Patient/ g.1 "}`, ids("g.1")},
		{"the type in another letter case", `"patient":{"reference":"patient/g.1"}`, ids("g.1")},
		{"a slash before and after", `"patient":{"reference":"/Patient/g.1/"}`, ids("g.1")},
		{"with a fragment", `"patient":{"reference":"Patient/g.1#x"}`, ids("g.1")},
		{"an id alone", `"patient":{"reference":"g.1"}`, ids("g.1")},
		{"a list where one is allowed", `"patient":[{"reference":"Patient/g.2"},{"reference":"Patient/g.1"}]`, ids("g.1", "g.2")},
		{"the NHS number as an id, as national servers write it", `"patient":{"reference":"Patient/9000000009"}`, policy.Subjects{IDs: []string{"9000000009"}, Numbers: []string{"9000000009"}}},

		{"CON-642 an NHS number", `"patient":{"identifier":{` + nhs + `,"value":"9000000009"}}`, numbers("9000000009")},
		{"with blanks", `"patient":{"identifier":{` + nhs + `,"value":" 900 000 0009 "}}`, numbers("9000000009")},
		{"with hyphens", `"patient":{"identifier":{` + nhs + `,"value":"900-000-0009"}}`, numbers("9000000009")},
		{"with a wrong check digit", `"patient":{"identifier":{` + nhs + `,"value":"9000000008"}}`, numbers("9000000008")},
		{"in a system that looks like it: case", `"patient":{"identifier":{"system":"https://FHIR.nhs.uk/id/NHS-Number","value":"9000000009"}}`, numbers("9000000009")},
		{"a slash at the end", `"patient":{"identifier":{"system":"https://fhir.nhs.uk/Id/nhs-number/","value":"9000000009"}}`, numbers("9000000009")},
		{"http", `"patient":{"identifier":{"system":"http://fhir.nhs.uk/Id/nhs-number","value":"9000000009"}}`, numbers("9000000009")},
		{"the object identifier", `"patient":{"identifier":{"system":"urn:oid:2.16.840.1.113883.2.1.4.1","value":"9000000009"}}`, numbers("9000000009")},
		{"no system and a good check digit", `"patient":{"identifier":{"value":"900 000 0009"}}`, numbers("9000000009")},
		{"no system and a wrong check digit", `"patient":{"identifier":{"value":"9000000008"}}`, policy.Subjects{Identifiers: []policy.Identifier{{Value: "9000000008"}}}},
		{"an NHS number that is none", `"patient":{"identifier":{` + nhs + `,"value":"x"}}`, policy.Subjects{Identifiers: []policy.Identifier{{System: "https://fhir.nhs.uk/Id/nhs-number", Value: "x"}}}},
		{"CON-641 a local number", `"patient":{"identifier":{"system":" http://hospital.example/mrn","value":"A 17 "}}`, policy.Subjects{Identifiers: []policy.Identifier{local}}},
		{"CON-641 a local number that could be an NHS number", `"patient":{"identifier":{"system":"http://hospital.example/mrn","value":"9000000009"}}`, policy.Subjects{Numbers: []string{"9000000009"}, Identifiers: []policy.Identifier{{System: local.System, Value: "9000000009"}}}},
		{"CON-641 words around a number", `"patient":{"identifier":{` + nhs + `,"value":"NHS 9000000009"}}`, policy.Subjects{Numbers: []string{"9000000009"}, Identifiers: []policy.Identifier{{System: "https://fhir.nhs.uk/Id/nhs-number", Value: "NHS 9000000009"}}}},
		{"CON-641 wide digits", `"patient":{"identifier":{"value":"９００００００００９"}}`, policy.Subjects{Numbers: []string{"9000000009"}, Identifiers: []policy.Identifier{{Value: "９００００００００９"}}}},
		{"CON-641 a percent sign", `"patient":{"reference":"Patient/g%2E1"}`, ids("g.1")},
		{"CON-641 two slashes", `"patient":{"reference":"Patient//g.1"}`, ids("g.1")},
		{"CON-641 a dot segment", `"patient":{"reference":"../Patient/g.1"}`, ids("g.1")},
		{"reference and identifier", `"patient":{"reference":"Patient/g.1","identifier":{` + nhs + `,"value":"9000000009"}}`, policy.Subjects{IDs: []string{"g.1"}, Numbers: []string{"9000000009"}}},
		{"in an extension", `"patient":{"extension":[{"url":"u","extension":[{"url":"v","valueIdentifier":{` + nhs + `,"value":"9000000009"}},{"url":"w","valueReference":{"reference":"Patient/g.1"}}]}]}`, policy.Subjects{IDs: []string{"g.1"}, Numbers: []string{"9000000009"}}},
		{"in an extension of the reference", `"patient":{"_reference":{"extension":[{"url":"w","valueReference":{"reference":"Patient/g.1"}}]}}`, ids("g.1")},

		{"another base", `"patient":{"reference":"https://other.test/fhir/Patient/g.1"}`, policy.Subjects{URLs: []string{"https://other.test/fhir/Patient/g.1"}}},
		{"a base that begins like this one", `"patient":{"reference":"https://record.test/fhir2/Patient/g.1"}`, policy.Subjects{URLs: []string{"https://record.test/fhir2/Patient/g.1"}}},
		{"another base with an identifier", `"patient":{"reference":"https://other.test/fhir/Patient/g.1","identifier":{` + nhs + `,"value":"9000000009"}}`, policy.Subjects{URLs: []string{"https://other.test/fhir/Patient/g.1"}, Numbers: []string{"9000000009"}}},
		{"another base whose ids are NHS numbers", `"patient":{"reference":"https://api.test/R4/Patient/9000000009"}`, policy.Subjects{URLs: []string{"https://api.test/R4/Patient/9000000009"}, Numbers: []string{"9000000009"}}},
		{"a urn", `"patient":{"reference":"urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"}`, policy.Subjects{URLs: []string{"urn:uuid:61ebe359-bfdc-4613-8bf2-c5e300945f0a"}}},
		{"another type", `"patient":{"reference":"RelatedPerson/g.1"}`, policy.Subjects{URLs: []string{"RelatedPerson/g.1"}}},

		{"a conditional reference", `"patient":{"reference":"Patient?identifier=https://fhir.nhs.uk/Id/nhs-number|9000000009"}`, numbers("9000000009")},
		{"one that is escaped and absolute", `"patient":{"reference":"https://record.test/fhir/Patient?identifier=https%3A%2F%2Ffhir.nhs.uk%2FId%2Fnhs-number%7C900%20000%200009"}`, numbers("9000000009")},
		{"by a local number", `"patient":{"reference":"Patient?identifier=http://hospital.example/mrn|A%2017"}`, policy.Subjects{Identifiers: []policy.Identifier{local}}},
		{"by a number alone", `"patient":{"reference":"Patient?identifier=9000000009"}`, numbers("9000000009")},
		{"by id", `"patient":{"reference":"Patient?_id=g.1"}`, ids("g.1")},
		{"by something else", `"patient":{"reference":"Patient?name=x"}`, policy.Subjects{URLs: []string{"Patient?name=x"}}},

		{"a contained Patient", `"contained":[{"resourceType":"Patient","id":"p","identifier":[{` + nhs + `,"value":"9000000009"},{"system":"http://hospital.example/mrn","value":"A 17"}]}],"patient":{"reference":"#p"}`,
			policy.Subjects{IDs: []string{"p"}, Numbers: []string{"9000000009"}, Identifiers: []policy.Identifier{local}}},
		{"whose id has the hash too", `"contained":[{"resourceType":"Patient","id":"#p"}],"patient":{"reference":" #p"}`, ids("p")},
		{"that is linked to another", `"contained":[{"resourceType":"Patient","id":"p","link":[{"other":{"reference":"Patient/g.1"},"type":"seealso"}]}],"patient":{"reference":"#p"}`, ids("g.1", "p")},
		{"a reference to a missing one, and a contained Patient", `"contained":[{"resourceType":"Patient","id":"p"},{"resourceType":"Organization","id":"o"}],"patient":{"reference":"#q"}`, policy.Subjects{IDs: []string{"p"}, URLs: []string{"#q"}}},
		{"a contained RelatedPerson", `"contained":[{"resourceType":"RelatedPerson","id":"r","patient":{"reference":"Patient/g.1"},"identifier":[{` + nhs + `,"value":"9000000009"}]}],"patient":{"reference":"#r"}`, policy.Subjects{IDs: []string{"g.1"}, Numbers: []string{"9000000009"}}},
		{"contained resources that refer to each other", `"contained":[{"resourceType":"Patient","id":"p","link":[{"other":{"reference":"#p"}}]}],"patient":{"reference":"#p"}`, ids("p")},

		{"CON-641 nobody: no patient", `"status":"active"`, policy.Subjects{None: true}},
		{"nobody: display only", `"patient":{"display":"Somebody"}`, policy.Subjects{None: true}},
		{"nobody: absent with data-absent-reason", `"patient":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]}`, policy.Subjects{None: true}},
		{"nobody: an identifier without a value", `"patient":{"identifier":{` + nhs + `}}`, policy.Subjects{None: true}},
		{"nobody: blanks", `"patient":{"reference":"  "}`, policy.Subjects{None: true}},
	} {
		got := policy.SubjectsOf([]byte(`{"resourceType":"Consent",`+c.members+`}`), "https://record.test/fhir")
		if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s (-want +got):\n%s", c.name, c.members, diff)
		}
	}
}
