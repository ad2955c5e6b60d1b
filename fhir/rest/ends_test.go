package rest_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/fhir/rest"
	"carerecord/store"
	"carerecord/store/storetest"
)

// ignoring is an engine that ignores contexts. It calls hangUp when it has given out left
// documents, and counts those that it gives out afterwards.
type ignoring struct {
	*storetest.Reference
	left, late int
	hangUp     func()
}

// ignoringSnap is a snapshot of such an engine.
type ignoringSnap struct {
	store.Snapshot
	of *ignoring
}

func (s *ignoring) Read(ctx context.Context, f func(store.Snapshot) error) error {
	return s.Reference.Read(context.WithoutCancel(ctx), func(snap store.Snapshot) error { return f(ignoringSnap{snap, s}) })
}

// gives counts one document.
func (s *ignoring) gives() {
	if s.left--; s.left < 0 {
		s.late++
	}
	if s.left == 0 {
		s.hangUp()
	}
}

func (s ignoringSnap) Get(ctx context.Context, ref store.Ref) (store.Doc, error) {
	s.of.gives()
	return s.Snapshot.Get(context.WithoutCancel(ctx), ref)
}

func (s ignoringSnap) Version(ctx context.Context, ref store.Ref, n uint64) (store.Doc, error) {
	s.of.gives()
	return s.Snapshot.Version(context.WithoutCancel(ctx), ref, n)
}

func (s ignoringSnap) All(ctx context.Context, refs []store.Ref) iter.Seq2[store.Doc, error] {
	return s.rows(s.Snapshot.All(context.WithoutCancel(ctx), refs))
}

func (s ignoringSnap) Scan(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] {
	return s.rows(s.Snapshot.Scan(context.WithoutCancel(ctx), q))
}

func (s ignoringSnap) History(ctx context.Context, q store.HistoryQuery) iter.Seq2[store.Doc, error] {
	return s.rows(s.Snapshot.History(context.WithoutCancel(ctx), q))
}

func (s ignoringSnap) Count(ctx context.Context, q store.Query, max int) (int, error) {
	s.of.gives()
	return s.Snapshot.Count(context.WithoutCancel(ctx), q, max)
}

func (s ignoringSnap) rows(all iter.Seq2[store.Doc, error]) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		for d, err := range all {
			s.of.gives()
			if !yield(d, err) {
				return
			}
		}
	}
}

// loops are requests of every kind that goes over pages, rows or versions.
var loops = []string{
	"Patient?_count=3", "Patient?_sort=-_lastUpdated", "Patient?gender:not=other", "Patient?_total=accurate&_summary=count",
	"?_type=Patient,Observation", "Patient/p1/*", "Patient/p1/Observation?code=c1",
	"Patient?_revinclude=Observation:subject", "Patient?_revinclude=*:*",
	"Observation?_include=Observation:encounter&_include=Observation:performer&_include:iterate=Encounter:subject",
	"Encounter?_include=Encounter:patient&_revinclude:iterate=Condition:patient",
	"Observation?patient.gender=male&code=c1", "Observation?encounter.patient.gender=female", "Observation?patient._has:Condition:patient:code=d1",
	"Observation?performer:Practitioner.family=xu&_sort=date", "Patient?_has:Observation:patient:encounter.status=finished", "Patient?_has:Observation:patient:code=c1&_total=accurate",
	"Patient?_filter=gender%20eq%20male%20or%20name%20co%20e", "Patient?_list=l", "Observation?code:in=http://v",
	"Patient/p1/$everything", "Encounter/e1/$everything", "Patient/$everything", "Observation/$lastn?patient=p1&code=c1,c2", "Patient/$meta", "$meta",
	"Patient/_history", "_history", "Patient/p1/_history", "Patient/_history?_at=2020",
}

// TestHangUp: whoever hangs up, or runs out of time, is not worked for: whatever the
// loop, at most one more document is asked for (LIM-005).
func TestHangUp(t *testing.T) {
	db := &ignoring{Reference: storetest.NewReference(time.Now), hangUp: func() {}}
	h := handlerWith(t, db, func(c *rest.Config) {
		c.Search.Limits.Hop = 4
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	})
	joined(t, h, 20)
	put(t, h, "List", "l", `"status":"current","mode":"working","entry":[{"item":{"reference":"Patient/p1"}}]`)
	put(t, h, "ValueSet", "v", `"url":"http://v","status":"active","compose":{"include":[{"system":"s","concept":[{"code":"c1"}]}]}`)
	request := func(path string, left int) (status int) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		db.left, db.late, db.hangUp = left, 0, cancel
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/fhir/"+path, nil))
		return w.Code
	}
	const all = 1 << 20
	for _, path := range loops {
		status := request(path, all)
		total := all - db.left
		if status >= 500 {
			t.Errorf("%s: got %d", path, status)
		}
		for left := 1; left < total; left += 1 + total/40 {
			if status := request(path, left); status < 500 || db.late > 1 {
				t.Errorf("LIM-005: %s: hung up after %d of %d documents: got %d, %d more were read; want 503 and no more than one", path, left, total, status, db.late)
				break
			}
		}
	}
}

// TestHangUpInBatch: of a batch whose client hangs up the entries that are left are not
// begun; a transaction is not begun either (LIM-005).
func TestHangUpInBatch(t *testing.T) {
	db := &ignoring{Reference: storetest.NewReference(time.Now), hangUp: func() {}}
	h := handlerWith(t, db, func(c *rest.Config) { c.Log = slog.New(slog.NewTextHandler(io.Discard, nil)) })
	for i := range 20 {
		put(t, h, "Patient", fmt.Sprint("p", i), `"gender":"male"`)
	}
	var reads, writes []string
	for i := range 20 {
		reads = append(reads, fmt.Sprintf(`{"request":{"method":"GET","url":"Patient/p%d"}}`, i))
		writes = append(writes, fmt.Sprintf(`{"resource":{"resourceType":"Patient","id":"p%d","gender":"female"},"request":{"method":"PUT","url":"Patient/p%[1]d"}}`, i))
	}
	for _, c := range []struct {
		typ     string
		entries []string
		left    int
		done    int // entries that are answered 200
	}{{"batch", reads, 8, 8}, {"batch", writes, 1, 0}, {"transaction", writes, 1, 0}} {
		ctx, cancel := context.WithCancel(context.Background())
		db.left, db.late, db.hangUp = c.left, 0, cancel
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/fhir", strings.NewReader(`{"resourceType":"Bundle","type":"`+c.typ+`","entry":[`+strings.Join(c.entries, ",")+`]}`))
		r.Header.Set("Content-Type", "application/fhir+json")
		h.ServeHTTP(w, r)
		cancel()
		late, done := db.late, 0
		for _, status := range gjson.Get(w.Body.String(), "entry.#.response.status").Array() {
			if strings.HasPrefix(status.Str, "200") {
				done++
			}
		}
		if late > 1 || done > c.done || c.typ == "transaction" && w.Code != 503 {
			t.Errorf("LIM-005: a %s of %d entries whose client hung up: got %d, %d entries were done, %d documents were read late: %.300s", c.typ, len(c.entries), w.Code, done, late, w.Body)
		}
	}
	db.left = 1 << 20
	if w := send(h, "GET", "/Patient?gender=female&_summary=count", ""); gjson.Get(w.Body.String(), "total").Int() != 0 {
		t.Errorf("LIM-005: entries were written after the client had hung up: %s", w.Body)
	}
}

// TestPagesEnd: however many resources belong to each row, and however few a page may
// include, every page has a row that no page before had, and the pages end
// (SRCH-178, SRCH-205).
func TestPagesEnd(t *testing.T) {
	for _, referrers := range []int{0, 1, 2, 3, 7} {
		for _, most := range []int{1, 2, 3, 5} {
			h := handlerWith(t, storetest.NewReference(time.Now), func(c *rest.Config) { c.Search.Limits.IncludesPerPage = most })
			const rows = 7
			for i := range rows {
				put(t, h, "Patient", fmt.Sprint("p", i), `"gender":"male"`)
				put(t, h, "Encounter", fmt.Sprint("e", i), fmt.Sprintf(`"status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p%d"}`, i))
				for k := range referrers {
					put(t, h, "Observation", fmt.Sprintf("o%d-%d", i, k), fmt.Sprintf(
						`"status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p%d"},"encounter":{"reference":"Encounter/e%[1]d"}`, i))
				}
			}
			for _, query := range []string{
				"Patient?_revinclude=Observation:subject", "Patient?_revinclude=Observation:*", "Patient?_revinclude=Observation:subject&_revinclude=Encounter:patient",
				"Encounter?_include=Encounter:subject&_revinclude:iterate=Observation:subject", "Encounter?_revinclude=Observation:encounter&_include:iterate=Observation:subject",
				"Patient?_revinclude=Observation:subject&_sort=gender", "Observation?_include=Observation:subject&_include=Observation:encounter",
				"?_type=Patient,Encounter&_revinclude=Observation:subject", "Patient/p1/Observation?_include=Observation:encounter", "Patient/p1/$everything", "Encounter/e1/$everything",
			} {
				for _, count := range []string{"", "1", "3"} {
					path := query
					if count != "" {
						path += map[bool]string{true: "&", false: "?"}[strings.Contains(query, "?")] + "_count=" + count
					}
					everyPageAdds(t, h, fmt.Sprintf("%d referrers, %d a page, %s", referrers, most, path), "/"+path, most)
				}
			}
		}
	}
}

// everyPageAdds follows the pages of a search.
func everyPageAdds(t *testing.T, h http.Handler, what, path string, most int) {
	t.Helper()
	met := map[string]bool{}
	for path != "" {
		w := send(h, "GET", path, "")
		before, included := len(met), 0
		for _, e := range gjson.Get(w.Body.String(), "entry").Array() {
			switch ref := e.Get("fullUrl").Str; {
			case e.Get("search.mode").Str == "include":
				included++
			case met[ref]:
				t.Fatalf("SRCH-205: %s: %s is a row of two pages", what, ref)
			case e.Get("search.mode").Str == "match":
				met[ref] = true
			}
		}
		path = strings.TrimPrefix(gjson.Get(w.Body.String(), `link.#(relation=="next").url`).Str, site+"/fhir")
		if w.Code != 200 || included > most || path != "" && len(met) == before {
			t.Fatalf("SRCH-178: %s: got %d, a page with %d new rows and %d included, more to follow: %v", what, w.Code, len(met)-before, included, path != "")
		}
	}
}
