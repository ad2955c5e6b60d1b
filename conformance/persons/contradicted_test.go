package persons

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// TestContradictionIsTold: the source of a contradicted Patient, and its staff, are told so in words when they search, and the
// source when it writes; nobody else is (IDN-104).
func TestContradictionIsTold(t *testing.T) {
	for name, open := range engines(t) {
		t.Run(name, func(t *testing.T) {
			r := newRegion(t, open(t), true)
			r.put("XPI", "Patient", "p", identifier(number)+`,"birthDate":"1950-01-02"`)
			r.put("XGP", "Patient", "p", identifier(number)+`,"birthDate":"1950-01-02"`)
			r.put("XGP", "Patient", "q", identifier(second))
			const wrong = `,"birthDate":"1951-01-02"`
			r.put("XAC", "Patient", "p", identifier(number)+wrong)
			r.put("XAC", "Patient", "q", identifier(number, second))
			r.put("XAC", "Observation", "o", observation("1")+about("xac.p"))
			r.caughtUp()
			// told returns the Patients that the warnings in a searchset name, with the reason.
			told := func(caller, path string) (named string) {
				t.Helper()
				code, body := r.send(caller, http.MethodGet, path, "")
				if code != 200 {
					t.Fatalf("%s: GET %s: %d %s", caller, path, code, body)
				}
				for _, e := range gjson.Get(body, "entry").Array() {
					for _, issue := range e.Get("resource.issue").Array() {
						if text, told := strings.CutPrefix(issue.Get("details.text").Str, "The national number was not accepted of "); told {
							named += text[:strings.Index(text, ". Until")] + "; "
						}
					}
				}
				return strings.TrimSuffix(named, "; ")
			}
			const p, q = "Patient/xac.p: the patient index has another birth date for its number", "Patient/xac.q: it has two counting numbers of one system"
			for _, c := range []struct{ caller, path, want string }{
				{"source XAC", "Patient?_count=10", p + "; " + q},
				{"source XAC", "Patient?birthdate=1951-01-02", p},
				{"source XAC", "Patient/xac.p/$sources", p},
				{"source XAC", "Observation?_include=Observation:patient", p},
				{"source XAC", "Observation", ""},
				{"staff XAC", "Patient?_id=xac.q", q},
				{"staff XAC", "Patient?identifier=" + nhs + "|" + second, q},
				{"source XGP", "Patient", ""},
				{"staff XGP", "Patient", ""},
				{"staff XGP", "Patient?identifier=" + nhs + "|" + number, ""},
				{"source XPI", "Patient", ""},
				{"staff XMH", "Patient", ""},
			} {
				if got := told(c.caller, c.path); got != c.want {
					t.Errorf("%s: GET %s tells of %q, want %q", c.caller, c.path, got, c.want)
				}
			}
			body := func(birthDate string) string {
				return `{"resourceType":"Patient","id":"xac.p"` + identifier(number) + `,"birthDate":"` + birthDate + `"}`
			}
			for _, birthDate := range []string{"1952-01-02", "1950-01"} {
				want := birthDate == "1952-01-02"
				code, answer := r.send("source XAC", http.MethodPut, "Patient/xac.p", body(birthDate), "Prefer", "return=OperationOutcome")
				if got := strings.Contains(answer, "The national number was not accepted of Patient/xac.p: "); code != 200 || got != want {
					t.Errorf("a write with the birth date %s: %d %s; want to be told: %v", birthDate, code, answer, want)
				}
			}
			if got := told("source XAC", "Patient"); got != q {
				t.Errorf("after the correction: got %q, want the other one", got)
			}
		})
	}
}
