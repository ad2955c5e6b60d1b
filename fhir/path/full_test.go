package path_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"carerecord/fhir/path"
)

const whole = `{"resourceType":"Patient","id":"p","name":[{"given":["A",null,"B"],"_given":[{"id":"x"},{"extension":[{"url":"u","valueCode":"c"}]},null],"family":"F"},{"given":["C"]}],` +
	`"_birthDate":{"extension":[{"url":"e","valueString":"1"}]},"multipleBirthInteger":2,"contact":[{"gender":"male"}],"generalPractitioner":[{"reference":"#d"}],` +
	`"contained":[{"resourceType":"Practitioner","id":"d","active":true}],"extension":[{"url":"q","valueQuantity":{"value":1.50,"unit":"mg","system":"http://unitsofmeasure.org","code":"mg"}}]}`

// pathsOf returns the types and paths of the result of an expression, or its error.
func pathsOf(expr, body string) string {
	d, err := path.Parse([]byte(body))
	if err != nil {
		return err.Error()
	}
	p, err := path.Full(expr)
	if err != nil {
		return err.Error()
	}
	out, err := p.Run(d, path.Env{})
	if err != nil {
		return err.Error()
	}
	var all []string
	for _, it := range out {
		elements, ok := it.Path()
		if !ok {
			all = append(all, it.TypeName()+"="+it.String())
			continue
		}
		s := it.TypeName() + "@"
		for _, step := range elements {
			s += "/" + step.Name
			if step.Index >= 0 {
				s += fmt.Sprint("/", step.Index)
			}
		}
		all = append(all, s)
	}
	return strings.Join(all, " ")
}

func TestFull(t *testing.T) {
	for _, c := range []struct{ name, expr, want string }{
		{"the resource", "Patient", "Patient@"},
		{"a supertype", "DomainResource.id", "id@/id"},
		{"positions in arrays", "Patient.name.given", "string@/name/0/given/0 string@/name/0/given/1 string@/name/0/given/2 string@/name/1/given/0"},
		{"a choice", "Patient.multipleBirth", "integer@/multipleBirthInteger"},
		{"an element with extensions alone", "Patient.birthDate", "date@/birthDate"},
		{"extensions of a primitive", "Patient.birthDate.extension.value", "string@/_birthDate/extension/0/valueString"},
		{"extensions in an array", "name.given.extension('u').value", "code@/name/0/_given/1/extension/0/valueCode"},
		{"a backbone element", "contact.where(gender = 'male')", "Patient.contact@/contact/0"},
		{"index", "name[1]", "HumanName@/name/1"},
		{"an index outside", "name[7]", ""},
		{"hasValue", "birthDate.hasValue() | name[0].given[0].hasValue()", "System.Boolean=false System.Boolean=true"},
		{"resolve into contained", "generalPractitioner.resolve().active", "boolean@/contained/0/active"},
		{"a Quantity", "extension.value > 1 'mg'", "System.Boolean=true"},
		{"units that differ", "extension.value > 1 'g'", ""},
		{"a mistake in a name", "Patient.nome", "FHIRPath: Patient has no nome"},
		{"a mistake in a type", "Observation.status", "FHIRPath: Patient has no Observation"},
		{"the elements of a contained resource are unknown", "contained.nome", ""},
		{"an unknown function", "name.fist()", "FHIRPath: there is no function fist()"},
		{"too few arguments", "name.where()", "FHIRPath: the function where() takes 1 arguments, not 0"},
		{"several values for an operand", "name.given + 'x'", "FHIRPath: one value is needed, but there are 4"},
		{"the time is unknown", "now()", "FHIRPath: the current time is not available here"},
		{"an unknown variable", "%nothing", "FHIRPath: there is no variable %nothing"},
		{"division by zero", "1 / 0", ""},
		{"the end of a month", "@2016-01-31 + 1 month", "System.Date=2016-02-29"},
		{"a number out of bounds", "2.power(100000)", ""},
		{"rounding", "0.06.round(1) | 0.6.round(0) | 0.0006.round(3)", "System.Decimal=0.1 System.Decimal=1 System.Decimal=0.001"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, pathsOf(c.expr, whole)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.expr, diff)
			}
		})
	}
}

func TestPlain(t *testing.T) {
	for expr, want := range map[string]bool{
		"Patient.name[0].given": true, "Patient.`name`": true, "(Patient.name)[1]": true, "Patient": true,
		"Patient.name.where(use = 'x')": false, "Patient.name.first()": false, "Patient.name[id.length()]": false, "%resource.id": false, "name | contact": false,
		"Patient.name['a']": false, "1": false, "$this.name": false, "Observation.value as Quantity": false,
	} {
		p, err := path.Full(expr)
		if err != nil {
			t.Fatal(err)
		}
		if p.Plain() != want {
			t.Errorf("%s: got plain %v, want %v", expr, p.Plain(), want)
		}
	}
}

// TestFullIsBounded: the processor time of an expression is bounded.
func TestFullIsBounded(t *testing.T) {
	began := processorTime(t)
	for _, expr := range []string{
		"descendants().select(%resource.descendants().select(%resource.descendants().select(%resource.descendants())))",
		"'aaaaaaaaaaaaaaaa'.toChars().select('aaaaaaaaaaaaaaaa'.toChars()).repeat($this & $this)",
		"'a'.repeat($this & 'a')",
		"'a'.repeat($this + $this)",
		"'" + strings.Repeat("a", 4000) + "'.replace('a', '" + strings.Repeat("b", 3000) + "').replace('b', '" + strings.Repeat("c", 900) + "')",
		"'x'.matches('" + strings.Repeat("(a{30}){30}", 500) + "')",
		strings.Repeat("(", 1000) + "1" + strings.Repeat(")", 1000),
		strings.Repeat("-", 1000) + "1",
		strings.Repeat("1+", 5000) + "1",
		strings.Repeat("a or ", 5) + strings.Repeat("a.where(", 300) + "a",
		"(1|2|3|4|5|6|7|8|9).aggregate($total.combine($total).combine($this).combine($total.combine($total)).combine($total.combine($total)).combine($total.combine($total.combine($total))), (1|2|3|4|5|6|7|8|9))",
	} {
		if got := pathsOf(expr, whole); !strings.HasPrefix(got, "FHIRPath: ") {
			t.Errorf("%.60s… was evaluated: %.60s", expr, got)
		}
	}
	if took := processorTime(t) - began; took > 20*time.Second {
		t.Errorf("refusals took %v of a processor, with the race detector about 7 s are usual", took)
	}
}

// processorTime returns the processor time that this process has used. Unlike elapsed time it does not
// depend on other processes.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func FuzzFull(f *testing.F) {
	for _, seed := range []string{"Patient.name.where(use = 'x' and given.exists())[0] | %resource.id", "@2015-02-04T14:34:28.123+10:00 + 7.5 days >= today()",
		"1.5 'mg'.toString().substring(0, 2).replaceMatches('[0-9]', '$0')", "name.given.sort(-$this).aggregate($total & $this, '')", "/* c */ -(1 div 3).lowBoundary(2) // d"} {
		f.Add(seed)
	}
	d, err := path.Parse([]byte(whole))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, source string) {
		p, err := path.Full(source)
		if err == nil {
			_, err = p.Run(d, path.Env{Now: time.Unix(1e9, 0)})
		}
		if _, ok := path.ClassOf(err); err != nil && !ok {
			t.Errorf("%q: %v has no class", source, err)
		}
	})
}
