package rest

import (
	"net/http"
	"slices"
	"strings"
)

// pathParams are the parameters of a path.
type pathParams struct {
	typ, id string
	version string
	member  string // of a compartment: a type or *
}

// dispatcher finds the route of a request, for HTTP and for the entries of bundles alike. It is
// immutable.
type dispatcher struct {
	routes map[int][]pattern // by number of segments, those with more literal segments first
}

// pattern is a route with its path split into segments.
type pattern struct {
	route
	segments []string
}

func newDispatcher(routes []route) dispatcher {
	d := dispatcher{routes: map[int][]pattern{}}
	for _, r := range routes {
		p := pattern{r, segments(r.path)}
		d.routes[len(p.segments)] = append(d.routes[len(p.segments)], p)
	}
	for _, list := range d.routes {
		slices.SortStableFunc(list, func(a, b pattern) int { return b.literals() - a.literals() })
	}
	return d
}

// segments returns the segments of a path below the base; none for the base itself.
func segments(path string) []string {
	if path = strings.TrimPrefix(path, "/"); path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

func isParam(segment string) bool { return strings.HasPrefix(segment, ":") }

func (p pattern) literals() int {
	n := 0
	for _, s := range p.segments {
		if !isParam(s) {
			n++
		}
	}
	return n
}

// match reports whether a path is one of the pattern. A parameter is not empty, and does not begin with
// _ or $: such names are literal segments.
func (p pattern) match(path []string) bool {
	for i, s := range p.segments {
		if isParam(s) {
			if path[i] == "" || strings.HasPrefix(path[i], "_") || strings.HasPrefix(path[i], "$") {
				return false
			}
		} else if s != path[i] {
			return false
		}
	}
	return true
}

// params returns the parameters of a path that matches the pattern.
func (p pattern) params(path []string) pathParams {
	var out pathParams
	for i, s := range p.segments {
		switch s {
		case ":type":
			out.typ = path[i]
		case ":id":
			out.id = path[i]
		case ":vid":
			out.version = path[i]
		case ":member":
			out.member = path[i]
		}
	}
	return out
}

// find returns the route of a method and a path below the base, and the parameters in the path. If the
// path only has routes of other methods, found is false and allow names these.
func (d dispatcher) find(method, path string) (r route, params pathParams, allow string, found bool) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	parts := segments(path)
	var methods []string
	for _, p := range d.routes[len(parts)] {
		if !p.match(parts) {
			continue
		}
		if p.method == method {
			return p.route, p.params(parts), "", true
		}
		methods = append(methods, p.method)
		if p.method == http.MethodGet {
			methods = append(methods, http.MethodHead)
		}
	}
	slices.Sort(methods)
	return route{}, pathParams{}, strings.Join(slices.Compact(methods), ", "), false
}

// unknownRoute is the route of a request that has none.
func unknownRoute(h handler) route { return route{interaction: "unknown", handle: h} }
