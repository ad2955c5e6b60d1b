package validate

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"carerecord/fhir"
)

// Mode selects which faults are errors and which are warnings.
type Mode byte

// The modes. Under Lenient a missing mandatory element and an unknown code of a
// required binding are warnings; everything else is an error in both.
const (
	Strict Mode = iota
	Lenient
)

// String returns strict or lenient.
func (m Mode) String() string {
	if m == Lenient {
		return "lenient"
	}
	return "strict"
}

// UnmarshalText accepts strict and lenient.
func (m *Mode) UnmarshalText(text []byte) error {
	switch string(text) {
	case "strict":
		*m = Strict
	case "lenient":
		*m = Lenient
	default:
		return fmt.Errorf("validation must be strict or lenient, not %q", text)
	}
	return nil
}

// Resource returns the faults of a resource: errors first, then warnings, at
// most fhir.MaxIssues; nil for none. A body with only warnings may be accepted.
//
// body must have been accepted by fhir.Parse: repeated properties and invalid UTF-8 are not detected
// here. Text that is not JSON has one structure issue at the byte where reading ended.
func Resource(body []byte, mode Mode) []fhir.Issue {
	w := walker{reader: reader{src: body}, mode: mode}
	return w.run()
}

// Envelope checks a Bundle or Parameters like Resource, without the resources in it. The caller
// checks each of these when it processes it.
func Envelope(body []byte, mode Mode) []fhir.Issue {
	w := walker{reader: reader{src: body}, mode: mode, envelope: true}
	return w.run()
}

// Refused returns the error for the issues of one resource or several, or nil if none of them is
// an error. The status is 422 if all errors are invariants, otherwise 400. The first issue
// explains the status.
func Refused(issues []fhir.Issue) error {
	if len(issues) == 0 {
		return nil
	}
	all := slices.Clone(issues)
	slices.SortStableFunc(all, func(a, b fhir.Issue) int { return cmp.Compare(severityRank(a), severityRank(b)) })
	status := 400
	switch severityRank(all[0]) {
	case 1:
		status = 422
	case 2:
		return nil
	}
	return &fhir.Error{Status: status, Issues: all[:min(len(all), fhir.MaxIssues)]}
}

// walker validates one resource.
type walker struct {
	reader
	mode       Mode
	envelope   bool
	table      *table
	root       string // type of the outermost resource
	path       []pathElement
	pathBuffer [32]pathElement
	errors     []fhir.Issue
	warnings   []fhir.Issue
}

// pathElement is an element of a path: a name, and the index in an array or -1.
type pathElement struct {
	name  string
	index int
}

func (w *walker) run() []fhir.Issue {
	w.table = tables()
	w.path = w.pathBuffer[:0]
	w.space()
	if w.peek() != '{' {
		w.fault("structure", "The body is not a JSON object.")
	} else {
		w.resource()
		if w.space(); !w.broken && w.pos < len(w.src) {
			w.fault("structure", "The body continues after the end of the resource.")
		}
	}
	if w.broken && len(w.errors) < fhir.MaxIssues {
		w.fault("structure", "The body is not valid JSON (near byte "+strconv.Itoa(w.stoppedAt)+").")
	}
	return w.issues()
}

// issues sorts the issues: first errors that cause a 400, then other errors, then warnings.
func (w *walker) issues() []fhir.Issue {
	slices.SortStableFunc(w.errors, func(a, b fhir.Issue) int {
		return cmp.Compare(severityRank(a), severityRank(b))
	})
	all := append(w.errors, w.warnings...)
	if len(all) > fhir.MaxIssues {
		all = all[:fhir.MaxIssues]
	}
	return all
}

func severityRank(i fhir.Issue) int {
	switch {
	case i.Severity == "warning":
		return 2
	case i.Code == "invariant":
		return 1
	}
	return 0
}

// fault adds an error at the current position. The walk ends at the last error that is reported.
func (w *walker) fault(code, text string) {
	if len(w.errors) == fhir.MaxIssues {
		return
	}
	w.errors = append(w.errors, fhir.Issue{Code: code, Text: text, Expression: w.expression()})
	if len(w.errors) == fhir.MaxIssues {
		w.errors[fhir.MaxIssues-1].Text += fmt.Sprintf(" These are the first %d faults: there may be more.", fhir.MaxIssues)
		w.stop()
	}
}

// faultBelow adds an error at a member of the current object.
func (w *walker) faultBelow(name, code, text string) {
	w.path = append(w.path, pathElement{name, -1})
	w.fault(code, text)
	w.pop()
}

// faultOrWarning adds an error in Strict mode, and a warning in Lenient mode. Warnings beyond the maximum
// are dropped, and the walk continues, because an error may follow.
func (w *walker) faultOrWarning(code, text string) {
	if w.mode == Strict {
		w.fault(code, text)
	} else if len(w.warnings) < fhir.MaxIssues {
		w.warnings = append(w.warnings, fhir.Issue{Severity: "warning", Code: code, Text: text, Expression: w.expression()})
	}
}

func (w *walker) pop() { w.path = w.path[:len(w.path)-1] }

// expression returns the simple FHIRPath of the current position.
func (w *walker) expression() string {
	out := []byte(w.root)
	for _, s := range w.path {
		out = fhir.AppendElement(out, s.name)
		if s.index >= 0 {
			out = append(out, '[')
			out = strconv.AppendInt(out, int64(s.index), 10)
			out = append(out, ']')
		}
	}
	return string(out)
}
