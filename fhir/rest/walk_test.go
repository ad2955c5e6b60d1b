package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/consent"
	"carerecord/fhir/rest"
	"carerecord/store/storetest"
)

// walked follows a $everything to its end and returns what it showed, in order,
// and how many pages that were.
func walked(t *testing.T, h http.Handler, path string) (matches, included []string, pages int) {
	t.Helper()
	for path != "" {
		w := send(h, "GET", path, "")
		if w.Code != 200 {
			t.Fatalf("%s: %d %.300s", path, w.Code, w.Body)
		}
		pages++
		path = ""
		for _, link := range gjson.Get(w.Body.String(), "link").Array() {
			if link.Get("relation").Str == "next" {
				path = strings.TrimPrefix(link.Get("url").Str, site+"/fhir")
			}
		}
		for _, e := range gjson.Get(w.Body.String(), "entry").Array() {
			ref := e.Get("resource.resourceType").Str + "/" + e.Get("resource.id").Str
			if e.Get("search.mode").Str == "match" {
				matches = append(matches, ref)
			} else if e.Get("search.mode").Str == "include" {
				included = append(included, ref)
			}
		}
	}
	return matches, included, pages
}

// record writes a patient with rows, each of which has an encounter and one of
// nine performers.
func record(t *testing.T, h http.Handler, rows int) {
	t.Helper()
	put := func(typ, id, rest string) {
		t.Helper()
		if w := send(h, "PUT", "/"+typ+"/"+id, `{"resourceType":"`+typ+`","id":"`+id+`"`+rest+`}`); w.Code != 201 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	put("Patient", "p", "")
	for i := range 9 {
		put("Practitioner", fmt.Sprint("d", i), "")
	}
	for i := range rows {
		put("Encounter", fmt.Sprint("e", i), `,"status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/p"}`)
		put("Observation", fmt.Sprint("o", i), fmt.Sprintf(`,"status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"},"encounter":{"reference":"Encounter/e%d"},"performer":[{"reference":"Practitioner/d%d"}]`, i, i%9))
	}
}

// TestEverythingInPages: pages of any size show what one page shows, in its
// order, each resource once, rows and what they refer to (OPER-010, 012). A page
// that would include too much has fewer rows.
func TestEverythingInPages(t *testing.T) {
	for _, most := range []int{1000, 2} {
		h := handlerWith(t, storetest.NewReference(time.Now), func(c *rest.Config) { c.Search.Limits.IncludesPerPage = most })
		record(t, h, 10)
		matches, included, pages := walked(t, h, "/Patient/p/$everything")
		if len(matches) != 21 || len(included) != 9 || most == 1000 && pages != 1 || most == 2 && pages < 5 {
			t.Fatalf("OPER-010: %d rows, %d included, %d pages", len(matches), len(included), pages)
		}
		slices.Sort(included)
		for n := 1; n < 22; n++ {
			m, inc, pages := walked(t, h, fmt.Sprint("/Patient/p/$everything?_count=", n))
			slices.Sort(inc)
			if !slices.Equal(m, matches) || !slices.Equal(inc, included) {
				t.Errorf("OPER-012: in pages of %d: %v, %v\nwant %v, %v", n, m, inc, matches, included)
			}
			if want := (21 + n - 1) / n; most == 1000 && pages != want {
				t.Errorf("OPER-012: in pages of %d there are %d pages, want %d", n, pages, want)
			}
		}
	}
}

// TestEverythingMaximum: without _count more than everything maximum is paged
// all the same, and previous leads back to the same page (OPER-012, SRCH-207).
func TestEverythingMaximum(t *testing.T) {
	h := handlerWith(t, storetest.NewReference(time.Now), func(c *rest.Config) { c.Search.Limits.Everything = 8 })
	record(t, h, 10)
	if m, inc, pages := walked(t, h, "/Patient/p/$everything"); pages != 3 || len(m) != 21 || len(inc) != 9 {
		t.Errorf("OPER-012: %d pages with %d rows and %d included, want 3 with 21 and 9", pages, len(m), len(inc))
	}
	var at []string
	path := "/Patient/p/$everything?_count=6"
	follow := func(relation string) {
		t.Helper()
		body := send(h, "GET", path, "").Body.String()
		at = append(at, gjson.Get(body, "entry.#.fullUrl").Raw)
		path = strings.TrimPrefix(gjson.Get(body, `link.#(relation=="`+relation+`").url`).Str, site+"/fhir")
	}
	for _, relation := range []string{"next", "next", "previous", "previous", "next"} {
		follow(relation)
	}
	if at[1] != at[3] || at[0] != at[4] || at[0] == at[1] {
		t.Errorf("SRCH-207: previous leads elsewhere: %v", at)
	}
}

// TestEverythingOfMine: with a token that is bound to a patient the operation on
// the type is that patient's record, in pages of its own (OPER-013).
func TestEverythingOfMine(t *testing.T) {
	h := handlerWith(t, storetest.NewReference(time.Now), func(c *rest.Config) {
		c.Verify = func(context.Context, http.Header, string) (consent.Principal, error) {
			return consent.Principal{Kind: consent.System, Subject: "all", Patient: "p"}, nil
		}
	})
	record(t, h, 3)
	one, _, _ := walked(t, h, "/Patient/p/$everything")
	mine, _, pages := walked(t, h, "/Patient/$everything?_count=2")
	if !slices.Equal(one, mine) || len(mine) != 7 || pages != 4 {
		t.Errorf("OPER-013: %v in %d pages, want %v", mine, pages, one)
	}
}
