package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/consent"
	"carerecord/consent/reindex"
	"carerecord/fhir/rest"
	"carerecord/store"
	"carerecord/store/pebble"
	"carerecord/store/storetest"
)

// defining is a record in which search parameters are defined. Documents are
// walked when a test says so.
type defining struct {
	t     testing.TB
	db    engine
	guard *consent.Guard
	http.Handler
}

type engine interface {
	store.Store
	store.State
}

// onBoth runs a test on the reference store and on the embedded engine.
func onBoth(t *testing.T, f func(*defining)) {
	t.Run("reference", func(t *testing.T) { f(define(t, storetest.NewReference(time.Now))) })
	t.Run("pebble", func(t *testing.T) {
		db, err := pebble.Open(pebble.Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		f(define(t, db))
	})
}

// define opens the record, as a server does that is started.
func define(t testing.TB, db engine) *defining {
	d := &defining{t: t, db: db}
	d.Handler = guarded(t, db, func(c *consent.Config) { c.State = db }, func(c *rest.Config) { d.guard = c.Guard })
	return d
}

// walk walks to the end; between pages f is called.
func (d *defining) walk(f func(reindex.Walk) error) error {
	return reindex.New(d.guard, d.db, time.Now).Parameters(context.Background(), func(_ context.Context, at reindex.Walk) error {
		if f == nil {
			return nil
		}
		return f(at)
	})
}

func (d *defining) complete() {
	d.t.Helper()
	if err := d.walk(nil); err != nil {
		d.t.Fatal(err)
	}
}

func (d *defining) want(status int, method, path, body string, header ...string) *httptest.ResponseRecorder {
	d.t.Helper()
	w := send(d, method, path, body, header...)
	if w.Code != status {
		d.t.Fatalf("%s %s: got %d %.400s, want %d", method, path, w.Code, w.Body, status)
	}
	return w
}

// add stores a resource and returns its id.
func (d *defining) add(typ, members string) string {
	d.t.Helper()
	w := d.want(201, "POST", "/"+typ, `{"resourceType":"`+typ+`",`+members+`}`)
	return gjson.Get(w.Body.String(), "id").Str
}

// found are the ids of the matches of a search, sorted.
func (d *defining) found(search string) []string {
	d.t.Helper()
	var ids []string
	for _, e := range gjson.Get(d.want(200, "GET", "/"+search, "").Body.String(), `entry.#(search.mode=="match")#.resource.id`).Array() {
		ids = append(ids, e.Str)
	}
	slices.Sort(ids)
	return ids
}

// indexing asks that a search be refused with a word of indexing, under strict and
// lenient handling alike.
func (d *defining) indexing(search string) {
	d.t.Helper()
	for _, handling := range []string{"Prefer: handling=lenient", "Prefer: handling=strict"} {
		w := send(d, "GET", "/"+search, "", handling)
		if w.Code != 400 || gjson.Get(w.Body.String(), "issue.0.code").Str != "not-supported" || !strings.Contains(w.Body.String(), "indexing") {
			d.t.Errorf("SRCH-243: %s: got %d %.300s, want 400 not-supported that says indexing", search, w.Code, w.Body)
		}
	}
}

// defines reports whether metadata lists a parameter of Patient, with its ETag.
func (d *defining) defines(url string) (bool, string) {
	d.t.Helper()
	w := d.want(200, "GET", "/metadata", "")
	listed := gjson.Get(w.Body.String(), `rest.0.resource.#(type=="Patient").searchParam.#(definition=="`+url+`").name`).Exists()
	return listed, w.Header().Get("ETag")
}

// definition is a SearchParameter.
func definition(id, status, code, kind, expression string, bases ...string) string {
	return fmt.Sprintf(`{"resourceType":"SearchParameter","id":%q,"url":"http://a.test/SearchParameter/%s","name":"N","status":%q,"description":"d","code":%q,"base":["%s"],"type":%q,"expression":%q}`,
		id, id, status, code, strings.Join(bases, `","`), kind, expression)
}

const nickname = "Patient.name.where(use = 'nickname').given"

// TestDefinedParameter follows one from its definition to its end: SRCH-240, 243,
// 244, 245.
func TestDefinedParameter(t *testing.T) {
	onBoth(t, func(d *defining) {
		bob := d.add("Patient", `"name":[{"use":"nickname","given":["Bob"]}]`)
		d.add("Patient", `"name":[{"use":"official","given":["Bob"]}]`)
		o := d.add("Observation", `"status":"final","code":{"text":"x"},"subject":{"reference":"Patient/`+bob+`"}`)
		_, before := d.defines("")
		if w := send(d, "GET", "/Patient?nickname=bob", "", "Prefer: handling=strict"); w.Code != 400 || strings.Contains(w.Body.String(), "indexing") {
			t.Errorf("before it is defined: %d %s", w.Code, w.Body)
		}
		d.want(201, "PUT", "/SearchParameter/nick", definition("nick", "active", "nickname", "string", nickname, "Patient"))
		d.want(201, "PUT", "/SearchParameter/of", definition("of", "active", "of-patient", "reference", "Observation.subject.where(resolve() is Patient)", "Observation"))
		asks := []string{"Patient?nickname=bob", "Patient?nickname:exact=Bob", "Patient?nickname:missing=true", "Observation?subject:Patient.nickname=bob", "Observation?patient.nickname=bob",
			"Patient?_sort=nickname", "Patient?_sort=-nickname,_id", "Patient?_filter=nickname%20eq%20bob", "Patient?_filter=active%20eq%20true%20or%20nickname%20sw%20bob", "Observation?of-patient=1", "Observation?of-patient.family=x",
			"Observation?_filter=of-patient.family%20eq%20x", "Observation?_include=Observation:of-patient", "Patient?_revinclude=Observation:of-patient", "Patient?_has:Observation:of-patient:status=final",
			"Patient?_has:Observation:patient:of-patient=1", "Practitioner?_has:Patient:general-practitioner:nickname=bob", "?_type=Patient&nickname=bob"}
		for _, request := range asks {
			d.indexing(request)
		}
		if w := send(d, "POST", "/Patient", `{"resourceType":"Patient"}`, "If-None-Exist: nickname=bob"); w.Code != 400 || !strings.Contains(w.Body.String(), "indexing") {
			t.Errorf("SRCH-243: criteria while it is indexing: %d %s", w.Code, w.Body)
		}
		if w := d.want(200, "GET", "/Observation?_id="+o+"&_include=Observation:*", ""); strings.Count(w.Body.String(), "fullUrl") != 2 {
			t.Errorf("a wildcard goes by what is complete: %s", w.Body)
		}
		if listed, etag := d.defines("http://a.test/SearchParameter/nick"); listed || etag != before {
			t.Errorf("SRCH-243: metadata lists a parameter that is indexing: %v, ETag %s, was %s", listed, etag, before)
		}
		late := d.add("Patient", `"name":[{"use":"nickname","given":["Bobby"]}]`)
		d.complete()
		for _, request := range asks {
			d.want(200, "GET", "/"+request, "")
		}
		if got, want := d.found("Patient?nickname=bob"), sorted(bob, late); !slices.Equal(got, want) {
			t.Errorf("SRCH-244: got %v, want %v", got, want)
		}
		if got := d.found("Observation?of-patient.nickname=bob"); !slices.Equal(got, []string{o}) {
			t.Errorf("a chain by two of them: got %v", got)
		}
		listed, etag := d.defines("http://a.test/SearchParameter/nick")
		if !listed || etag == before {
			t.Errorf("SRCH-243: complete, metadata lists it: %v, ETag %s, was %s", listed, etag, before)
		}

		// What says nothing new keeps its index.
		d.want(200, "PUT", "/SearchParameter/nick", strings.Replace(definition("nick", "active", "nickname", "string", nickname, "Patient"), `"d"`, `"other"`, 1))
		d.want(200, "POST", "/SearchParameter/nick/$meta-add", `{"resourceType":"Parameters","parameter":[{"name":"meta","valueMeta":{"tag":[{"code":"x"}]}}]}`)
		if got := d.found("Patient?nickname=bobby"); !slices.Equal(got, []string{late}) {
			t.Errorf("after a new description: got %v", got)
		}
		// Another expression is another index (SRCH-245).
		number := d.guard.Parameters()[1].Number
		d.want(200, "PATCH", "/SearchParameter/nick", `[{"op":"replace","path":"/expression","value":"Patient.name.where(use = 'official').given"}]`, "Content-Type: application/json-patch+json")
		d.indexing("Patient?nickname=bob")
		for _, p := range d.guard.Parameters() {
			if p.Number == number {
				t.Errorf("SRCH-245: the number %d answers for another expression", number)
			}
		}
		d.complete()
		if got := d.found("Patient?nickname=bob"); len(got) != 1 || got[0] == bob {
			t.Errorf("SRCH-245: after another expression: got %v", got)
		}
		// Retired, it is gone at once; active again, it is indexed anew.
		d.want(200, "PUT", "/SearchParameter/nick", definition("nick", "retired", "nickname", "string", nickname, "Patient"))
		d.removed("http://a.test/SearchParameter/nick")
		d.want(200, "PUT", "/SearchParameter/nick", definition("nick", "active", "nickname", "string", nickname, "Patient"))
		d.indexing("Patient?nickname=bob")
		d.complete()
		if got, want := d.found("Patient?nickname=bob"), sorted(bob, late); !slices.Equal(got, want) {
			t.Errorf("SRCH-245: defined again: got %v, want %v", got, want)
		}
		d.want(204, "DELETE", "/SearchParameter?url=http://a.test/SearchParameter/nick", "")
		d.removed("http://a.test/SearchParameter/nick")
		d.sound()
		next := define(d.t, d.db) // a restart forgets what was retired; its keys are no fault
		next.removed("http://a.test/SearchParameter/nick")
		next.sound()
	})
}

func sorted(ids ...string) []string {
	slices.Sort(ids)
	return ids
}

// removed: the parameter nickname is unknown, as it was before.
func (d *defining) removed(url string) {
	d.t.Helper()
	if w := send(d, "GET", "/Patient?nickname=bob", "", "Prefer: handling=strict"); w.Code != 400 || strings.Contains(w.Body.String(), "indexing") {
		d.t.Errorf("SRCH-245: asked for what is gone: %d %s", w.Code, w.Body)
	}
	if w := d.want(200, "GET", "/Patient?nickname=nobody-at-all&_count=1", ""); !strings.Contains(w.Body.String(), "It was ignored") {
		d.t.Errorf("SRCH-245: lenient, what is gone is ignored as any unknown name: %s", w.Body)
	}
	if listed, _ := d.defines(url); listed {
		d.t.Error("SRCH-245: metadata lists what is gone")
	}
}

// sound holds every document against a rebuild.
func (d *defining) sound() {
	d.t.Helper()
	if _, err := reindex.Verify(context.Background(), d.guard, func(fault error) { d.t.Error(fault) }); err != nil {
		d.t.Error(err)
	}
}

// TestDefinitionsRefused: SRCH-240, 241, by every form of writing.
func TestDefinitionsRefused(t *testing.T) {
	onBoth(t, func(d *defining) {
		d.want(201, "PUT", "/SearchParameter/nick", definition("nick", "active", "nickname", "string", nickname, "Patient"))
		refused := func(status int, code, element string, w *httptest.ResponseRecorder) {
			t.Helper()
			issue := gjson.Get(w.Body.String(), "issue.0")
			if w.Code != status || issue.Get("code").Str != code || issue.Get("expression.0").Str != element {
				t.Errorf("got %d %s, want %d %s at %s", w.Code, w.Body, status, code, element)
			}
		}
		put := func(body string) *httptest.ResponseRecorder { return send(d, "PUT", "/SearchParameter/x", body) }
		refused(422, "invariant", "SearchParameter.expression", put(definition("x", "active", "y", "string", "Patient.subject.resolve().name", "Patient")))
		refused(422, "invariant", "SearchParameter.expression", put(definition("x", "active", "y", "string", "Patient.name.given", "Patient", "Observation")))
		refused(422, "invariant", "SearchParameter.type", put(definition("x", "active", "y", "composite", "Patient", "Patient")))
		refused(422, "invariant", "SearchParameter.xpathUsage", put(strings.Replace(definition("x", "active", "y", "string", "Patient.name.given", "Patient"), `"base"`, `"xpathUsage":"phonetic","base"`, 1)))
		refused(409, "duplicate", "SearchParameter.code", put(definition("x", "active", "nickname", "string", "Patient.name.given", "Patient")))
		refused(409, "duplicate", "SearchParameter.code", put(definition("x", "active", "NickName", "string", "Patient.name.given", "Patient")))
		refused(409, "duplicate", "SearchParameter.code", put(definition("x", "active", "nickname", "string", "Person.name.given | Patient.name.given", "Person", "Patient")))
		refused(409, "duplicate", "SearchParameter.code", put(definition("x", "active", "nickname", "token", "Resource.language", "Resource")))
		refused(409, "duplicate", "SearchParameter.code", put(definition("x", "active", "Family", "string", "Patient.name.family", "Patient")))
		refused(409, "duplicate", "SearchParameter.code", send(d, "POST", "/SearchParameter", definition("y", "active", "nickname", "string", "Patient.name.given", "Patient")))

		for _, path := range []string{"/SearchParameter/$validate", "/SearchParameter/x/$validate"} {
			w := d.want(200, "POST", path, definition("x", "active", "nickname", "string", nickname, "Patient"))
			if gjson.Get(w.Body.String(), "issue.0.code").Str != "duplicate" {
				t.Errorf("%s: %s", path, w.Body)
			}
		}
		if w := d.want(200, "POST", "/SearchParameter/nick/$validate", definition("nick", "active", "nickname", "string", nickname, "Patient")); !strings.Contains(w.Body.String(), "would be accepted") {
			t.Errorf("of what stands: %s", w.Body)
		}
		d.want(201, "PUT", "/SearchParameter/x", definition("x", "draft", "nickname", "string", "Patient.subject.resolve().name", "Patient"))
		d.want(200, "PUT", "/SearchParameter/x", definition("x", "draft", "nickname", "string", nickname, "Patient"))
		refused(409, "duplicate", "SearchParameter.code", send(d, "PATCH", "/SearchParameter/x", `[{"op":"replace","path":"/status","value":"active"}]`, "Content-Type: application/json-patch+json"))
		bundle := func(kind string, entries ...string) string {
			return `{"resourceType":"Bundle","type":"` + kind + `","entry":[` + strings.Join(entries, ",") + `]}`
		}
		entry := func(id, body string) string {
			return `{"resource":` + body + `,"request":{"method":"PUT","url":"SearchParameter/` + id + `"}}`
		}
		refused(409, "duplicate", "Bundle.entry[1].resource.code", send(d, "POST", "", bundle("transaction",
			entry("a", definition("a", "active", "other", "string", nickname, "Patient")), entry("b", definition("b", "active", "Other", "string", nickname, "Patient")))))
		d.want(404, "GET", "/SearchParameter/a", "")
		if w := d.want(200, "POST", "", bundle("batch", entry("c", definition("c", "active", "nickname", "string", nickname, "Patient")))); gjson.Get(w.Body.String(), "entry.0.response.status").Str[:3] != "409" {
			t.Errorf("in a batch: %s", w.Body)
		}
		// A name changes hands in one transaction, whatever the order of its entries.
		d.want(200, "POST", "", bundle("transaction", entry("x", definition("x", "active", "nickname", "string", nickname, "Patient")), entry("nick", definition("nick", "retired", "nickname", "string", nickname, "Patient"))))
		if list := d.guard.Parameters(); len(list) != 1 || list[0].ID != "x" {
			t.Errorf("after a name changed hands: %+v", list)
		}
	})
}
