package node

import (
	"net/http"
	"slices"
	"strings"

	"carerecord/fhir"
	"carerecord/fhir/rest"
)

// routes maps a method and a path, as "GET /healthz", to a handler. The path is compared as it
// was sent: http.ServeMux would redirect a path that it can clean, and its Location would repeat
// a token in the query (REST-011, SMART-410). HEAD is served as GET.
type routes map[string]http.HandlerFunc

// find returns the handler of a request and its pattern; nil and empty if there is none.
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

// before answers the requests of the table, which need no token. All others go to next, and so
// does a request of the table with a leaked token, which next refuses and records.
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

// missing returns the error of a request that has no handler: 405 if its path has one for
// another method, 404 otherwise (REST-014).
func (t routes) missing(q *http.Request) error {
	var allow []string
	for pattern := range t {
		if method, path, _ := strings.Cut(pattern, " "); path == q.URL.Path {
			allow = append(allow, method)
		}
	}
	if allow == nil {
		return fhir.Fault(404, "not-supported", "No such path is served here.")
	}
	slices.Sort(allow)
	e := fhir.Fault(405, "not-supported", "%s is not available here.", q.Method)
	e.Header = map[string]string{"Allow": strings.Join(allow, ", ")}
	return e
}
