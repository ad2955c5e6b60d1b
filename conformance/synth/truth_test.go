package synth_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"carerecord/conformance/synth"
)

const nhsSystem = "https://fhir.nhs.uk/Id/nhs-number"

// identifiedRegion is a region of the shape PatientPerSource in memory, with its truth.
type identifiedRegion struct {
	truth    []synth.Truth
	patients map[string]gjson.Result // by id
	source   map[string]string       // ODS codes, by the id of a Patient
	order    []string                // ids of Patients, in the order of the stream
}

func readRegion(t *testing.T, people int) identifiedRegion {
	t.Helper()
	r := identifiedRegion{patients: map[string]gjson.Result{}, source: map[string]string{}}
	cfg := synth.Config{Patients: people, Seed: 1, Shape: synth.PatientPerSource, Truth: func(p synth.Truth) { r.truth = append(r.truth, p) }}
	for b := range synth.Region(cfg) {
		for _, res := range gjson.GetBytes(b.Body, `entry.#.resource`).Array() {
			if id := res.Get("id").Str; res.Get("resourceType").Str == "Patient" {
				if r.source[id] != "" {
					t.Fatalf("%s is repeated", id)
				}
				r.patients[id], r.source[id], r.order = res, b.Source, append(r.order, id)
			}
		}
	}
	if len(r.truth) != people {
		t.Fatalf("the truth has %d people, want %d", len(r.truth), people)
	}
	return r
}

// candidates returns the NHS numbers of a Patient that can count, with their verification statuses
// (docs/requirements/identity.md, section 2).
func candidates(p gjson.Result) (numbers, statuses []string) {
	for _, i := range p.Get("identifier").Array() {
		number := i.Get("value").Str
		if i.Get("system").Str != nhsSystem || i.Get("use").Str == "old" || i.Get("period").Exists() || !validNHSNumber(number) {
			continue
		}
		status := i.Get(`extension.#(url=="https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus").valueCodeableConcept.coding.0.code`).Str
		numbers, statuses = append(numbers, number), append(statuses, status)
	}
	return numbers, statuses
}

func validNHSNumber(s string) bool {
	if len(s) != 10 || strings.Count(s, s[:1]) == 10 {
		return false
	}
	sum := 0
	for i, digit := range s[:9] {
		sum += int(digit-'0') * (10 - i)
	}
	return (11-sum%11)%11 == int(s[9]-'0')
}

// derive returns the state of a Patient by the rules of docs/requirements/identity.md, section 2. births
// are the birth dates of the patient index by NHS number.
func (r identifiedRegion) derive(id string, births map[string]string) (synth.IdentityState, synth.Reason) {
	identity := synth.RegionIdentity()
	p, source := r.patients[id], r.source[id]
	numbers, statuses := candidates(p)
	var counting []string
	for i, number := range numbers {
		if source == identity.Index || slices.Contains(identity.Traced, source) && (statuses[i] == "" || statuses[i] == "01") {
			counting = append(counting, number)
		}
	}
	switch {
	case len(numbers) == 0:
		return synth.NotJoined, synth.NoNumber
	case len(counting) == 0 && !slices.Contains(identity.Traced, source):
		return synth.NotJoined, synth.UntracedSource
	case len(counting) == 0:
		return synth.NotJoined, synth.NumberNotVerified
	case len(counting) > 1: // no Patient of the region has two
		return synth.Contradicted, ""
	}
	birth := births[counting[0]]
	if date := p.Get("birthDate").Str; birth != "" && !strings.HasPrefix(birth, date) {
		return synth.Contradicted, ""
	}
	return synth.Joined, ""
}

// testTruthAgreesWithTheBodies: the truth lists every Patient once, with the number that its
// body has and with the state that follows from its body.
func (r identifiedRegion) testTruthAgreesWithTheBodies(t *testing.T) {
	births := map[string]string{}
	for id, p := range r.patients {
		if numbers, _ := candidates(p); r.source[id] == synth.PatientIndex().ODS {
			if len(numbers) != 1 || births[numbers[0]] != "" {
				t.Fatalf("%s of the patient index has the numbers %v, want one that no other has", id, numbers)
			}
			births[numbers[0]] = p.Get("birthDate").Str
		}
	}
	owner := map[string]int{}
	listed := 0
	for n, person := range r.truth {
		if person.Person != n {
			t.Fatalf("got person %d, want %d", person.Person, n)
		}
		for _, number := range person.Numbers {
			if other, taken := owner[number]; taken || !validNHSNumber(number) || births[number] == "" {
				t.Errorf("person %d: the number %s is invalid, unknown to the patient index or that of person %d", n, number, other)
			}
			owner[number] = n
		}
		for _, p := range person.Patients {
			listed++
			body, ok := r.patients[p.ID]
			if !ok || r.source[p.ID] != p.Source {
				t.Errorf("%s of %s is in the truth and not in the region", p.ID, p.Source)
				continue
			}
			if state, reason := r.derive(p.ID, births); state != p.State || reason != p.Reason {
				t.Errorf("%s: got %q %q in the truth, want %q %q by its body %s", p.ID, p.State, p.Reason, state, reason, body.Raw)
			}
			numbers, _ := candidates(body)
			if got := strings.Join(numbers, " "); got != p.Number || p.Number != "" && !slices.Contains(person.Numbers, p.Number) {
				t.Errorf("%s: got the number %q in the truth, %q in the body, and %v of the person", p.ID, p.Number, got, person.Numbers)
			}
		}
	}
	if listed != len(r.patients) {
		t.Errorf("the truth lists %d Patients, the region has %d", listed, len(r.patients))
	}
}
