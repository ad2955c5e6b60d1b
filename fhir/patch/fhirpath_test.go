package patch_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"carerecord/fhir"
	"carerecord/fhir/patch"
)

const person = `{"resourceType":"Patient","id":"p","meta":{"security":[{"code":"R"}]},"name":[{"given":["A","B"],"_given":[null,{"id":"x"}]},{"family":"F","_family":{"id":"f"}}],` +
	`"contact":[{"gender":"male"}],"_birthDate":{"extension":[{"url":"e","valueDecimal":1.00}]},"multipleBirthInteger":2,"maritalStatus":{"text":"m"},"extension":[{"url":"q","valueDecimal":1e3}]}`

// op writes an operation: its type, its path and further parts as JSON.
func op(typ, path string, parts ...string) string {
	all := append([]string{`{"name":"type","valueCode":"` + typ + `"}`, `{"name":"path","valueString":"` + path + `"}`}, parts...)
	return `{"name":"operation","part":[` + strings.Join(all, ",") + `]}`
}

func named(name string) string     { return `{"name":"name","valueString":"` + name + `"}` }
func valued(value string) string   { return `{"name":"value",` + value + `}` }
func at(name string, i int) string { return fmt.Sprintf(`{"name":"%s","valueInteger":%d}`, name, i) }

func pathPatch(body string, operations ...string) string {
	p, err := patch.FHIRPath([]byte(`{"resourceType":"Parameters","parameter":[` + strings.Join(operations, ",") + `]}`))
	if err != nil {
		return outcome(nil, err)
	}
	return outcome(p.Apply([]byte(body)))
}

func TestFHIRPathPatch(t *testing.T) {
	with := func(oldnew ...string) string { return strings.NewReplacer(oldnew...).Replace(person) }
	first := "Parameters.parameter[0]"
	for _, c := range []struct {
		name string
		ops  []string
		want string
	}{
		{"REST-090 untouched numbers keep their text", []string{op("replace", "Patient.contact[0].gender", valued(`"valueCode":"female"`))}, with(`"male"`, `"female"`)},
		{"REST-167 add a single element", []string{op("add", "Patient", named("gender"), valued(`"valueCode":"male"`))}, with(`1e3}]}`, `1e3}],"gender":"male"}`)},
		{"an element that has extensions alone is filled", []string{op("add", "Patient", named("birthDate"), valued(`"valueDate":"1970"`))}, "422 processing " + first},
		{"REST-167 add to a list", []string{op("add", "Patient.name[1]", named("given"), valued(`"valueString":"C"`))}, with(`"_family":{"id":"f"}`, `"_family":{"id":"f"},"given":["C"]`)},
		{"REST-167 a filled single element is refused", []string{op("add", "Patient", named("maritalStatus"), valued(`"valueCodeableConcept":{"text":"x"}`))}, "422 processing " + first},
		{"REST-167 so is a choice that is filled by another type", []string{op("add", "Patient", named("multipleBirth"), valued(`"valueBoolean":true`))}, "422 processing " + first},
		{"an element that is not there", []string{op("add", "Patient", named("nome"), valued(`"valueString":"x"`))}, "422 processing " + first},
		{"add an extension to a primitive in an array", []string{op("add", "Patient.name[0].given[0]", named("id"), valued(`"valueString":"y"`))}, with(`"_given":[null,`, `"_given":[{"id":"y"},`)},
		{"add an extension to a primitive without any", []string{op("add", "Patient.contact[0].gender", named("extension"), `{"name":"value","part":[{"name":"url","valueUri":"u"},{"name":"value","valueString":"v"}]}`)},
			with(`"gender":"male"`, `"gender":"male","_gender":{"extension":[{"url":"u","valueString":"v"}]}`)},
		{"REST-167 insert keeps both sides of a primitive list", []string{op("insert", "Patient.name[0].given", at("index", 1), valued(`"valueString":"N"`))}, with(`["A","B"],"_given":[null,{`, `["A","N","B"],"_given":[null,null,{`)},
		{"REST-167 insert at the end", []string{op("insert", "Patient.name[0].given", at("index", 2), valued(`"valueString":"N"`))}, with(`["A","B"],"_given":[null,{"id":"x"}]`, `["A","B","N"],"_given":[null,{"id":"x"},null]`)},
		{"insert into an empty list", []string{op("insert", "Patient.link", at("index", 0), `{"name":"value","part":[{"name":"other","valueReference":{"reference":"Patient/2"}},{"name":"type","valueCode":"seealso"}]}`)},
			with(`1e3}]}`, `1e3}],"link":[{"other":{"reference":"Patient/2"},"type":"seealso"}]}`)},
		{"REST-167 insert behind the end", []string{op("insert", "Patient.name", at("index", 3), valued(`"valueHumanName":{"text":"x"}`))}, "422 processing " + first},
		{"REST-167 insert before the beginning", []string{op("insert", "Patient.name", at("index", -1), valued(`"valueHumanName":{"text":"x"}`))}, "422 processing " + first},
		{"insert into what is no list", []string{op("insert", "Patient.gender", at("index", 0), valued(`"valueCode":"male"`))}, "422 processing " + first},
		{"insert into several lists", []string{op("insert", "Patient.name.given", at("index", 0), valued(`"valueString":"x"`))}, "422 processing " + first},
		{"REST-167 move", []string{op("move", "Patient.name[0].given", at("source", 1), at("destination", 0))}, with(`["A","B"],"_given":[null,{"id":"x"}]`, `["B","A"],"_given":[{"id":"x"},null]`)},
		{"REST-167 move to where nothing is", []string{op("move", "Patient.name", at("source", 0), at("destination", 2))}, "422 processing " + first},
		{"REST-167 replace what is not there", []string{op("replace", "Patient.gender", valued(`"valueCode":"male"`))}, "422 processing " + first},
		{"replace a choice by another type", []string{op("replace", "Patient.multipleBirth", valued(`"valueBoolean":true`))}, with(`"multipleBirthInteger":2`, `"multipleBirthBoolean":true`)},
		{"replace a primitive and its extensions", []string{op("replace", "Patient.name[1].family", valued(`"valueString":"G"`))}, with(`"F","_family":{"id":"f"}`, `"G"`)},
		{"REST-168 delete", []string{op("delete", "Patient.maritalStatus")}, with(`"maritalStatus":{"text":"m"},`, ``)},
		{"REST-168 delete with no hit", []string{op("delete", "Patient.photo")}, person},
		{"REST-168 delete of several", []string{op("delete", "Patient.name")}, "422 processing " + first},
		{"REST-168 replace of several", []string{op("replace", "Patient.name.given", valued(`"valueString":"x"`))}, "422 processing " + first},
		{"delete keeps both sides", []string{op("delete", "Patient.name[0].given[0]")}, with(`["A","B"],"_given":[null,{`, `["B"],"_given":[{`)},
		{"delete closes up empty parents", []string{op("delete", "Patient.maritalStatus.text"), op("delete", "Patient.contact[0].gender"), op("delete", "Patient.birthDate.extension[0]")},
			with(`"maritalStatus":{"text":"m"},`, ``, `"contact":[{"gender":"male"}],`, ``, `"_birthDate":{"extension":[{"url":"e","valueDecimal":1.00}]},`, ``)},
		{"delete of the last id in a list", []string{op("delete", "Patient.name[0].given[1].id")}, with(`,"_given":[null,{"id":"x"}]`, ``)},
		{"a condition", []string{op("delete", "Patient.extension.where(value > 999)")}, with(`,"extension":[{"url":"q","valueDecimal":1e3}]`, ``)},
		{"REST-169 wrong type", []string{op("replace", "Patient.contact[0].gender", valued(`"valueString":"female"`))}, "422 processing " + first},
		{"REST-169 a resource where none belongs", []string{op("replace", "Patient.maritalStatus", valued(`"resource":{"resourceType":"Basic","code":{"text":"x"}}`))}, "422 processing " + first},
		{"a resource where one belongs", []string{op("add", "Patient", named("contained"), valued(`"resource":{"resourceType":"Basic","id":"b","code":{"text":"x"}}`))},
			with(`1e3}]}`, `1e3}],"contained":[{"resourceType":"Basic","id":"b","code":{"text":"x"}}]}`)},
		{"REST-169 resolve()", []string{op("delete", "Patient.generalPractitioner.resolve().active")}, "422 processing " + first},
		{"REST-169 parts where a value belongs", []string{op("add", "Patient", named("active"), `{"name":"value","part":[{"name":"x","valueString":"y"}]}`)}, "422 processing " + first},
		{"a function that needs terminology", []string{op("delete", "Patient.name.where(memberOf('x'))")}, "422 processing " + first},
		{"a path that leads to no element", []string{op("replace", "Patient.name.count()", valued(`"valueInteger":1`))}, "422 processing " + first},
		{"a mistake in a path", []string{op("delete", "Patient.fotos")}, "422 processing " + first},
		{"the resource itself", []string{op("delete", "Patient")}, "422 processing " + first},
		{"all or nothing", []string{op("delete", "Patient.maritalStatus"), op("replace", "Patient.maritalStatus", valued(`"valueCodeableConcept":{"text":"x"}`))}, "422 processing Parameters.parameter[1]"},
		{"REST-163 id", []string{op("delete", "Patient.photo"), op("replace", "Patient.id", valued(`"valueId":"q"`))}, "400 invalid Parameters.parameter[1]"},
		{"REST-104 a label", []string{op("delete", "Patient.meta.security[0]")}, "422 business-rule " + first},
		{"REST-164 no type", []string{`{"name":"operation","part":[{"name":"path","valueString":"Patient"}]}`}, "400 structure " + first},
		{"REST-164 all faults", []string{op("remove", "Patient"), op("insert", "Patient.name", valued(`"valueString":"x"`)), op("delete", "Patient.name["), op("add", "Patient", named("active")), op("move", "Patient.name[0]", at("source", 0), at("destination", 0))},
			"400 structure " + first + " structure Parameters.parameter[1] structure Parameters.parameter[2] structure Parameters.parameter[3] structure Parameters.parameter[4]"},
		{"REST-164 a value that is none", []string{op("replace", "Patient.birthDate", valued(`"valueDate":"soon"`))}, "400 structure Parameters.parameter[0].part[2].value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, pathPatch(person, c.ops...)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.ops, diff)
			}
		})
	}
}

func TestFHIRPathPatchDocument(t *testing.T) {
	for document, want := range map[string]string{
		`[]`:                         "400 structure ",
		`{"resourceType":"Patient"}`: "400 structure ",
		`{"resourceType":"Parameters","parameter":[{"name":"operation","valuePart":1}]}`:                                                                            "400 structure Parameters.parameter[0].valuePart",
		`{"resourceType":"Parameters","parameter":[` + strings.TrimSuffix(strings.Repeat(op("delete", "Patient.photo")+",", patch.MaxPathOperations+1), ",") + `]}`: "400 too-costly ",
	} {
		_, err := patch.FHIRPath([]byte(document))
		if got := outcome(nil, err); got != want {
			t.Errorf("%.80s: got %s, want %s", document, got, want)
		}
	}
}

// TestFHIRPathPatchRules: REST-170 holds for it as for JSON Patch,
// and REST-169 for what a caller's validation finds.
func TestFHIRPathPatchRules(t *testing.T) {
	told := `{"resourceType":"Patient","text":{"status":"extensions","div":"<div>x</div>"},"gender":"male"}`
	gender := op("replace", "Patient.gender", valued(`"valueCode":"female"`))
	if got := pathPatch(told, gender); got != "422 business-rule Parameters.parameter[0]" {
		t.Errorf("REST-170: got %s", got)
	}
	if got := pathPatch(strings.Replace(told, "extensions", "generated", 1), gender); got != `{"resourceType":"Patient","gender":"female"}` {
		t.Errorf("REST-170: got %s", got)
	}
	twins := `{"resourceType":"Patient","name":[{"given":["A","B"],"_given":[{"id":"x"},{"id":"y"}]}]}`
	if got, want := pathPatch(twins, op("delete", "Patient.name[0].given[0].id")), strings.Replace(twins, `{"id":"x"}`, `null`, 1); got != want {
		t.Errorf("ids of primitives move to other values: got %s", got)
	}
	p, err := patch.FHIRPath([]byte(`{"resourceType":"Parameters"}`))
	if err != nil {
		t.Fatal(err)
	}
	issues := []fhir.Issue{{Severity: "warning", Code: "required"}, {Code: "value", Expression: "Patient.gender"}}
	if got := outcome(nil, p.Illegal(issues)); got != "422 processing Patient.gender" {
		t.Errorf("REST-169: got %s", got)
	}
	if err := p.Illegal(issues[:1]); err != nil {
		t.Errorf("a warning became %v", err)
	}
}

func TestFHIRPathPatchReads(t *testing.T) {
	for path, want := range map[string]bool{"Patient.name[0].given": false, "Patient.name.where(use = 'old')": true, "Patient.name.first()": true} {
		p, err := patch.FHIRPath([]byte(`{"resourceType":"Parameters","parameter":[` + op("delete", path) + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		if p.Reads() != want {
			t.Errorf("SMART-288: %s: got %v, want %v", path, p.Reads(), want)
		}
	}
}

func FuzzFHIRPath(f *testing.F) {
	f.Add([]byte(`{"resourceType":"Parameters","parameter":[` + op("insert", "Patient.name[0].given", at("index", 1), valued(`"valueString":"N"`)) + "," +
		op("add", "Patient", named("contact"), `{"name":"value","part":[{"name":"gender","valueCode":"male"}]}`) + "," + op("delete", "Patient.name.where(family = 'F')") + `]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		p, err := patch.FHIRPath(document)
		if err == nil {
			_, err = p.Apply([]byte(person))
		}
		if _, ok := fhir.AsError(err); err != nil && !ok {
			t.Errorf("%v is no fhir.Error", err)
		}
	})
}
