package suite

import (
	"fmt"
	"strings"
	"testing"
)

// optOutOf returns a regional opt-out of a patient.
func optOutOf(patient, status string) string {
	return `{"resourceType":"Consent","status":"` + status + `","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},` +
		`"category":[{"coding":[{"system":"http://snomed.info/sct","code":"416409005"}]}],"patient":{"reference":"` + patient + `"},` +
		`"policyRule":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"OPTOUT"}]}}`
}

// storyObservation returns an Observation with a code that no other data has.
func storyObservation(patient, extra string) string {
	return `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"story-1"}]},"subject":{"reference":"` + patient + `"},"effectiveDateTime":"2026-05-01"` + extra + `}`
}

// story is the state of TestStory.
type story struct {
	*server
	t       *testing.T
	patient string // Patient/…, of the practice
	other   string // Patient/…, of a hospital, with the same NHS number
	obs     []string
	consent string
}

// TestStory tests the program from loading data to guarded answers, on both engines.
func TestStory(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		st := &story{server: s.start("--demo"), t: t}
		st.write()
		st.checkRows("consultant", 5, false)
		st.checkOnePerson()
		st.optOut()
		st.checkOptedOut()
		st.checkOwnSource()
		st.checkLifted()
		out, err := s.run("audit", "verify")
		if err != nil || !strings.Contains(out, "the chain holds") {
			t.Errorf("audit verify: %v\n%s", err, out)
		}
	})
}

// idOf returns the id of a created resource.
func (st *story) idOf(r reply) string {
	st.t.Helper()
	if r.status != 201 || r.id() == "" {
		st.t.Fatalf("got %d %s, want 201 with a Location", r.status, r.body)
	}
	return r.id()
}

// write writes Patients of one person as the source systems of the practice, with three Observations, and of a
// hospital, with two.
func (st *story) write() {
	patient := func(feed, extra string) string {
		return "Patient/" + st.idOf(st.do(feed, "POST", "Patient",
			`{"resourceType":"Patient","identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9999999468"}],"name":[{"family":"Story"}]`+extra+`}`))
	}
	st.patient = patient("demo-gp-feed", `,"generalPractitioner":[{"identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"XGP01"}}]`)
	st.other = patient("feed-xac02", "")
	for i := range 5 {
		feed, subject := "demo-gp-feed", st.patient
		if i >= 3 {
			feed, subject = "feed-xac02", st.other
		}
		st.obs = append(st.obs, st.idOf(st.do(feed, "POST", "Observation", storyObservation(subject, ""))))
	}
}

// checkOnePerson checks that the consultant finds the person once and the whole record under either Patient, and that
// each source system finds its own rows only (IDN-161).
func (st *story) checkOnePerson() {
	const number = "https://fhir.nhs.uk/Id/nhs-number|9999999468"
	for query, want := range map[string]int64{"Patient?identifier=" + number: 1, "Observation?patient:identifier=" + number: 5, st.patient + "/$everything": 7, st.other + "/$everything": 7} {
		if r := st.get("consultant", query); r.status != 200 || r.get("total").Int() != want {
			st.t.Errorf("IDN-161: %s: got %d %s, want %d", query, r.status, r.body, want)
		}
	}
	for feed, want := range map[string]int64{"demo-gp-feed": 3, "feed-xac02": 2} {
		if r := st.get(feed, "Observation?code=story-1&_summary=count"); r.get("total").Int() != want {
			st.t.Errorf("IDN-124: %s: got %s, want %d", feed, r.body, want)
		}
	}
}

// checkRows checks the number of rows that a requester finds under either Patient, and whether the answer has the
// notice S2.
func (st *story) checkRows(who string, n int, withheld bool) {
	st.t.Helper()
	for _, patient := range []string{st.patient, st.other} {
		st.checkRowsOf(patient, who, n, withheld)
	}
}

func (st *story) checkRowsOf(patient, who string, n int, withheld bool) {
	st.t.Helper()
	r := st.get(who, "Observation?patient="+patient)
	if r.status != 200 || r.get("total").Int() != int64(n) || r.get(`entry.#(search.mode=="match")#`).Get("#").Int() != int64(n) {
		st.t.Errorf("%s: got %d, total %v, want 200 with %d rows\n%s", who, r.status, r.get("total"), n, r.body)
	}
	outcome := r.get(`entry.#(search.mode=="outcome").resource.issue.0`)
	if got := outcome.Get("details.coding.0.code").Str == "confidential-items"; got != withheld || outcome.Exists() != withheld {
		st.t.Errorf("CON-1104: %s: got S2 %v, want %v\n%s", who, got, withheld, r.body)
	}
}

func (st *story) optOut() {
	before := st.get("consultant", "Observation?code=story-1&_summary=count").get("total").Int()
	if before != 5 {
		st.t.Errorf("across patients: got %d, want 5", before)
	}
	st.consent = st.idOf(st.do("gp", "POST", "Consent", optOutOf(st.patient, "active")))
}

// answered repeats a request while it is answered 503: a busy database may not store its audit record in time.
func (st *story) answered(who, path string) reply {
	r := st.get(who, path)
	for try := 0; r.status == 503 && try < 5; try++ {
		r = st.get(who, path)
	}
	return r
}

// checkOptedOut checks that the consultant, who may break the glass, gets the notice S1, and that all hidden data
// seems not to exist (CON-1701).
func (st *story) checkOptedOut() {
	t := st.t
	for _, path := range []string{"Observation?patient=" + st.patient, "Observation?patient=" + st.other, st.other, "Observation?patient=" + st.patient + "&_summary=count", st.patient, st.patient + "/_history", st.patient + "/_history/1"} {
		r := st.get("consultant", path)
		issue := r.get("issue.0")
		if r.status != 403 || issue.Get("details.coding.0.code").Str != "NO_PATIENT_CONSENT" || issue.Get("code").Str != "forbidden" ||
			!strings.Contains(issue.Get("details.text").Str, "Ask the patient") {
			t.Errorf("CON-1702: %s: got %d %s, want S1", path, r.status, r.body)
		}
	}
	for _, id := range st.obs {
		for _, who := range []string{"consultant", "clerk"} {
			for _, form := range []string{"Observation/%s", "Observation/%s/_history", "Observation/%s/_history/1"} {
				hidden, never := st.answered(who, fmt.Sprintf(form, id)), st.answered(who, fmt.Sprintf(form, "neverwas00000000000000000000000a"))
				if hidden.status != 404 || hidden.body != never.body || hidden.header.Get("ETag") != "" {
					t.Errorf("CON-1503: %s of a hidden id: got %d %s, want %d %s", form, hidden.status, hidden.body, never.status, never.body)
				}
			}
		}
	}
	if r := st.get("consultant", "Observation?code=story-1"); r.status != 200 || r.get("entry.#").Int() != 0 || r.get("total").Int() != 0 {
		t.Errorf("CON-1703: across patients: got %s", r.body)
	}
	if r := st.get("consultant", "Observation?code=story-1&_summary=count"); r.get("total").Int() != 0 {
		t.Errorf("CON-1703: count across patients: got %s", r.body)
	}
	for _, patient := range []string{st.patient, st.other} {
		r := st.get("clerk", "Observation?patient="+patient)
		if r.status != 200 || r.get("total").Int() != 0 || r.get("entry").Exists() {
			t.Errorf("CON-1702: a clerk: got %d %s, want an empty searchset", r.status, r.body)
		}
		if r := st.get("clerk", patient); r.status != 404 {
			t.Errorf("CON-1702: a clerk reads the Patient: got %d, want 404", r.status)
		}
	}
	st.checkRowsOf(st.patient, "gp", 3, true)
}

// checkOwnSource writes an Observation of the trust that refers to one of the five. Staff of the trust see this
// row and its Patient, and none of the five.
func (st *story) checkOwnSource() {
	t := st.t
	st.idOf(st.do("demo-feed", "POST", "Observation", storyObservation(st.patient, `,"hasMember":[{"reference":"Observation/`+st.obs[0]+`"}]`)))
	st.checkRowsOf(st.patient, "consultant", 1, true)
	st.checkRowsOf(st.patient, "clerk", 1, true)
	st.checkRowsOf(st.patient, "gp", 3, true)
	r := st.get("consultant", "Observation?patient="+st.patient+"&_include=Observation:subject")
	if inc := r.get(`entry.#(search.mode=="include")#.resource`); inc.Get("#").Int() != 1 || "Patient/"+inc.Get("0.id").Str != st.patient {
		t.Errorf("CON-501: own-source rows bring the Patient: got %s", r.body)
	}
	r = st.get("consultant", "Observation?patient="+st.patient+"&_include=Observation:has-member")
	if inc := r.get(`entry.#(search.mode=="include")`); inc.Exists() {
		t.Errorf("VIS-004: an include reaches a hidden row: %s", r.body)
	}
}

// checkLifted ends the opt-out, and checks that the next requests, with the same tokens, get all rows (CON-1403).
func (st *story) checkLifted() {
	body := strings.Replace(optOutOf(st.patient, "inactive"), `"status"`, `"id":"`+st.consent+`","status"`, 1)
	if r := st.do("gp", "PUT", "Consent/"+st.consent, body); r.status != 200 {
		st.t.Fatalf("end the opt-out: got %d %s", r.status, r.body)
	}
	st.checkRows("consultant", 6, false)
	st.checkRows("clerk", 6, false)
	st.checkRows("gp", 6, false)
}
