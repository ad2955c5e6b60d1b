package rest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/store"
	"carerecord/store/storetest"
)

// lab and vital are categories of observations.
const (
	lab   = `"category":[{"coding":[{"system":"http://c","code":"lab"}]}]`
	vital = `"category":[{"coding":[{"system":"http://c","code":"vital"}]}]`
)

// scopedRecord writes the record of the tests of scopes and returns its server.
func scopedRecord(t testing.TB, db store.Store) http.Handler {
	t.Helper()
	h := shared(t, db)
	observation := func(id, category, more string) string {
		return `{"resourceType":"Observation","id":"` + id + `","status":"final",` + category + `,"code":{"text":"x"}` + more + `}`
	}
	about := func(id string) string { return `,"subject":{"reference":"Patient/` + id + `"}` }
	for _, body := range []string{
		`{"resourceType":"Patient","id":"g.1","name":[{"family":"One"}]}`, `{"resourceType":"Patient","id":"g.2","name":[{"family":"Two"}]}`,
		`{"resourceType":"Practitioner","id":"g.pr","identifier":[{"system":"s","value":"1"}],"name":[{"family":"Hale"}]}`, `{"resourceType":"Practitioner","id":"g.pq","name":[{"family":"Ives"}]}`,
		`{"resourceType":"Organization","id":"g.org","name":"North"}`, `{"resourceType":"Questionnaire","id":"g.q","status":"active"}`,
		observation("g.lab", lab, about("g.1")+`,"performer":[{"reference":"Practitioner/g.pr"}]`), observation("g.vital", vital, about("g.1")), observation("g.lab2", lab, about("g.2")),
		observation("g.moved", lab, about("g.1")), observation("g.moved", vital, about("g.1")), // was a lab result
		observation("g.back", vital, about("g.1")), observation("g.back", lab, about("g.1")),
		`{"resourceType":"DiagnosticReport","id":"g.dr","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/g.1"},"result":[{"reference":"Observation/g.lab"},{"reference":"Observation/g.vital"}]}`,
		`{"resourceType":"DiagnosticReport","id":"g.ds","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/g.1"},"result":[{"reference":"Observation/g.vital"}]}`,
		`{"resourceType":"Appointment","id":"g.two","status":"booked","participant":[{"actor":{"reference":"Patient/g.1"},"status":"accepted"},{"actor":{"reference":"Patient/g.2"},"status":"accepted"}]}`,
		`{"resourceType":"Appointment","id":"g.one","status":"booked","participant":[{"actor":{"reference":"Patient/g.1"},"status":"accepted"}]}`,
	} {
		if w := send(h, "PUT", "/"+gjson.Get(body, "resourceType").Str+"/"+gjson.Get(body, "id").Str, body, "Authorization: feed"); w.Code >= 300 {
			t.Fatalf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	for _, id := range []string{"g.gone-lab", "g.gone-vital"} {
		category := map[string]string{"g.gone-lab": lab, "g.gone-vital": vital}[id]
		for _, method := range []string{"PUT", "DELETE"} {
			if w := send(h, method, "/Observation/"+id, observation(id, category, about("g.1")), "Authorization: feed"); w.Code >= 300 {
				t.Fatalf("%s %s: %d %s", method, id, w.Code, w.Body)
			}
		}
	}
	return h
}

// found returns the ids of the resources in an answer, with versions for a history, or its status.
func found(w *httptest.ResponseRecorder) string {
	if w.Code != 200 {
		return fmt.Sprint(w.Code)
	}
	body := gjson.ParseBytes(w.Body.Bytes())
	if body.Get("resourceType").Str != "Bundle" {
		return body.Get("id").Str
	}
	ids := []string{}
	for _, e := range body.Get("entry").Array() {
		switch id := e.Get("resource.id").Str; {
		case e.Get("resource.resourceType").Str == "OperationOutcome":
		case body.Get("type").Str == "history" && id == "":
			ids = append(ids, e.Get("request.method").Str)
		case body.Get("type").Str == "history":
			ids = append(ids, id+"/"+e.Get("resource.meta.versionId").Str)
		default:
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	out := strings.Join(ids, " ")
	if total := body.Get("total"); total.Exists() && total.Int() != int64(len(ids)) {
		out += " total " + total.Raw
	}
	return strings.TrimSpace(out)
}

// TestScopedReads: every way of reading sees what the scopes permit and nothing else, on the reference store and both
// engines.
func TestScopedReads(t *testing.T) {
	const labs, all = "user/Observation.rs?category=http://c|lab", "user/*.rs"
	onAllStores(t, func(t *testing.T, db store.Store) {
		h := scopedRecord(t, db)
		for _, c := range []struct{ id, what, scopes, context, path, want string }{
			{"SMART-270", "a resource that satisfies the constraint", labs, "", "/Observation/g.lab", "g.lab"},
			{"SMART-253", "one that does not is hidden", labs, "", "/Observation/g.vital", "404"},
			{"SMART-253", "an unknown id", labs, "", "/Observation/g.none", "404"},
			{"SMART-253", "a type without a scope", labs, "", "/Patient/g.1", "403"},
			{"SMART-270", "a deleted one that satisfied it", labs, "", "/Observation/g.gone-lab", "410"},
			{"SMART-270", "a deleted one that did not", labs, "", "/Observation/g.gone-vital", "404"},
			{"SMART-271", "a version from before it left the constraint", labs, "", "/Observation/g.moved/_history/1", "404"},
			{"SMART-271", "a version from before it came into the constraint", labs, "", "/Observation/g.back/_history/1", "404"},
			{"SMART-271", "the version since", labs, "", "/Observation/g.back/_history/2", "g.back"},
			{"SMART-272", "a history", labs, "", "/Observation/g.back/_history", "g.back/2"},
			{"SMART-272", "the history of one outside", labs, "", "/Observation/g.moved/_history", "404"},
			{"SMART-272", "the history of a deleted one", labs, "", "/Observation/g.gone-lab/_history", "DELETE g.gone-lab/1"},
			{"SMART-272", "the history of a deleted one outside", labs, "", "/Observation/g.gone-vital/_history", "404"},
			{"SMART-273", "the history of a type", labs, "", "/Observation/_history", "DELETE g.back/2 g.gone-lab/1 g.lab/1 g.lab2/1"},
			{"SMART-274", "a search", labs, "", "/Observation", "g.back g.lab g.lab2"},
			{"SMART-274", "full resources under s alone", "user/Observation.s?category=http://c|lab", "", "/Observation", "g.back g.lab g.lab2"},
			{"SMART-274", "a search for what the constraint leaves out", labs, "", "/Observation?category=vital", ""},
			{"SMART-275", "a total", labs, "", "/Observation?_summary=count", "total 3"},
			{"SMART-277", "several types", labs + " user/Patient.rs", "", "/?_type=Observation,Patient", "g.1 g.2 g.back g.lab g.lab2"},
			{"SMART-277", "a named type without a scope", labs, "", "/?_type=Observation,Patient", "403"},
			{"SMART-278", "a compartment", labs + " user/Patient.rs", "", "/Patient/g.1/Observation", "g.back g.lab"},
			{"SMART-278", "all of a compartment", labs + " user/Patient.rs", "", "/Patient/g.1/*", "g.1 g.back g.lab"},
			{"SMART-279", "a chain over what is left out", labs + " user/DiagnosticReport.rs", "", "/DiagnosticReport?result.category=vital", ""},
			{"SMART-279", "a chain", labs + " user/DiagnosticReport.rs", "", "/DiagnosticReport?result.category=lab", "g.dr"},
			{"SMART-279", "a chain over a type without s", "user/Observation.r user/DiagnosticReport.rs", "", "/DiagnosticReport?result.category=lab", "403"},
			{"SMART-280", "_has over what is left out", labs + " user/Patient.rs", "", "/Patient?_has:Observation:patient:category=vital", ""},
			{"SMART-280", "_has", labs + " user/Patient.rs", "", "/Patient?_has:Observation:patient:category=lab", "g.1 g.2"},
			{"SMART-281", "an include", labs + " user/DiagnosticReport.rs", "", "/DiagnosticReport?_include=DiagnosticReport:result&_total=none", "g.dr g.ds g.lab"},
			{"SMART-281", "an include under r alone", "user/Observation.r?category=lab user/DiagnosticReport.rs", "", "/DiagnosticReport?_include=DiagnosticReport:result&_total=none", "g.dr g.ds g.lab"},
			{"SMART-282", "a reverse include", labs + " user/Patient.rs", "", "/Patient?_revinclude=Observation:patient&_total=none", "g.1 g.2 g.back g.lab g.lab2"},
			{"SMART-295", "$everything", labs + " user/Patient.rs", "", "/Patient/g.1/$everything", "g.1 g.back g.lab"},
			{"SMART-295", "$everything with a named type without a scope", labs + " user/Patient.rs", "", "/Patient/g.1/$everything?_type=Condition", "403"},
			{"SMART-298", "$lastn", labs, "", "/Observation/$lastn?patient=Patient/g.1&category=lab,vital&max=9", "g.back g.lab"},
			{"SMART-234", "a union of constraints", labs + " user/Observation.rs?category=vital", "", "/Observation", "g.back g.lab g.lab2 g.moved g.vital"},
			{"SMART-234", "a narrow and a wide scope", labs + " " + all, "", "/Observation?_summary=count", "total 5"},
			{"SMART-234", "letters with constraints of their own", "user/Observation.r?category=vital user/Observation.s?category=lab", "", "/Observation", "g.back g.lab g.lab2"},
			{"SMART-234", "a read by the other constraint", "user/Observation.r?category=vital user/Observation.s?category=lab", "", "/Observation/g.lab", "404"},
			{"SMART-238", "two parameters", "user/Observation.rs?category=lab&status=amended", "", "/Observation", ""},
			{"SMART-238", "a repeated parameter: both", "user/Observation.rs?category=lab&category=vital", "", "/Observation", ""},
			{"SMART-238", "two values: either", "user/Observation.rs?category=lab,vital", "", "/Observation?_summary=count", "total 5"},
			{"SMART-238", "a system", "user/Observation.rs?category=http://c|", "", "/Observation?_summary=count", "total 5"},
			{"SMART-238", "no system", "user/Observation.rs?category=|lab", "", "/Observation", ""},

			{"SMART-255", "the Patient in context", "patient/*.rs", "g.1", "/Patient", "g.1"},
			{"SMART-255", "another Patient", "patient/*.rs", "g.1", "/Patient/g.2", "404"},
			{"SMART-255", "the record", "patient/Observation.rs", "g.1", "/Observation", "g.back g.lab g.moved g.vital"},
			{"SMART-255", "the record by a constraint", "patient/Observation.rs?category=lab", "g.1", "/Observation", "g.back g.lab"},
			{"SMART-274", "a search for another patient", "patient/*.rs", "g.1", "/Observation?patient=Patient/g.2", ""},
			{"SMART-274", "a search for an unknown patient", "patient/*.rs", "g.1", "/Observation?patient=Patient/g.none", ""},
			{"SMART-278", "the compartment of another patient", "patient/*.rs", "g.1", "/Patient/g.2/Observation", ""},
			{"SMART-295", "$everything of another patient", "patient/*.rs", "g.1", "/Patient/g.2/$everything", "404"},
			{"SMART-242", "no patient in context", "patient/*.rs", "", "/Observation", "403"},
			{"SMART-242", "the level of clients", "patient/Patient.r system/*.rs", "g.1", "/Observation", "403"},
			{"SMART-255", "a patient in context who is hidden or unknown", "patient/*.rs", "g.none", "/Observation", ""},
			{"SMART-258", "the level user beside it", "patient/Observation.rs user/Patient.rs", "g.1", "/Patient", "g.1 g.2"},
			{"SMART-264", "what is about another patient too", "patient/Appointment.rs", "g.1", "/Appointment", "g.one"},
			{"SMART-264", "its read", "patient/Appointment.rs", "g.1", "/Appointment/g.two", "404"},
			{"SMART-256", "a directory type", "patient/*.rs", "g.1", "/Organization", "g.org"},
			{"SMART-256", "another type without an owner", "patient/*.rs", "g.1", "/Questionnaire", ""},
			{"SMART-256", "reading a Practitioner", "patient/*.rs", "g.1", "/Practitioner/g.pr", "g.pr"},
			{"SMART-256", "listing Practitioners", "patient/*.rs", "g.1", "/Practitioner", "403"},
			{"SMART-256", "searching Practitioners by name", "patient/*.rs", "g.1", "/Practitioner?family=Hale", "403"},
			{"SMART-256", "by an identifier", "patient/*.rs", "g.1", "/Practitioner?identifier=s|1", "g.pr"},
			{"SMART-256", "by a system of identifiers", "patient/*.rs", "g.1", "/Practitioner?identifier=s|", "403"},
			{"SMART-256", "by all but an identifier", "patient/*.rs", "g.1", "/Practitioner?identifier:not=s|1", "403"},
			{"SMART-256", "by _id", "patient/*.rs", "g.1", "/Practitioner?_id=g.pr,g.pq", "g.pq g.pr"},
			{"SMART-256", "a chain over Practitioners", "patient/*.rs", "g.1", "/Observation?performer:Practitioner.name=Hale", "403"},
			{"SMART-256", "their history", "patient/*.rs", "g.1", "/Practitioner/_history", "403"},
			{"SMART-256", "several types by no name", "patient/*.rs", "g.1", "/?_type=Practitioner,Organization", "403"},
			{"SMART-256", "an include", "patient/*.rs", "g.1", "/Observation?_include=Observation:performer&category=lab&_total=none", "g.back g.lab g.pr"},
			{"SMART-256", "under the level user", "patient/*.rs user/Practitioner.rs", "g.1", "/Practitioner?family=Hale", "g.pr"},
		} {
			w := send(h, "GET", c.path, "", "Authorization: "+c.scopes, "X-Test-Context: "+c.context)
			if got := found(w); got != c.want {
				t.Errorf("%s: %s: %s with %s (%s): got %q, want %q: %.300s", c.id, c.what, c.path, c.scopes, c.context, got, c.want, w.Body)
			}
			if form, ok := strings.CutPrefix(c.path, "/Observation?"); ok && w.Code == 200 {
				if got := found(send(h, "POST", "/Observation/_search", form, "Authorization: "+c.scopes, "X-Test-Context: "+c.context, "Content-Type: application/x-www-form-urlencoded")); got != c.want {
					t.Errorf("%s: %s: POST _search %s: got %q, want %q", c.id, c.what, form, got, c.want)
				}
			}
		}
	})
}

// TestFHIRUser: the one resource that fhirUser names can be read without a scope on its type, and nothing else (SMART-261).
func TestFHIRUser(t *testing.T) {
	h := scopedRecord(t, storetest.NewReference(time.Now))
	for path, want := range map[string]string{
		"/Practitioner/g.pr": "g.pr", "/Practitioner/g.pr/_history/1": "g.pr", "/Practitioner/g.pq": "403", "/Practitioner": "403", "/Practitioner?_id=g.pr": "403",
		"/Practitioner/g.pr/_history": "403", "/Organization/g.org": "403", "/Practitioner/g.pr/$meta": "403", "/Observation/g.lab": "g.lab",
		"/Observation?_include=Observation:performer&category=lab&_total=none": "g.back g.lab g.lab2",
	} {
		if got := found(send(h, "GET", path, "", "Authorization: user/Observation.rs", "X-Test-User: Practitioner/g.pr")); got != want {
			t.Errorf("SMART-261: %s: got %q, want %q", path, got, want)
		}
	}
	narrow := []string{"Authorization: patient/Observation.rs patient/Patient.r", "X-Test-Context: g.1", "X-Test-User: Patient/g.2"}
	if got := found(send(h, "GET", "/Patient/g.2", "", narrow...)); got != "g.2" {
		t.Errorf("SMART-261: a fhirUser outside the scopes of its type: got %q", got)
	}
	if got := found(send(h, "GET", "/Patient/g.2", "", narrow[:2]...)); got != "404" {
		t.Errorf("SMART-261: without fhirUser: got %q", got)
	}
}

// TestScopedBatch: each entry of a batch is decided by itself, and one refusal fails a transaction (SMART-293, SMART-294).
func TestScopedBatch(t *testing.T) {
	h := scopedRecord(t, storetest.NewReference(time.Now))
	entry := func(method, url string) string {
		return `{"request":{"method":"` + method + `","url":"` + url + `"}}`
	}
	bundle := func(kind string, entries ...string) string {
		return `{"resourceType":"Bundle","type":"` + kind + `","entry":[` + strings.Join(entries, ",") + `]}`
	}
	const labs = "Authorization: user/Observation.rs?category=lab"
	w := send(h, "POST", "", bundle("batch", entry("GET", "Observation/g.lab"), entry("GET", "Observation/g.vital"), entry("GET", "Patient/g.1"), entry("GET", "Observation?_summary=count")), labs)
	if got := gjson.Get(w.Body.String(), "entry.#.response.status").Raw; got != `["200 OK","404 Not Found","403 Forbidden","200 OK"]` || gjson.Get(w.Body.String(), "entry.3.resource.total").Int() != 3 {
		t.Errorf("SMART-293: got %s %s", got, w.Body)
	}
	observation := func(id, category string) string {
		return `{"resource":{"resourceType":"Observation","id":"` + id + `","status":"final",` + category + `,"code":{"text":"x"}},"request":{"method":"POST","url":"Observation"}}`
	}
	const writer = "Authorization: system/Observation.cruds?category=lab"
	if w := send(h, "POST", "", bundle("transaction", observation("a", lab), observation("b", vital)), writer); w.Code != 403 || !strings.Contains(w.Body.String(), "Bundle.entry[1]") {
		t.Errorf("SMART-294: a transaction with an entry outside the constraint: %d %s", w.Code, w.Body)
	}
	if got := found(send(h, "GET", "/Observation", "", writer)); got != "g.back g.lab g.lab2" {
		t.Errorf("SMART-294: a refused transaction has written: %s", got)
	}
	if w := send(h, "POST", "", bundle("transaction", observation("a", lab), observation("b", lab)), writer); w.Code != 200 {
		t.Errorf("SMART-294: a transaction within the constraint: %d %s", w.Code, w.Body)
	}
}
