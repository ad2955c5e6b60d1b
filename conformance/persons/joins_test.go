package persons

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/fhir"
	"carerecord/store"
	"carerecord/store/storetest"
)

// counting counts the documents that are read.
type counting struct {
	store.Engine
	docs int
}

type countingSnap struct {
	store.Snapshot
	of *counting
}

func (c *counting) Read(ctx context.Context, f func(store.Snapshot) error) error {
	return c.Engine.Read(ctx, func(snap store.Snapshot) error { return f(countingSnap{snap, c}) })
}

func (s countingSnap) Scan(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] {
	return s.count(s.Snapshot.Scan(ctx, q))
}

func (s countingSnap) All(ctx context.Context, refs []store.Ref) iter.Seq2[store.Doc, error] {
	return s.count(s.Snapshot.All(ctx, refs))
}

func (s countingSnap) count(docs iter.Seq2[store.Doc, error]) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		for d, err := range docs {
			if s.of.docs++; !yield(d, err) {
				return
			}
		}
	}
}

// engineOfReference is a reference store with the methods of an engine that no test here calls.
type engineOfReference struct {
	*storetest.Reference
	store.Explainer
}

func (engineOfReference) Close() error                  { return nil }
func (engineOfReference) Verify(context.Context) error  { return nil }
func (engineOfReference) Recount(context.Context) error { return nil }

// TestRowsOfAnotherPartition: where sources name the Patient of another one, so that their rows are in other partitions
// than the Patient, a page of a broad _has does not grow with the region (IDN-126, LIM-004).
func TestRowsOfAnotherPartition(t *testing.T) {
	const query = "Patient?_has:Condition:patient:code=s%7Cd&_count=5"
	read := func(persons int) (docs int) {
		engine := &counting{Engine: engineOfReference{Reference: storetest.NewReference(time.Now)}}
		r := newRegion(t, engine, false)
		r.server.Search.Limits.Hop = 8
		for i, n := 0, 999_000_1000; i < persons; n++ {
			nhsNumber := fmt.Sprint(n)
			if !fhir.ValidNHSNumber(nhsNumber) {
				continue
			}
			r.put("XGP", "Patient", fmt.Sprint("p", i), identifier(nhsNumber))
			r.put("XAC", "Condition", fmt.Sprint("c", i), `,"code":{"coding":[{"system":"s","code":"d"}]},"subject":{"reference":"Patient/xgp.p`+fmt.Sprint(i)+`"}`)
			i++
		}
		r.caughtUp()
		engine.docs = 0
		code, page := r.send("staff XGP", http.MethodGet, query, "")
		docs = engine.docs
		var ids []string
		for code == 200 {
			for _, id := range gjson.Get(page, `entry.#.resource.id`).Array() {
				ids = append(ids, id.Str)
			}
			next := gjson.Get(page, `link.#(relation=="next").url`).Str
			if next == "" {
				break
			}
			code, page = r.send("staff XGP", http.MethodGet, next[len("http://record.test/fhir/"):], "")
		}
		seen := map[string]bool{}
		for _, id := range ids {
			seen[id] = true
		}
		if code != 200 || len(ids) != persons || len(seen) != persons {
			t.Errorf("%d persons: got %d, of them %d distinct, %d %.300s", persons, len(ids), len(seen), code, page)
		}
		return docs
	}
	small, large := read(60), read(300)
	t.Logf("a page reads %d documents of 60 persons, %d of 300", small, large)
	if large > small+100 {
		t.Errorf("IDN-126: a page reads %d documents of 60 persons, %d of 300", small, large)
	}
}
