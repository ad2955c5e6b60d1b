package pages

import (
	"net/url"
	"strings"
	"time"

	"carerecord/fhir"
)

// PatientSearch asks for a patient, by NHS number or by family name and birth date (SMART-144). The form posts the fields
// "number", "family", "day", "month" and "year". The values are those of the last post, to correct.
type PatientSearch struct {
	Action           string
	App              string
	Number, Family   string
	Day, Month, Year string
	Problem          SearchProblem
}

// SearchProblem is why a search was not run, or showed nobody.
type SearchProblem string

// The problems of a search.
const (
	SearchEmpty     SearchProblem = "empty"      // neither a number nor a name with a birth date
	SearchNumber    SearchProblem = "number"     // the number is not an NHS number
	SearchFamily    SearchProblem = "family"     // a birth date without a family name
	SearchBirthDate SearchProblem = "birth-date" // a family name without a full birth date, or a date that does not exist
	SearchNone      SearchProblem = "none"       // nobody was found
	SearchMany      SearchProblem = "many"       // more than MaxCandidates were found
)

// MaxCandidates is the largest number of people in a PatientChoice (SMART-144).
const MaxCandidates = 20

// PatientChoice lists the people that a search found (SMART-145). The form posts the field "patient". A value has at most
// MaxCandidates people; more is an error of Render.
type PatientChoice struct {
	Action      string
	SearchAgain string // path of the search
	People      []Candidate
	Unanswered  bool // the form was sent without a choice
}

// Candidate is a choice of PatientChoice: identity alone, masked by the caller for restricted people (CON-802).
type Candidate struct {
	Value     string
	Name      string
	BirthDate string // a FHIR date
	NHSNumber string // as it is shown
}

func (PatientSearch) name() string { return "patient-search" }
func (PatientChoice) name() string { return "patient-choice" }

func (p PatientSearch) problems() []problem {
	field := map[SearchProblem]string{SearchEmpty: "number", SearchNumber: "number", SearchFamily: "family", SearchBirthDate: "day", SearchNone: "number", SearchMany: "number"}
	if p.Problem == "" {
		return nil
	}
	return []problem{{Text: "search.problem." + string(p.Problem), Field: field[p.Problem]}}
}

func (p PatientChoice) problems() []problem {
	return choose(p.Unanswered, "choice.problem", "patient-0")
}

// PatientQuery is a search that a reader may run: a valid NHS number, or a family name with a birth date. It has no
// wildcard: a name is one to compare.
type PatientQuery struct {
	Number    string // ten digits, or empty
	Family    string
	BirthDate string // a FHIR date with a day
}

// Read reads the form that the page posts. If it is no search that may be run, ok is false and the page that is returned
// has the values and says what is wrong. A number is enough: the other fields are not read then.
func (p PatientSearch) Read(form url.Values) (query PatientQuery, again PatientSearch, ok bool) {
	p.Number, p.Family, p.Day, p.Month, p.Year = field(form, "number"), field(form, "family"), field(form, "day"), field(form, "month"), field(form, "year")
	birth, dated := birthDate(p.Year, p.Month, p.Day)
	undated := p.Day == "" && p.Month == "" && p.Year == ""
	switch {
	case p.Number != "":
		if number, clean := fhir.CleanNHSNumber(p.Number); clean && fhir.ValidNHSNumber(number) {
			return PatientQuery{Number: number}, p, true
		}
		p.Problem = SearchNumber
	case p.Family == "" && undated:
		p.Problem = SearchEmpty
	case p.Family == "":
		p.Problem = SearchFamily
	case !dated:
		p.Problem = SearchBirthDate
	default:
		return PatientQuery{Family: p.Family, BirthDate: birth}, p, true
	}
	return PatientQuery{}, p, false
}

// field returns a field of a form without spaces around it. One that is repeated or very long counts as empty.
func field(form url.Values, name string) string {
	values := form[name]
	if len(values) != 1 || len(values[0]) > 200 {
		return ""
	}
	return strings.TrimSpace(values[0])
}

func birthDate(year, month, day string) (string, bool) {
	pad := func(s string) string {
		if len(s) == 1 {
			return "0" + s
		}
		return s
	}
	date := year + "-" + pad(month) + "-" + pad(day)
	_, err := time.Parse(time.DateOnly, date)
	return date, err == nil
}
