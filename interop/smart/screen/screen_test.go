package screen_test

import (
	"net/http"
	"testing"

	"carerecord/interop/pages"
	"carerecord/interop/smart/scopes"
	"carerecord/interop/smart/screen"
	"carerecord/interop/smart/secret"
)

// TestGranted: what a person leaves unticked is not granted (SMART-212 to 216, 219).
func TestGranted(t *testing.T) {
	digests, err := secret.NewDigester([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	renderer, err := pages.New(pages.Config{Origin: "http://127.0.0.1:8080", Digests: digests, Demonstration: true,
		Reference: func(*http.Request) string { return "1" }, Browser: func(http.ResponseWriter, *http.Request) string { return "b" }})
	if err != nil {
		t.Fatal(err)
	}
	const laboratory = "?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
	for name, c := range map[string]struct {
		asked, want string
		choose      func([]pages.Group, []string) pages.Choice
	}{
		"everything that is shown": {"patient/Observation.rs patient/AllergyIntolerance.read openid", "openid patient/Observation.rs patient/AllergyIntolerance.read", all},
		"SMART-218: refused":       {"patient/Observation.rs openid", "", func([]pages.Group, []string) pages.Choice { return pages.Choice{} }},
		"SMART-212: one group": {"patient/Observation.rs patient/AllergyIntolerance.rs", "patient/AllergyIntolerance.rs", func(g []pages.Group, _ []string) pages.Choice {
			return pages.Choice{Allow: true, Groups: g[1:]}
		}},
		"SMART-216: writing is not ticked": {"patient/Observation.cruds", "patient/Observation.rs", func(g []pages.Group, _ []string) pages.Choice {
			return pages.Choice{Allow: true, Groups: g}
		}},
		"SMART-216: writing alone": {"patient/Observation.*", "patient/Observation.write", func(_ []pages.Group, w []string) pages.Choice {
			return pages.Choice{Allow: true, Writes: w}
		}},
		"SMART-216: offline is not ticked": {"patient/Observation.rs offline_access", "patient/Observation.rs", func(g []pages.Group, _ []string) pages.Choice {
			return pages.Choice{Allow: true, Groups: g}
		}},
		"SMART-213: one category, also where version 1 was asked": {"patient/Observation.read", "patient/Observation.rs" + laboratory, func(g []pages.Group, _ []string) pages.Choice {
			return pages.Choice{Allow: true, Groups: []pages.Group{{Type: g[0].Type, Categories: []string{"laboratory"}, Narrow: true}}}
		}},
		"SMART-213: the categories that the app asks for": {"patient/Observation.rs" + laboratory + " patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|vital-signs",
			"patient/Observation.rs" + laboratory, func(g []pages.Group, _ []string) pages.Choice {
				return pages.Choice{Allow: true, Groups: []pages.Group{{Type: g[0].Type, Categories: []string{"laboratory"}, Narrow: true}}}
			}},
		"a constraint that the page cannot name is one box": {"patient/Observation.rs?status=final", "patient/Observation.rs?status=final", all},
		"SMART-219: a type without a text":                  {"patient/VerificationResult.rs patient/Observation.rs", "patient/Observation.rs", all},
		"SMART-215: a wildcard that is ticked":              {"patient/*.rs", "patient/*.rs", all},
		"SMART-215: a wildcard that is not":                 {"patient/*.rs patient/Observation.rs", "patient/Observation.rs", func(g []pages.Group, _ []string) pages.Choice { return pages.Choice{Allow: true, Groups: g[1:]} }},
	} {
		set, unknown, err := scopes.Parse(c.asked, nil)
		if err != nil || len(unknown) > 0 {
			t.Fatalf("%s: %v %v", name, unknown, err)
		}
		groups, writes, shown := screen.Offer(set, renderer.Catalogue())
		if got := screen.Granted(shown, groups, c.choose(groups, writes)).String(); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func all(groups []pages.Group, writes []string) pages.Choice {
	return pages.Choice{Allow: true, Groups: groups, Writes: writes, Offline: true}
}
