package persons

import (
	"net/http"
	"strings"
	"testing"
)

// TestRefusals: a refusal recorded for any Patient of a person, or for the number alone, before or after any of them arrived,
// hides all of the person from the next request on (IDN-110, 130), and no write of a source shows it again.
func TestRefusals(t *testing.T) {
	names := map[string]string{"by number": `{"identifier":{"system":"` + nhs + `","value":"` + number + `"}}`}
	for _, ods := range sources {
		names["by the Patient of "+ods] = `{"reference":"Patient/` + strings.ToLower(ods) + `.p"}`
	}
	patients := func(r *region) {
		for _, ods := range sources {
			r.put(ods, "Patient", "p", identifier(number)+`,"birthDate":"1950-01-02"`)
			r.put(ods, "Observation", "o", observation("1")+about(strings.ToLower(ods)+".p"))
		}
		r.put("XAC", "Observation", "n", observation("1")+byNumber(number))
	}
	for name, patient := range names {
		for _, first := range []bool{true, false} {
			when := "before the Patients"
			if !first {
				when = "after the Patients"
			}
			t.Run(name+", "+when, func(t *testing.T) {
				r := newRegion(t, nil, true)
				if !first {
					patients(r)
					r.hidden("before the refusal", false)
				}
				r.put("XGP", "Consent", "c", directive("OPTOUT", patient, "active"))
				if first {
					patients(r)
				}
				r.hidden("at once", true)
				for what, write := range map[string]func(){
					"a new Patient of the number":  func() { r.put("XCO", "Patient", "p2", identifier(number)) },
					"its rows":                     func() { r.put("XCO", "Observation", "o2", observation("1")+about("xco.p2")) },
					"another birth date":           func() { r.put("XSC", "Patient", "p", identifier(number)+`,"birthDate":"1950-02-01"`) },
					"the patient index comes":      func() { r.put("XPI", "Patient", "p", identifier(number)+`,"birthDate":"1950-01-02"`) },
					"a changed number":             func() { r.put("XMH", "Patient", "p", identifier(second)) },
					"a Patient without its number": func() { r.put("XAC", "Patient", "p", "") },
					"a deleted Patient":            func() { r.delete("XCO", "Patient", "p") },
					"the deleted Patient is back":  func() { r.put("XCO", "Patient", "p", identifier(number)) },
					"an update by another source":  func() { r.put("XCO", "Observation", "o", observation("2")+about("xco.p")) },
				} {
					write()
					r.hidden(what, true)
				}
				r.restart()
				r.hidden("after a restart", true)
				r.put("XGP", "Consent", "c", directive("OPTOUT", patient, "inactive"))
				r.caughtUp()
				if len(r.rows("staff XUN", "Observation", false)) == 0 {
					t.Error("the refusal is ended, and nothing is shown")
				}
			})
		}
	}
}

// hidden requires that staff of an organisation without own rows see nothing of the person, or something.
func (r *region) hidden(when string, want bool) {
	r.Helper()
	for _, then := range []string{when, when + ", all is keyed"} {
		for _, path := range []string{"Observation", "Patient", "Observation?patient=xgp.p", "Patient?identifier=" + nhs + "|" + number, "Patient/xgp.p/Observation"} {
			if got := r.rows("staff XUN", path, false); len(got) == 0 != want {
				r.Errorf("%s: GET %s: got %s, want nothing: %v", then, path, sprint(got), want)
			}
		}
		if code, _ := r.send("staff XUN", http.MethodGet, "Patient/xgp.p", ""); code == 404 != want {
			r.Errorf("%s: GET Patient/xgp.p: got %d, want 404: %v", then, code, want)
		}
		r.caughtUp()
	}
}
