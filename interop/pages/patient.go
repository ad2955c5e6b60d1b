package pages

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
	SearchEmpty      SearchProblem = "empty"       // neither a number nor a name with a birth date
	SearchNumber     SearchProblem = "number"      // the number is not an NHS number
	SearchCheckDigit SearchProblem = "check-digit" // the number has ten digits, of which the last does not fit
	SearchFamily     SearchProblem = "family"      // a birth date without a family name
	SearchBirthDate  SearchProblem = "birth-date"  // a family name without a full birth date, or a date that does not exist
	SearchNone       SearchProblem = "none"        // nobody was found
	SearchMany       SearchProblem = "many"        // more than MaxCandidates were found
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
	field := map[SearchProblem]string{SearchEmpty: "number", SearchNumber: "number", SearchCheckDigit: "number", SearchFamily: "family", SearchBirthDate: "day", SearchNone: "number", SearchMany: "number"}
	if p.Problem == "" {
		return nil
	}
	return []problem{{Text: "search.problem." + string(p.Problem), Field: field[p.Problem]}}
}

func (p PatientChoice) problems() []problem {
	return choose(p.Unanswered, "choice.problem", "patient-0")
}
