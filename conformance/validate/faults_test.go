package validate_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"carerecord/conformance/validate"
	"carerecord/fhir"
	"carerecord/fhir/path"
)

// issueLines returns issues as "code expression". Warnings begin with a question mark.
func issueLines(issues []fhir.Issue) []string {
	var out []string
	for _, i := range issues {
		line := i.Code + " " + i.Expression
		if fault := pathFault(i); fault != "" {
			line += " (" + fault + ")"
		}
		if i.Severity == "warning" {
			line = "?" + line
		}
		out = append(out, line)
	}
	return out
}

// pathFault returns why the expression of an issue is not a FHIRPath of names and indexes only
// (REST-003), or the empty string if it is one.
func pathFault(i fhir.Issue) string {
	if i.Expression == "" { // the whole body
		return ""
	}
	p, err := path.Full(i.Expression)
	switch {
	case err != nil:
		return err.Error()
	case !p.Plain():
		return i.Expression + " has more than names and indexes"
	}
	return ""
}

const div = `<div xmlns=\"http://www.w3.org/1999/xhtml\">`

// TestFaults: Resource reports every fault of a body, with its path.
func TestFaults(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"valid", `{"resourceType":"Patient","id":"a","name":[{"given":["A","B"]}],"deceasedBoolean":false}`, ""},
		{"REST-088 resourceType anywhere", `{"active":true,"resourceType":"Patient"}`, ""},
		{"unknown type", `{"resourceType":"Person2"}`, "structure resourceType"},
		{"no type", `{"active":true}`, "structure resourceType"},
		{"abstract type", `{"resourceType":"DomainResource"}`, "structure resourceType"},
		{"REST-082 unknown element", `{"resourceType":"Patient","nmae":[{}]}`, "structure Patient.nmae"},
		{"REST-082 wrong case", `{"resourceType":"Patient","birthdate":"2000-01-01"}`, "structure Patient.birthdate"},
		{"REST-082 in a datatype", `{"resourceType":"Patient","name":[{"first":"A"}]}`, "structure Patient.name[0].first"},
		{"REST-082 in a backbone element", `{"resourceType":"Patient","contact":[{"nam":{}}]}`, "structure Patient.contact[0].nam"},
		{"REST-082 in an extension", `{"resourceType":"Patient","extension":[{"url":"a","valueString":"b","x":1}]}`, "structure Patient.extension[0].x"},
		{"REST-082 in a contained resource", `{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","nam":"x"}]}`, "structure Patient.contained[0].nam"},
		{"REST-082 resourceType in a datatype", `{"resourceType":"Patient","maritalStatus":{"resourceType":"CodeableConcept","text":"x"}}`, "structure Patient.maritalStatus.resourceType"},
		{"REST-082 comments of DSTU2", `{"resourceType":"Patient","fhir_comments":["x"]}`, "structure Patient.fhir_comments"},
		{"contained without type", `{"resourceType":"Patient","contained":[{"id":"o"}]}`, "structure Patient.contained[0].resourceType"},
		{"contained of unknown type", `{"resourceType":"Patient","contained":[{"resourceType":"Foo"}]}`, "structure Patient.contained[0].resourceType"},
		{"a resource in a Parameters", `{"resourceType":"Parameters","parameter":[{"name":"a","resource":{"resourceType":"Patient","x":1}}]}`, "structure Parameters.parameter[0].resource.x"},
		{"content reference", `{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"1","type":"group","item":[{"type":"group"}]}]}`, "required Questionnaire.item[0].item[0].linkId"},

		{"REST-083 array instead of a single value", `{"resourceType":"Patient","birthDate":["2000"]}`, "structure Patient.birthDate"},
		{"REST-083 array instead of an object", `{"resourceType":"Patient","maritalStatus":[{"text":"x"}]}`, "structure Patient.maritalStatus"},
		{"REST-083 single value instead of an array", `{"resourceType":"Patient","name":{"famly":"x"}}`, "structure Patient.name\nstructure Patient.name.famly"},
		{"REST-083 single primitive instead of an array", `{"resourceType":"Patient","name":[{"given":"x"}]}`, "structure Patient.name[0].given"},
		{"REST-083 object instead of a primitive", `{"resourceType":"Patient","birthDate":{"value":"2000"}}`, "structure Patient.birthDate"},
		{"REST-083 primitive instead of an object", `{"resourceType":"Patient","maritalStatus":"M"}`, "structure Patient.maritalStatus"},
		{"REST-083 primitive instead of a resource", `{"resourceType":"Patient","contained":["x"]}`, "structure Patient.contained[0]"},
		{"REST-083 arrays within arrays", `{"resourceType":"Patient","name":[[{"family":"x"}]]}`, "structure Patient.name[0]"},
		{"REST-083 boolean in quotes", `{"resourceType":"Patient","active":"true"}`, "structure Patient.active"},
		{"REST-083 number in quotes", `{"resourceType":"Patient","multipleBirthInteger":"1"}`, "structure Patient.multipleBirth"},
		{"REST-083 string without quotes", `{"resourceType":"Patient","birthDate":2000}`, "structure Patient.birthDate"},
		{"REST-083 empty object", `{"resourceType":"Patient","maritalStatus":{}}`, "structure Patient.maritalStatus"},
		{"REST-083 empty array", `{"resourceType":"Patient","name":[]}`, "structure Patient.name"},
		{"REST-083 empty string", `{"resourceType":"Patient","language":""}`, "structure Patient.language"},
		{"REST-083 null", `{"resourceType":"Patient","active":null}`, "structure Patient.active"},
		{"REST-083 null instead of an array", `{"resourceType":"Patient","name":null}`, "structure Patient.name"},
		{"REST-083 null in an array of objects", `{"resourceType":"Patient","name":[null]}`, "structure Patient.name[0]"},

		{"REST-087 missing", `{"resourceType":"Observation"}`, "required Observation.status\nrequired Observation.code"},
		{"REST-087 missing below", `{"resourceType":"Patient","link":[{"type":"seealso"}]}`, "required Patient.link[0].other"},
		{"REST-087 missing choice", `{"resourceType":"MedicationRequest","status":"active","intent":"order","subject":{"reference":"Patient/1"}}`, "required MedicationRequest.medication"},
		{"REST-087 an extension instead of the value", `{"resourceType":"Observation","_status":{"extension":[{"url":"a","valueCode":"unknown"}]},"code":{"text":"x"}}`, ""},
		{"REST-087 two variants", `{"resourceType":"Patient","deceasedBoolean":true,"deceasedDateTime":"2000"}`, "structure Patient.deceased"},
		{"REST-087 two variants, one a twin", `{"resourceType":"Patient","deceasedBoolean":true,"_deceasedDateTime":{"extension":[{"url":"a","valueCode":"b"}]}}`, "structure Patient.deceased"},
		{"REST-087 a choice without its type", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"value":1}`, "structure Observation.value"},
		{"REST-087 a type that the choice does not allow", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueDecimal":1}`, "structure Observation.valueDecimal"},

		{"REST-087 unknown code", `{"resourceType":"Patient","gender":"Male"}`, "code-invalid Patient.gender"},
		{"REST-087 unknown code in an array", `{"resourceType":"Timing","x":1}`, "structure resourceType"},
		{"REST-087 unknown codes of many", `{"resourceType":"HealthcareService","availableTime":[{"daysOfWeek":["mon","Tue","wed"]}]}`, "code-invalid HealthcareService.availableTime[0].daysOfWeek[1]"},
		{"REST-087 concept of a required binding", `{"resourceType":"AllergyIntolerance","patient":{"reference":"Patient/1"},"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical","code":"active"}]}}`, ""},
		{"REST-087 concept with another code", `{"resourceType":"AllergyIntolerance","patient":{"reference":"Patient/1"},"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical","code":"on"}]}}`, "code-invalid AllergyIntolerance.clinicalStatus"},
		{"REST-087 concept with another system", `{"resourceType":"AllergyIntolerance","patient":{"reference":"Patient/1"},"clinicalStatus":{"coding":[{"system":"http://x","code":"active"}]}}`, "code-invalid AllergyIntolerance.clinicalStatus"},
		{"REST-087 concept with text only", `{"resourceType":"AllergyIntolerance","patient":{"reference":"Patient/1"},"clinicalStatus":{"text":"active"}}`, "code-invalid AllergyIntolerance.clinicalStatus"},
		{"extensible bindings are free", `{"resourceType":"Patient","maritalStatus":{"coding":[{"system":"http://x","code":"y"}]}}`, ""},

		{"REST-085 twin of a single value", `{"resourceType":"Patient","birthDate":"2000","_birthDate":{"extension":[{"url":"a","valueTime":"10:00:00"}]}}`, ""},
		{"REST-085 twin without value", `{"resourceType":"Patient","_birthDate":{"extension":[{"url":"a","valueCode":"unknown"}]}}`, ""},
		{"REST-085 twin array of equal length", `{"resourceType":"Patient","name":[{"given":["A",null],"_given":[null,{"id":"x","extension":[{"url":"a","valueCode":"b"}]}]}]}`, ""},
		{"REST-085 twin first", `{"resourceType":"Patient","name":[{"_given":[null,{"id":"x"}],"given":["A","B"]}]}`, ""},
		{"REST-085 twin with a value", `{"resourceType":"Patient","_birthDate":{"id":"x","value":"2000"}}`, "structure Patient.birthDate.value"},
		{"REST-085 twin shorter", `{"resourceType":"Patient","name":[{"given":["A","B"],"_given":[{"id":"x"}]}]}`, "structure Patient.name[0].given"},
		{"REST-085 twin longer", `{"resourceType":"Patient","name":[{"given":["A"],"_given":[{"id":"x"},{"id":"y"}]}]}`, "structure Patient.name[0].given"},
		{"REST-085 null in both", `{"resourceType":"Patient","name":[{"given":["A",null],"_given":[{"id":"x"},null]}]}`, "structure Patient.name[0].given[1]"},
		{"REST-085 null without twin", `{"resourceType":"Patient","name":[{"given":["A",null]}]}`, "structure Patient.name[0].given[1]"},
		{"REST-085 null in a lone twin", `{"resourceType":"Patient","name":[{"_given":[null,{"id":"x"}]}]}`, "structure Patient.name[0].given[0]\ninvariant Patient.name[0].given[1]"},
		{"ele-1 a twin with an id alone", `{"resourceType":"Patient","_birthDate":{"id":"x"}}`, "invariant Patient.birthDate"},
		{"ele-1 a twin with an id alone in an array", `{"resourceType":"Patient","name":[{"_given":[{"id":"x"}]}]}`, "invariant Patient.name[0].given[0]"},
		{"REST-085 array as the twin of a single value", `{"resourceType":"Patient","birthDate":"2000","_birthDate":[{"id":"x"}]}`, "structure Patient.birthDate"},
		{"REST-085 object as the twin of an array", `{"resourceType":"Patient","name":[{"given":["a"],"_given":{"id":"x"}}]}`, "structure Patient.name[0].given"},
		{"REST-085 twin of an object", `{"resourceType":"Patient","_maritalStatus":{"id":"x"}}`, "structure Patient.maritalStatus"},
		{"REST-085 twin of an id", `{"resourceType":"Patient","id":"a","_id":{"id":"x"}}`, "structure Patient.id"},
		{"REST-085 twin is a string", `{"resourceType":"Patient","_birthDate":"x"}`, "structure Patient.birthDate"},
		{"REST-085 twin is null", `{"resourceType":"Patient","_birthDate":null}`, "structure Patient.birthDate"},
		{"REST-085 twin of an unknown element", `{"resourceType":"Patient","_foo":{"id":"x"}}`, "structure Patient.foo"},

		{"ext-1 both", `{"resourceType":"Patient","extension":[{"url":"a","valueString":"x","extension":[{"url":"b","valueString":"y"}]}]}`, "invariant Patient.extension[0]"},
		{"ext-1 neither", `{"resourceType":"Patient","extension":[{"url":"a"}]}`, "invariant Patient.extension[0]"},
		{"extension without url", `{"resourceType":"Patient","extension":[{"valueString":"x"}]}`, "required Patient.extension[0].url"},
		{"extension with two values", `{"resourceType":"Patient","extension":[{"url":"a","valueString":"x","valueCode":"y"}]}`, "structure Patient.extension[0].value"},
		{"ele-1 an id alone", `{"resourceType":"Patient","name":[{"id":"x"}]}`, "invariant Patient.name[0]"},

		{"narrative", `{"resourceType":"Patient","text":{"status":"generated","div":"` + div + `<p>x &lt; &#233;<br/></p></div>"}}`, ""},
		{"narrative with script", `{"resourceType":"Patient","text":{"status":"generated","div":"` + div + `x<script>alert(1)</script></div>"}}`, "invariant Patient.text.`div`"},
		{"narrative not closed", `{"resourceType":"Patient","text":{"status":"generated","div":"` + div + `x<p></div>"}}`, "value Patient.text.`div`"},

		{"not an object", `[1]`, "structure "},
		{"text after the end", `{"resourceType":"Patient"}{}`, "structure Patient"},
		{"cut off", `{"resourceType":"Patient","name":[{"family":"x`, "structure Patient"},
		{"REST-003 all faults in one answer", `{"resourceType":"Patient","foo":1,"gender":"x","birthDate":"2000-13","link":[{"other":{}}],"extension":[{"url":"a"}]}`,
			"structure Patient.foo\ncode-invalid Patient.gender\nvalue Patient.birthDate\nstructure Patient.link[0].other\nrequired Patient.link[0].type\ninvariant Patient.extension[0]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(strings.Join(issueLines(validate.Resource([]byte(c.body), validate.Strict)), "\n"), c.want); diff != "" {
				t.Errorf("got - want +\n%s", diff)
			}
		})
	}
}

// TestLenient: missing elements and unknown codes are warnings, other faults are errors.
func TestLenient(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"missing", `{"resourceType":"Observation","status":"final"}`, "?required Observation.code"},
		{"unknown code", `{"resourceType":"Patient","gender":"Male"}`, "?code-invalid Patient.gender"},
		{"unknown concept", `{"resourceType":"AllergyIntolerance","patient":{"reference":"Patient/1"},"clinicalStatus":{"text":"active"}}`, "?code-invalid AllergyIntolerance.clinicalStatus"},
		{"errors come first", `{"resourceType":"Patient","gender":"Male","x":1}`, "structure Patient.x\n?code-invalid Patient.gender"},
		{"a code with blanks is a bad primitive", `{"resourceType":"Patient","gender":" male"}`, "value Patient.gender"},
		{"bad primitive", `{"resourceType":"Patient","birthDate":"1.1.2000"}`, "value Patient.birthDate"},
		{"unknown element", `{"resourceType":"Patient","x":1}`, "structure Patient.x"},
		{"wrong type", `{"resourceType":"Patient","active":1}`, "structure Patient.active"},
		{"invariant", `{"resourceType":"Patient","extension":[{"url":"a"}]}`, "invariant Patient.extension[0]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			issues := validate.Resource([]byte(c.body), validate.Lenient)
			if diff := cmp.Diff(strings.Join(issueLines(issues), "\n"), c.want); diff != "" {
				t.Errorf("got - want +\n%s", diff)
			}
			if refused := validate.Refused(issues) != nil; refused == (c.want[0] == '?') {
				t.Errorf("got refused %v for %q", refused, c.want)
			}
		})
	}
}

// TestRefused: the issues decide the status (REST-002).
func TestRefused(t *testing.T) {
	for body, want := range map[string]int{
		`{"resourceType":"Patient","x":1}`:                           400,
		`{"resourceType":"Patient","extension":[{"url":"a"}]}`:       422,
		`{"resourceType":"Patient","extension":[{"url":"a"}],"x":1}`: 400,
	} {
		e, ok := fhir.AsError(validate.Refused(validate.Resource([]byte(body), validate.Strict)))
		if !ok || e.Status != want {
			t.Errorf("%s: got %v, want %d", body, e, want)
		}
	}
}

// TestBound: at most fhir.MaxIssues issues are reported, with a note that there may be more. Warnings
// do not displace errors.
func TestBound(t *testing.T) {
	many := func(one string, n int) string {
		return `{"resourceType":"Patient","name":[` + strings.TrimSuffix(strings.Repeat(one+",", n), ",") + `]`
	}
	issues := validate.Resource([]byte(many(`{"x":1,"family":"a"}`, 100)+"}"), validate.Strict)
	if len(issues) != fhir.MaxIssues || !strings.Contains(issues[fhir.MaxIssues-1].Text, "may be more") {
		t.Errorf("got %d issues, the last %v, want %d and a note", len(issues), issues[len(issues)-1], fhir.MaxIssues)
	}
	issues = validate.Resource([]byte(many(`{"use":"bad"}`, 100)+`,"x":1}`), validate.Lenient)
	if len(issues) != fhir.MaxIssues || issues[0].Expression != "Patient.x" {
		t.Errorf("got %d issues, the first %v, want %d with the error first", len(issues), issues[0], fhir.MaxIssues)
	}
}

// TestEnvelope: the resources of entries are not checked, the rest of the Bundle is.
func TestEnvelope(t *testing.T) {
	const bundle = `{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Patient","x":1},"request":{"method":"FOO","url":"Patient"}},{"resource":7}]}`
	want := "code-invalid Bundle.entry[0].request.method\nstructure Bundle.entry[1].resource"
	if got := strings.Join(issueLines(validate.Envelope([]byte(bundle), validate.Strict)), "\n"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	want = "structure Bundle.entry[0].resource.x\n" + want
	if got := strings.Join(issueLines(validate.Resource([]byte(bundle), validate.Strict)), "\n"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestTextsAreShort: texts quote names and values of the body in a shortened form.
func TestTextsAreShort(t *testing.T) {
	long := strings.Repeat("ä", 10_000)
	for _, body := range []string{`{"resourceType":"Patient","` + long + `":1}`, `{"resourceType":"Patient","_` + long + `":1}`, `{"resourceType":"Patient","gender":"` + long + `"}`,
		`{"resourceType":"Patient","text":{"status":"generated","div":"` + div + `<` + long + `/></div>"}}`} {
		for _, i := range validate.Resource([]byte(body), validate.Strict) {
			if len(i.Text)+len(i.Expression) > 600 || !utf8.ValidString(i.Text+i.Expression) {
				t.Errorf("got %d bytes of text and expression for %.40s", len(i.Text)+len(i.Expression), body)
			}
		}
	}
}

func TestDepthIsBounded(t *testing.T) {
	deep := `{"resourceType":"Patient","extension":` + strings.Repeat(`[{"url":"a","extension":`, 1000) + `[]` + strings.Repeat(`}]`, 1000) + `}`
	issues := validate.Resource([]byte(deep), validate.Strict)
	if len(issues) == 0 || issues[0].Code != "structure" || !strings.Contains(fmt.Sprint(issues), "deeper") {
		t.Errorf("got %v, want a refusal", issueLines(issues))
	}
}
