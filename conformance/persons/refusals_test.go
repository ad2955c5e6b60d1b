package persons

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
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

// TestOwnRows: an organisation with care of its own about a person who opted out has a record of the person: its own rows,
// its own Patients, and those that its rows name (IDN-132). A Patient or a directive alone opens nothing.
func TestOwnRows(t *testing.T) {
	r := newRegion(t, nil, false)
	for _, ods := range sources {
		r.put(ods, "Patient", "p", identifier(number))
		r.put(ods, "Observation", "o", observation("1")+about(strings.ToLower(ods)+".p"))
	}
	r.delete("XCO", "Observation", "o")
	r.delete("XSC", "Observation", "o")
	r.put("XCO", "Basic", "b", `,"code":{"text":"x"}`+about("xco.p"))
	r.put("XGP", "Observation", "named", observation("1")+about("xac.p"))
	r.put("XCO", "Consent", "c", directive("OPTOUT", `{"reference":"Patient/xmh.p"}`, "active"))
	r.caughtUp()
	for ods, want := range map[string]string{
		"XGP": "4: Observation/xgp.named Observation/xgp.o Patient/xac.p Patient/xgp.p",
		"XAC": "2: Observation/xac.o Patient/xac.p",
		"XCO": "1: Patient/xco.p",
		"XSC": "1: Patient/xsc.p",
		"XUN": "0: ",
	} {
		got := r.rows("staff "+ods, "Observation", false)
		for _, id := range []string{"xgp.p", "xac.p", "xco.p", "xmh.p", "xsc.p"} {
			if code, _ := r.send("staff "+ods, http.MethodGet, "Patient/"+id, ""); code == 200 {
				got = append(got, "Patient/"+id)
			}
		}
		slices.Sort(got)
		if sprint(got) != want {
			t.Errorf("staff of %s: got %s, want %s", ods, sprint(got), want)
		}
	}
}

// TestMerges: a refusal survives that its source merges Patients, in both directions and through others, and within that
// source alone (IDN-130).
func TestMerges(t *testing.T) {
	link := func(typ, patient string) string {
		return `,"link":[{"type":"` + typ + `","other":{"reference":"Patient/` + patient + `"}}]`
	}
	for name, merge := range map[string]func(r *region){
		"replaced-by": func(r *region) { r.put("XAC", "Patient", "old", link("replaced-by", "xac.new")) },
		"replaces":    func(r *region) { r.put("XAC", "Patient", "new", identifier(number)+link("replaces", "xac.old")) },
		"through a third": func(r *region) {
			r.put("XAC", "Patient", "third", link("replaces", "xac.old")+"")
			r.put("XAC", "Patient", "new", identifier(number)+link("replaces", "xac.third"))
		},
	} {
		for _, first := range []bool{true, false} {
			for _, refused := range []string{"xac.old", "xac.new"} {
				r := newRegion(t, nil, false)
				r.put("XAC", "Patient", "old", "")
				r.put("XAC", "Patient", "new", identifier(number))
				for _, of := range []string{"old", "new"} {
					r.put("XAC", "Observation", of, observation("1")+about("xac."+of))
				}
				r.put("XAC", "Observation", "number", observation("1")+byNumber(number))
				r.put("XCO", "Patient", "other", link("replaces", "xac.old"))
				r.put("XCO", "Observation", "other", observation("1")+about("xco.other"))
				refuse := func() {
					r.put("XGP", "Consent", "c", directive("OPTOUT", `{"reference":"Patient/`+refused+`"}`, "active"))
				}
				if first {
					refuse()
				}
				merge(r)
				if !first {
					refuse()
				}
				for _, when := range []string{"at once", "after a restart"} {
					if got := sprint(r.rows("staff XMH", "Observation", false)); got != "1: Observation/xco.other" {
						t.Errorf("%s, %s refuses, before the merge %v, %s: got %s, want the other source's row alone", name, refused, first, when, got)
					}
					r.caughtUp()
					r.restart()
				}
			}
		}
	}
}

// TestMergesAreRemembered: a refusal covers a Patient after those that its source merged with it were deleted (IDN-130).
func TestMergesAreRemembered(t *testing.T) {
	for name, refused := range map[string]string{"by the number": `{"identifier":{"system":"` + nhs + `","value":"` + number + `"}}`, "by a Patient of another source": `{"reference":"Patient/xgp.p"}`, "by the first Patient": `{"reference":"Patient/xac.a"}`} {
		for _, first := range []bool{true, false} {
			r := newRegion(t, nil, false)
			r.put("XGP", "Patient", "p", identifier(number))
			refuse := func() { r.put("XGP", "Consent", "c", directive("OPTOUT", refused, "active")) }
			if first {
				refuse()
			}
			r.put("XAC", "Patient", "a", identifier(number))
			r.put("XAC", "Patient", "b", linkTo("replaces", "xac.a"))
			r.put("XAC", "Patient", "c", linkTo("replaces", "xac.b"))
			r.put("XAC", "Observation", "o", observation("1")+about("xac.c"))
			r.put("XAC", "Patient", "d", "") // somebody else
			r.put("XAC", "Observation", "d", observation("1")+about("xac.d"))
			if !first {
				refuse()
			}
			for _, deleted := range []string{"", "a", "b"} {
				if deleted != "" {
					r.delete("XAC", "Patient", deleted)
				}
				for range 2 {
					if got := sprint(r.rows("staff XMH", "Observation", false)); got != "1: Observation/xac.d" {
						t.Errorf("%s, before the merge %v, %q is deleted: got %s, want the row of somebody else alone", name, first, deleted, got)
					}
					r.caughtUp()
					r.restart()
				}
			}
		}
	}
}

// TestPracticeEndsItsRefusal: a practice ends the refusal that it recorded under a Patient of another source, whom the refusal hides
// from it (IDN-133).
func TestPracticeEndsItsRefusal(t *testing.T) {
	for _, index := range []bool{true, false} {
		r := newRegion(t, nil, index)
		practice := `,"generalPractitioner":[{"identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"XGP"}}]`
		r.put("XGP", "Patient", "p", identifier(number)+practice)
		r.put("XPI", "Patient", "p", identifier(number)+practice)
		r.put("XAC", "Patient", "p", identifier(number)+practice)
		r.put("XAC", "Observation", "o", observation("1")+about("xac.p"))
		for _, of := range []string{"xac.p", "xgp.p"} {
			body := `{"resourceType":"Consent"` + directive("OPTOUT", `{"reference":"Patient/`+of+`"}`, "active") + `}`
			code, answer := r.send("staff XGP", http.MethodPost, "Consent", body, "Prefer", "return=representation")
			if code != 201 {
				t.Fatalf("record a refusal for %s: %d %s", of, code, answer)
			}
			if got := r.rows("staff XMH", "Observation", false); len(got) != 0 {
				t.Errorf("refused for %s: others see %s", of, sprint(got))
			}
			id := gjson.Get(answer, "id").Str
			if code, answer := r.send("staff XGP", http.MethodPut, "Consent/"+id, strings.Replace(answer, `"status":"active"`, `"status":"inactive"`, 1)); code != 200 {
				t.Errorf("end the refusal for %s: %d %s", of, code, answer)
			}
			if got := r.rows("staff XMH", "Observation", false); len(got) != 1 {
				t.Errorf("ended for %s: others see %s", of, sprint(got))
			}
		}
	}
}

// TestRefusalBehindATie: a number that a Patient no longer has connects it with refusals of Patients that are tied to others of the
// number (IDN-130).
func TestRefusalBehindATie(t *testing.T) {
	r := newRegion(t, nil, false)
	r.put("XAC", "Patient", "a", "")
	r.put("XAC", "Patient", "b", identifier(number)+linkTo("replaces", "xac.a"))
	r.put("XGP", "Consent", "c", directive("OPTOUT", `{"reference":"Patient/xac.a"}`, "active"))
	r.put("XCO", "Patient", "c", identifier(number))
	r.put("XCO", "Observation", "o", observation("1")+about("xco.c"))
	for _, numbers := range []string{"", identifier(second), ""} {
		for range 2 {
			if got := r.rows("staff XMH", "Observation", false); len(got) > 0 {
				t.Errorf("its number is %q: others see %s", numbers, sprint(got))
			}
			r.caughtUp()
			r.restart()
		}
		r.put("XCO", "Patient", "c", numbers)
	}
}

// TestUnjoinedPatientOfTheNumber: who is the registered practice of a person does not follow from a Patient who contradicts the
// patient index (IDN-133).
func TestUnjoinedPatientOfTheNumber(t *testing.T) {
	r := newRegion(t, nil, true)
	practice := func(ods string) string {
		return `,"generalPractitioner":[{"identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"` + ods + `"}}]`
	}
	r.put("XPI", "Patient", "p", identifier(number)+practice("XGP")+`,"birthDate":"1950-01-02"`)
	r.put("XAC", "Patient", "p", identifier(number)+practice("XAC")+`,"birthDate":"1960-01-02"`)
	body := `{"resourceType":"Consent"` + directive("OPTOUT", `{"reference":"Patient/xac.p"}`, "active") + `}`
	if code, answer := r.send("staff XAC", http.MethodPost, "Consent", body); code != 403 {
		t.Errorf("the hospital records a refusal for the person of its contradicted Patient: %d %s", code, answer)
	}
}

// TestHiddenPatientsNameNobody: whether a search by an identifier names one person, and so whether it has the notice that rows are
// withheld, does not depend on Patients who are hidden, nor on those whose number does not count (CON-1103, IDN-120).
func TestHiddenPatientsNameNobody(t *testing.T) {
	r := newRegion(t, nil, false)
	local := func(number string) string {
		return strings.TrimSuffix(identifier(number), "]") + `,{"system":"http://local","value":"7"}]`
	}
	label := `,"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]}`
	r.put("XGP", "Patient", "p", local(number))
	r.put("XGP", "Observation", "o", observation("1")+about("xgp.p"))
	r.put("XGP", "Observation", "hidden", observation("1")+label+about("xgp.p"))
	searches := []string{"Patient?identifier=http://local|7", "Patient?identifier=" + nhs + "|" + number, "Observation?patient:identifier=" + nhs + "|" + number}
	notices := func(when string, paths []string) {
		t.Helper()
		r.caughtUp()
		for _, path := range paths {
			if _, body := r.send("staff XMH", http.MethodGet, path, ""); !strings.Contains(body, "confidential-items") {
				t.Errorf("%s: GET %s has no notice: %s", when, path, body)
			}
		}
	}
	notices("at first", searches)
	r.put("XCO", "Patient", "q", local(second))
	r.put("XCO", "Consent", "c", directive("OPTOUT", `{"reference":"Patient/xco.q"}`, "active"))
	notices("beside one who opted out", searches)
	r.put("XCO", "Patient", "q", local(second)+label)
	notices("beside a labelled one", searches)
	r.put("XUN", "Patient", "p", identifier(number))
	notices("beside one whose number does not count", searches[1:])
}

// TestRegisteredPractice: the practice that the patient index names records and ends refusals; without an index a practice
// whose own Patient names itself does, and ends those alone that it recorded (IDN-133).
func TestRegisteredPractice(t *testing.T) {
	practice := func(ods string) string {
		return `,"generalPractitioner":[{"identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"` + ods + `"}}]`
	}
	for _, c := range []struct {
		name, index   string // the practice that the index names; empty for no index
		gp, community bool   // whether XGP and XCO may record a refusal
	}{
		{"the index names XGP", "XGP", true, false},
		{"the index names XCO", "XCO", false, true},
		{"no index", "", true, true},
	} {
		r := newRegion(t, nil, c.index != "")
		r.put("XGP", "Patient", "p", identifier(number)+practice("XGP"))
		r.put("XCO", "Patient", "p", identifier(number)+practice("XCO"))
		r.put("XAC", "Patient", "p", identifier(number))
		if c.index != "" {
			r.put("XPI", "Patient", "p", identifier(number)+practice(c.index))
		}
		record := func(ods, patient string) (int, string) {
			return r.send("staff "+ods, http.MethodPost, "Consent", `{"resourceType":"Consent"`+directive("OPTOUT", `{"reference":"Patient/`+patient+`"}`, "active")+`}`)
		}
		for ods, may := range map[string]bool{"XGP": c.gp, "XCO": c.community, "XAC": false} {
			code, body := record(ods, strings.ToLower(ods)+".p")
			if (code == 201) != may {
				t.Errorf("%s: %s records a refusal: got %d %s, want it permitted: %v", c.name, ods, code, body, may)
			}
			if ods != "XGP" || code != 201 {
				continue
			}
			id := gjson.Get(body, "id").Str
			ended := strings.Replace(body, `"active"`, `"inactive"`, 1)
			if code, _ := r.send("staff XCO", http.MethodPut, "Consent/"+id, ended); code == 200 {
				t.Errorf("%s: XCO ends the refusal that XGP recorded: got %d", c.name, code)
			}
			if code, answer := r.send("staff XGP", http.MethodPut, "Consent/"+id, ended); code != 200 {
				t.Errorf("%s: XGP ends its own refusal: got %d %s", c.name, code, answer)
			}
		}
	}
}
