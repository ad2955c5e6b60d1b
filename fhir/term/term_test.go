package term_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"carerecord/fhir/term"
)

const hl7 = "http://terminology.hl7.org/"

// stored is what the record of these tests holds, by type and address.
var stored = map[string]string{
	"CodeSystem http://c": `{"content":"complete","concept":[{"code":"a","concept":[{"code":"a1","property":[{"code":"colour","valueCode":"red"}]},
		{"code":"a2","property":[{"code":"colour","valueString":"blue"},{"code":"size","valueInteger":2}],"concept":[{"code":"a2x"}]}]},
		{"code":"b","property":[{"code":"parent","valueCode":"a1"}]},{"code":"Z"}]}`,
	"CodeSystem http://parts":                              `{"content":"complete","hierarchyMeaning":"part-of","concept":[{"code":"whole","concept":[{"code":"part"}]}]}`,
	"CodeSystem http://fragment":                           `{"content":"fragment","concept":[{"code":"a"}]}`,
	"CodeSystem http://hl7.org/fhir/observation-status":    `{"content":"fragment","concept":[{"code":"a"}]}`,
	"CodeSystem http://hl7.org/fhir/administrative-gender": `{"content":"complete","concept":[{"code":"female","concept":[{"code":"f"}]}]}`,
	"ValueSet http://list":                                 compose(`{"system":"http://c","concept":[{"code":"a"},{"code":"b"}]},{"system":"http://unknown","concept":[{"code":"u"}]}`, ``),
	"ValueSet http://whole":                                compose(`{"system":"http://c"}`, ``),
	"ValueSet http://any":                                  compose(`{"system":"http://snomed.info/sct"}`, ``),
	"ValueSet http://isa":                                  compose(`{"system":"http://c","filter":[{"property":"concept","op":"is-a","value":"a"}]}`, ``),
	"ValueSet http://below":                                compose(`{"system":"http://c","filter":[{"property":"concept","op":"descendent-of","value":"a"}]}`, ``),
	"ValueSet http://red":                                  compose(`{"system":"http://c","filter":[{"property":"colour","op":"=","value":"red"}]}`, ``),
	"ValueSet http://two":                                  compose(`{"system":"http://c","filter":[{"property":"size","op":"=","value":"2"},{"property":"colour","op":"=","value":"blue"}]}`, ``),
	"ValueSet http://parent":                               compose(`{"system":"http://c","filter":[{"property":"parent","op":"=","value":"a2"}]}`, ``),
	"ValueSet http://sets":                                 compose(`{"valueSet":["http://below","http://isa"]},{"system":"http://c","concept":[{"code":"Z"}]}`, ``),
	"ValueSet http://within":                               compose(`{"system":"http://c","concept":[{"code":"a"},{"code":"a1"}],"valueSet":["http://below"]}`, ``),
	"ValueSet http://less":                                 compose(`{"valueSet":["http://whole"]}`, `{"valueSet":["http://below"]},{"system":"http://c","concept":[{"code":"Z"}]}`),
	"ValueSet http://lessany":                              compose(`{"system":"http://snomed.info/sct"}`, `{"system":"http://snomed.info/sct","concept":[{"code":"1"}]}`),
	"ValueSet http://anyless":                              compose(`{"system":"http://snomed.info/sct"},{"system":"http://c","concept":[{"code":"a"}]}`, `{"system":"http://snomed.info/sct"}`),
	"ValueSet http://sct":                                  compose(`{"system":"http://snomed.info/sct","filter":[{"property":"concept","op":"is-a","value":"1"}]}`, ``),
	"ValueSet http://regex":                                compose(`{"system":"http://c","filter":[{"property":"code","op":"regex","value":"a.*"}]}`, ``),
	"ValueSet http://flat":                                 compose(`{"system":"http://parts","filter":[{"property":"concept","op":"is-a","value":"whole"}]}`, ``),
	"ValueSet http://frag":                                 compose(`{"system":"http://fragment"}`, ``),
	"ValueSet http://old":                                  compose(`{"system":"http://c","version":"7"}`, ``),
	"ValueSet http://self":                                 compose(`{"valueSet":["http://other"]}`, ``),
	"ValueSet http://other":                                compose(`{"valueSet":["http://self"]}`, ``),
	"ValueSet http://missing":                              compose(`{"valueSet":["http://nowhere"]}`, ``),
	"ValueSet http://nothing":                              `{}`,
	"ValueSet http://active":                               `{"compose":{"inactive":false,"include":[{"system":"http://c"}]}}`,
	"ValueSet " + hl7 + "ValueSet/v3-ActMood":              compose(`{"system":"http://c"}`, ``),
}

func compose(include, exclude string) string {
	return `{"compose":{"include":[` + include + `],"exclude":[` + exclude + `]}}`
}

func terms(most int) *term.Terms {
	return &term.Terms{Most: most, Find: func(_ context.Context, typ, address string) ([]byte, bool, error) {
		body, ok := stored[typ+" "+address]
		return []byte(body), ok, nil
	}}
}

// codes lists what a set holds.
func codes(s term.Set) []string {
	var list []string
	for _, system := range s.Whole() {
		list = append(list, system+"|*")
	}
	for _, system := range s.Systems() {
		for _, code := range s.Codes(system) {
			list = append(list, system+"|"+code)
		}
	}
	return list
}

func text(s term.Set) string { return strings.Join(codes(s), " ") }

// TestMembers: what value sets of a record hold (SRCH-051), and which of them
// cannot be said.
func TestMembers(t *testing.T) {
	of := func(codes string) string { return "http://c|" + strings.ReplaceAll(codes, " ", " http://c|") }
	for address, want := range map[string]string{
		"http://list":    of("a b") + " http://unknown|u",
		"http://whole":   of("Z a a1 a2 a2x b"),
		"http://any":     "http://snomed.info/sct|*",
		"http://isa":     of("a a1 a2 a2x b"),
		"http://below":   of("a1 a2 a2x b"),
		"http://red":     of("a1"),
		"http://two":     of("a2"),
		"http://parent":  of("a2x"),
		"http://sets":    of("Z a1 a2 a2x b"),
		"http://within":  of("a1"),
		"http://less":    of("a"),
		"http://anyless": of("a"),
		"http://lessany": "not-supported", "http://sct": "not-supported", "http://regex": "not-supported", "http://flat": "not-supported",
		"http://frag": "not-supported", "http://old": "not-supported", "http://self": "not-supported", "http://missing": "not-supported",
		"http://nothing": "not-supported", "http://active": "not-supported", "http://nowhere": "not-supported", "": "not-supported",
	} {
		s, err := terms(100).Members(t.Context(), address)
		if got := outcome(text(s), err); got != want {
			t.Errorf("SRCH-051: %q holds %s, want %s", address, got, want)
		}
	}
	if _, err := terms(5).Members(t.Context(), "http://whole"); outcome("", err) != "too-costly" {
		t.Errorf("SRCH-051: six codes where five are the most: got %v, want too-costly", err)
	}
	if s, err := terms(6).Members(t.Context(), "http://whole"); err != nil {
		t.Errorf("SRCH-051: six codes where six are the most: got %s, %v", text(s), err)
	}
}

func outcome(got string, err error) string {
	if e := (*term.Error)(nil); errors.As(err, &e) {
		return e.Code
	}
	if err != nil {
		return err.Error()
	}
	return got
}

// TestStandard: value sets and hierarchies of the standard (SRCH-051, 052). A resource that
// counts for the requester comes before them, where it holds all that it defines.
func TestStandard(t *testing.T) {
	tt := terms(10_000)
	for address, want := range map[string]string{
		"http://hl7.org/fhir/ValueSet/observation-status":           "8 amended",
		"http://hl7.org/fhir/ValueSet/observation-status|4.0.1":     "8 amended",
		hl7 + "ValueSet/v3-ActMood":                                 "6", // a resource of the record
		hl7 + "ValueSet/v3-ObservationInterpretation":               "57 A",
		"http://hl7.org/fhir/ValueSet/observation-status|9":         "not-supported",
		"http://hl7.org/fhir/ValueSet/additional-instruction-codes": "not-supported", // SNOMED CT's hierarchy
		"http://hl7.org/fhir/ValueSet/iso3166-1-3":                  "not-supported", // regex
	} {
		s, err := tt.Members(t.Context(), address)
		got, n := "", 0
		for _, system := range s.Systems() {
			codes := s.Codes(system)
			n += len(codes)
			if _, code, _ := strings.Cut(want, " "); slices.Contains(codes, code) {
				got = " " + code
			}
		}
		if got = outcome(fmt.Sprint(n, got), err); got != want {
			t.Errorf("SRCH-051: %s: got %s, want %s", address, got, want)
		}
	}
	for _, c := range []struct{ question, system, code, want string }{
		{"below", hl7 + "CodeSystem/v3-RoleCode", "PRN", "ADOPTP FTH GESTM MTH NFTH NFTHF NMTH NMTHF NPRN PRN PRNFOST STPFTH STPMTH STPPRN ADOPTF ADOPTM FTHFOST MTHFOST"},
		{"above", hl7 + "CodeSystem/v3-RoleCode", "NMTH", "FAMMEMB MTH NMTH NPRN PRN _PersonalRelationshipRoleType"},
		{"below", hl7 + "CodeSystem/v3-RoleCode", "mth", "ADOPTM GESTM MTH MTHFOST NMTH NMTHF STPMTH"},
		{"below", "http://hl7.org/fhir/observation-status", "final", "final"},        // the record has a fragment of it
		{"below", "http://hl7.org/fhir/administrative-gender", "female", "female f"}, // the record has all of it
		{"below", "http://c", "a2", "a2 a2x"},
		{"above", "http://c", "b", "a a1 b"},
		{"below", "http://snomed.info/sct", "1", "not-supported"},
		{"below", "http://loinc.org", "1", "not-supported"},
		{"below", "http://parts", "whole", "not-supported"},
		{"below", "http://c", "none", "not-supported"},
		{"below", "", "a", "not-supported"},
	} {
		ask := tt.Below
		if c.question == "above" {
			ask = tt.Above
		}
		codes, err := ask(t.Context(), c.system, c.code)
		slices.Sort(codes)
		want := strings.Fields(c.want)
		slices.Sort(want)
		if got := outcome(strings.Join(codes, " "), err); got != strings.Join(want, " ") {
			t.Errorf("SRCH-052: %s of %s|%s: got %s, want %s", c.question, c.system, c.code, got, strings.Join(want, " "))
		}
	}
}
