package bench

import (
	"context"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/conformance/synth"
)

const (
	// peopleOfEach is how many people have each number of Patients.
	peopleOfEach = 50
	// observationsOfPerson is how many Observations each of them has.
	observationsOfPerson = 30
)

// personPaths are requests about people with the same number of Patients.
type personPaths struct{ reads, searches []string }

// measurePersons measures requests about people with 2 and with 6 joined Patients. The baseline is the
// same request about people with one Patient. All people have equally many Observations, which are
// divided equally among their Patients (IDN-126). The region is in the record too.
func (b *run) measurePersons(ctx context.Context) error {
	s, err := b.openRegion(ctx, false, false)
	if err != nil {
		return err
	}
	people := map[int]*personPaths{1: {}, 2: {}, 6: {}}
	number, bodies := 0, b.observations(observationsOfPerson)
	for range peopleOfEach {
		for _, patients := range []int{1, 2, 6} { // interleaved, so that the neighbours of all are alike
			number++
			if err := loadPerson(ctx, s, synth.UnusedNHSNumber(number), patients, bodies, people[patients]); err != nil {
				return err
			}
		}
	}
	for patients, p := range people {
		_, body, err := fetch(ctx, s, p.searches[0])
		if err != nil {
			return err
		}
		if n := gjson.GetBytes(body, "entry.#").Int(); n != 20 {
			return fmt.Errorf("%s of a person with %d Patients answers with %d rows, not 20", p.searches[0], patients, n)
		}
	}
	for _, r := range []struct {
		name, goal string
		workers    int
		paths      func(patients int) []string
	}{
		{"read by id, 8 clients", "", clients, func(patients int) []string { return people[patients].reads }},
		{"search of a person, 20 rows, 1 client", "ratio 0.50", 1, func(patients int) []string { return people[patients].searches }},
	} {
		one, two, six := &measurement{}, &measurement{}, &measurement{}
		for range rounds {
			for _, turn := range []struct {
				of       *measurement
				patients int
			}{{one, 1}, {two, 2}, {six, 6}} {
				if err := b.sendGets(ctx, turn.of, s, r.workers, r.paths(turn.patients)); err != nil {
					return err
				}
			}
		}
		b.report.Rows = append(b.report.Rows, row(r.name+", 2 Patients", "1 Patient", "", two, one),
			row(r.name+", 6 Patients", "1 Patient", r.goal, six, one))
	}
	return nil
}

// loadPerson loads the Patients of one person, each from its own source, and the Observations that refer
// to them. It adds the requests to paths.
func loadPerson(ctx context.Context, s *target, number string, patients int, bodies []observation, paths *personPaths) error {
	sources := append(synth.Organisations(), synth.PatientIndex()) // all are traced
	for _, o := range synth.Sources() {
		if o.ODS == "XAC02" || o.ODS == "XSC01" {
			sources = append(sources, o)
		}
	}
	search := ""
	for i, source := range sources[:patients] {
		id := fmt.Sprintf("%sn%s", source.IDPrefix, number)
		entries := []string{putEntry("Patient", id, fmt.Sprintf(`{"resourceType":"Patient","id":"%s","identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"%s"}],"birthDate":"1950-01-01"}`,
			id, number))}
		for n := i; n < len(bodies); n += patients {
			own := fmt.Sprintf("%sn%s-%d", source.IDPrefix, number, n)
			body := bodies[n].withPatient("Patient/" + id)
			entries = append(entries, putEntry("Observation", own, strings.Replace(string(body), gjson.GetBytes(body, "id").Raw, `"`+own+`"`, 1)))
			paths.reads = append(paths.reads, "Observation/"+own)
		}
		body := `{"resourceType":"Bundle","type":"transaction","entry":[` + strings.Join(entries, ",") + `]}`
		if err := s.record.Load(ctx, source.ODS, []byte(body)); err != nil {
			return fmt.Errorf("load a person with %d Patients: %w", patients, err)
		}
		search = "Observation?patient=Patient/" + id + "&_count=20"
	}
	paths.searches = append(paths.searches, search)
	return nil
}

func putEntry(typ, id, body string) string {
	return fmt.Sprintf(`{"fullUrl":"urn:carerecord:%s:%s","resource":%s,"request":{"method":"PUT","url":"%s/%s"}}`, typ, id, body, typ, id)
}
