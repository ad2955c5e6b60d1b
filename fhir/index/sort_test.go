package index_test

import (
	"cmp"
	"slices"
	"testing"

	"carerecord/fhir/index"
	"carerecord/store"
)

func TestSortValue(t *testing.T) {
	x := newIndexer(t)
	for _, c := range []struct {
		name, typ, param string
		bodies           []string // in ascending order
	}{
		{"SRCH-193 strings by folded form, then as written", "Patient", "family", []string{
			`{"resourceType":"Patient","name":[{"family":"alpha"}]}`,
			`{"resourceType":"Patient","name":[{"family":"Älpha B"}]}`,
			`{"resourceType":"Patient","name":[{"family":"Beta"}]}`,
			`{"resourceType":"Patient","name":[{"family":"beta"}]}`,
			`{"resourceType":"Patient","name":[{"family":"beta alpha"}]}`}},
		{"SRCH-191 dates by start", "Encounter", "date", []string{
			`{"resourceType":"Encounter","period":{"end":"2001"}}`,
			`{"resourceType":"Encounter","period":{"start":"2001","end":"2009"}}`,
			`{"resourceType":"Encounter","period":{"start":"2001-02"}}`}},
		{"SRCH-193 tokens by code", "Observation", "code", []string{
			`{"resourceType":"Observation","code":{"coding":[{"system":"z","code":"A"}]}}`,
			`{"resourceType":"Observation","code":{"coding":[{"system":"a","code":"b"}]}}`,
			`{"resourceType":"Observation","code":{"coding":[{"system":"http://hl7.org/fhir/x","code":"C"}]}}`}},
		{"SRCH-194 quantities", "Observation", "value-quantity", []string{
			`{"resourceType":"Observation","valueQuantity":{"value":-10}}`,
			`{"resourceType":"Observation","valueQuantity":{"value":9}}`,
			`{"resourceType":"Observation","valueQuantity":{"value":10.0}}`}},
		{"SRCH-193 quantities by canonical value", "Observation", "value-quantity", []string{
			`{"resourceType":"Observation","valueQuantity":{"value":70000,"unit":"kg"}}`,
			`{"resourceType":"Observation","valueQuantity":{"value":9,"system":"http://unitsofmeasure.org","code":"mg"}}`,
			`{"resourceType":"Observation","valueQuantity":{"value":0.01,"system":"http://unitsofmeasure.org","code":"g"}}`,
			`{"resourceType":"Observation","valueQuantity":{"value":1e-5,"system":"http://unitsofmeasure.org","code":"kg","comparator":">"}}`,
			`{"resourceType":"Observation","valueQuantity":{"value":1,"system":"http://unitsofmeasure.org","code":"kg"}}`}},
		{"SRCH-193 units that fall", "Observation", "value-quantity", []string{
			`{"resourceType":"Observation","valueQuantity":{"value":9,"system":"http://unitsofmeasure.org","code":"[pH]"}}`,
			`{"resourceType":"Observation","valueQuantity":{"value":7.4,"system":"http://unitsofmeasure.org","code":"[pH]"}}`,
			`{"resourceType":"Observation","valueQuantity":{"value":1,"system":"http://unitsofmeasure.org","code":"umol/L"}}`}},
		{"SRCH-194 uris", "ValueSet", "url", []string{
			`{"resourceType":"ValueSet","url":"http://a"}`, `{"resourceType":"ValueSet","url":"http://b"}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var values []string
			for _, body := range c.bodies {
				row, err := x.Index(c.typ, "1", now, []byte(body))
				if err != nil {
					t.Fatal(err)
				}
				v, ok := x.SortValue(c.typ, c.param, row.Keys, false)
				if !ok {
					t.Errorf("%s has no value", body)
				}
				values = append(values, v)
			}
			if !slices.IsSortedFunc(values, cmp.Compare[string]) {
				t.Errorf("got %q, want them ascending", values)
			}
		})
	}
}

func TestSortValueOfSeveral(t *testing.T) {
	x := newIndexer(t)
	sortValue := func(typ, param, body string, descending bool) string {
		row, err := x.Index(typ, "1", now, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		v, _ := x.SortValue(typ, param, row.Keys, descending)
		return v
	}
	many := `{"resourceType":"Patient","name":[{"family":"m"},{"family":"A"},{"family":"Z"}]}`
	if up, down := sortValue("Patient", "family", many, false), sortValue("Patient", "family", many, true); up != "a\x00A" || down != "z\x00Z" {
		t.Errorf("SRCH-191: got %q ascending and %q descending", up, down)
	}
	period := `{"resourceType":"Encounter","period":{"start":"2001","end":"2009"}}`
	if sortValue("Encounter", "date", period, true) <= sortValue("Encounter", "date", `{"resourceType":"Encounter","period":{"start":"2002","end":"2008"}}`, true) {
		t.Error("SRCH-191: descending, periods sort by their end")
	}
	var none []store.Key
	if v, ok := x.SortValue("Patient", "family", none, false); ok {
		t.Errorf("SRCH-192: got %q for what has no value", v)
	}
	if v, ok := x.SortValue("Observation", "subject", none, false); ok || index.Sortable(index.Reference) {
		t.Errorf("SRCH-194: references sort by %q", v)
	}
}

// Documents lie in stores by these: they may never change.
func TestPlaceAndOrderStandStill(t *testing.T) {
	if got := index.PartitionOf("1"); got != 0x6b86b273ff34 {
		t.Errorf("Place: got %x", uint64(got))
	}
	x := newIndexer(t)
	var last store.SortKey
	for _, c := range []struct{ name, body string }{
		{"the newest first", `{"resourceType":"Observation","effectiveDateTime":"2024-05-01T10:00:01Z"}`},
		{"older", `{"resourceType":"Observation","effectivePeriod":{"start":"2024-05-01T10:00:00Z"}}`},
		{"a period without start by its end", `{"resourceType":"Observation","effectivePeriod":{"end":"2023"}}`},
		{"the next path", `{"resourceType":"Observation","issued":"2001-01-01T00:00:00Z"}`},
		{"year 1", `{"resourceType":"Observation","effectiveDateTime":"0001"}`},
		{"missing last", `{"resourceType":"Observation"}`},
	} {
		row, err := x.Index("Observation", "1", now, []byte(c.body))
		if err != nil {
			t.Fatal(err)
		}
		o := index.SortKeyOf(row.Date, "Observation", "1")
		if string(o[:]) <= string(last[:]) {
			t.Errorf("%s: %x does not follow %x", c.name, o, last)
		}
		last = o
	}
	row, err := x.Index("Patient", "1", now, []byte(`{"resourceType":"Patient","birthDate":"2000"}`))
	if err != nil || row.Date != (index.Date{0xff, 0xff, 0xff, 0xff, 0xff}) {
		t.Errorf("a patient has the date %x (%v), want none", row.Date, err)
	}
}
