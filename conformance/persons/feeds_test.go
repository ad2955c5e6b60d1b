package persons

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/conformance/servertest"
)

// TestSourceSystemsLearnNothing: the answers to a source system are the same, byte for byte, with and without Patients and
// rows of other sources about the same numbers (IDN-124): searches with their order, pages and totals, $everything, history,
// conditional writes and their refusals. Of the patient index it learns which of its own Patients contradict it, and no more
// (IDN-104).
func TestSourceSystemsLearnNothing(t *testing.T) {
	for name, open := range engines(t) {
		for _, withIndex := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, the patient index on both sides: %v", name, withIndex), func(t *testing.T) {
				alone, among := newRegion(t, open(t), true), newRegion(t, open(t), true)
				others, told := othersWrites(), 0
				for step, w := range feedRequests() {
					if step%4 == 0 && step/4 < len(others) {
						among.at(step)
						alone.at(step)
						others[step/4].write(among)
						if withIndex && others[step/4].source == "XPI" {
							others[step/4].write(alone)
						}
					}
					got, want := among.exchange(step, w), alone.exchange(step, w)
					told += strings.Count(got, "The national number was not accepted")
					if !withIndex {
						got, want = withoutContradiction(got), withoutContradiction(want)
					}
					if got != want {
						t.Errorf("step %d, %s %s:\nwith others    %s\nwithout others %s", step, w.method, w.path, got, want)
					}
				}
				if told == 0 {
					t.Error("the source was never told of a contradiction")
				}
			})
		}
	}
}

// contradictionEntry matches an entry with the warning that a Patient contradicts the patient index, that warning beside another
// one, and what depends on its length.
var (
	otherBirthday      = `\{"severity":"warning","code":"business-rule","details":\{"text":"[^"]*the patient index has another birth date[^"]*"\},"diagnostics":"[^"]*"\}`
	contradictionEntry = regexp.MustCompile(`,\{"resource":\{"resourceType":"OperationOutcome","issue":\[` + otherBirthday + `\]\},"search":\{"mode":"outcome"\}\}|` + otherBirthday + `,| Content-Length: [0-9]+`)
)

func withoutContradiction(answer string) string {
	return contradictionEntry.ReplaceAllString(answer, "")
}

// otherWrite is a write of another source than XAC.
type otherWrite struct {
	source string
	write  func(*region)
}

// request is a request of the source system XAC.
type request struct{ method, path, body string }

// at sets the clock.
func (r *region) at(second int) {
	r.fixed = time.Date(2026, 6, 2, 9, 0, 0, 0, time.UTC).Add(time.Duration(second) * time.Second)
}

// exchange sends a request at the time of a step, follows its pages, and returns all answers with their headers.
func (r *region) exchange(step int, w request) string {
	r.Helper()
	r.at(step)
	var out strings.Builder
	for path := w.path; ; {
		req := httptest.NewRequest(w.method, servertest.Base+"/"+path, strings.NewReader(w.body))
		req.Header.Set("Authorization", "Bearer source XAC")
		if w.body != "" {
			req.Header.Set("Content-Type", "application/fhir+json")
		}
		if w.method == http.MethodPost && !strings.Contains(path, "_search") {
			req.Header.Set("If-None-Exist", "identifier="+nhs+"|"+number)
		}
		rec := httptest.NewRecorder()
		r.server.Handler().ServeHTTP(rec, req)
		body := rec.Body.String()
		for _, link := range gjson.Get(body, "link.#.url").Array() { // tokens are sealed with a random nonce
			if at := strings.Index(link.Str, "_page="); at >= 0 {
				body = strings.ReplaceAll(body, link.Str, fmt.Sprintf("%s%d bytes", link.Str[:at], len(link.Str)-at))
			}
		}
		fmt.Fprintf(&out, "%d", rec.Code)
		for _, name := range slices.Sorted(maps.Keys(rec.Header())) {
			if name != "Date" && name != "X-Request-Id" {
				fmt.Fprintf(&out, " %s: %s", name, strings.Join(rec.Header()[name], ", "))
			}
		}
		fmt.Fprintf(&out, " %s\n", body)
		if path = strings.TrimPrefix(gjson.Get(rec.Body.String(), `link.#(relation=="next").url`).Str, servertest.Base+"/"); path == "" {
			return out.String()
		}
	}
}

func feedRequests() []request {
	put := func(typ, id, body string) request {
		return request{http.MethodPut, typ + "/xac." + id, `{"resourceType":"` + typ + `","id":"xac.` + id + `"` + body + `}`}
	}
	list := []request{
		put("Encounter", "e1", `,"status":"finished","class":{"code":"AMB"}`+byNumber(number)),
		put("Observation", "o1", observation("1")+byNumber(number)),
		put("Patient", "p1", identifier(number)+`,"birthDate":"1950-01-02"`),
		put("Patient", "p2", identifier(second)+`,"birthDate":"1960-01-02"`),
		put("Patient", "p3", identifier(number, second)),
		put("Patient", "p4", ""),
		put("Observation", "o2", observation("1")+about("xac.p1")),
		put("Observation", "o3", observation("2")+about("xac.p2")),
		put("Observation", "o4", observation("2")+about("xgp.p1")), // another source's Patient
		put("Observation", "o5", observation("2")+`,"subject":{"reference":"Patient/xgp.p1","identifier":{"system":"`+nhs+`","value":"`+second+`"}}`),
		put("Observation", "o6", observation("2")+`,"subject":{"reference":"Patient/xac.p1","identifier":{"system":"`+nhs+`","value":"`+second+`"}}`),
		put("Encounter", "e2", `,"status":"finished","class":{"code":"AMB"}`+about("xac.p1")),
		put("List", "l", `,"status":"current","mode":"working","entry":[{"item":{"reference":"Observation/xac.o1"}},{"item":{"reference":"Observation/xac.o4"}}]`),
		put("Consent", "c", directive("OPTOUT", `{"reference":"Patient/xac.p1"}`, "active")),
		{http.MethodPost, "Patient", `{"resourceType":"Patient"` + identifier(number) + `}`},
	}
	reads := []string{
		"Patient", "Patient?_count=1", "Patient?_sort=birthdate&_count=2", "Patient?_total=accurate", "Patient?identifier=" + nhs + "|" + number, "Patient?_has:Observation:patient:code=1",
		"Observation", "Observation?_count=1", "Observation?patient=xac.p1", "Observation?patient=xgp.p1", "Observation?patient=Patient/xac.p2&_count=1", "Observation?subject=xac.p1",
		"Observation?patient:identifier=" + nhs + "|" + number, "Observation?subject:identifier=" + nhs + "|" + second, "Observation?patient.identifier=" + nhs + "|" + number,
		"Observation?patient.birthdate=1950-01-02&_count=1", "Observation?_include=Observation:subject", "Patient?_revinclude=Observation:subject&_count=1",
		"Patient/xac.p1", "Patient/xgp.p1", "Patient/xac.p1/$everything", "Patient/xac.p3/$everything", "Patient/xac.p1/Observation", "Encounter/xac.e1/$everything", "Encounter/xac.e2/$everything",
		"Observation/$lastn?patient=xac.p1&code=http://loinc.org|1", "Patient/xac.p1/_history", "Observation/_history?_count=2", "List/xac.l", "Observation/xac.o4", "Observation/xac.o5",
		"Patient?_id=xac.p1,xac.p2", "Observation?_summary=count", "Patient?_summary=count", "?_type=Patient,Observation&_count=3",
	}
	for _, path := range reads {
		list = append(list, request{http.MethodGet, path, ""})
	}
	list = append(list, put("Patient", "p1", identifier(second)+`,"birthDate":"1950-02-01"`), put("Observation", "o2", observation("3")+about("xac.p1")))
	for _, path := range reads {
		list = append(list, request{http.MethodGet, path, ""})
	}
	return append(list, request{http.MethodDelete, "Patient/xac.p1", ""}, request{http.MethodGet, "Observation", ""}, request{http.MethodGet, "Observation?patient=xac.p1", ""})
}

// othersWrites are writes of other sources about the same people.
func othersWrites() []otherWrite {
	return []otherWrite{
		{"XGP", func(r *region) { r.put("XGP", "Patient", "p1", identifier(number)+`,"birthDate":"1950-01-02"`) }},
		{"XPI", func(r *region) { r.put("XPI", "Patient", "p1", identifier(number)+`,"birthDate":"1951-01-02"`) }}, // contradicts
		{"XGP", func(r *region) { r.put("XGP", "Observation", "o", observation("1")+about("xgp.p1")) }},
		{"XCO", func(r *region) { r.put("XCO", "Patient", "p1", identifier(second)+`,"birthDate":"1960-01-02"`) }},
		{"XCO", func(r *region) { r.put("XCO", "Observation", "o", observation("2")+about("xac.p2")) }},
		{"XCO", func(r *region) { r.put("XCO", "Observation", "n", observation("2")+byNumber(number)) }},
		{"XMH", func(r *region) {
			r.put("XMH", "Consent", "c", directive("OPTOUT", `{"reference":"Patient/xac.p2"}`, "active"))
		}},
		{"XSC", func(r *region) { r.put("XSC", "Patient", "p1", identifier(number)) }},
		{"XPI", func(r *region) { r.put("XPI", "Patient", "p1", identifier(number)+`,"birthDate":"1950-01-02"`) }},
		{"XGP", func(r *region) { r.put("XGP", "Patient", "p1", identifier(second)) }},
		{"XSC", func(r *region) { r.delete("XSC", "Patient", "p1") }},
		{"XPI", func(r *region) { r.put("XPI", "Patient", "p2", identifier(second)+`,"birthDate":"1960-01-02"`) }},
	}
}
