package consent_test

import (
	"fmt"
	"testing"

	"carerecord/consent"
	"carerecord/fhir/r4"
)

// TestScopesWithin: what is granted of an asked scope under a ceiling. It is never wider than either (SMART-236, SMART-237).
func TestScopesWithin(t *testing.T) {
	const lab, vital = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory", "http://terminology.hl7.org/CodeSystem/observation-category|vital-signs"
	many := ""
	for i := range 10 {
		many += fmt.Sprintf("&code=a%d,b%d", i, i)
	}
	for _, c := range []struct{ name, ask, ceiling, want string }{
		{"the same", "user/Patient.rs", "user/Patient.rs", "user/Patient.rs"},
		{"another level", "patient/Patient.rs", "user/Patient.rs", ""},
		{"another type", "user/Observation.rs", "user/Patient.rs", ""},
		{"fewer letters", "user/Patient.cruds", "user/Patient.rs", "user/Patient.rs"},
		{"more letters in the ceiling", "user/Patient.r", "user/Patient.cruds", "user/Patient.r"},
		{"no letter in common", "user/Patient.c", "user/Patient.rs", ""},
		{"a type under a wildcard", "user/Patient.rs", "user/*.cruds", "user/Patient.rs"},
		{"a wildcard over a type", "user/*.cruds", "user/Patient.rs", "user/Patient.rs"},
		{"a wildcard over two types", "user/*.rs", "user/Patient.r user/Observation.s", "user/Patient.r user/Observation.s"},
		{"v1 stays v1", "user/Patient.read", "user/*.cruds", "user/Patient.read"},
		{"v1 cut is v2", "user/Patient.*", "user/Patient.rs", "user/Patient.read"},
		{"v1 cut to one letter", "user/Patient.read", "user/Patient.s", "user/Patient.s"},
		{"a v1 ceiling", "user/Patient.rs", "user/Patient.read", "user/Patient.rs"},
		{"a whole type under a constraint", "user/Observation.rs", "user/Observation.rs?category=" + lab, "user/Observation.rs?category=" + lab},
		{"v1 under a constraint", "user/Observation.read", "user/Observation.rs?status=final", "user/Observation.rs?status=final"},
		{"a wildcard under a constraint", "user/*.rs", "user/Observation.rs?status=final", "user/Observation.rs?status=final"},
		{"a constraint under a whole type", "user/Observation.rs?category=" + lab, "user/Observation.rs", "user/Observation.rs?category=" + lab},
		{"a constraint under a wildcard", "user/Observation.rs?category=" + lab, "user/*.cruds", "user/Observation.rs?category=" + lab},
		{"the same constraint", "user/Observation.rs?category=" + lab, "user/Observation.rs?category=" + lab, "user/Observation.rs?category=" + lab},
		{"the same constraint, written otherwise", "user/Observation.rs?status=final&category=%6Cab", "user/Observation.rs?category=lab&status=final,final", "user/Observation.rs?category=lab&status=final"},
		{"a narrower list", "user/Observation.rs?category=lab", "user/Observation.rs?category=lab,vital", "user/Observation.rs?category=lab"},
		{"a wider list", "user/Observation.rs?category=lab,vital", "user/Observation.rs?category=lab", "user/Observation.rs?category=lab"},
		{"a code under its system", "user/Observation.rs?category=s|lab", "user/Observation.rs?category=s|", "user/Observation.rs?category=s|lab"},
		{"a system under a code of it", "user/Observation.rs?category=s|", "user/Observation.rs?category=s|lab", "user/Observation.rs?category=s|lab"},
		{"a code with a system under the code", "user/Observation.rs?category=s|lab", "user/Observation.rs?category=lab", "user/Observation.rs?category=s|lab"},
		{"a code without a system under the code", "user/Observation.rs?category=|lab", "user/Observation.rs?category=lab", "user/Observation.rs?category=|lab"},
		{"two parameters", "user/Observation.rs?category=lab", "user/Observation.rs?status=final", "user/Observation.rs?category=lab&status=final"},
		{"three parameters", "user/Observation.rs?category=lab&code=x", "user/Observation.rs?status=final", "user/Observation.rs?category=lab&code=x&status=final"},
		{"one parameter of two is in both", "user/Observation.rs?category=lab&code=x", "user/Observation.rs?category=lab,vital&status=final", "user/Observation.rs?category=lab&code=x&status=final"},
		{"a parameter with several values: both must hold", "user/Observation.rs?category=" + lab, "user/Observation.rs?category=" + vital, "user/Observation.rs?category=" + lab + "&category=" + vital},
		{"overlapping lists of several values", "user/Observation.rs?category=a,b", "user/Observation.rs?category=b,c", "user/Observation.rs?category=a,b&category=b,c"},
		{"overlapping lists of one value", "user/Observation.rs?status=final,amended", "user/Observation.rs?status=final,registered", "user/Observation.rs?status=final"},
		{"different values where there is one", "user/Observation.rs?status=final", "user/Observation.rs?status=amended", ""},
		{"a code and a system where there is one value", "user/Encounter.rs?class=AMB", "user/Encounter.rs?class=s|", "user/Encounter.rs?class=s|AMB"},
		{"systems that differ where there is one value", "user/Encounter.rs?class=s|", "user/Encounter.rs?class=t|", ""},
		{"a status that a resource has several times", "user/ImmunizationRecommendation.rs?status=a", "user/ImmunizationRecommendation.rs?status=b", "user/ImmunizationRecommendation.rs?status=a&status=b"},
		{"too long for one scope", "user/Observation.rs?category=lab", "user/Observation.rs?" + many[1:], ""},
		{"the constraint of another type", "user/Condition.rs", "user/Observation.rs?category=lab", ""},
		{"two scopes in the ceiling", "user/Observation.rs", "user/Observation.rs?category=lab user/Observation.s", "user/Observation.rs?category=lab user/Observation.s"},
		{"two asked", "user/Observation.r user/Observation.s?status=final", "user/Observation.rs?category=lab", "user/Observation.r?category=lab user/Observation.s?category=lab&status=final"},
		{"a narrow letter and a wide one", "user/Observation.rs?status=final", "user/Observation.r user/Observation.s?status=final,amended", "user/Observation.r?status=final user/Observation.s?status=final"},
		{"an own scope", "__operations", "__operations", "__operations"},
		{"an own scope under others", "__operations", "system/*.cruds", ""},
		{"others under an own scope", "system/*.cruds", "__operations", ""},
	} {
		ask, ceiling := parsed(t, c.ask), parsed(t, c.ceiling)
		got := ask.Within(ceiling)
		if got.String() != c.want {
			t.Errorf("SMART-237: %s: %q within %q is %q, want %q", c.name, c.ask, c.ceiling, got, c.want)
		}
		if !ask.Covers(got) || !ceiling.Covers(got) {
			t.Errorf("SMART-236: %s: %q is wider than %q or %q", c.name, got, c.ask, c.ceiling)
		}
		if again := parsed(t, got.String()); again.String() != got.String() {
			t.Errorf("SMART-237: %s: %q is read as %q", c.name, got, again)
		}
	}
}

// TestScopesCover: whether scopes are a subset of others, as a refresh needs it: a constrained scope is a subset of the
// unconstrained one (SMART-344).
func TestScopesCover(t *testing.T) {
	for _, c := range []struct {
		wide, narrow string
		want         bool
	}{
		{"user/Observation.rs", "user/Observation.rs?category=lab", true},
		{"user/*.rs", "user/Observation.r?category=lab", true},
		{"user/Observation.rs?category=lab", "user/Observation.rs", false},
		{"user/Observation.rs?category=lab", "user/*.rs", false},
		{"user/Observation.read", "user/Observation.rs", true},
		{"user/Observation.r user/Observation.s", "user/Observation.read", true},
		{"user/Observation.r user/Observation.s?status=final", "user/Observation.read", false},
		{"user/Observation.rs?category=lab,vital", "user/Observation.rs?category=lab&status=final", true},
		{"user/Observation.rs?category=lab&status=final", "user/Observation.rs?category=lab", false},
		{"user/Observation.rs?category=s|", "user/Observation.rs?category=s|lab", true},
		{"user/Observation.rs?category=lab", "user/Observation.rs?category=s|lab", true},
		{"user/Observation.rs?category=s|lab", "user/Observation.rs?category=lab", false},
		{"user/Observation.rs?category=|lab", "user/Observation.rs?category=s|lab", false},
		{"patient/Observation.rs", "user/Observation.rs", false},
		{"user/Patient.rs", "user/Observation.rs", false},
		{"system/*.cruds", "__operations", false},
		{"__operations", "__operations", true},
		{"user/Patient.rs", "", true},
		{"", "user/Patient.r", false},
	} {
		if got := parsed(t, c.wide).Covers(parsed(t, c.narrow)); got != c.want {
			t.Errorf("SMART-344: %q covers %q: %v, want %v", c.wide, c.narrow, got, c.want)
		}
	}
}

// parsed reads a scope string with the types of R4.
func parsed(t *testing.T, text string) consent.Scopes {
	t.Helper()
	s, err := consent.ParseScopes(text, r4.IsResource)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// FuzzScopes: a scope that is understood is written as one that is read again as the same; a scope within another one is
// covered by both.
func FuzzScopes(f *testing.F) {
	for _, seed := range []string{"user/Patient.rs", "patient/Observation.rs?category=http://x|lab&status=final", "system/*.read", "user/Encounter.r?class=a%2Cb,%5C,c", "user/Observation.s?code=%7C+a%20b", "__operations", "user/Observation.rs?code=a&code=b"} {
		f.Add(seed, "user/Observation.rs?code=a,b")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		one, err := consent.ParseScope(a, r4.IsResource)
		if err != nil {
			return
		}
		if again, err := consent.ParseScope(one.String(), r4.IsResource); err != nil || again != one {
			t.Fatalf("%q is written as %q, which is read as %q, %v", a, one, again, err)
		}
		other, err := consent.ParseScope(b, r4.IsResource)
		if err != nil {
			return
		}
		asked, ceiling := consent.Scopes{one}, consent.Scopes{other}
		if got := asked.Within(ceiling); !asked.Covers(got) || !ceiling.Covers(got) {
			t.Fatalf("%q within %q is %q, which is wider", a, b, got)
		}
		if !asked.Covers(asked) {
			t.Fatalf("%q does not cover itself", a)
		}
	})
}
