package edit_test

import (
	"strings"
	"testing"

	"carerecord/fhir/edit"
)

func TestCut(t *testing.T) {
	doomed := func(typ string) bool {
		switch typ {
		case "", "Narrative", "Annotation", "markdown", "Attachment", "base64Binary", "DocumentReference":
			return true
		}
		return false
	}
	for _, c := range []struct{ name, in, want string }{
		{"nothing to remove", `{"resourceType":"Observation","status":"final","code":{"text":"x"}}`, ``},
		{"CON-1102 narrative and notes", `{"resourceType":"Observation","text":{"status":"generated","div":"<div/>"},"status":"final","note":[{"text":"a"}],"code":{"text":"x"}}`,
			`{"resourceType":"Observation","status":"final","code":{"text":"x"}}`},
		{"an extension with an attachment is removed", `{"resourceType":"Patient","extension":[{"url":"u","valueAttachment":{"title":"x"}},{"url":"v","valueString":"1"}]}`,
			`{"resourceType":"Patient","extension":[{"url":"v","valueString":"1"}]}`},
		{"empty parents are removed", `{"resourceType":"Patient","extension":[{"url":"u","valueMarkdown":"x"}],"active":true}`, `{"resourceType":"Patient","active":true}`},
		{"in contained resources", `{"resourceType":"Observation","contained":[{"resourceType":"Condition","id":"c","note":[{"text":"t"}]}],"status":"final","code":{"text":"x"}}`,
			`{"resourceType":"Observation","contained":[{"resourceType":"Condition","id":"c"}],"status":"final","code":{"text":"x"}}`},
		{"CON-1202 the parent of a mandatory element is removed", `{"resourceType":"Communication","status":"completed","payload":[{"contentAttachment":{"title":"x"}},{"contentString":"y"}]}`,
			`{"resourceType":"Communication","status":"completed","payload":[{"contentString":"y"}]}`},
		{"unknown properties", `{"resourceType":"Patient","story":"x","active":true}`, `{"resourceType":"Patient","active":true}`},
		{"extensions of primitives keep the positions of their values", `{"resourceType":"Patient","name":[{"given":["A","B"],"_given":[{"extension":[{"url":"u","valueAttachment":{"title":"x"}}]},{"id":"b"}]}]}`,
			`{"resourceType":"Patient","name":[{"given":["A","B"],"_given":[null,{"id":"b"}]}]}`},
		{"the list of extensions is removed if it is empty", `{"resourceType":"Patient","name":[{"given":["A","B"],"_given":[null,{"extension":[{"url":"u","valueAttachment":{"title":"x"}}]}]}]}`,
			`{"resourceType":"Patient","name":[{"given":["A","B"]}]}`},
		{"base64, markdown and notes in extensions", `{"resourceType":"Patient","extension":[{"url":"u","valueBase64Binary":"eA=="},{"url":"u","extension":[{"url":"v","valueMarkdown":"x"},{"url":"v","valueAnnotation":{"text":"x"}}]},{"url":"v","valueString":"1"}],"_active":{"extension":[{"url":"u","valueBase64Binary":"eA=="}]},"active":true}`,
			`{"resourceType":"Patient","extension":[{"url":"v","valueString":"1"}],"active":true}`},
		{"in entries of a Bundle in a Bundle", `{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Condition","note":[{"text":"t"}],"subject":{"display":"x"}}},{"resource":{"resourceType":"Binary","contentType":"text/plain","data":"eA=="}}]}}]}`,
			`{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Condition","subject":{"display":"x"}}},{"resource":{"resourceType":"Binary","contentType":"text/plain"}}]}}]}`},
		{"the outcome of a response", `{"resourceType":"Bundle","type":"batch-response","entry":[{"response":{"status":"200","outcome":{"resourceType":"OperationOutcome","text":{"status":"generated","div":"<div/>"},"issue":[{"severity":"error","code":"value"}]}}}]}`,
			`{"resourceType":"Bundle","type":"batch-response","entry":[{"response":{"status":"200","outcome":{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"value"}]}}}]}`},
		{"values and resources of nested parameters", `{"resourceType":"Parameters","parameter":[{"name":"a","part":[{"name":"b","valueMarkdown":"x"},{"name":"c","resource":{"resourceType":"Condition","note":[{"text":"t"}],"subject":{"display":"x"}}}]},{"name":"d","valueBase64Binary":"eA=="},{"name":"e","part":[{"name":"f","valueAttachment":{"title":"x"}}]}]}`,
			`{"resourceType":"Parameters","parameter":[{"name":"a","part":[{"name":"c","resource":{"resourceType":"Condition","subject":{"display":"x"}}}]}]}`},
		{"embedded documents are removed with their entry", `{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:uuid:a","resource":{"resourceType":"DocumentReference","description":"x"}},{"resource":{"resourceType":"Basic","contained":[{"resourceType":"DocumentReference","id":"d"}],"code":{"text":"x"}}}]}`,
			`{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Basic","code":{"text":"x"}}}]}`},
		{"the extensions of a removed primitive", `{"resourceType":"Questionnaire","status":"draft","description":"x","_description":{"id":"a"}}`,
			`{"resourceType":"Questionnaire","status":"draft"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, changed := edit.RemoveTypes([]byte(c.in), doomed)
			want := c.want
			if want == "" {
				want = c.in
			}
			if string(got) != want || changed != (c.want != "") {
				t.Errorf("got  %s (%v)\nwant %s", got, changed, want)
			}
		})
	}
}

func TestLinks(t *testing.T) {
	const in = `{"resourceType":"Observation","text":{"status":"generated","div":"<div><a href=\"urn:uuid:a\">x</a></div>"},` +
		`"contained":[{"resourceType":"Condition","subject":{"reference":"urn:uuid:a"}}],` +
		`"instantiatesCanonical":"urn:uuid:a","extension":[{"url":"u","valueUri":"urn:uuid:a"},{"url":"u","valueString":"urn:uuid:a"},{"url":"c","valueCanonical":"urn:uuid:a"}],` +
		`"subject":{"reference":"urn:uuid:a","display":"urn:uuid:a"},"performer":[{"reference":"Practitioner?identifier=x"}]}`
	paths := map[string]bool{}
	got := string(edit.Links([]byte(in), func(l edit.Link) string {
		if l.Reference {
			paths[l.FHIRPath()] = true
		}
		if l.Value == "urn:uuid:a" {
			return "Patient/1"
		}
		return l.Value
	}))
	want := `{"resourceType":"Observation","text":{"status":"generated","div":"<div><a href=\"Patient/1\">x</a></div>"},` +
		`"contained":[{"resourceType":"Condition","subject":{"reference":"Patient/1"}}],` +
		`"instantiatesCanonical":"urn:uuid:a","extension":[{"url":"u","valueUri":"Patient/1"},{"url":"u","valueString":"urn:uuid:a"},{"url":"c","valueCanonical":"urn:uuid:a"}],` +
		`"subject":{"reference":"Patient/1","display":"urn:uuid:a"},"performer":[{"reference":"Practitioner?identifier=x"}]}`
	if got != want {
		t.Errorf("REST-228: got\n%s\nwant\n%s", got, want)
	}
	for _, p := range []string{"Observation.subject.reference", "Observation.performer[0].reference", "Observation.contained[0].subject.reference"} {
		if !paths[p] {
			t.Errorf("no reference at %s: %s", p, strings.Join(keys(paths), ", "))
		}
	}
}

func keys(m map[string]bool) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	return out
}

func TestCutPaths(t *testing.T) {
	for _, c := range []struct{ name, in, path, want string }{
		{"a choice", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1},"note":[{"text":"a"}]}`, "Observation.value",
			`{"resourceType":"Observation","status":"final","code":{"text":"x"},"note":[{"text":"a"}]}`},
		{"within a backbone element, which is removed if it is empty", `{"resourceType":"Patient","contact":[{"name":{"text":"x"}},{"gender":"male","name":{"text":"y"}}]}`, "Patient.contact.name",
			`{"resourceType":"Patient","contact":[{"gender":"male"}]}`},
		{"within a datatype", `{"resourceType":"Patient","name":[{"family":"x","given":["y"]}]}`, "Patient.name.family", `{"resourceType":"Patient","name":[{"given":["y"]}]}`},
		{"a primitive with its extensions", `{"resourceType":"Patient","birthDate":"2000","_birthDate":{"id":"a"},"active":true}`, "Patient.birthDate", `{"resourceType":"Patient","active":true}`},
		{"the extensions of a primitive without a value", `{"resourceType":"Patient","_birthDate":{"id":"a"},"active":true}`, "Patient.birthDate", `{"resourceType":"Patient","active":true}`},
		{"the parent of a mandatory element is removed (CON-1202)", `{"resourceType":"List","status":"current","mode":"working","entry":[{"item":{"reference":"Patient/1"},"flag":{"text":"x"}}]}`, "List.entry.item",
			`{"resourceType":"List","status":"current","mode":"working"}`},
		{"the resource is removed with a mandatory element of its own", `{"resourceType":"Observation","status":"final","code":{"text":"x"}}`, "Observation.status", ``},
		{"in contained resources by their own type", `{"resourceType":"Observation","contained":[{"resourceType":"Patient","id":"a","gender":"male"}],"status":"final","code":{"text":"x"}}`, "Patient.gender",
			`{"resourceType":"Observation","contained":[{"resourceType":"Patient","id":"a"}],"status":"final","code":{"text":"x"}}`},
		{"not the same name elsewhere", `{"resourceType":"Observation","status":"final","code":{"text":"x"},"component":[{"code":{"text":"y"},"valueString":"z"}]}`, "Observation.component.value",
			`{"resourceType":"Observation","status":"final","code":{"text":"x"},"component":[{"code":{"text":"y"}}]}`},
	} {
		got, changed := edit.RemovePaths([]byte(c.in), map[string]bool{c.path: true})
		if string(got) != c.want || !changed {
			t.Errorf("%s: got  %s (%v)\nwant %s", c.name, got, changed, c.want)
		}
	}
}
