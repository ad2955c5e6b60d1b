package path_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"carerecord/fhir/path"
	"carerecord/fhir/r4"
)

const patient = `{"resourceType":"Patient","id":"p1","extension":[{"url":"http://x/e","valueString":"ext"}],
 "identifier":[{"system":"s","value":"1"}],"active":true,
 "name":[{"family":"Alpha \u0042eta","given":["A",null,"B"],"_given":[null,{"id":"g"},null]},{"given":["C"]}],
 "telecom":[{"system":"phone","value":"1"},{"system":"email","value":"e@x"}],
 "generalPractitioner":[{"reference":"Practitioner/2"},{"reference":"http://other/fhir/Organization/3/_history/1"},{"type":"Practitioner","identifier":{"value":"z"}}],
 "deceasedDateTime":"2010-01-01","multipleBirthInteger":2,"contained":[{"resourceType":"Organization","id":"o","name":"Org"}]}`

const observation = `{"resourceType":"Observation","code":{"coding":[{"code":"c"}]},"valueQuantity":{"value":1.00,"unit":"mg"},
 "component":[{"code":{"text":"a"},"valueQuantity":{"value":2}},{"code":{"text":"b"},"valueCodeableConcept":{"text":"t"}}]}`

func TestEval(t *testing.T) {
	for _, c := range []struct{ name, expr, body, want string }{
		{"path", "Patient.identifier.value", patient, "Identifier.value:string=1"},
		{"path through repeating elements, nulls left out", "Patient.name.given", patient, "HumanName.given:string=A HumanName.given:string=B HumanName.given:string=C"},
		{"escapes are read", "Patient.name.family", patient, "HumanName.family:string=Alpha Beta"},
		{"choice", "Patient.deceased", patient, "Patient.deceased[x]:dateTime=2010-01-01"},
		{"as operator", "(Patient.deceased as dateTime)", patient, "Patient.deceased[x]:dateTime=2010-01-01"},
		{"as function", "Patient.deceased.as(boolean)", patient, ""},
		{"ofType", "Patient.multipleBirth.ofType(integer)", patient, "Patient.multipleBirth[x]:integer=2"},
		{"numbers stay text", "Observation.value.value", observation, "Quantity.value:decimal=1.00"},
		{"backbone", "Observation.component.value as Quantity", observation, "Observation.component.value[x]:Quantity="},
		{"path after as", "(Observation.component.value as CodeableConcept).text", observation, "CodeableConcept.text:string=t"},
		{"union", "Patient.id | Observation.id | Patient.active", patient, "Patient.id:id=p1 Patient.active:boolean=true"},
		{"Resource", "Resource.id", patient, "Patient.id:id=p1"},
		{"without a type", "name.family | id", patient, "HumanName.family:string=Alpha Beta Patient.id:id=p1"},
		{"where", "Patient.telecom.where(system='email').value", patient, "ContactPoint.value:string=e@x"},
		{"where with or", "Patient.telecom.where(system='email' or system = 'phone').value", patient, "ContactPoint.value:string=1 ContactPoint.value:string=e@x"},
		{"resolve() is, relative", "Patient.generalPractitioner.where(resolve() is Practitioner).reference", patient, "Reference.reference:string=Practitioner/2"},
		{"resolve() is, absolute", "Patient.generalPractitioner.where(resolve() is Organization).reference", patient, "Reference.reference:string=http://other/fhir/Organization/3/_history/1"},
		{"resolve() is, by type", "Patient.generalPractitioner.where(resolve() is Practitioner).identifier.value", patient, "Identifier.value:string=z"},
		{"extension", "Patient.extension('http://x/e').value", patient, "Extension.value[x]:string=ext"},
		{"extension that is not there", "Patient.extension('http://x/f')", patient, ""},
		{"index", "Patient.name[1].given", patient, "HumanName.given:string=C"},
		{"first", "Patient.name.given.first()", patient, "HumanName.given:string=A"},
		{"contained resources have their type", "Patient.contained.name", patient, "Organization.name:string=Org"},
		{"SRCH-055 deceased by date", "Patient.deceased.exists() and Patient.deceased != false", patient, "boolean=true"},
		{"SRCH-055 deceased absent", "Patient.deceased.exists() and Patient.deceased != false", `{"resourceType":"Patient"}`, "boolean=false"},
		{"SRCH-055 deceased false", "Patient.deceased.exists() and Patient.deceased != false", `{"resourceType":"Patient","deceasedBoolean":false}`, "boolean=false"},
		{"SRCH-055 deceased true", "Patient.deceased.exists() and Patient.deceased != false", `{"resourceType":"Patient","deceasedBoolean":true}`, "boolean=true"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := path.Parse([]byte(c.body))
			if err != nil {
				t.Fatal(err)
			}
			x, err := path.Compile(c.expr)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(c.expr, "Patient.contained") {
				// The type of a contained resource is known only when it is read.
			} else if x, err = x.For(d.Root().Type); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, v := range x.Eval(d, nil) {
				s := v.Type + "=" + v.Text()
				if v.Element != nil {
					s = v.Element.Path + ":" + s
				}
				got = append(got, s)
			}
			if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.expr, diff)
			}
		})
	}
}

func TestMonotone(t *testing.T) {
	for expr, want := range map[string]bool{
		"Patient.name | Patient.id":                       true,
		"(Observation.value as Quantity)":                 true,
		"Patient.telecom.where(system='email')":           true,
		"Patient.link.other.where(resolve() is Patient)":  true,
		"Patient.telecom.where(system!='email')":          false,
		"Patient.deceased.exists()":                       false,
		"Patient.active and Patient.deceased":             false,
		"Bundle.entry[0].resource":                        false,
		"Patient.name.first()":                            false,
		"Patient.extension('x')":                          true,
		"Patient.contact.where(hasExtension('x')).gender": true,
	} {
		x, err := path.Compile(expr)
		if err != nil {
			t.Fatal(err)
		}
		if got := x.Monotone(); got != want {
			t.Errorf("%s: got monotone %v, want %v", expr, got, want)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, expr := range []string{"", "Patient.", "Patient.name.last()", "Patient.name > 1", "%context", "'a", "Patient.name[", "Patient name", "Patient.where(", "a.extension(b)", "'\\x'"} {
		if x, err := path.Compile(expr); err == nil {
			t.Errorf("%q compiled to %v", expr, x)
		}
	}
	for _, c := range []struct{ typ, expr string }{
		{"Patient", "Patient.nome"}, {"Patient", "Observation.code"}, {"Patient", "Patient.name as Quantity"},
		{"Patient", "Patient.link.other.resolve().name"}, {"Observation", "Observation.code.where(nope = 'x')"},
	} {
		x, err := path.Compile(c.expr)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.For(c.typ); err == nil {
			t.Errorf("%s: %s is accepted", c.typ, c.expr)
		}
	}
}

// TestExpressionsOfTheStandard: every expression of a search parameter of R4 compiles for its type.
func TestExpressionsOfTheStandard(t *testing.T) {
	seen := 0
	for _, typ := range r4.Resources() {
		for _, p := range r4.SearchParams(typ) {
			if p.Expression == "" {
				continue
			}
			seen++
			x, err := path.Compile(p.Expression)
			if err == nil {
				_, err = x.For(typ)
			}
			if err != nil {
				t.Errorf("%s:%s: %v", typ, p.Code, err)
			}
		}
	}
	if seen < 2000 {
		t.Errorf("only %d expressions were tried", seen)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(patient))
	f.Add([]byte(observation))
	f.Add([]byte(`{"a":[1,{"b":"\u00e9"}],"c":null}`))
	x, err := path.Compile("name.given | identifier.value | deceased | extension('x') | contained.id")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := path.Parse(body)
		if err != nil {
			return
		}
		x.Eval(d, nil)
	})
}

func FuzzCompile(f *testing.F) {
	f.Add("Patient.name.where(a='b' and resolve() is X)[0] | (A.b as C)")
	f.Fuzz(func(t *testing.T, source string) {
		if x, err := path.Compile(source); err == nil {
			_, _ = x.For("Patient")
		}
	})
}
