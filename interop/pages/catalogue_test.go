package pages_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"carerecord/fhir/r4"
	"carerecord/interop/pages"
)

func read(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestCatalogueIsUsed: every text is used by a template, and placeholders are equal in all languages (New checks that).
func TestCatalogueIsUsed(t *testing.T) {
	var catalogue struct{ Texts map[string]string }
	if err := json.Unmarshal([]byte(read(t, "texts/en.json")), &catalogue); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir("templates")
	if err != nil {
		t.Fatal(err)
	}
	var sources strings.Builder
	for _, f := range files {
		sources.WriteString(read(t, "templates/"+f.Name()))
	}
	sources.WriteString(read(t, "page.go") + read(t, "patient.go") + read(t, "consent.go"))
	byKind := regexp.MustCompile(`^(group\..*|category\..*|error\.[a-z-]+\.(title|text)|person\..*|refusal\.[a-z-]+\.(title|text)|sample\.kind\..*|developers\.(life|limit|error|outcome)\..*|search\.problem\..*|choices\.(ask|confirm|effect|not|saved)\.(allow|refuse))$`)
	for key := range catalogue.Texts {
		if !byKind.MatchString(key) && !strings.Contains(sources.String(), `"`+key+`"`) {
			t.Errorf("no page uses the text %s", key)
		}
	}
}

// TestDataGroups: each group is a type of R4 with a short and a long text; a type without a text is not in the catalogue.
func TestDataGroups(t *testing.T) {
	p, _ := renderer(t, false)
	c := p.Catalogue()
	if c.Version() == "" {
		t.Error("the catalogue has no version")
	}
	for _, resourceType := range []string{"*", "Patient", "Observation", "Condition", "AllergyIntolerance", "MedicationRequest", "DocumentReference"} {
		if !c.Has(resourceType) {
			t.Errorf("the catalogue has no text for %s", resourceType)
		}
	}
	for _, resourceType := range []string{"", "all", "AuditEvent", "Subscription", "observation", "Observation.short"} {
		if c.Has(resourceType) {
			t.Errorf("the catalogue has a text for %q", resourceType)
		}
	}
	if got := c.Categories("Condition"); !slices.Equal(got, []string{"encounter-diagnosis", "health-concern", "problem-list-item"}) {
		t.Errorf("the categories of Condition are %q", got)
	}
	if got := c.Categories("Patient"); len(got) != 0 {
		t.Errorf("the categories of Patient are %q", got)
	}
	var catalogue struct{ Texts map[string]string }
	if err := json.Unmarshal([]byte(read(t, "texts/cy.json")), &catalogue); err != nil {
		t.Fatal(err)
	}
	for key := range catalogue.Texts {
		rest, ok := strings.CutPrefix(key, "group.")
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(rest, ".")
		if name != "all" && !r4.IsResource(name) || catalogue.Texts["group."+name+".short"] == "" || catalogue.Texts["group."+name+".long"] == "" {
			t.Errorf("the group %s is not a type of R4 with a short and a long text", name)
		}
	}
}

// TestLanguage: the choice of the reader, else Accept-Language, decides; a translation that nobody reviewed is served in a
// demonstration alone; no parameter changes the language.
func TestLanguage(t *testing.T) {
	for name, c := range map[string]struct {
		demonstration  bool
		accept, cookie string
		target         string
		want           string
	}{
		"English first":          {true, "", "", "/", "en"},
		"Welsh by the browser":   {true, "cy-GB,en;q=0.5", "", "/", "cy"},
		"another language":       {true, "fr", "", "/", "en"},
		"a broken header":        {true, "\x01;;q=", "", "/", "en"},
		"the choice wins":        {true, "en", "cy", "/", "cy"},
		"an unknown choice":      {true, "en", "xx", "/", "en"},
		"no parameter":           {true, "en", "", "/?lang=cy&language=cy", "en"},
		"not reviewed":           {false, "cy", "", "/", "en"},
		"not reviewed, a choice": {false, "en", "cy", "/", "en"},
	} {
		t.Run(name, func(t *testing.T) {
			p, _ := renderer(t, c.demonstration)
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, origin+c.target, nil)
			r.Header.Set("Accept-Language", c.accept)
			if c.cookie != "" {
				r.AddCookie(&http.Cookie{Name: "carerecord-language", Value: c.cookie})
			}
			if err := p.Render(w, r, http.StatusOK, pages.SignedOut{}, pages.Options{}); err != nil {
				t.Fatal(err)
			}
			d := parse(t, w.Body.String())
			if got := attribute(d.all("html")[0], "lang"); got != c.want || w.Header().Get("Content-Language") != c.want {
				t.Errorf("the page is in %q, want %q", got, c.want)
			}
			if buttons := d.all("button"); c.demonstration != (len(buttons) == 1) {
				t.Errorf("the page has %d buttons for languages", len(buttons))
			}
		})
	}
}

// TestChooseLanguage: the form sets the cookie and leads back to the page that the browser came from, on our origin alone.
func TestChooseLanguage(t *testing.T) {
	p, _ := renderer(t, true)
	page := parse(t, render(t, p, "en", pages.SignedOut{}, pages.Options{}).Body.String())
	csrf := ""
	for _, n := range page.all("input") {
		csrf = attribute(n, "value")
	}
	for name, c := range map[string]struct {
		referer, language, csrf, origin string
		status                          int
		location                        string
	}{
		"back to the page":          {origin + "/oauth/consent?t=1", "cy", csrf, origin, http.StatusSeeOther, origin + "/oauth/consent?t=1"},
		"no page":                   {"", "cy", csrf, origin, http.StatusSeeOther, "/"},
		"a page of another origin":  {"https://evil.example/", "cy", csrf, origin, http.StatusSeeOther, "/"},
		"a page with a user":        {"https://a@record.example/", "cy", csrf, origin, http.StatusSeeOther, "/"},
		"a page of a longer origin": {origin + ".evil.example/", "cy", csrf, origin, http.StatusSeeOther, "/"},
		"two slashes":               {origin + "//evil.example/", "cy", csrf, origin, http.StatusSeeOther, origin + "//evil.example/"},
		"an unknown language":       {origin + "/", "xx", csrf, origin, http.StatusBadRequest, ""},
		"no CSRF value":             {origin + "/", "cy", "", origin, http.StatusForbidden, ""},
		"another origin":            {origin + "/", "cy", csrf, "https://evil.example", http.StatusForbidden, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := post("/pages/language", url.Values{"csrf": {c.csrf}, "language": {c.language}})
			r.Header.Set("Origin", c.origin)
			r.Header.Set("Referer", c.referer)
			w := httptest.NewRecorder()
			p.Handler().ServeHTTP(w, r)
			if w.Code != c.status || w.Header().Get("Location") != c.location || (len(w.Result().Cookies()) == 1) != (c.status == http.StatusSeeOther) {
				t.Errorf("got %d to %q with the cookies %v, want %d to %q", w.Code, w.Header().Get("Location"), w.Result().Cookies(), c.status, c.location)
			}
		})
	}
}

func post(path string, form url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, origin+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}
