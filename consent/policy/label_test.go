package policy_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"carerecord/consent/policy"
)

// coded64 is a resource as base64.
func coded64(body string) string { return base64.StdEncoding.EncodeToString([]byte(body)) }

// TestLabels: labels are found in everything that a body embeds, in any letter case (CON-701, CON-710; CON-1204).
func TestLabels(t *testing.T) {
	const hiv = `"meta":{"security":[{"code":"HIV"}]}`
	condition := `{"resourceType":"Condition",` + hiv + `}`
	sensitive, restricted, none := policy.Labels{Sensitive: true}, policy.Labels{Restricted: true}, policy.Labels{}
	for _, c := range []struct {
		name, body string
		want       policy.Labels
	}{
		{"none", `{"resourceType":"Observation","meta":{"tag":[{"code":"HIV"}]},"code":{"coding":[{"code":"R"}]},"category":[{"coding":[{"code":"MH"}]}]}`, none},
		{"N is ordinary", `{"resourceType":"Observation","meta":{"security":[{"code":"N"}]},"code":{"coding":[{"code":"R"}]}}`, none},
		{"restricted", `{"resourceType":"Observation","meta":{"security":[{"code":"R"}]}}`, restricted},
		{"all three", `{"resourceType":"Observation","meta":{"security":[{"code":"V"},{"code":"NOPAT"},{"code":"MH"}]}}`, policy.Labels{Restricted: true, Sensitive: true, NoPatient: true}},
		{"lower case", `{"resourceType":"Observation","meta":{"security":[{"code":"r"},{"code":"nopat"},{"code":"hiv"}]}}`, policy.Labels{Restricted: true, Sensitive: true, NoPatient: true}},
		{"mixed case and blanks", `{"resourceType":"Observation","meta":{"security":[{"code":" Redacted "},{"code":"OpioidUd\t"}]}}`, policy.Labels{Restricted: true, Sensitive: true}},
		{"one where a list belongs", `{"resourceType":"Observation","meta":{"security":{"code":"R"}}}`, restricted},
		{"names and codes that are escaped", `{"resourceType":"Observation","m\u0065ta":{"s\u0065curity":[{"c\u006fde":"\u0052"}]}}`, restricted},
		{"contained", `{"resourceType":"Observation","contained":[` + condition + `]}`, sensitive},
		{"a Bundle", `{"resourceType":"Bundle","entry":[{"resource":` + condition + `}]}`, sensitive},
		{"a Bundle in a Bundle", `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Bundle","entry":[{"resource":` + condition + `}]}}]}`, sensitive},
		{"contained in an entry", `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"List","contained":[` + condition + `]}}]}`, sensitive},
		{"the outcome of an entry", `{"resourceType":"Bundle","entry":[{"response":{"status":"200","outcome":{"resourceType":"OperationOutcome",` + hiv + `}}}]}`, sensitive},
		{"Parameters", `{"resourceType":"Parameters","parameter":[{"name":"a","resource":` + condition + `}]}`, sensitive},
		{"parts of Parameters", `{"resourceType":"Parameters","parameter":[{"name":"a","part":[{"name":"b","part":[{"name":"c","resource":` + condition + `}]}]}]}`, sensitive},
		{"meta as a parameter", `{"resourceType":"Parameters","parameter":[{"name":"a","valueMeta":{"security":[{"code":"HIV"}]}}]}`, sensitive},
		{"the data of a Binary", `{"resourceType":"Binary","contentType":"application/fhir+json","data":"` + coded64(condition) + `"}`, sensitive},
		{"of another content type", `{"resourceType":"Binary","contentType":"text/plain","data":"` + coded64(condition) + `"}`, sensitive},
		{"in XML", `{"resourceType":"Binary","contentType":"application/fhir+xml","data":"` + coded64(`<Condition xmlns="http://hl7.org/fhir"><meta><security><code value="hiv"/></security></meta></Condition>`) + `"}`, sensitive},
		{"a contained Binary", `{"resourceType":"Observation","contained":[{"resourceType":"Binary","data":"` + coded64(condition) + `"}]}`, sensitive},
		{"a payload in a payload", `{"resourceType":"Binary","data":"` + coded64(`{"resourceType":"Binary","data":"`+coded64(condition)+`"}`) + `"}`, sensitive},
		{"base64 in an extension", `{"resourceType":"Observation","extension":[{"url":"u","extension":[{"url":"v","valueBase64Binary":"` + coded64(condition) + `"}]}]}`, sensitive},
		{"base64 in an extension of a primitive", `{"resourceType":"Observation","_status":{"extension":[{"url":"u","valueBase64Binary":"` + coded64(condition) + `"}]}}`, sensitive},
		{"an attachment", `{"resourceType":"DocumentReference","content":[{"attachment":{"data":"` + coded64(condition) + `"}}]}`, sensitive},
		{"an attachment in an extension", `{"resourceType":"Observation","extension":[{"url":"u","valueAttachment":{"contentType":"application/fhir+json","data":"` + coded64(condition) + `"}}]}`, sensitive},
		{"an attachment whose url holds its data", `{"resourceType":"Observation","extension":[{"url":"u","valueAttachment":{"url":"data:application/fhir+json;base64,` + coded64(condition) + `"}}]}`, sensitive},
		{"base64 that is a letter", `{"resourceType":"Binary","data":"` + coded64("a letter with code R") + `"}`, none},
		{"CON-710 an inline label, its url first", `{"resourceType":"Patient","contact":[{"extension":[{"url":"http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label","valueCoding":{"code":"R"}}]}]}`, restricted},
		{"CON-710 an inline label, its url last", `{"resourceType":"Patient","_birthDate":{"extension":[{"valueCodeableConcept":{"coding":[{"code":"hiv"}]},"url":"http://hl7.org/fhir/StructureDefinition/inline-sec-label"}]}}`, sensitive},
		{"CON-710 the mark of inline labels", `{"resourceType":"Patient","meta":{"security":[{"code":"PROCESSINLINELABEL"}]}}`, restricted},
		{"a code in another extension", `{"resourceType":"Patient","extension":[{"url":"u","valueCoding":{"code":"R"}}],"meta":{"security":[{"code":"N"}]}}`, none},
		{"the label of a document", `{"resourceType":"DocumentReference","securityLabel":[{"coding":[{"code":"V"}]}]}`, restricted},
		{"the confidentiality of a Composition", `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Composition","confidentiality":"R"}}]}`, restricted},
		{"what a provision names is no label", `{"resourceType":"Consent","provision":{"securityLabel":[{"code":"R"}],"provision":[{"securityLabel":[{"code":"HIV"}]}]}}`, none},
	} {
		if got := policy.LabelsOf([]byte(c.body)); got != c.want {
			t.Errorf("%s: got %+v, want %+v\n%s", c.name, got, c.want, c.body)
		}
	}
}

// BenchmarkLabels reads a row without labels, one with a label, and a large body.
func BenchmarkLabels(b *testing.B) {
	row := `{"resourceType":"Observation","id":"0b4dd2e5","meta":{"profile":["http://p"]%s},"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2339-0","display":"Glucose"}],"text":"Glucose"},"subject":{"reference":"Patient/dc9335d0"},"encounter":{"reference":"Encounter/c9f7a1b6"},"effectiveDateTime":"2013-04-22T08:21:05+01:00","issued":"2013-04-22T08:21:05.123+01:00","valueQuantity":{"value":85.72,"unit":"mg/dL","system":"http://unitsofmeasure.org","code":"mg/dL"}}`
	plain, labelled := fmt.Sprintf(row, ""), fmt.Sprintf(row, `,"security":[{"code":"R"}]`)
	entry := `{"resource":` + plain + `},`
	for _, c := range []struct{ name, body string }{
		{"plain", plain}, {"labelled", labelled},
		{"bundle of 1 MB", `{"resourceType":"Bundle","entry":[` + strings.Repeat(entry, 1<<20/len(entry)) + `{"resource":` + labelled + `}]}`},
		{"picture of 1 MB", `{"resourceType":"Binary","data":"` + strings.Repeat("iVBORw0K", 1<<17) + `"}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			body := []byte(c.body)
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				policy.LabelsOf(body)
			}
		})
	}
}
