package smart

import (
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
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
			map[string][]string{"Observation": {"ann-laboratory"}, "Observation?_total=accurate&status=final": {"ann-laboratory"}, "Observation/_history": {"ann-laboratory"}}},
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
