package main

import (
	"net/http"
	"slices"
	"strings"

	"carerecord/fhir"
	"carerecord/fhir/rest"
)

// routes is a table of handlers by method and path, as "GET /healthz". The path is compared
// as it was sent. http.ServeMux would redirect a path that it can clean, and its Location
// would repeat a token in the query (REST-011, SMART-410). HEAD is served as GET.
type routes map[string]http.HandlerFunc

// find returns the handler of a request and its pattern; nil and empty where it has none.
func (t routes) find(q *http.Request) (http.HandlerFunc, string) {
	method := q.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	pattern := method + " " + q.URL.Path
	if t[pattern] == nil {
		return nil, ""
	}
	return t[pattern], pattern
}

// before answers the requests of the table, which need no token, and gives all others to
// next: those too that hold a token in a wrong place, for next to refuse and record.
func (t routes) before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if !strings.HasPrefix(q.URL.Path, "/fhir/") {
			if handle, _ := t.find(q); handle != nil && !rest.HasLeakedToken(q) {
				handle(w, q)
				return
			}
		}
		next.ServeHTTP(w, q)
	})
}

// missing is the error of a request that has no handler: 405 where its path has one for
// another method, else 404 (REST-014).
func (t routes) missing(q *http.Request) error {
	var allow []string
	for pattern := range t {
		if method, path, _ := strings.Cut(pattern, " "); path == q.URL.Path {
			allow = append(allow, method)
		}
	}
	if allow == nil {
		return fhir.Fault(404, "not-supported", "There is no such route here.")
	}
	slices.Sort(allow)
	e := fhir.Fault(405, "not-supported", "%s is not available here.", q.Method)
	e.Header = map[string]string{"Allow": strings.Join(allow, ", ")}
	return e
}
