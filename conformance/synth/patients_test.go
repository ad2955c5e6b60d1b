package synth_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"carerecord/conformance/synth"
)

// TestPatientsPerSource: IDN-160: one region of 2000 people, with its truth.
func TestPatientsPerSource(t *testing.T) {
	r := readRegion(t, 2000)
	t.Run("truth", r.testTruthAgreesWithTheBodies)
	t.Run("shares", r.testShares)
	t.Run("superseded numbers", r.testSupersededNumbers)
	t.Run("twins", r.testTwins)
}

// testShares: the shares of people and Patients with each property are within
// bounds. The bounds are three standard deviations or more from the stated shares.
func (r identifiedRegion) testShares(t *testing.T) {
	kind := map[string]string{}
	for _, o := range append(synth.Sources(), synth.PatientIndex()) {
		kind[o.ODS] = o.Kind
	}
	of, all := map[string]int{}, map[string]int{}
	count := func(name string, applies, holds bool) {
		if !applies {
			return
		}
		all[name]++
		if holds {
			of[name]++
		}
	}
	for _, person := range r.truth {
		sources := 0
		index := r.patients[person.Patients[0].ID]
		for _, p := range person.Patients {
			k := kind[p.Source]
			if k == "index" {
				continue
			}
			sources++
			body := r.patients[p.ID]
			count("acute without a counting number", k == "acute", p.State == synth.NotJoined)
			count("social care without a counting number", k == "social-care", p.State == synth.NotJoined)
			count("contradicted", p.State != synth.NotJoined, p.State == synth.Contradicted)
			count("other birth date without a counting number", p.State == synth.NotJoined, body.Get("birthDate").Str != index.Get("birthDate").Str)
			count("other family name", true, body.Get("name.0.family").Str != index.Get("name.0.family").Str)
			count("initial", true, len(body.Get("name.0.given.0").Str) == 1)
			count("other address", true, body.Get("address.0.line.0").Str != index.Get("address.0.line.0").Str)
			count("temporary name", true, body.Get("name.0.use").Str == "temp")
		}
		count("people with 1 Patient", true, sources == 1)
		count("people with 2 Patients", true, sources == 2)
		count("people with 6 Patients or more", true, sources >= 6)
	}
	for name, bounds := range map[string][2]float64{ // percentages
		"acute without a counting number":            {4, 9},
		"social care without a counting number":      {15, 45},
		"contradicted":                               {0.2, 0.9},
		"other birth date without a counting number": {0.5, 8},
		"other family name":                          {3, 12},
		"initial":                                    {1, 4},
		"other address":                              {5, 15},
		"temporary name":                             {0.05, 0.6},
		"people with 1 Patient":                      {15, 27},
		"people with 2 Patients":                     {50, 68},
		"people with 6 Patients or more":             {0.4, 2.5},
	} {
		share := 100 * float64(of[name]) / float64(all[name])
		t.Logf("%s: %d of %d, %.2f %%", name, of[name], all[name], share)
		if share < bounds[0] || share > bounds[1] {
			t.Errorf("%s: got %.2f %%, want %v to %v", name, share, bounds[0], bounds[1])
		}
	}
}

// testSupersededNumbers: one person in a thousand has a superseded number. The patient index
// links its Patient of that number to the other one, and a source still uses the number.
func (r identifiedRegion) testSupersededNumbers(t *testing.T) {
	people := 0
	for _, person := range r.truth {
		if len(person.Numbers) == 1 {
			continue
		}
		people++
		current, old := person.Patients[0], person.Patients[1]
		link := r.patients[old.ID].Get("link.0")
		if old.Number != person.Numbers[1] || link.Get("type").Str != "replaced-by" || link.Get("other.reference").Str != "Patient/"+current.ID {
			t.Errorf("person %d: got the link %s of %s, want one to %s", person.Person, link.Raw, old.ID, current.ID)
		}
		users := 0
		for _, p := range person.Patients[2:] {
			if p.Number == person.Numbers[1] && p.State == synth.Joined {
				users++
			}
		}
		if users != 1 || len(person.Patients) < 4 {
			t.Errorf("person %d: got %d sources that use the superseded number, of the Patients %+v", person.Person, users, person.Patients)
		}
	}
	if people != 2 {
		t.Errorf("got %d people with a superseded number, want 2 of 2000", people)
	}
}

// testTwins: some people have the birth date, address and family name of another one, and
// another given name and number.
func (r identifiedRegion) testTwins(t *testing.T) {
	given := map[string]string{}
	twins := 0
	for _, person := range r.truth {
		p := r.patients[person.Patients[0].ID]
		key := p.Get("birthDate").Str + p.Get("address").Raw + p.Get("name.0.family").Str
		name := p.Get("name.0.given.0").Str
		if other, ok := given[key]; ok {
			if twins++; other == name {
				t.Errorf("person %d has the given name %s of its twin", person.Person, name)
			}
		}
		given[key] = name
	}
	t.Logf("%d pairs of twins", twins)
	if twins < 3 || twins > 30 {
		t.Errorf("got %d pairs of twins in 2000 people, want 3 to 30", twins)
	}
}

// TestRowsReferToTheirSourcesPatient: IDN-160: a reference to a Patient names an earlier one of the
// same source. Rows by number alone come from two sources and name numbers of the region.
func TestRowsReferToTheirSourcesPatient(t *testing.T) {
	reference := regexp.MustCompile(`"reference":"Patient/([^"]+)"`)
	source, numbers, byNumber, local := map[string]string{}, map[string]bool{}, map[string]int{}, map[string]bool{}
	for ods, e := range resources(synth.PatientPerSource, 500) {
		r := e.Get("resource")
		if r.Get("resourceType").Str == "Patient" {
			source[r.Get("id").Str] = ods
			for _, i := range r.Get("identifier").Array() {
				if i.Get("system").Str == nhsSystem {
					numbers[i.Get("value").Str] = true
				} else if key := i.Get("system").Str + i.Get("value").Str; local[key] {
					t.Errorf("%s: the local identifier %s is repeated", r.Get("id").Str, key)
				} else {
					local[key] = true
				}
			}
		}
		for _, m := range reference.FindAllStringSubmatch(r.Raw, -1) {
			if source[m[1]] != ods {
				t.Fatalf("%s %s of %s refers to Patient/%s, which %q wrote before it", r.Get("resourceType").Str, r.Get("id").Str, ods, m[1], source[m[1]])
			}
		}
		if subject := r.Get("subject"); subject.Exists() && !subject.Get("reference").Exists() {
			byNumber[ods]++
			if n := subject.Get("identifier.value").Str; subject.Get("identifier.system").Str != nhsSystem || !numbers[n] {
				t.Errorf("%s names the number %s, which no Patient has", r.Get("id").Str, n)
			}
		}
	}
	if len(byNumber) != 2 || byNumber["XAC02"] < 1000 || byNumber["XMH01"] < 20 {
		t.Errorf("got %v rows by number, want some from XAC02 and from XMH01", byNumber)
	}
	if len(local) < 1000 {
		t.Errorf("got %d local identifiers, want one for each Patient of a source", len(local))
	}
}

// TestIndexSendsOnePatientPerNumber: the patient index names the registered practice of each person and
// writes nothing else than Patients.
func TestIndexSendsOnePatientPerNumber(t *testing.T) {
	index := synth.PatientIndex()
	people := 0
	for b := range synth.Region(synth.Config{Patients: 150, Seed: 2, Shape: synth.PatientPerSource}) {
		if b.Source != index.ODS || !strings.HasPrefix(b.Name, "patient-") {
			continue
		}
		people++
		for _, p := range gjson.GetBytes(b.Body, "entry.#.resource").Array() {
			if p.Get("resourceType").Str != "Patient" || p.Get("generalPractitioner.0.identifier.value").Str[:3] != "XGP" {
				t.Errorf("%s: got %s, want a Patient with its practice", b.Name, p.Raw)
			}
		}
	}
	if people != 150 {
		t.Errorf("got %d bundles of the patient index, want one for each of 150 people", people)
	}
}

// TestMixOfPatientsPerSource: every query of the search mix has examples in the shape PatientPerSource,
// and none has an empty value.
func TestMixOfPatientsPerSource(t *testing.T) {
	for _, q := range synth.Mix(synth.Config{Patients: 60, Seed: 4, Shape: synth.PatientPerSource}, 10) {
		if len(q.Examples) != 10 {
			t.Errorf("%s: got %d examples, want 10", q.Name, len(q.Examples))
		}
		for _, e := range q.Examples {
			if strings.Contains(e, "=&") || strings.HasSuffix(e, "=") || strings.HasSuffix(e, "%7C") {
				t.Errorf("%s: %s has an empty value", q.Name, e)
			}
		}
	}
}
