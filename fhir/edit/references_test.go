package edit_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"carerecord/conformance/testfiles"
	"carerecord/conformance/validate"
	"carerecord/fhir"
	"carerecord/fhir/edit"
	"carerecord/fhir/r4"
)

const site = "https://record.test/fhir"

// hiddenIDs hides the resources whose id begins with h.
func hiddenIDs(r fhir.Ref) bool { return strings.HasPrefix(r.ID, "h") }

func encoded(body string) string { return base64.StdEncoding.EncodeToString([]byte(body)) }

// TestCutReferences: every element that refers to a hidden resource is removed (CON-1201), with its
// parent where the rest would be invalid or describe it (CON-1202, CON-1206), and with the narrative.
func TestCutReferences(t *testing.T) {
	const (
		head      = `{"resourceType":"Observation","status":"final","code":{"text":"x"}`
		narrative = `"text":{"status":"generated","div":"<div>told</div>"}`
	)
	for _, c := range []struct{ name, in, want string }{ // want is empty for unchanged, nil for nothing left
		{"nothing hidden", head + `,"subject":{"reference":"Patient/1"},` + narrative + `}`, ``},
		{"a reference that is relative", head + `,"encounter":{"reference":"Encounter/h"}}`, head + `}`},
		{"absolute", head + `,"encounter":{"reference":"` + site + `/Encounter/h"}}`, head + `}`},
		{"with a version", head + `,"encounter":{"reference":"Encounter/h/_history/3"}}`, head + `}`},
		{"with a fragment", head + `,"encounter":{"reference":"Encounter/h#x"}}`, head + `}`},
		{"of another server", head + `,"encounter":{"reference":"https://other/fhir/Encounter/h"}}`, ``},
		{"whole, with type, identifier and display", head + `,"encounter":{"type":"Encounter","reference":"Encounter/h","identifier":{"value":"7"},"display":"Ward 7"}}`, head + `}`},
		{"an entry of a list; the others keep their order", head + `,"performer":[{"reference":"Practitioner/1"},{"reference":"Patient/h"},{"reference":"Practitioner/2"}]}`,
			head + `,"performer":[{"reference":"Practitioner/1"},{"reference":"Practitioner/2"}]}`},
		{"a list without entries is removed", head + `,"hasMember":[{"reference":"Observation/h1"},{"reference":"Observation/h2"}]}`, head + `}`},
		{"in an extension, which is removed", head + `,"extension":[{"url":"u","valueReference":{"reference":"Condition/h"}},{"url":"v","valueString":"x"}]}`, head + `,"extension":[{"url":"v","valueString":"x"}]}`},
		{"in an extension of an extension", head + `,"extension":[{"url":"u","extension":[{"url":"v","valueReference":{"reference":"Condition/h"}}]}]}`, head + `}`},
		{"in an extension of a primitive", `{"resourceType":"Patient","birthDate":"2000","_birthDate":{"extension":[{"url":"u","valueReference":{"reference":"Condition/h"}}]}}`, `{"resourceType":"Patient","birthDate":"2000"}`},
		{"CON-1201 narrative is removed with any element", head + `,"encounter":{"reference":"Encounter/h"},` + narrative + `}`, head + `}`},
		{"narrative with a link", head + `,"text":{"status":"generated","div":"<div><a href=\"Encounter/h\">x</a></div>"}}`, head + `}`},

		{"an attachment by its url", `{"resourceType":"DocumentReference","status":"current","content":[{"attachment":{"url":"Binary/h","title":"t","size":7}},{"attachment":{"url":"Binary/1"}}]}`,
			`{"resourceType":"DocumentReference","status":"current","content":[{"attachment":{"url":"Binary/1"}}]}`},
		{"CON-1202 the document is removed with its only attachment", `{"resourceType":"DocumentReference","status":"current","content":[{"attachment":{"url":"` + site + `/Binary/h"}}]}`, `nil`},
		{"a canonical with version and fragment", `{"resourceType":"PlanDefinition","status":"active","action":[{"title":"a","definitionCanonical":"` + site + `/ActivityDefinition/h|2#f"}]}`, `{"resourceType":"PlanDefinition","status":"active","action":[{"title":"a"}]}`},
		{"an entry of a list of canonicals, with its extensions", `{"resourceType":"CarePlan","status":"active","intent":"plan","instantiatesCanonical":["PlanDefinition/1","PlanDefinition/h","PlanDefinition/2"],"_instantiatesCanonical":[null,{"id":"b"},{"id":"c"}],"subject":{"reference":"Patient/1"}}`,
			`{"resourceType":"CarePlan","status":"active","intent":"plan","instantiatesCanonical":["PlanDefinition/1","PlanDefinition/2"],"_instantiatesCanonical":[null,{"id":"c"}],"subject":{"reference":"Patient/1"}}`},
		{"extensions that precede their list", `{"resourceType":"CarePlan","_instantiatesUri":[{"id":"a"},{"id":"b"}],"instantiatesUri":["PlanDefinition/h","PlanDefinition/1"],"status":"active","intent":"plan","subject":{"reference":"Patient/1"}}`,
			`{"resourceType":"CarePlan","_instantiatesUri":[{"id":"b"}],"instantiatesUri":["PlanDefinition/1"],"status":"active","intent":"plan","subject":{"reference":"Patient/1"}}`},
		{"a list whose entries are all removed", `{"resourceType":"CarePlan","status":"active","intent":"plan","instantiatesCanonical":["PlanDefinition/h"],"_instantiatesCanonical":[{"id":"a"}],"subject":{"reference":"Patient/1"}}`,
			`{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"reference":"Patient/1"}}`},
		{"base64 that refers to one", head + `,"extension":[{"url":"u","valueBase64Binary":"` + encoded(`{"resourceType":"Provenance","target":[{"reference":"Condition/h"}]}`) + `"}]}`, head + `}`},
		{"base64 that does not", head + `,"extension":[{"url":"u","valueBase64Binary":"` + encoded(`{"resourceType":"Provenance","target":[{"reference":"Condition/1"}]}`) + `"}]}`, ``},

		{"CON-1202 the parent of a mandatory element is removed", `{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"},"diagnosis":[{"condition":{"reference":"Condition/h"},"use":{"text":"x"}},{"condition":{"reference":"Condition/1"}}]}`,
			`{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"},"diagnosis":[{"condition":{"reference":"Condition/1"}}]}`},
		{"CON-1202 the resource is removed with a mandatory element of its own", `{"resourceType":"ImmunizationEvaluation","status":"completed","immunizationEvent":{"reference":"Immunization/h"}}`, `nil`},
		{"CON-1206 entries of a List", `{"resourceType":"List","status":"current","mode":"working","entry":[{"item":{"reference":"Condition/h"},"flag":{"text":"x"}},{"item":{"reference":"Condition/1"}}]}`,
			`{"resourceType":"List","status":"current","mode":"working","entry":[{"item":{"reference":"Condition/1"}}]}`},
		{"CON-1206 members of a Group, and its quantity", `{"resourceType":"Group","type":"person","actual":true,"quantity":2,"member":[{"entity":{"reference":"Patient/h"},"inactive":true},{"entity":{"reference":"Patient/1"}}]}`,
			`{"resourceType":"Group","type":"person","actual":true,"member":[{"entity":{"reference":"Patient/1"}}]}`},
		{"CON-1206 a Group whose members stay keeps its quantity", `{"resourceType":"Group","type":"person","actual":true,"quantity":1,"managingEntity":{"reference":"Patient/h"},"member":[{"entity":{"reference":"Patient/1"}}]}`,
			`{"resourceType":"Group","type":"person","actual":true,"quantity":1,"member":[{"entity":{"reference":"Patient/1"}}]}`},
		{"CON-1206 participants of a CareTeam", `{"resourceType":"CareTeam","participant":[{"role":[{"text":"x"}],"member":{"reference":"Patient/h"}},{"member":{"reference":"Patient/1"}}]}`, `{"resourceType":"CareTeam","participant":[{"member":{"reference":"Patient/1"}}]}`},
		{"CON-1206 participants of an Appointment", `{"resourceType":"Appointment","status":"booked","participant":[{"actor":{"reference":"Patient/h"},"status":"accepted"},{"actor":{"reference":"Patient/1"},"status":"accepted"}]}`,
			`{"resourceType":"Appointment","status":"booked","participant":[{"actor":{"reference":"Patient/1"},"status":"accepted"}]}`},
		{"CON-1202 an Appointment without participants is removed", `{"resourceType":"Appointment","status":"booked","participant":[{"actor":{"reference":"Patient/h"},"status":"accepted"}]}`, `nil`},
		{"CON-1206 sections of a Composition", `{"resourceType":"Composition","status":"final","section":[{"title":"a","entry":[{"reference":"Condition/h"},{"reference":"Condition/1"}],` + narrative + `},{"title":"b","entry":[{"reference":"Condition/h"}],` + narrative + `}]}`,
			`{"resourceType":"Composition","status":"final","section":[{"title":"a","entry":[{"reference":"Condition/1"}]}]}`},
		{"CON-1206 some targets of a Provenance", `{"resourceType":"Provenance","target":[{"reference":"Condition/h"},{"reference":"Condition/1"}],"recorded":"2020-01-01T00:00:00Z"}`, `{"resourceType":"Provenance","target":[{"reference":"Condition/1"}],"recorded":"2020-01-01T00:00:00Z"}`},
		{"CON-1206 all targets of a Provenance", `{"resourceType":"Provenance","target":[{"reference":"Condition/h"},{"reference":"Condition/h2/_history/1"}],"recorded":"2020-01-01T00:00:00Z"}`, `nil`},
		{"CON-1206 some entities of an AuditEvent", `{"resourceType":"AuditEvent","entity":[{"what":{"reference":"Condition/h"},"name":"x"},{"what":{"reference":"Condition/1"}}]}`, `{"resourceType":"AuditEvent","entity":[{"what":{"reference":"Condition/1"}}]}`},
		{"CON-1206 all entities of an AuditEvent", `{"resourceType":"AuditEvent","entity":[{"what":{"reference":"Condition/h"},"name":"x"}]}`, `nil`},
		{"evidence is removed with its codes", `{"resourceType":"Condition","evidence":[{"code":[{"text":"x"}],"detail":[{"reference":"Observation/h"}]}],"subject":{"reference":"Patient/1"}}`, `{"resourceType":"Condition","subject":{"reference":"Patient/1"}}`},
		{"reasons and basedOn", `{"resourceType":"ServiceRequest","status":"active","intent":"order","basedOn":[{"reference":"CarePlan/h"}],"reasonReference":[{"reference":"Condition/h"}],"subject":{"reference":"Patient/1"}}`,
			`{"resourceType":"ServiceRequest","status":"active","intent":"order","subject":{"reference":"Patient/1"}}`},

		{"CON-1204 in a contained resource", head + `,"contained":[{"resourceType":"Procedure","id":"p","status":"completed","subject":{"reference":"Patient/1"},"encounter":{"reference":"Encounter/h"}}],"partOf":[{"reference":"#p"}],` + narrative + `}`,
			head + `,"contained":[{"resourceType":"Procedure","id":"p","status":"completed","subject":{"reference":"Patient/1"}}],"partOf":[{"reference":"#p"}]}`},
		{"CON-1204 the references to a removed contained resource are removed", head + `,"contained":[{"resourceType":"Procedure","id":"p","status":"completed","subject":{"reference":"Patient/h"}}],"partOf":[{"reference":"#p","display":"x"}]}`, head + `}`},
		{"CON-1204 the parent of such a reference is removed if it is mandatory", `{"resourceType":"List","contained":[{"resourceType":"Procedure","id":"p","status":"completed","subject":{"reference":"Patient/h"}}],"status":"current","mode":"working","entry":[{"item":{"reference":"#p"}},{"item":{"reference":"Condition/1"}}]}`,
			`{"resourceType":"List","status":"current","mode":"working","entry":[{"item":{"reference":"Condition/1"}}]}`},
		{"CON-1204 a contained resource without remaining references is removed", `{"resourceType":"List","contained":[{"resourceType":"Practitioner","id":"a"},{"resourceType":"Practitioner","id":"b"}],"status":"current","mode":"working","entry":[{"extension":[{"url":"u","valueReference":{"reference":"#a"}}],"item":{"reference":"Condition/h"}},{"extension":[{"url":"u","valueReference":{"reference":"#b"}}],"item":{"reference":"Condition/1"}}]}`,
			`{"resourceType":"List","contained":[{"resourceType":"Practitioner","id":"b"}],"status":"current","mode":"working","entry":[{"extension":[{"url":"u","valueReference":{"reference":"#b"}}],"item":{"reference":"Condition/1"}}]}`},
		{"an entry of a Bundle that is hidden", `{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"` + site + `/Condition/h","resource":{"resourceType":"Condition","subject":{"reference":"Patient/1"}}},{"fullUrl":"` + site + `/Condition/1","resource":{"resourceType":"Condition",` + narrative + `,"subject":{"reference":"Patient/1"}}}]}`,
			`{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"` + site + `/Condition/1","resource":{"resourceType":"Condition",` + narrative + `,"subject":{"reference":"Patient/1"}}}]}`},
		{"an entry whose resource is removed", `{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:uuid:a","resource":{"resourceType":"Provenance","target":[{"reference":"Condition/h"}]}},{"resource":{"resourceType":"Basic"}}]}`,
			`{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Basic"}}]}`},
		{"a parameter whose value is removed", `{"resourceType":"Parameters","parameter":[{"name":"a","valueReference":{"reference":"Condition/h"}},{"name":"b","part":[{"name":"c","valueReference":{"reference":"Condition/h"}}]},{"name":"d","valueString":"x"}]}`,
			`{"resourceType":"Parameters","parameter":[{"name":"d","valueString":"x"}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, changed := edit.RemoveReferences([]byte(c.in), hiddenIDs, site)
			want := c.want
			switch want {
			case "":
				want = c.in
			case "nil":
				want = ""
			}
			if string(got) != want || changed != (c.want != "") {
				t.Errorf("got  %s (%v)\nwant %s", got, changed, want)
			}
			if got == nil || !changed {
				return
			}
			if slices.ContainsFunc(edit.References(got, site), hiddenIDs) {
				t.Errorf("a hidden reference is left in %s", got)
			}
			// CON-1306: writing it back unchanged loses nothing.
			if back := edit.Restore([]byte(c.in), got, got); string(back) != c.in {
				t.Errorf("restored\n%s\nwant\n%s", back, c.in)
			}
		})
	}
}

// TestReferences: the references of a body, in any embedded resource.
func TestReferences(t *testing.T) {
	body := `{"resourceType":"Bundle","entry":[{"fullUrl":"` + site + `/Composition/c","resource":{"resourceType":"Composition","subject":{"reference":"Patient/1/_history/2"},` +
		`"text":{"status":"generated","div":"<div><img src='Binary/n'/></div>"},"contained":[{"resourceType":"Basic","id":"x","author":{"reference":"Practitioner/1"}}],` +
		`"extension":[{"url":"u","valueReference":{"reference":"Patient/1"}},{"url":"Extension/1","valueAttachment":{"url":"Binary/b"}},{"url":"u","valueCanonical":"` + site + `/PlanDefinition/p|1#f"}],` +
		`"author":[{"reference":"#x"},{"reference":"urn:uuid:y"},{"reference":"https://other/Patient/9"},{"display":"Patient/9"}]}},` +
		`{"resource":{"resourceType":"Binary","data":"` + encoded(`{"resourceType":"Provenance","target":[{"reference":"Condition/d"}]}`) + `"}}]}`
	var got []string
	for _, r := range edit.References([]byte(body), site) {
		got = append(got, r.String())
	}
	slices.Sort(got)
	if want := "Binary/b Binary/n Composition/c Condition/d Patient/1 PlanDefinition/p Practitioner/1"; strings.Join(got, " ") != want {
		t.Errorf("got %s, want %s", strings.Join(got, " "), want)
	}
}

// TestRestoreReferences: elements that a writer does not see keep their position (CON-1306).
func TestRestoreReferences(t *testing.T) {
	for _, c := range []struct{ name, stored, old, now, want string }{
		{"a single reference", `{"resourceType":"Observation","status":"final","encounter":{"reference":"Encounter/h"},"code":{"text":"x"}}`, `"final"`, `"amended"`,
			`{"resourceType":"Observation","status":"amended","encounter":{"reference":"Encounter/h"},"code":{"text":"x"}}`},
		{"an entry of a List after the one it followed", `{"resourceType":"List","entry":[{"item":{"reference":"Condition/1"}},{"item":{"reference":"Condition/h"}},{"item":{"reference":"Condition/2"}}]}`,
			`{"item":{"reference":"Condition/2"}}`, `{"item":{"reference":"Condition/3"}},{"item":{"reference":"Condition/2"}}`,
			`{"resourceType":"List","entry":[{"item":{"reference":"Condition/1"}},{"item":{"reference":"Condition/h"}},{"item":{"reference":"Condition/3"}},{"item":{"reference":"Condition/2"}}]}`},
		{"at the end, if that one was deleted", `{"resourceType":"List","entry":[{"item":{"reference":"Condition/1"}},{"item":{"reference":"Condition/h"}},{"item":{"reference":"Condition/2"}}]}`,
			`{"item":{"reference":"Condition/1"}},`, ``, `{"resourceType":"List","entry":[{"item":{"reference":"Condition/2"}},{"item":{"reference":"Condition/h"}}]}`},
		{"an address in a list", `{"resourceType":"CarePlan","instantiatesCanonical":["PlanDefinition/1","PlanDefinition/h","PlanDefinition/2"],"_instantiatesCanonical":[null,{"id":"b"},{"id":"c"}]}`,
			`"PlanDefinition/2"`, `"PlanDefinition/3","PlanDefinition/2"`, ``},
		{"narrative that was removed with it", `{"resourceType":"Observation","text":{"status":"generated","div":"<div/>"},"status":"final","encounter":{"reference":"Encounter/h"}}`, `"final"`, `"amended"`,
			`{"resourceType":"Observation","text":{"status":"generated","div":"<div/>"},"status":"amended","encounter":{"reference":"Encounter/h"}}`},
		{"the writer cannot replace it by another reference", `{"resourceType":"Observation","status":"final","encounter":{"reference":"Encounter/h"}}`, `"final"`, `"final","encounter":{"reference":"Encounter/1"}`,
			`{"resourceType":"Observation","status":"final","encounter":{"reference":"Encounter/h"}}`},
	} {
		cut, changed := edit.RemoveReferences([]byte(c.stored), hiddenIDs, site)
		written := strings.Replace(string(cut), c.old, c.now, 1)
		if !changed || written == string(cut) {
			t.Fatalf("%s: nothing was changed in %s", c.name, cut)
		}
		if c.want == "" { // the writer sends the list of extensions as they saw it, moved by one
			written = strings.Replace(written, `[null,{"id":"c"}]`, `[null,null,{"id":"c"}]`, 1)
			c.want = `{"resourceType":"CarePlan","instantiatesCanonical":["PlanDefinition/1","PlanDefinition/h","PlanDefinition/3","PlanDefinition/2"],"_instantiatesCanonical":[null,{"id":"b"},null,{"id":"c"}]}`
		}
		if got := edit.Restore([]byte(c.stored), cut, []byte(written)); string(got) != c.want {
			t.Errorf("%s: written %s\ngot  %s\nwant %s", c.name, written, got, c.want)
		}
	}
}

// TestCutReferencesLaws draws resources with references. No hidden reference remains, a second cut
// changes nothing, and Restore returns the drawn resource.
func TestCutReferencesLaws(t *testing.T) {
	cuts := 0
	rapid.Check(t, func(t *rapid.T) {
		typ := rapid.SampledFrom([]string{"Patient", "Observation", "Encounter", "List", "Group", "CarePlan", "Composition", "Provenance", "Appointment", "Condition", "DocumentReference"}).Draw(t, "type")
		drawn := drawObject(t, r4.TypeOf(typ), `"resourceType":"`+typ+`"`, 4)
		for _, text := range []string{`"a"`, `"b"`, `"c"`} { // some text becomes an address
			drawn = strings.ReplaceAll(drawn, `"reference":`+text, `"reference":"Condition/`+rapid.SampledFrom([]string{"h1", "h2", "1", "2"}).Draw(t, "to")+`"`)
			drawn = strings.ReplaceAll(drawn, `"url":`+text, `"url":"Binary/`+rapid.SampledFrom([]string{"h1", "1", "2", "3"}).Draw(t, "url")+`"`)
		}
		cut, changed := edit.RemoveReferences([]byte(drawn), hiddenIDs, site)
		if cut == nil {
			return
		}
		if changed {
			cuts++
		}
		if _, err := fhir.Parse(cut); err != nil {
			t.Fatalf("what is left of %s is no resource: %s (%v)", drawn, cut, err)
		}
		if slices.ContainsFunc(edit.References(cut, site), hiddenIDs) {
			t.Fatalf("a hidden reference is left of %s:\n%s", drawn, cut)
		}
		if again, changed := edit.RemoveReferences(cut, hiddenIDs, site); changed {
			t.Fatalf("%s is cut again to\n%s", cut, again)
		}
		if got := string(edit.Restore([]byte(drawn), cut, cut)); got != drawn {
			t.Fatalf("stored %s\ncut    %s\ngot    %s", drawn, cut, got)
		}
	})
	if cuts == 0 {
		t.Error("nothing was cut")
	}
}

// TestCutReferencesExamples: Restore returns the official examples after the references to any one
// resource were removed, and the rest is valid.
func TestCutReferencesExamples(t *testing.T) {
	cuts := 0
	files := testfiles.Cases(t, "examples/*.json")
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := fhir.Parse(body)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, hidden := range edit.References(r.Body, site) {
			cut, changed := edit.RemoveReferences(r.Body, func(ref fhir.Ref) bool { return ref == hidden }, site)
			if !changed {
				t.Errorf("%s: %s is not cut", filepath.Base(file), hidden)
			}
			if cut == nil {
				continue
			}
			cuts++
			if slices.Contains(edit.References(cut, site), hidden) {
				t.Errorf("%s: %s is left", filepath.Base(file), hidden)
			}
			if was, is := validate.Resource(r.Body, validate.Strict), validate.Resource(cut, validate.Strict); len(is) > len(was) {
				t.Errorf("%s without %s: CON-1202: %v", filepath.Base(file), hidden, is)
			}
			if got := edit.Restore(r.Body, cut, cut); string(got) != string(r.Body) {
				t.Errorf("%s without %s: got\n%.2000s\nwant\n%.2000s", filepath.Base(file), hidden, got, r.Body)
			}
		}
	}
	if cuts == 0 {
		t.Error("nothing was cut")
	}
	t.Logf("%d examples, cut %d times", len(files), cuts)
}

// TestTargetElements: the paths are elements of R4.
func TestTargetElements(t *testing.T) {
	for _, path := range edit.TargetElements() {
		if r4.ElementAt(path) == nil {
			t.Errorf("there is no %s", path)
		}
	}
}
