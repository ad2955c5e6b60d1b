package rest

import (
	"net/http"
	"strings"
	"testing"

	"carerecord/consent"
)

// TestDispatch: which route a method and a path have, for HTTP and for entries of bundles alike.
func TestDispatch(t *testing.T) {
	d := newDispatcher((&Server{}).routes())
	for _, test := range []struct {
		method, path string
		interaction  consent.Interaction // empty: none
		params       pathParams
		allow        string
	}{
		{"GET", "/Patient/1", consent.Read, pathParams{typ: "Patient", id: "1"}, ""},
		{"HEAD", "/Patient/1", consent.Read, pathParams{typ: "Patient", id: "1"}, ""},
		{"GET", "/Patient/1/_history/2", consent.VRead, pathParams{typ: "Patient", id: "1", version: "2"}, ""},
		{"GET", "/Patient/1/Observation", consent.SearchWithin, pathParams{typ: "Patient", id: "1", member: "Observation"}, ""},
		{"GET", "/Patient/1/*", consent.SearchWithin, pathParams{typ: "Patient", id: "1", member: "*"}, ""},
		{"GET", "/Patient/1/_history", consent.HistoryOfOne, pathParams{typ: "Patient", id: "1"}, ""},
		{"GET", "/Patient/_history", consent.HistoryOfType, pathParams{typ: "Patient"}, ""},
		{"GET", "/_history", consent.HistoryOfAll, pathParams{}, ""},
		{"GET", "/metadata", metadataRead, pathParams{}, ""},
		{"GET", "", consent.SearchAll, pathParams{}, ""},
		{"POST", "", consent.Batch, pathParams{}, ""},
		{"POST", "/Patient/_search", consent.Search, pathParams{typ: "Patient"}, ""},
		{"GET", "/Patient/1/$everything", consent.Everything, pathParams{typ: "Patient", id: "1"}, ""},
		{"GET", "/Patient/1/$sources", consent.Sources, pathParams{typ: "Patient", id: "1"}, ""},
		{"POST", "/Patient/$ihe-pix", consent.IHEPIX, pathParams{typ: "Patient"}, ""},
		{"PUT", "/Patient/1/_history", "", pathParams{}, "GET, HEAD"},
		{"PUT", "", "", pathParams{}, "GET, HEAD, POST"},
		{"OPTIONS", "/Patient/1", "", pathParams{}, "DELETE, GET, HEAD, PATCH, PUT"},
		{"GET", "/Patient/1/$unknown", "", pathParams{}, ""},
		{"GET", "/Patient/_unknown", "", pathParams{}, ""},
		{"GET", "//1", "", pathParams{}, ""},
		{"GET", "/Patient/", "", pathParams{}, ""},
		{"GET", "/a/b/c/d/e/f", "", pathParams{}, ""},
	} {
		r, params, allow, found := d.find(test.method, test.path)
		if found != (test.interaction != "") || r.interaction != test.interaction || params != test.params || allow != test.allow {
			t.Errorf("%s %s: got %q, %+v, Allow %q, found %t; want %q, %+v, Allow %q", test.method, test.path,
				r.interaction, params, allow, found, test.interaction, test.params, test.allow)
		}
	}
}

// TestDispatchFindsEveryRoute: a path made from the pattern of each route leads to a route of the same
// pattern, whatever the others are.
func TestDispatchFindsEveryRoute(t *testing.T) {
	s := &Server{}
	d := newDispatcher(s.routes())
	example := strings.NewReplacer(":type", "Patient", ":id", "1", ":vid", "2", ":member", "Observation")
	for _, r := range s.routes() {
		found, _, _, ok := d.find(r.method, example.Replace(r.path))
		if !ok || found.path != r.path {
			t.Errorf("%s %s: got the route %q", r.method, r.path, found.path)
		}
		if r.method == http.MethodGet {
			if _, _, _, ok := d.find(http.MethodHead, example.Replace(r.path)); !ok {
				t.Errorf("HEAD %s has no route", r.path)
			}
		}
	}
}
