package smart

import (
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"carerecord/interop/smart/printed"
)

// TestLettersOfOneType: scopes of one type with other letters permit each interaction by its own letter: what r permits is not
// searched for, and what s permits is not read (SMART-234, 253, 270, 273, 274, 281, 295).
func TestLettersOfOneType(t *testing.T) {
	const laboratory = "?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
	for name, c := range map[string]struct {
		scope  string
		status map[string]int      // of requests for one resource
		found  map[string][]string // by the search
	}{
		"r of all, s of the laboratory": {"patient/Observation.r patient/Observation.s" + laboratory + " patient/Encounter.rs",
			map[string]int{"Observation/t1.ann-vital-signs": 200, "Observation/t1.ann-laboratory": 200, "Observation/t1.bob-laboratory": 404, "Observation/t1.ann-vital-signs/_history": 200},
			map[string][]string{"Observation": {"ann-laboratory"}, "Observation?_total=accurate&status=final": {"ann-laboratory"}, "Observation/_history": {"ann-laboratory"}, "Patient/t1.ann/Observation": {"ann-laboratory"}, "Patient/t1.bob/Observation": nil, "Patient/t1.none/Observation": nil}},
		"s of all, r of the laboratory": {"patient/Observation.s patient/Observation.r" + laboratory,
			map[string]int{"Observation/t1.ann-vital-signs": 404, "Observation/t1.ann-laboratory": 200, "Observation/t1.ann-vital-signs/_history": 404, "Observation/t1.ann-vital-signs/_history/1": 404},
			map[string][]string{"Observation": {"ann-laboratory", "ann-vital-signs"}, "Observation/_history": {"ann-laboratory", "ann-vital-signs"}}},
		"r alone": {"patient/Observation.r", map[string]int{"Observation/t1.ann-laboratory": 200, "Observation": 403, "Observation/_history": 403, "Observation?_summary=count": 403}, nil},
		"s alone": {"patient/Observation.s", map[string]int{"Observation/t1.ann-laboratory": 403, "Observation/t1.nothing": 403, "Observation/t1.bob-laboratory": 403},
			map[string][]string{"Observation": {"ann-laboratory", "ann-vital-signs"}}},
		"r of the laboratory twice": {"patient/Observation.r" + laboratory + " patient/Observation.r?status=amended patient/Observation.s?status=amended",
			map[string]int{"Observation/t1.ann-laboratory": 200, "Observation/t1.ann-vital-signs": 404}, map[string][]string{"Observation": nil}},
	} {
		w := newWorld(t, nil, 1)
		token := w.exchange("app", w.browser().journey("app", c.scope, "ann", "").Get("code")).str("access_token")
		for path, want := range c.status {
			if got := w.get(token, path); got.code != want {
				t.Errorf("%s: %s: got %d %.200s, want %d", name, path, got.code, got.text, want)
			}
		}
		for path, want := range c.found {
			got := w.get(token, path)
			var found []string
			for _, id := range gjson.Get(got.text, "entry.#.resource.id").Array() {
				found = append(found, strings.TrimPrefix(id.Str, "t1."))
			}
			slices.Sort(found)
			if got.code != 200 || !slices.Equal(found, want) || !strings.HasSuffix(path, "_history") && int(gjson.Get(got.text, "total").Int()) != len(want) {
				t.Errorf("%s: %s: got %d with %v of %s, want %v", name, path, got.code, found, gjson.Get(got.text, "total").Raw, want)
			}
		}
	}
}

// TestDirectoryOfPatients: an app of a patient reads the directory: who treated, where, and with which medicine. Staff are found
// by id or identifier alone, and nothing else without an owner is there (SMART-256).
func TestDirectoryOfPatients(t *testing.T) {
	w := newWorld(t, nil, 1)
	feed, _, err := w.smart[0].Printed.Issue(t.Context(), "test", printed.Request{Client: "feed"})
	w.must(err)
	for ref, body := range map[string]string{
		"Medication/t1.med":           `"code":{"text":"x"}`,
		"Location/t1.loc":             `"name":"x"`,
		"Location/t1.hidden":          `"name":"x","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]}`,
		"Questionnaire/t1.q":          `"status":"active"`,
		"Medication/t1.bobs":          `"code":{"text":"x"},"extension":[{"url":"https://x.example/for","valueReference":{"reference":"Patient/t1.bob"}}]`,
		"PractitionerRole/t1.role":    `"practitioner":{"reference":"Practitioner/t1.doctor"}`,
		"MedicationRequest/t1.ann-mr": `"status":"active","intent":"order","subject":{"reference":"Patient/t1.ann"},"medicationReference":{"reference":"Medication/t1.med"},"requester":{"reference":"Practitioner/t1.doctor"}`,
	} {
		typ, id, _ := strings.Cut(ref, "/")
		r := w.request("PUT", base+"/"+ref, `{"resourceType":"`+typ+`","id":"`+id+`",`+body+`}`)
		r.Header.Set("Content-Type", "application/fhir+json")
		r.Header.Set("Authorization", "Bearer "+feed)
		if a := w.do(r); a.Code != 201 {
			t.Fatalf("%s: got %d %s", ref, a.Code, a.Body)
		}
	}
	token := w.exchange("app", w.browser().journey("app", "patient/*.rs", "ann", "").Get("code")).str("access_token")
	for path, want := range map[string]int{
		"Practitioner/t1.doctor": 200, "Medication/t1.med": 200, "Location/t1.loc": 200, "PractitionerRole/t1.role": 200,
		"Location/t1.hidden": 404, "Questionnaire/t1.q": 404, "Medication/t1.bobs": 404,
		"Practitioner": 403, "Practitioner?family=x": 403, "PractitionerRole?practitioner=Practitioner/t1.doctor": 403, "MedicationRequest?requester:Practitioner.family=x": 403,
		"Practitioner?_id=t1.doctor": 200, "Practitioner?identifier=https://fhir.nhs.uk/Id/sds-user-id|900000000102": 200,
	} {
		if got := w.get(token, path); got.code != want {
			t.Errorf("SMART-256: %s: got %d %.200s, want %d", path, got.code, got.text, want)
		}
	}
	for path, want := range map[string]int{
		"Location": 1, "Medication": 1, "Questionnaire": 0, "Practitioner?_id=t1.doctor": 1, "Practitioner?identifier=https://fhir.nhs.uk/Id/sds-user-id|900000000102": 1,
		"MedicationRequest?_include=MedicationRequest:medication": 2, "MedicationRequest?medication.code:text=x": 1,
	} {
		got := w.get(token, path)
		if n := len(gjson.Get(got.text, "entry").Array()); got.code != 200 || n != want {
			t.Errorf("SMART-256: %s: got %d with %d entries, want %d: %.400s", path, got.code, n, want, got.text)
		}
	}
}
