package rest_test

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/fhir/index"
	"carerecord/fhir/rest"
	"carerecord/store"
	"carerecord/store/mongo"
	"carerecord/store/mongo/mongotest"
	"carerecord/store/pebble"
	"carerecord/store/storetest"
)

// touching counts what is read of a store: documents that a scan yields, looks at one
// document, and questions.
type touching struct {
	store.Store
	docs, asked int
}

type touchedSnap struct {
	store.Snapshot
	of *touching
}

func (s *touching) Read(ctx context.Context, f func(store.Snapshot) error) error {
	return s.Store.Read(ctx, func(snap store.Snapshot) error { return f(touchedSnap{snap, s}) })
}

func (s touchedSnap) Get(ctx context.Context, ref store.Ref) (store.Doc, error) {
	s.of.docs++
	s.of.asked++
	return s.Snapshot.Get(ctx, ref)
}

func (s touchedSnap) All(ctx context.Context, refs []store.Ref) iter.Seq2[store.Doc, error] {
	return s.touch(s.Snapshot.All(ctx, refs))
}

func (s touchedSnap) Scan(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] {
	return s.touch(s.Snapshot.Scan(ctx, q))
}

func (s touchedSnap) touch(all iter.Seq2[store.Doc, error]) iter.Seq2[store.Doc, error] {
	s.of.asked++
	return func(yield func(store.Doc, error) bool) {
		for d, err := range all {
			s.of.docs++
			if !yield(d, err) {
				return
			}
		}
	}
}

// joined fills a store with n patients, every second one male and every tenth a Fox,
// each with an encounter, five observations of two practitioners, and three conditions.
func joined(t testing.TB, h http.Handler, n int) {
	t.Helper()
	put := func(entries []string) {
		body := `{"resourceType":"Bundle","type":"transaction","entry":[` + strings.Join(entries, ",") + `]}`
		if w := send(h, "POST", "/", body); w.Code != 200 {
			t.Fatalf("load: %d %.300s", w.Code, w.Body)
		}
	}
	entry := func(typ, id, members string) string {
		return fmt.Sprintf(`{"resource":{"resourceType":"%s","id":"%s",%s},"request":{"method":"PUT","url":"%s/%s"}}`, typ, id, members, typ, id)
	}
	put([]string{entry("Practitioner", "x", `"name":[{"family":"Xu"}]`), entry("Practitioner", "y", `"name":[{"family":"Yu"}]`)})
	for i := range n {
		gender, family := []string{"male", "female"}[i%2], "Ely"
		if i%10 == 3 {
			family = "Fox"
		}
		p := fmt.Sprint("p", i)
		subject := fmt.Sprintf(`"subject":{"reference":"Patient/%s"}`, p)
		entries := []string{
			entry("Patient", p, fmt.Sprintf(`"gender":"%s","name":[{"family":"%s"}]`, gender, family)),
			entry("Encounter", fmt.Sprint("e", i), `"status":"finished","class":{"code":"AMB"},`+subject),
		}
		for k := range 5 {
			entries = append(entries, entry("Observation", fmt.Sprintf("o%d-%d", i, k), fmt.Sprintf(
				`"status":"final","code":{"coding":[{"system":"s","code":"c%d"}]},"encounter":{"reference":"Encounter/e%d"},"performer":[{"reference":"Practitioner/%s"}],`, k, i, []string{"x", "y"}[k%2])+subject))
		}
		for k := range 3 {
			entries = append(entries, entry("Condition", fmt.Sprintf("c%d-%d", i, k), fmt.Sprintf(`"code":{"coding":[{"system":"s","code":"d%d"}]},`, k)+subject))
		}
		put(entries)
	}
}

// broad are chains and _has that a page can be filled from wherever it begins.
var broad = []string{
	"Observation?patient.gender=male&code=c1",
	"Observation?patient.gender=male",
	"Observation?subject:Patient.family=fox",
	"Observation?subject:Patient.family=fox&code=c2",
	"Observation?encounter.status=finished&code=c1",
	"Observation?encounter.patient.gender=female",
	"Observation?performer:Practitioner.family=xu&code=c2",
	"Observation?patient._has:Condition:patient:code=d1",
	"Encounter?_has:Observation:encounter:code=c1",
	"Patient?_has:Observation:patient:code=c1",
	"Patient?gender=male&_has:Observation:patient:code=c1&_has:Condition:patient:code=d2",
	"Patient?_has:Observation:patient:encounter.status=finished",
}

// TestPagesOfJoins: what a page of a broad chain or _has reads does not grow with the
// region, be it the first page or a later one, and it is what the sets give.
func TestPagesOfJoins(t *testing.T) {
	read := func(n int) (first, second map[string]int) {
		db := &touching{Store: storetest.NewReference(time.Now)}
		h := handlerWith(t, db, func(*rest.Config) {})
		joined(t, h, n)
		first, second = map[string]int{}, map[string]int{}
		for _, q := range broad {
			db.docs = 0
			page := send(h, "GET", "/"+q+"&_count=10", "").Body.String()
			first[q] = db.docs
			db.docs = 0
			next := gjson.Get(page, `link.#(relation=="next").url`).Str
			later := send(h, "GET", strings.TrimPrefix(next, site+"/fhir"), "").Body.String()
			second[q] = db.docs
			want := send(h, "GET", "/"+q+"&_count=20&_total=accurate", "").Body.String()
			got := fmt.Sprint(gjson.Get(page, "entry.#.resource.id").Array(), gjson.Get(later, "entry.#.resource.id").Array())
			if sets := gjson.Get(want, "entry.#.resource.id").Array(); len(sets) != 20 || got != fmt.Sprint(sets[:10], sets[10:]) {
				t.Errorf("%s, %d patients: two pages hold %v, the sets give %v", q, n, got, sets)
			}
		}
		return first, second
	}
	few1, few2 := read(200)
	many1, many2 := read(1000)
	for _, q := range broad {
		t.Logf("%-90s first page %4d and %4d, second %4d and %4d documents", q, few1[q], many1[q], few2[q], many2[q])
		// Patients stand in random places, so that pages differ: by no more than a stretch.
		for _, of := range [][2]int{{few1[q], many1[q]}, {few2[q], many2[q]}} {
			if of[1] > of[0]+100 {
				t.Errorf("%s: a page reads %d documents of 200 patients, %d of 1000", q, of[0], of[1])
			}
		}
	}
}

// TestJoinsOnEveryStore: all pages of joins together are what the sets give, on the
// reference store, the embedded engine and MongoDB, in stretches of one document and more.
func TestJoinsOnEveryStore(t *testing.T) {
	stores := map[string]func(t *testing.T) store.Store{
		"reference": func(*testing.T) store.Store { return storetest.NewReference(time.Now) },
		"pebble": func(t *testing.T) store.Store {
			db, err := pebble.Open(pebble.Config{Dir: t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			return db
		},
		"mongo": func(t *testing.T) store.Store {
			server := mongotest.Start(t)
			uri, name := server.Database(t)
			db, err := mongo.Open(context.Background(), mongo.Config{URI: uri, Database: name, NoHints: !server.Real()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			return db
		},
	}
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			h := handlerWith(t, open(t), func(c *rest.Config) { c.Search.Limits.Hop = 2 })
			joined(t, h, 12)
			for _, q := range broad {
				want := matches(send(h, "GET", "/"+q+"&_count=100&_total=accurate", "").Body.String())
				got := pages(h, q+"&_count=4")
				if len(want) == 0 || !slices.Equal(got, want) {
					t.Errorf("%s: the pages hold %v, the sets give %v", q, got, want)
				}
			}
		})
	}
}

// TestPatientsWhoShareAPlace: two Patients whose ids have the same hash of 48 bits are
// both met, wherever a stretch or a page ends.
func TestPatientsWhoShareAPlace(t *testing.T) {
	const one, other = "p27858680", "p9103343"
	if index.PartitionOf(one) != index.PartitionOf(other) {
		t.Fatal("the two have places of their own: the test says nothing")
	}
	for _, hop := range []int{1, 4, 64} {
		h := handlerWith(t, storetest.NewReference(time.Now), func(c *rest.Config) { c.Search.Limits.Hop = hop })
		joined(t, h, 4)
		for _, id := range []string{one, other} {
			put(t, h, "Patient", id, `"gender":"male","name":[{"family":"Shared"}]`)
			for i := range 3 {
				put(t, h, "Observation", fmt.Sprint(id, "-", i), fmt.Sprintf(`"status":"final","code":{"coding":[{"system":"s","code":"c1"}]},"subject":{"reference":"Patient/%s"}`, id))
			}
		}
		for _, q := range []string{
			"Observation?subject:Patient.family=shared", "Observation?patient.gender=male&code=c1", "Patient?_has:Observation:patient:code=c1",
			"Patient?family=shared&_has:Observation:subject:status=final", "Observation?patient._has:Observation:patient:status=final&code=c1",
		} {
			want := matches(send(h, "GET", "/"+q+"&_count=100&_total=accurate", "").Body.String())
			for _, count := range []string{"1", "2", "5"} {
				if got := pages(h, q+"&_count="+count); len(want) < 2 || !slices.Equal(got, want) {
					t.Errorf("%s, pages of %s, stretches of %d: got %v, want %v", q, count, hop, got, want)
				}
			}
		}
	}
}

// put writes a resource with some members.
func put(t testing.TB, h http.Handler, typ, id, members string) {
	t.Helper()
	if w := send(h, "PUT", "/"+typ+"/"+id, fmt.Sprintf(`{"resourceType":"%s","id":"%s",%s}`, typ, id, members)); w.Code >= 300 {
		t.Fatalf("%s/%s: %d %.300s", typ, id, w.Code, w.Body)
	}
}

// matches are the ids of the matches of a page, in their order.
func matches(body string) (out []string) {
	for _, id := range gjson.Get(body, `entry.#(search.mode=="match")#.resource.id`).Array() {
		out = append(out, id.Str)
	}
	return out
}

// pages are the ids of the matches of all pages.
func pages(h http.Handler, query string) (out []string) {
	for next := "/" + query; next != ""; {
		body := send(h, "GET", next, "").Body.String()
		out = append(out, matches(body)...)
		next = strings.TrimPrefix(gjson.Get(body, `link.#(relation=="next").url`).Str, site+"/fhir")
	}
	return out
}

// TestIncludesInChunks: what rows refer to, and what refers to them, is asked for many
// rows at once.
func TestIncludesInChunks(t *testing.T) {
	db := &touching{Store: storetest.NewReference(time.Now)}
	h := handlerWith(t, db, func(*rest.Config) {})
	joined(t, h, 60)
	for _, c := range []struct {
		query          string
		rows, included int
		most           int // questions
	}{
		{"Observation?code=c1&_include=Observation:encounter&_include=Observation:performer&_count=48", 48, 49, 6},
		{"Patient?_revinclude=Observation:subject&_revinclude=Condition:patient&_count=48", 48, 48 * 8, 8},
		{"Encounter?_include=Encounter:patient&_revinclude:iterate=Condition:patient&_count=10", 10, 40, 25},
	} {
		db.asked = 0
		body := send(h, "GET", "/"+c.query, "").Body.String()
		requested := db.asked
		rows, included := len(gjson.Get(body, `entry.#(search.mode=="match")#`).Array()), len(gjson.Get(body, `entry.#(search.mode=="include")#`).Array())
		if rows != c.rows || included != c.included {
			t.Errorf("%s: got %d rows with %d resources, want %d with %d", c.query, rows, included, c.rows, c.included)
		}
		if requested > c.most {
			t.Errorf("%s: %d questions to the store, want at most %d", c.query, requested, c.most)
		}
		t.Logf("%s: %d questions", c.query, requested)
	}
}
