package synth_test

import (
	"slices"
	"strings"
	"testing"

	"carerecord/conformance/synth"
)

// TestMixDrawsValues: every query has examples with a value for each parameter, the same for the same
// seed. The test of the bench command checks that they find resources.
func TestMixDrawsValues(t *testing.T) {
	cfg := synth.Config{Patients: 60, Seed: 4}
	mix, again := synth.Mix(cfg, 10), synth.Mix(cfg, 10)
	if len(mix) != 16 {
		t.Errorf("got %d queries, want the 16 of the mix", len(mix))
	}
	for i, q := range mix {
		if len(q.Examples) != 10 || !slices.Equal(q.Examples, again[i].Examples) {
			t.Errorf("%s: got %d examples, want 10, the same each time", q.Name, len(q.Examples))
		}
		for _, e := range q.Examples {
			var names []string
			for _, part := range strings.Split(e[strings.IndexByte(e, '?')+1:], "&") {
				name, value, _ := strings.Cut(part, "=")
				if value == "" || strings.HasSuffix(value, "%7C") || strings.HasPrefix(value, "%7C") {
					t.Errorf("%s: %s has no value for %s", q.Name, e, name)
				}
				names = append(names, name)
			}
			for _, name := range names {
				if !strings.Contains(q.Name, name+"=") {
					t.Errorf("%s: the example %s has the parameter %s", q.Name, e, name)
				}
			}
		}
	}
}
