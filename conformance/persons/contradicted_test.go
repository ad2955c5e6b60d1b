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
			// told returns the Patients that the warning in a searchset names.
			told := func(caller, path string) (named string) {
				t.Helper()
				code, body := r.send(caller, http.MethodGet, path, "")
				if code != 200 {
					t.Fatalf("%s: GET %s: %d %s", caller, path, code, body)
				}
				for _, e := range gjson.Get(body, "entry").Array() {
					text := e.Get("resource.issue.0.details.text").Str
					if e.Get("search.mode").Str == "outcome" && strings.HasPrefix(text, "The national number is not believed: ") {
						named = text[len("The national number is not believed: "):strings.Index(text, ". The patient index")]
					}
				}
				return named
			}
			for _, c := range []struct{ caller, path, want string }{
				{"source XAC", "Patient?_count=10", "Patient/xac.p, Patient/xac.q"},
				{"source XAC", "Patient?birthdate=1951-01-02", "Patient/xac.p"},
				{"source XAC", "Patient/xac.p/$sources", "Patient/xac.p"},
				{"source XAC", "Observation?_include=Observation:patient", "Patient/xac.p"},
				{"source XAC", "Observation", ""},
				{"staff XAC", "Patient?_id=xac.q", "Patient/xac.q"},
				{"staff XAC", "Patient?identifier=" + nhs + "|" + second, "Patient/xac.q"},
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
				if got := strings.Contains(answer, "The national number is not believed: Patient/xac.p."); code != 200 || got != want {
					t.Errorf("a write with the birth date %s: %d %s; want to be told: %v", birthDate, code, answer, want)
				}
			}
			if got := told("source XAC", "Patient"); got != "Patient/xac.q" {
				t.Errorf("after the correction: got %q, want the other one", got)
			}
		})
	}
}
