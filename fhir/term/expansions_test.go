package term_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"carerecord/fhir/r4/r4test"
	"carerecord/fhir/term"
)

// expansion is what the package's own expansion of a value set holds.
type expansion struct {
	Contains []contains
	Total    int
}

type contains struct {
	System, Code string
	Contains     []contains
}

func (e expansion) codes() []string {
	var all []string
	var walk func([]contains)
	walk = func(list []contains) {
		for _, c := range list {
			if c.Code != "" {
				all = append(all, c.System+"|"+c.Code)
			}
			walk(c.Contains)
		}
	}
	walk(e.Contains)
	slices.Sort(all)
	return slices.Compact(all)
}

// concept is a code of the package's own CodeSystem resources.
type concept struct {
	Code     string
	Property []struct {
		Code, ValueCode string
		ValueBoolean    bool
	}
	Concept []concept
}

// unused marks codes that HL7 leaves out of its expansions: abstract, deprecated
// and retired ones. Codes that lie below others by a property alone, which HL7
// does not follow, are marked too.
func unused(system string, list []concept, into map[string]bool) {
	for _, c := range list {
		for _, p := range c.Property {
			switch {
			case p.Code == "notSelectable" && p.ValueBoolean, p.Code == "status" && (p.ValueCode == "deprecated" || p.ValueCode == "retired"):
				into[system+"|"+c.Code] = true
			case p.Code == "child":
				into[system+"|"+p.ValueCode] = true
			}
		}
		unused(system, c.Concept, into)
	}
}

// packaged reads the expansions that come with the package, and the codes that
// they leave out.
func packaged(t *testing.T) (map[string]expansion, map[string]bool) {
	out, without := map[string]expansion{}, map[string]bool{}
	for f := range r4test.Files(t) {
		if f.Name != "Bundle-valueset-expansions.json" && !strings.HasPrefix(f.Name, "CodeSystem-") {
			continue
		}
		var r struct {
			URL     string
			Concept []concept
			Entry   []struct {
				Resource struct {
					URL       string
					Expansion expansion
				}
			}
		}
		if err := json.Unmarshal(f.Body(), &r); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		for _, e := range r.Entry {
			out[e.Resource.URL] = e.Resource.Expansion
		}
		unused(r.URL, r.Concept, without)
	}
	return out, without
}

// byProperty is a value set whose root has children by a property alone, which
// have descendants.
const byProperty = "http://hl7.org/fhir/ValueSet/detectedissue-category"

// truncated is where HL7 ended its expansions of large systems.
const truncated = 998

// TestExpansions holds what is evaluated against the expansions that HL7 made of
// the same value sets (SRCH-051).
func TestExpansions(t *testing.T) {
	all, without := packaged(t)
	same, refused, whole := 0, 0, 0
	for url, e := range all {
		s, err := (&term.Terms{Most: 10_000}).Members(t.Context(), url)
		want := e.codes()
		switch {
		case err != nil:
			if refused++; outcome("", err) != "not-supported" {
				t.Errorf("%s: %v", url, err)
			}
			continue
		case len(s.Whole()) > 0 || len(want) > truncated:
			whole++
			continue
		}
		got := codes(s)
		for _, c := range want {
			if !slices.Contains(got, c) {
				t.Errorf("SRCH-051: %s does not hold %s, which HL7 says it does", url, c)
			}
		}
		for _, c := range got {
			if !slices.Contains(want, c) && !without[c] && url != byProperty {
				t.Errorf("SRCH-051: %s holds %s, which HL7 does not say", url, c)
			}
		}
		same++
	}
	if t.Logf("%d value sets hold what HL7 says, %d have whole systems, %d are refused", same, whole, refused); same < 400 {
		t.Errorf("only %d value sets were compared", same)
	}
}
