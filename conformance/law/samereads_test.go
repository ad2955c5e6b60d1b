package law_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"carerecord/consent"
	"carerecord/consent/consenttest"
	"carerecord/consent/policy"
	"carerecord/store"
	"carerecord/store/storetest"
)

// TestSameReads: a request for one resource makes the same calls of the store whether its id is hidden or unknown, whatever hides
// it, and gets the same answer (SMART-263, CON-1510, VIS-013).
func TestSameReads(t *testing.T) {
	counted := &countedStore{Store: storetest.NewReference(nil)}
	w := serve(t, counted, region{})
	defer closeServers(w)
	for n, q := range hiddenThings() {
		w.startRequest(n)
		by := "XGP01"
		if strings.Contains(q.path, "xac01.") {
			by = "XAC01"
		}
		if r := w.do(sourceSystem(by), q); r.Code >= 300 {
			t.Fatalf("%s: got %d %s", q, r.Code, r.Body)
		}
	}
	w.decider.Set(consenttest.Decision{Rules: []consenttest.Rule{{Trait: consenttest.Trait{Type: "Observation", Param: "code", Value: "ruled"}, Hide: true}}})
	for n, c := range sameReads() {
		t.Run(c.name, func(t *testing.T) {
			var want, answer string
			for i, id := range append([]string{c.unknown}, c.hidden...) {
				q := c.question
				q.path, q.body = strings.ReplaceAll(q.path, "%I", id), strings.ReplaceAll(q.body, "%I", id)
				w.startRequest(700 + n)
				counted.calls = nil
				r := w.do(c.by, q)
				got, text := counted.text(), strings.ReplaceAll(comparedText(r), id, "%I")
				if i == 0 {
					want, answer = got, text
					t.Logf("%s: %d, %s", q, r.Code, got)
					continue
				}
				if got != want {
					t.Errorf("%s\ncalls %s\nbut %s for an unknown id", q, got, want)
				}
				if text != answer {
					t.Errorf("%s is answered\n%s\nand an unknown id\n%s", q, text, answer)
				}
			}
		})
	}
}

// hiddenThings are the writes of a record in which XGP01 has what XAC01 may not see.
func hiddenThings() []question {
	put := func(typ, id, rest string) question {
		return question{method: "PUT", path: "/" + typ + "/" + id, body: `{"resourceType":"` + typ + `","id":"` + id + `"` + rest + `}`}
	}
	number := func(n string) string {
		return `,"identifier":[{"system":"` + nhsSystem + `","value":"` + n + `"}]`
	}
	row := func(id, patient, rest string) question {
		return put("Observation", id, `,"status":"final","code":{"coding":[{"system":"http://c","code":"one"}]},"subject":{"reference":"Patient/`+patient+`"}`+rest)
	}
	label := `,"meta":{"security":[{"system":"` + actCode + `","code":"R"}]}`
	directive := func(id, patient, category string) question {
		return put("Consent", id, `,"status":"active","scope":`+coding(consentScope, "patient-privacy")+`,"category":[`+category+`],"patient":{"reference":"Patient/`+patient+`"},"policyRule":`+coding(actCode, "OPTOUT"))
	}
	remove := func(path string) question { return question{method: "DELETE", path: path} }
	return []question{
		put("Patient", "xgp01.open", number("9990007772")), put("Patient", "xgp01.out", number("9990007780")), put("Patient", "xgp01.deny", ""), put("Patient", "xgp01.label", label), put("Patient", "xgp01.gone", number("9990007799")+label),
		put("Patient", "xgp01.outwithout", ""),
		row("xgp01.of-open", "xgp01.open", ""), row("xgp01.of-out", "xgp01.out", ""), row("xgp01.of-deny", "xgp01.deny", ""), row("xgp01.of-label", "xgp01.label", ""),
		row("xgp01.labelled", "xgp01.open", label), row("xgp01.of-nobody", "nobody", ""), row("xgp01.gone", "xgp01.out", ""), row("xgp01.gone-labelled", "xgp01.open", label),
		put("Observation", "xgp01.ruled", `,"status":"final","code":{"coding":[{"system":"http://c","code":"ruled"}]},"subject":{"reference":"Patient/xgp01.open"}`),
		put("Observation", "xgp01.amended", `,"status":"amended","code":{"coding":[{"system":"http://c","code":"one"}]},"subject":{"reference":"Patient/xgp01.open"}`),
		put("Observation", "xac01.amended", `,"status":"amended","code":{"coding":[{"system":"http://c","code":"one"}]},"subject":{"reference":"Patient/xgp01.open"}`),
		put("Observation", "xac01.gone", `,"status":"amended","code":{"coding":[{"system":"http://c","code":"one"}]},"subject":{"reference":"Patient/xgp01.open"}`),
		put("Encounter", "xgp01.of-out", `,"status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/xgp01.out"}`),
		put("Encounter", "xgp01.planned", `,"status":"planned","class":{"code":"AMB"},"subject":{"reference":"Patient/xgp01.open"}`),
		directive("xgp01.c1", "xgp01.out", coding("http://snomed.info/sct", "416409005")), directive("xgp01.c2", "xgp01.deny", coding("http://loinc.org", "59284-0")), directive("xgp01.c3", "xgp01.outwithout", coding("http://snomed.info/sct", "416409005")),
		put("Binary", "xgp01.of-out", `,"contentType":"text/plain","data":"eA=="`), put("Binary", "xgp01.superseded", `,"contentType":"text/plain","data":"eA=="`),
		put("DocumentReference", "xgp01.of-out", `,"status":"current","content":[{"attachment":{"url":"Binary/xgp01.of-out"}}],"subject":{"reference":"Patient/xgp01.out"}`),
		put("DocumentReference", "xgp01.superseded", `,"status":"superseded","content":[{"attachment":{"url":"Binary/xgp01.superseded"}}],"subject":{"reference":"Patient/xgp01.open"}`),
		put("Group", "xgp01.two", `,"type":"person","actual":true,"member":[{"entity":{"reference":"Patient/xgp01.out"}},{"entity":{"reference":"Patient/xgp01.open"}}]`),
		put("Practitioner", "xgp01.staff", ""), put("Practitioner", "xgp01.other", ""),
		row("xgp01.gone-full", "xgp01.out", `,"encounter":{"reference":"Encounter/xgp01.of-out"},"performer":[{"reference":"Practitioner/xgp01.staff"},{"reference":"Practitioner/xgp01.other"}],"hasMember":[{"reference":"Observation/xgp01.of-out"}]`),
		put("Observation", "xgp01.gone-number", `,"status":"final","code":{"coding":[{"system":"http://c","code":"one"}]},"subject":{"identifier":{"system":"`+nhsSystem+`","value":"9990007780"}}`),
		put("Observation", "xgp01.gone-encounter", `,"status":"final","code":{"coding":[{"system":"http://c","code":"one"}]},"encounter":{"reference":"Encounter/xgp01.of-out"},"subject":{"reference":"Patient/xgp01.out"}`),
		put("Provenance", "xgp01.gone", `,"recorded":"2020-01-01T00:00:00Z","agent":[{"who":{"display":"x"}}],"target":[{"reference":"Observation/xgp01.of-out"}]`),
		remove("/Provenance/xgp01.gone"), remove("/Observation/xgp01.gone-full"), remove("/Observation/xgp01.gone-number"), remove("/Observation/xgp01.gone-encounter"),
		put("Observation", "xgp01.gone-amended", `,"status":"amended","code":{"coding":[{"system":"http://c","code":"one"}]},"subject":{"reference":"Patient/xgp01.open"}`), remove("/Observation/xgp01.gone-amended"),
		remove("/Observation/xgp01.gone"), remove("/Observation/xgp01.gone-labelled"), remove("/Patient/xgp01.gone"), remove("/Observation/xac01.gone"),
	}
}

// readsCase is a request for one id, %I, by somebody for whom all of some ids are hidden.
type readsCase struct {
	name     string
	by       consent.Principal
	question question
	unknown  string
	hidden   []string
}

// sameReads has the interactions of one resource, for staff, source systems and patients.
func sameReads() []readsCase {
	staff := staffMember("XAC01", "user/Patient.cruds user/Observation.cruds?status=final user/Encounter.cruds?status=finished user/Consent.cruds user/Group.rs user/Binary.rs user/Provenance.rs user/DocumentReference.rs?status=current", policy.ActivityOptOut)
	feed, narrow := sourceSystem("XAC01"), sourceSystem("XAC01")
	narrow.Scopes = scopes("system/Patient.cruds system/Observation.cruds?status=final")
	own := patient("xgp01.open", "patient/*.cruds")
	rows := []string{"xgp01.of-out", "xgp01.of-deny", "xgp01.of-label", "xgp01.labelled", "xgp01.of-nobody", "xgp01.ruled", "xgp01.amended", "xgp01.gone", "xgp01.gone-labelled", "xgp01.gone-full", "xgp01.gone-number", "xgp01.gone-encounter", "xgp01.gone-amended"}
	others := []string{"xgp01.of-out", "xgp01.of-deny", "xgp01.of-label", "xgp01.of-nobody", "xgp01.gone", "xgp01.gone-full", "xgp01.gone-number"}
	foreign := []string{"xgp01.of-open", "xgp01.of-out", "xgp01.labelled", "xgp01.gone"}
	patients := []string{"xgp01.out", "xgp01.deny", "xgp01.label", "xgp01.gone", "xgp01.outwithout"}
	var out []readsCase
	for _, q := range questionsOfOne("Observation") {
		out = append(out, readsCase{"staff " + q.String(), staff, q, "xgp01.never", rows}, readsCase{"patient " + q.String(), own, q, "xgp01.never", others},
			readsCase{"feed " + q.String(), feed, q, "xgp01.never", foreign}, readsCase{"feed with a constraint " + q.String(), narrow, q, "xac01.never", []string{"xac01.amended", "xac01.gone"}})
	}
	for _, q := range questionsOfOne("Patient") {
		out = append(out, readsCase{"staff " + q.String(), staff, q, "xgp01.never", patients}, readsCase{"patient " + q.String(), own, q, "xgp01.never", patients},
			readsCase{"feed " + q.String(), feed, q, "xgp01.never", append(slices.Clone(patients), "xgp01.open")})
	}
	for _, path := range []string{"/Patient/%I/$everything", "/Patient/%I/Observation", "/Patient/%I/*", "/Patient/%I/$sources"} {
		q := question{method: "GET", path: path}
		out = append(out, readsCase{"staff " + path, staff, q, "xgp01.never", patients}, readsCase{"patient " + path, own, q, "xgp01.never", patients}, readsCase{"feed " + path, feed, q, "xgp01.never", append(slices.Clone(patients), "xgp01.open")})
	}
	for _, path := range []string{"/Binary/%I", "/Group/%I", "/Provenance/%I"} {
		q := question{method: "GET", path: path}
		id := map[string][]string{"/Binary/%I": {"xgp01.of-out", "xgp01.superseded"}, "/Group/%I": {"xgp01.two"}, "/Provenance/%I": {"xgp01.gone"}}[path]
		out = append(out, readsCase{"staff " + path, staff, q, "xgp01.never", id})
	}
	for _, path := range []string{"/Encounter/%I/$everything", "/Encounter/%I/Observation"} {
		q := question{method: "GET", path: path}
		out = append(out, readsCase{"staff " + path, staff, q, "xgp01.never", []string{"xgp01.of-out", "xgp01.planned"}}, readsCase{"feed " + path, feed, q, "xgp01.never", []string{"xgp01.of-out", "xgp01.planned"}})
	}
	return out
}

// questionsOfOne has the interactions with one resource of a type.
func questionsOfOne(typ string) []question {
	at := "/" + typ + "/%I"
	body := `{"resourceType":"` + typ + `","id":"%I"}`
	if typ == "Observation" {
		body = `{"resourceType":"Observation","id":"%I","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/xgp01.open"}}`
	}
	patch := `[{"op":"add","path":"/language","value":"en"}]`
	return []question{
		{method: "GET", path: at}, {method: "HEAD", path: at}, {method: "GET", path: at + "/_history/1"}, {method: "GET", path: at + "/_history/2"}, {method: "GET", path: at + "/_history"},
		{method: "GET", path: at, header: []string{"If-None-Match", `W/"1"`}}, {method: "GET", path: at + "/$meta"}, {method: "GET", path: at + "/_history/1/$meta"},
		{method: "PUT", path: at, body: body}, {method: "PUT", path: at, body: body, header: []string{"If-Match", `W/"1"`}}, {method: "DELETE", path: at},
		{method: "PATCH", path: at, body: patch, header: []string{"Content-Type", "application/json-patch+json"}},
		{method: "POST", path: at + "/$meta-add", body: `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"system":"http://t","code":"a"}]}}]}`},
		{method: "PUT", path: "/" + typ + "?_id=%I", body: body}, {method: "DELETE", path: "/" + typ + "?_id=%I"}, {method: "PATCH", path: "/" + typ + "?_id=%I", body: patch, header: []string{"Content-Type", "application/json-patch+json"}},
		{method: "GET", path: "/" + typ + "?_id=%I"},
	}
}

// countedStore is a store that counts the calls of its snapshots and its commits.
type countedStore struct {
	store.Store
	calls map[string]int
}

func (s *countedStore) count(call string) {
	if s.calls == nil {
		s.calls = map[string]int{}
	}
	s.calls[call]++
}

// text returns the counts since calls was set to nil.
func (s *countedStore) text() string { return fmt.Sprint(s.calls) }

// Read implements store.Store.
func (s *countedStore) Read(ctx context.Context, f func(store.Snapshot) error) error {
	s.count("Read")
	return s.Store.Read(ctx, func(snap store.Snapshot) error { return f(countedSnapshot{snap, s}) })
}

// Commit implements store.Store.
func (s *countedStore) Commit(ctx context.Context, b store.Batch) (uint64, error) {
	s.count("Commit")
	return s.Store.Commit(ctx, b)
}

// countedSnapshot counts its calls.
type countedSnapshot struct {
	store.Snapshot
	of *countedStore
}

func (s countedSnapshot) Get(ctx context.Context, ref store.Ref) (store.Doc, error) {
	s.of.count("Get")
	return s.Snapshot.Get(ctx, ref)
}

func (s countedSnapshot) Version(ctx context.Context, ref store.Ref, version uint64) (store.Doc, error) {
	s.of.count("Version")
	return s.Snapshot.Version(ctx, ref, version)
}

func (s countedSnapshot) All(ctx context.Context, refs []store.Ref) iter.Seq2[store.Doc, error] {
	s.of.count("All")
	return s.Snapshot.All(ctx, refs)
}

func (s countedSnapshot) Scan(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] {
	s.of.count("Scan")
	return s.Snapshot.Scan(ctx, q)
}

func (s countedSnapshot) Count(ctx context.Context, q store.Query, most int) (int, error) {
	s.of.count("Count")
	return s.Snapshot.Count(ctx, q, most)
}

func (s countedSnapshot) History(ctx context.Context, q store.HistoryQuery) iter.Seq2[store.Doc, error] {
	s.of.count("History")
	return s.Snapshot.History(ctx, q)
}
