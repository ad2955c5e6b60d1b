package definitions

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/r4"
	"carerecord/store"
)

const (
	nickname = "name.where(use = 'nickname').given" // of Patient and Practitioner
	family   = "name.family"
)

var start = time.Date(2025, 4, 1, 9, 0, 0, 0, time.UTC)

func newIndexer(t testing.TB) *index.Indexer {
	t.Helper()
	x, err := index.New(index.Config{Base: "https://record.test/fhir"})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// stored returns a version of a SearchParameter.
func stored(id, status, code, kind, expression string, bases ...string) store.Doc {
	body := fmt.Sprintf(`{"resourceType":"SearchParameter","id":%q,"url":"http://a.test/%s","status":%q,"code":%q,"type":%q,"expression":%q,"base":["%s"]}`,
		id, id, status, code, kind, expression, strings.Join(bases, `","`))
	return store.Doc{Ref: store.Ref{Type: Type, ID: id}, Version: 1, Updated: start, Origin: store.Upserted, Body: []byte(body)}
}

func status(err error) int {
	var e *fhir.Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// TestRead: a SearchParameter defines one parameter for each base type while its status is active.
func TestRead(t *testing.T) {
	tombstone := stored("a", "active", "nick", "string", nickname, "Patient")
	tombstone.Origin = store.Deleted
	usage := stored("a", "active", "nick", "string", nickname, "Patient")
	usage.Body = append(usage.Body[:len(usage.Body)-1], `,"xpathUsage":"phonetic"}`...)
	for _, c := range []struct {
		name   string
		doc    store.Doc
		want   []string
		status int
	}{
		{"SRCH-240 an active definition", stored("a", "active", "nick", "string", nickname, "Patient"), []string{"Patient"}, 0},
		{"SRCH-240 each base once, sorted", stored("a", "active", "nick", "string", nickname, "Practitioner", "Patient", "Practitioner"), []string{"Patient", "Practitioner"}, 0},
		{"SRCH-245 a draft defines nothing", stored("a", "draft", "nick", "string", nickname, "Patient"), nil, 0},
		{"SRCH-245 a retired definition defines nothing", stored("a", "retired", "nick", "string", nickname, "Patient"), nil, 0},
		{"SRCH-245 a tombstone defines nothing", tombstone, nil, 0},
		{"SRCH-240 another comparison than normal is refused", usage, nil, 422},
	} {
		def, err := read(c.doc, "")
		var types []string
		for _, p := range def.params {
			types = append(types, p.Type)
			if p.Phase != index.Indexing || p.Code != "nick" || p.Kind != index.String {
				t.Errorf("%s: got parameter %+v, want an indexing string parameter nick", c.name, p)
			}
		}
		if diff := cmp.Diff(c.want, types); diff != "" || status(err) != c.status {
			t.Errorf("%s: got error %v, want status %d; types (-want +got):\n%s", c.name, err, c.status, diff)
		}
	}
	resource, _ := read(stored("a", "active", "x", "token", "id", "Resource"), "")
	domain, _ := read(stored("a", "active", "x", "token", "id", "DomainResource"), "")
	isBinary := func(p index.DefinedParam) bool { return p.Type == "Binary" }
	if len(resource.params) != len(r4.Resources()) || !slices.ContainsFunc(resource.params, isBinary) || slices.ContainsFunc(domain.params, isBinary) {
		t.Errorf("base Resource has %d types, DomainResource %d; want all %d, and DomainResource without Binary", len(resource.params), len(domain.params), len(r4.Resources()))
	}
}

// written returns a table after some SearchParameters were written, one after the other.
func written(t *testing.T, x *index.Indexer, table Table, now time.Time, docs ...store.Doc) Table {
	t.Helper()
	for _, d := range docs {
		def, err := read(d, "")
		if err != nil {
			t.Fatal(err)
		}
		if table, _, err = table.with(x, []definition{def}, now); err != nil {
			t.Fatal(err)
		}
	}
	return table
}

// spell returns the parameters of a table, each as type, code, number and phase.
func spell(table Table) string {
	var out []string
	for _, p := range table.List {
		out = append(out, fmt.Sprintf("%s %s %d %s", p.Type, p.Code, p.Number-index.FirstDefined, p.Phase))
	}
	return strings.Join(out, ", ")
}

// TestWith: a parameter keeps its number exactly while it has the same meaning (SRCH-245).
func TestWith(t *testing.T) {
	x := newIndexer(t)
	first := stored("a", "active", "nick", "string", nickname, "Patient")
	complete := written(t, x, Table{}, start, first).withComplete([]uint16{index.FirstDefined}, start)
	for _, c := range []struct {
		name, want string
		docs       []store.Doc
	}{
		{"the same definition keeps its number and phase", "Patient nick 0 complete", []store.Doc{first}},
		{"another expression gets a new number, and the old one is retired", "Patient nick 1 indexing, Patient nick 0 retired", []store.Doc{stored("a", "active", "nick", "string", family, "Patient")}},
		{"another kind too", "Patient nick 1 indexing, Patient nick 0 retired", []store.Doc{stored("a", "active", "nick", "token", nickname, "Patient")}},
		{"another code too", "Patient pet 1 indexing, Patient nick 0 retired", []store.Doc{stored("a", "active", "pet", "string", nickname, "Patient")}},
		{"a retired definition", "Patient nick 0 retired", []store.Doc{stored("a", "retired", "nick", "string", nickname, "Patient")}},
		{"numbers are not reused", "Patient nick 0 retired, Patient nick 1 indexing", []store.Doc{stored("a", "draft", "nick", "string", nickname, "Patient"), first}},
		{"a code that became free", "Patient nick 0 retired, Patient nick 1 indexing", []store.Doc{stored("a", "draft", "nick", "string", nickname, "Patient"), stored("b", "active", "nick", "string", nickname, "Patient")}},
		{"one more base keeps the first", "Patient nick 0 complete, Practitioner nick 1 indexing", []store.Doc{stored("a", "active", "nick", "string", nickname, "Patient", "Practitioner")}},
	} {
		if got := spell(written(t, x, complete, start, c.docs...)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	if got := spell(complete); got != "Patient nick 0 complete" {
		t.Errorf("with changed its receiver in place: %s", got)
	}
}

// TestWithRefuses: a definition that cannot be a parameter is refused and changes nothing.
func TestWithRefuses(t *testing.T) {
	x := newIndexer(t)
	table := written(t, x, Table{}, start, stored("a", "active", "nick", "string", nickname, "Patient"))
	full := table
	full.Next = index.LastDefined + 1
	for _, c := range []struct {
		name   string
		table  Table
		doc    store.Doc
		status int
		want   fhir.Issue
	}{
		{"SRCH-241 a code of another definition", table, stored("b", "active", "nick", "string", family, "Patient"), 409, fhir.Issue{Code: "duplicate", Expression: "entry[3].resource.code"}},
		{"SRCH-241 a code that differs in case only", table, stored("b", "active", "NICK", "string", family, "Patient"), 409, fhir.Issue{Code: "duplicate", Expression: "entry[3].resource.code"}},
		{"SRCH-241 a code of the standard", table, stored("b", "active", "birthdate", "date", "birthDate", "Patient"), 409, fhir.Issue{Code: "duplicate", Expression: "entry[3].resource.code"}},
		{"SRCH-240 an expression that is not FHIRPath", table, stored("b", "active", "pet", "string", "name.(", "Patient"), 422, fhir.Issue{Code: "invariant", Expression: "entry[3].resource.expression"}},
		{"SRCH-240 an unknown base", table, stored("b", "active", "pet", "string", nickname, "Nobody"), 422, fhir.Issue{Code: "invariant", Expression: "entry[3].resource.base"}},
		{"all numbers are used", full, stored("b", "active", "pet", "string", nickname, "Patient"), 422, fhir.Issue{Code: "invariant", Expression: "entry[3].resource.base"}},
	} {
		def, err := read(c.doc, "entry[3]")
		if err != nil {
			t.Fatal(err)
		}
		got, changes, err := c.table.with(x, []definition{def}, start)
		var e *fhir.Error
		if !errors.As(err, &e) || e.Status != c.status || changes || spell(got) != spell(c.table) {
			t.Errorf("%s: got %v, table %s, changed %v; want status %d and the same table", c.name, err, spell(got), changes, c.status)
			continue
		}
		e.Issues[0].Text = ""
		if diff := cmp.Diff([]fhir.Issue{c.want}, e.Issues); diff != "" {
			t.Errorf("%s: issues (-want +got):\n%s", c.name, diff)
		}
	}
}

// TestRetired: documents get keys of a retired parameter as long as a query may run that was planned with
// it, and State never has it.
func TestRetired(t *testing.T) {
	x := newIndexer(t)
	retired := written(t, x, Table{}, start, stored("a", "active", "nick", "string", nickname, "Patient"), stored("a", "retired", "nick", "string", nickname, "Patient"))
	for wait, want := range map[time.Duration]string{retiredFor: "Patient nick 0 retired", retiredFor + time.Second: ""} {
		if got := spell(retired.withoutRetired(start.Add(wait))); got != want {
			t.Errorf("after %v: got %q, want %q", wait, got, want)
		}
	}
	if got := retired.withComplete([]uint16{index.FirstDefined}, start); spell(got) != "Patient nick 0 retired" {
		t.Errorf("a walk that ends after the retirement: got %s", spell(got))
	}
	next := written(t, x, retired, start, stored("b", "active", "pet", "string", family, "Patient"))
	w := next.stateWrite()
	want := fmt.Sprintf(`{"next":%d,"list":[{"number":%d,"type":"Patient","code":"pet","url":"http://a.test/b","kind":"string","expression":%q,"phase":"indexing","id":"b","version":1}]}`,
		index.FirstDefined+2, index.FirstDefined+1, family)
	if w.Key != "index/parameters" || string(w.Value) != want {
		t.Errorf("State %s: got\n%s\nwant\n%s", w.Key, w.Value, want)
	}
}
