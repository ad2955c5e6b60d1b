package pages_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"carerecord/interop/pages"
)

// TestPatientSearch: a search has a valid number, or a family name with a date; anything else gives the page again, with
// the values.
func TestPatientSearch(t *testing.T) {
	form := func(number, family, day, month, year string) url.Values {
		return url.Values{"number": {number}, "family": {family}, "day": {day}, "month": {month}, "year": {year}}
	}
	for name, c := range map[string]struct {
		form    url.Values
		want    pages.PatientQuery
		problem pages.SearchProblem // empty: it is run
	}{
		"a number":              {form(" 943 476 5919 ", "", "", "", ""), pages.PatientQuery{Number: "9434765919"}, ""},
		"a number and a name":   {form("9434765919", "Example", "31", "3", "1980"), pages.PatientQuery{Number: "9434765919"}, ""},
		"a name and a date":     {form("", "Example", "31", "3", "1980"), pages.PatientQuery{Family: "Example", BirthDate: "1980-03-31"}, ""},
		"a leap day":            {form("", "Example", "29", "02", "2024"), pages.PatientQuery{Family: "Example", BirthDate: "2024-02-29"}, ""},
		"a star is a letter":    {form("", "*", "1", "1", "1980"), pages.PatientQuery{Family: "*", BirthDate: "1980-01-01"}, ""},
		"nothing":               {form("", " ", "", "", ""), pages.PatientQuery{}, pages.SearchEmpty},
		"no form":               {nil, pages.PatientQuery{}, pages.SearchEmpty},
		"a wrong check digit":   {form("9434765918", "", "", "", ""), pages.PatientQuery{}, pages.SearchNumber},
		"a number with letters": {form("94347659x9", "Example", "31", "3", "1980"), pages.PatientQuery{}, pages.SearchNumber},
		"a date alone":          {form("", "", "31", "3", "1980"), pages.PatientQuery{}, pages.SearchFamily},
		"a name alone":          {form("", "Example", "", "", ""), pages.PatientQuery{}, pages.SearchBirthDate},
		"a name and a year":     {form("", "Example", "", "", "1980"), pages.PatientQuery{}, pages.SearchBirthDate},
		"no such day":           {form("", "Example", "30", "2", "1980"), pages.PatientQuery{}, pages.SearchBirthDate},
		"a year of two digits":  {form("", "Example", "3", "2", "80"), pages.PatientQuery{}, pages.SearchBirthDate},
		"a repeated field":      {url.Values{"family": {"A", "B"}, "day": {"1"}, "month": {"1"}, "year": {"1980"}}, pages.PatientQuery{}, pages.SearchFamily},
		"a very long name":      {form("", strings.Repeat("a", 201), "1", "1", "1980"), pages.PatientQuery{}, pages.SearchFamily},
	} {
		got, again, ok := pages.PatientSearch{Action: "/a"}.Read(c.form)
		if got != c.want || again.Problem != c.problem || ok != (c.problem == "") || again.Action != "/a" {
			t.Errorf("%s: got %+v, %+v, %v, want %+v and the problem %q", name, got, again, ok, c.want, c.problem)
		}
	}
}

// TestPatientChoiceIsShort: a page with more than 20 people is not rendered.
func TestPatientChoiceIsShort(t *testing.T) {
	p, _ := renderer(t, true)
	for n, ok := range map[int]bool{0: true, pages.MaxCandidates: true, pages.MaxCandidates + 1: false} {
		err := p.Render(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, origin, nil), http.StatusOK, pages.PatientChoice{Action: "/a", People: make([]pages.Candidate, n)}, pages.Options{})
		if (err == nil) != ok {
			t.Errorf("%d people: got %v, want a page: %v", n, err, ok)
		}
	}
}
