package suite

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestHiddenTakesAsLongAsAbsent: how long a read takes does not tell that its
// resource is hidden. Reads of a hidden and of an absent id come in random turn;
// of two times drawn one from each, the hidden one is the longer about as often
// as not. 1,500 samples each, 10,000 in a soak of ten or more.
//
// Searches that name a hidden id or patient take longer than those that name
// none by what reading the hidden rows takes (about 50 µs of 0.7 ms), and are
// measured here without being held to it. So the requirement on
// times is not met yet, and its number is not claimed by this test.
func TestHiddenTakesAsLongAsAbsent(t *testing.T) {
	s := onPebble(t).start("--demo")
	patient := "Patient/" + s.do("demo-gp-feed", "POST", "Patient", `{"resourceType":"Patient","generalPractitioner":[{"identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"XGP01"}}]}`).id()
	hidden := s.do("demo-gp-feed", "POST", "Observation", storyObservation(patient, "")).id()
	if r := s.do("gp", "POST", "Consent", optOutOf(patient, "active")); r.status != 201 {
		t.Fatalf("opt-out: got %d %s", r.status, r.body)
	}
	samples := 1500
	if soak(t) >= 10 {
		samples = 10_000
	}
	for _, c := range []struct {
		name, hidden, absent string
		held                 bool
	}{
		{"read", "Observation/" + hidden, "Observation/neverwas00000000000000000000000a", true},
		{"search by id", "Observation?_id=" + hidden, "Observation?_id=neverwas00000000000000000000000a", false},
		{"search by patient", "Observation?patient=" + patient, "Observation?patient=Patient/neverwas00000000000000000000000a", false},
	} {
		times := [2][]time.Duration{}
		paths := [2]string{c.hidden, c.absent}
		for len(times[0]) < samples || len(times[1]) < samples {
			which := rand.IntN(2)
			began := time.Now()
			s.get("clerk", paths[which])
			times[which] = append(times[which], time.Since(began))
		}
		longer := above(times[0], times[1])
		slices.Sort(times[0])
		slices.Sort(times[1])
		said := fmt.Sprintf("%s: medians %s hidden, %s absent; hidden is longer in %.3f", c.name, times[0][len(times[0])/2], times[1][len(times[1])/2], longer)
		t.Logf("%d samples: %s", len(times[0])+len(times[1]), said)
		if c.held && (longer < 0.4 || longer > 0.6) {
			t.Errorf("%s, want 0.4 to 0.6", said)
		}
	}
}

// above is how often a value of a is longer than one of b.
func above(a, b []time.Duration) float64 {
	n := 0.0
	for _, x := range a {
		for _, y := range b {
			switch {
			case x > y:
				n++
			case x == y:
				n += 0.5
			}
		}
	}
	return n / float64(len(a)*len(b))
}
