package index_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"carerecord/fhir/index"
	"carerecord/fhir/r4"
	"carerecord/store"
)

const pressure = `Observation "code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}]},"component":[` +
	`{"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"},{"system":"http://snomed.info/sct","code":"271649006"}]},"valueQuantity":{"value":107,"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}},` +
	`{"code":{"coding":[{"system":"http://loinc.org","code":"8462-4"}]},"valueQuantity":{"value":55,"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}]`

func TestComposites(t *testing.T) {
	check(t, "SRCH-122 case 33", pressure, "!component-code-value-quantity=8480-6$lt60", "component-code-value-quantity=8462-4$lt60", "component-code-value-quantity=8480-6$gt60", "component-code-value-quantity=8480-6$107",
		"component-code-value-quantity=http://loinc.org|8480-6$107", "component-code-value-quantity=271649006$107", "!component-code-value-quantity=http://snomed.info/sct|8480-6$107", "!component-code-value-quantity=|8480-6$107",
		"component-code-value-quantity=http://loinc.org|$107", "!component-code-value-quantity=http://snomed.info/sct|$55")
	check(t, "SRCH-122 root, components, and either", pressure, "!code-value-quantity=8480-6$107", "!code-value-quantity=85354-9$107", "combo-code-value-quantity=8480-6$107", "!combo-code-value-quantity=85354-9$107", "!combo-code-value-quantity=8480-6$55")
	check(t, "SRCH-120 commas are or of whole tuples", pressure, "component-code-value-quantity=8480-6$lt60,8462-4$55", "!component-code-value-quantity=8480-6$lt60,8462-4$107")
	check(t, "SRCH-120 units within tuples", pressure, "component-code-value-quantity=8480-6$107|http://unitsofmeasure.org|mm[Hg]", "component-code-value-quantity=8480-6$10.7|http://unitsofmeasure.org|cm[Hg]", "component-code-value-quantity=8480-6$107||mmHg", "component-code-value-quantity=8480-6$gt14|http://unitsofmeasure.org|kPa",
		"!component-code-value-quantity=8480-6$gt15|http://unitsofmeasure.org|kPa", "component-code-value-quantity=8480-6$107|http://unitsofmeasure.org|", "!component-code-value-quantity=8480-6$55|http://unitsofmeasure.org|mm[Hg]", "component-code-value-quantity=8462-4$ne107", "component-code-value-quantity=8480-6$ap100")
	check(t, "SRCH-122 the root", `Observation "code":{"coding":[{"system":"http://loinc.org","code":"15074-8"}]},"valueQuantity":{"value":6.3,"system":"http://unitsofmeasure.org","code":"mmol/L"},"component":[{"code":{"text":"x"},"valueQuantity":{"value":9}}]`,
		"code-value-quantity=15074-8$6.3", "combo-code-value-quantity=15074-8$6.3", "!component-code-value-quantity=15074-8$6.3", "!code-value-quantity=15074-8$9", "!combo-code-value-quantity=15074-8$9", "code-value-quantity=http://loinc.org|15074-8$ge6300|http://unitsofmeasure.org|umol/L")
	check(t, "SRCH-120 concepts", `Observation "code":{"coding":[{"code":"a"}]},"valueCodeableConcept":{"coding":[{"system":"s","code":"X"},{"system":"t"}],"text":"y"}`, "code-value-concept=a$x", "code-value-concept=A$s|X", "!code-value-concept=a$t|X", "code-value-concept=a$s|", "code-value-concept=a$t|", "combo-code-value-concept=|a$x", "!code-value-concept=b$x")
	check(t, "SRCH-120 a concept without a code", `Observation "code":{"coding":[{"code":"a"}]},"valueCodeableConcept":{"coding":[{"system":"t"}]}`, "code-value-concept=a$t|")
	check(t, "SRCH-120 concepts of components", `Observation "code":{"coding":[{"code":"r"}]},"component":[{"code":{"coding":[{"code":"a"}]},"valueCodeableConcept":{"coding":[{"system":"s","code":"1"}]}},{"code":{"coding":[{"code":"b"}]},"valueCodeableConcept":{"coding":[{"system":"s","code":"2"}]}}]`,
		"component-code-value-concept=a$1", "!component-code-value-concept=a$2", "combo-code-value-concept=b$s|2", "!combo-code-value-concept=r$1")
	check(t, "SRCH-120 dates", `Observation "code":{"coding":[{"code":"a"}]},"valueDateTime":"2024-07-01"`, "code-value-date=a$2024-07", "code-value-date=a$gt2024-06-30", "!code-value-date=a$lt2024-07-01", "!code-value-date=a$sa2024", "code-value-date=a$sa2023")
	check(t, "SRCH-120 periods", `Observation "code":{"coding":[{"code":"a"}]},"valuePeriod":{"start":"2024-07-01"}`, "code-value-date=a$gt2030", "!code-value-date=a$eb2030")
	long := strings.Repeat("Wort ", 100)
	check(t, "SRCH-120 strings", `Observation "code":{"coding":[{"code":"a"}]},"valueString":"Émile `+long+`"`, "code-value-string=a$emile", "code-value-string=a$Emile "+long[:300], "!code-value-string=a$wort", "!code-value-string=a$emile "+long[:300]+"x", "!code-value-string=a$-")
	check(t, "SRCH-014 escapes", `Observation "code":{"coding":[{"code":"a$b,c"}]},"valueString":"1$2"`, `code-value-string=a\$b\,c$1\$2`)
	check(t, "SRCH-120 a tuple needs all parts", `Observation "code":{"coding":[{"code":"a"}]}`, "!code-value-quantity=a$ne1", "!code-value-concept=a$x")
	check(t, "SRCH-004 no value", `Observation "code":{"coding":[{"code":"a"}]}`, "code-value-quantity=", "code-value-quantity=,")
	check(t, "SRCH-120 both parts of one relation", `DocumentReference "relatesTo":[{"code":"replaces","target":{"reference":"DocumentReference/1"}},{"code":"appends","target":{"reference":"http://h/fhir/DocumentReference/2/_history/1"}}]`,
		"relationship=DocumentReference/1$replaces", "relationship=1$replaces", "!relationship=1$appends", "relationship=2$appends", "relationship=DocumentReference/2/_history/1$http://hl7.org/fhir/document-relationship-type|appends", "!relationship=1$http://x|replaces")
	check(t, "SRCH-120 characteristics", `Group "characteristic":[{"code":{"coding":[{"code":"gender"}]},"valueCodeableConcept":{"coding":[{"code":"mixed"}]}},{"code":{"coding":[{"code":"owner"}]},"valueBoolean":true}]`,
		"characteristic-value=gender$mixed", "characteristic-value=owner$true", "!characteristic-value=owner$mixed")
	check(t, "SRCH-120 three parts", `MolecularSequence "referenceSeq":{"referenceSeqId":{"coding":[{"code":"NC_1"}]},"chromosome":{"coding":[{"code":"1"}]},"windowStart":10,"windowEnd":20},"variant":[{"start":12,"end":13},{"start":15,"end":16}]`,
		"chromosome-variant-coordinate=1$12$13", "!chromosome-variant-coordinate=1$12$16", "chromosome-variant-coordinate=1$gt14$lt17", "!chromosome-variant-coordinate=2$12$13", "referenceseqid-variant-coordinate=nc_1$15$16",
		"chromosome-window-coordinate=1$lt11$gt19", "referenceseqid-window-coordinate=NC_1$10$20", "!referenceseqid-window-coordinate=NC_1$10$21")
	check(t, "SRCH-120 use contexts", `ValueSet "useContext":[{"code":{"system":"s","code":"age"},"valueRange":{"low":{"value":1,"unit":"a"},"high":{"value":12,"unit":"a"}}},{"code":{"code":"venue"},"valueCodeableConcept":{"coding":[{"code":"home"}]}}]`,
		"context-type-quantity=age$gt5", "context-type-quantity=s|age$lt2||a", "!context-type-quantity=venue$gt5", "context-type-value=venue$home", "!context-type-value=age$home")
}

// Every composite parameter of the standard is served (SRCH-120), and those of
// Observation that say combo are the other two together.
func TestEveryComposite(t *testing.T) {
	x := newIndexer(t)
	n := 0
	for _, typ := range r4.Resources() {
		for _, def := range r4.SearchParams(typ) {
			if def.Type != "composite" {
				continue
			}
			n++
			if p, _ := x.Param(typ, def.Code); !p.Indexed {
				t.Errorf("%s %s is not served", typ, def.Code)
			}
			if rest, combo := strings.CutPrefix(def.Code, "combo-code-"); combo {
				root, component := r4.LookupSearchParam(typ, "code-"+rest), r4.LookupSearchParam(typ, "component-code-"+rest)
				if got := root.Expression + " | " + component.Expression; got != def.Expression {
					t.Errorf("%s %s: got %s, want %s", typ, def.Code, def.Expression, got)
				}
				for i, part := range def.Components {
					if part.Expression != root.Components[i].Expression || part.Expression != component.Components[i].Expression {
						t.Errorf("%s %s: part %d is not that of the others", typ, def.Code, i)
					}
				}
			}
		}
	}
	if n != 72 {
		t.Errorf("got %d composites of all types", n)
	}
	if len(index.Modifiers(index.Composite)) > 0 {
		t.Errorf("composites take %v", index.Modifiers(index.Composite))
	}
}

// pair is a code and a value of one element.
type pair struct {
	system, code, unit string
	value              int
}

// SRCH-020 for composites (SRCH-120, 122): a resource matches if one of its elements
// does, root and components told apart, whatever the others hold.
func TestCompositesAgainstTheRules(t *testing.T) {
	x := newIndexer(t)
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) pair {
			return pair{rapid.SampledFrom([]string{"s", "t", ""}).Draw(t, label+" system"), rapid.SampledFrom([]string{"a", "b"}).Draw(t, label+" code"),
				rapid.SampledFrom([]string{"mg", "g", "x"}).Draw(t, label+" unit"), rapid.IntRange(0, 3).Draw(t, label+" value")}
		}
		json := func(p pair) string {
			return fmt.Sprintf(`"code":{"coding":[{"system":%q,"code":%q}]},"valueQuantity":{"value":%d,"unit":%q,"system":"http://unitsofmeasure.org","code":%q}`, p.system, p.code, p.value, p.unit, p.unit)
		}
		root := draw("root")
		body, elements := json(root), map[string][]pair{"code-value-quantity": {root}}
		var components []string
		for range rapid.IntRange(0, 3).Draw(t, "components") {
			p := draw("component")
			elements["component-code-value-quantity"] = append(elements["component-code-value-quantity"], p)
			components = append(components, "{"+json(p)+"}")
		}
		elements["combo-code-value-quantity"] = slices.Concat(elements["code-value-quantity"], elements["component-code-value-quantity"])
		row, err := x.Index("Observation", "1", now, []byte(strings.ReplaceAll(`{"resourceType":"Observation",`+body+`,"component":[`+strings.Join(components, ",")+`]}`, `"system":"",`, "")))
		if err != nil {
			t.Fatal(err)
		}
		asked := draw("asked")
		name := rapid.SampledFrom([]string{"code-value-quantity", "component-code-value-quantity", "combo-code-value-quantity"}).Draw(t, "name")
		first := rapid.SampledFrom([]string{asked.code, asked.system + "|" + asked.code, asked.system + "|"}).Draw(t, "form")
		if first == "|" {
			first = "|" + asked.code
		}
		op := rapid.SampledFrom([]string{"", "gt", "le", "ne"}).Draw(t, "op")
		unit := rapid.SampledFrom([]string{"", "||" + asked.unit, "|http://unitsofmeasure.org|" + asked.unit}).Draw(t, "unit form")
		query := fmt.Sprintf("%s=%s$%s%d%s", name, first, op, asked.value, unit)
		pred, err := x.Predicate(index.Query{Type: "Observation", Name: name, Values: []string{strings.SplitN(query, "=", 2)[1]}})
		if err != nil {
			t.Fatal(err)
		}
		want := slices.ContainsFunc(elements[name], func(p pair) bool {
			system, code, both := strings.Cut(first, "|")
			if !both {
				system, code = p.system, first
			}
			if p.system != system || code != "" && p.code != code {
				return false
			}
			have, wanted := p.value, asked.value
			switch {
			case strings.HasPrefix(unit, "||") && p.unit != asked.unit:
				return false
			case strings.HasPrefix(unit, "|h"):
				if (p.unit == "x") != (asked.unit == "x") {
					return false
				}
				have, wanted = have*milligrams(p.unit), wanted*milligrams(asked.unit)
			}
			half := milligrams(asked.unit) / 2
			if !strings.HasPrefix(unit, "|h") {
				half = 0
			}
			eq := have == wanted || half > 0 && have >= wanted-half && have < wanted+half
			return map[string]bool{"": eq, "ne": !eq, "gt": have > wanted, "le": have <= wanted}[op]
		})
		if got := store.Match(pred, row.Keys); got != want {
			t.Errorf("%s on %s with %v: got %v, want %v", query, body, components, got, want)
		}
		if missed := unproposed(pred, row.Keys); missed != nil {
			t.Errorf("%s: proposes nothing: %+v", query, missed)
		}
	})
}

func milligrams(unit string) int { return map[string]int{"mg": 1, "g": 1000, "x": 1}[unit] }
