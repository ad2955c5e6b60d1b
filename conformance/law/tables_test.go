package law_test

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"carerecord/consent"
	"carerecord/fhir/index"
	"carerecord/fhir/r4"
	"carerecord/fhir/search"
	"carerecord/store/storetest"
)

// coverage is the channel that covers a feature of the product, with a pattern of channelText. noCases is the
// reason why no channel covers it.
type coverage struct {
	channel string
	pattern string
	noCases string
}

// routeRows has the routes of a server, and pageLinks the relations of its links.
var (
	routeRows = map[string]coverage{
		"GET /metadata":                      {channel: faultsChannel, pattern: `^GET /metadata`},
		"GET /:type/:id":                     {channel: "01 read", pattern: `^GET /[A-Z]\w+/[a-z0-9][\w.-]*\?`},
		"PUT /:type/:id":                     {channel: "16 update", pattern: `^PUT /\w+/`},
		"PUT /:type":                         {channel: "15 conditional update", pattern: `^PUT /\w+\?.`},
		"PATCH /:type/:id":                   {channel: "16 patch", pattern: `^PATCH /\w+/`},
		"PATCH /:type":                       {channel: "15 conditional patch", pattern: `^PATCH /\w+\?.`},
		"DELETE /:type/:id":                  {channel: "16 delete", pattern: `^DELETE /\w+/`},
		"DELETE /:type":                      {channel: "15 conditional delete", pattern: `^DELETE /\w+\?.`},
		"GET /:type/:id/_history":            {channel: "14 history of one", pattern: `^GET /[A-Z]\w+/[^/?]+/_history\?`},
		"GET /:type/:id/_history/:vid":       {channel: "01 version read", pattern: `^GET /\w+/[^/?]+/_history/\d+\?`},
		"GET /:type/_history":                {channel: "14 history of a type", pattern: `^GET /[A-Z]\w+/_history\?`},
		"GET /_history":                      {channel: "14 history of all", pattern: `^GET /_history\?`},
		"POST /:type":                        {channel: "17 create", pattern: `^POST /\w+\? `},
		"POST /:type/$validate":              {channel: "19 $validate", pattern: `^POST /\w+/\$validate`},
		"GET /:type/$validate":               {channel: faultsChannel, pattern: `^GET /\w+/\$validate`},
		"POST /:type/:id/$validate":          {channel: "19 $validate", pattern: `^POST /\w+/[^/]+/\$validate`},
		"GET /:type/:id/$validate":           {channel: faultsChannel, pattern: `^GET /\w+/[^/]+/\$validate`},
		"GET /:type":                         {channel: "04 rows", pattern: `^GET /[A-Z]\w+\?`},
		"POST /:type/_search":                {channel: "04 form", pattern: `^POST /\w+/_search\?`},
		"GET ":                               {channel: "01 several types", pattern: `^GET \?`},
		"POST /_search":                      {channel: "01 several types", pattern: `^POST /_search\?`},
		"GET /:type/:id/:member":             {channel: "01 compartment", pattern: `^GET /\w+/[^/?]+/(\*|[A-Z]\w+)\?`},
		"POST /:type/:id/:member/_search":    {channel: "01 compartment", pattern: `^POST /\w+/[^/?]+/(\*|[A-Z]\w+)/_search\?`},
		"GET /$meta":                         {channel: "19 $meta", pattern: `^GET /\$meta\?`},
		"POST /$meta":                        {channel: "19 $meta", pattern: `^POST /\$meta\?`},
		"GET /:type/$meta":                   {channel: "19 $meta", pattern: `^GET /\w+/\$meta\?`},
		"POST /:type/$meta":                  {channel: "19 $meta", pattern: `^POST /\w+/\$meta\?`},
		"GET /:type/:id/$meta":               {channel: "19 $meta", pattern: `^GET /\w+/[^/?]+/\$meta\?`},
		"POST /:type/:id/$meta":              {channel: "19 $meta", pattern: `^POST /\w+/[^/?]+/\$meta\?`},
		"GET /:type/:id/_history/:vid/$meta": {channel: "19 $meta", pattern: `^GET /\w+/[^/?]+/_history/\d+/\$meta\?`},
		"POST /:type/:id/$meta-add":          {channel: "16 meta", pattern: `^POST /\w+/[^/?]+/\$meta-add\?`},
		"GET /:type/:id/$meta-add":           {channel: faultsChannel, pattern: `^GET /\w+/[^/?]+/\$meta-add\?`},
		"POST /:type/:id/$meta-delete":       {channel: "16 meta", pattern: `^POST /\w+/[^/?]+/\$meta-delete\?`},
		"GET /:type/:id/$meta-delete":        {channel: faultsChannel, pattern: `^GET /\w+/[^/?]+/\$meta-delete\?`},
		"POST ":                              {channel: "18 batch", pattern: `^POST \? .*"type":"batch"`},
		"GET /:type/:id/$everything":         {channel: "19 $everything", pattern: `^GET /\w+/[^/?]+/\$everything\?`},
		"POST /:type/:id/$everything":        {channel: "19 $everything", pattern: `^POST /\w+/[^/?]+/\$everything\?`},
		"GET /:type/$everything":             {channel: "19 $everything", pattern: `^GET /\w+/\$everything\?`},
		"POST /:type/$everything":            {channel: "19 $everything", pattern: `^POST /\w+/\$everything\?`},
		"GET /:type/$lastn":                  {channel: "19 $lastn", pattern: `^GET /\w+/\$lastn\?`},
		"POST /:type/$lastn":                 {channel: "19 $lastn", pattern: `^POST /\w+/\$lastn\?`},
		"GET /:type/:id/$sources":            {channel: "19 $sources and $ihe-pix", pattern: `^GET /\w+/[^/?]+/\$sources\?`},
		"POST /:type/:id/$sources":           {channel: "19 $sources and $ihe-pix", pattern: `^POST /\w+/[^/?]+/\$sources\?`},
		"GET /:type/$ihe-pix":                {channel: "19 $sources and $ihe-pix", pattern: `^GET /\w+/\$ihe-pix\?`},
		"POST /:type/$ihe-pix":               {channel: "19 $sources and $ihe-pix", pattern: `^POST /\w+/\$ihe-pix\?`},
	}
	pageLinks = map[string]coverage{"self": {channel: "06 pages"}, "first": {channel: "06 pages"}, "previous": {channel: "06 pages"}, "next": {channel: "06 pages"}}
)

// kindRows has the kinds of search parameters, modifierRows their modifiers by kind, with :Type for all types,
// and prefixRows the prefixes of ordered values.
var (
	kindRows = map[string]coverage{
		"number": {channel: "04 rows", pattern: searches + `probability=`}, "date": {channel: "04 rows", pattern: searches + `(date|birthdate|onset-date|authoredon|recorded)=`},
		"string": {channel: "04 rows", pattern: searches + `(family|name|given)=`}, "token": {channel: "04 rows", pattern: searches + `(code|gender|status)=`},
		"reference": {channel: "04 rows", pattern: searches + `(patient|subject|performer|actor)=`}, "composite": {channel: "11 composite", pattern: searches + `[a-z-]*code-value-quantity=`},
		"quantity": {channel: "04 rows", pattern: searches + `value-quantity=`}, "uri": {channel: "04 rows", pattern: searches + `(url|_profile|_source)=`},
		"special": {channel: "04 rows", pattern: searches + `near=`},
	}
	modifierRows = map[string]coverage{
		"string:contains": {channel: "04 rows", pattern: searches + `family:contains=`}, "string:exact": {channel: "04 rows", pattern: searches + `family:exact=`},
		"token:not": {channel: "11 :not", pattern: searches + `[^=]*:not=`}, "token:text": {channel: "11 :text", pattern: searches + `code:text=`}, "token:of-type": {channel: "04 rows", pattern: searches + `identifier:of-type=`},
		"token:in": {channel: "11 :in and :not-in", pattern: searches + `code:in=`}, "token:not-in": {channel: "11 :in and :not-in", pattern: searches + `code:not-in=`},
		"token:above": {channel: "04 rows", pattern: searches + `code:above=`}, "token:below": {channel: "04 rows", pattern: searches + `code:below=`},
		"uri:below": {channel: "04 rows", pattern: searches + `(url|_source):below=`}, "uri:above": {channel: "04 rows", pattern: searches + `url:above=`},
		"reference:identifier": {channel: "11 :identifier", pattern: searches + `[a-z]+:identifier=`}, "reference:Type": {channel: "04 rows", pattern: searches + `performer:Patient=`},
		"string:missing": {channel: "11 :missing", pattern: searches + `name:missing=`}, "token:missing": {channel: "11 :missing", pattern: searches + `(gender|code):missing=`}, "date:missing": {channel: "11 :missing", pattern: searches + `(date|birthdate):missing=`},
		"reference:missing": {channel: "11 :missing", pattern: searches + `performer:missing=`}, "quantity:missing": {channel: "11 :missing", pattern: searches + `value-quantity:missing=`}, "uri:missing": {channel: "11 :missing", pattern: searches + `_(source|profile):missing=`},
		"number:missing": {channel: "11 :missing", pattern: searches + `probability:missing=`}, "special:missing": {channel: "11 :missing", pattern: searches + `near:missing=`},
	}
	prefixRows = func() map[string]coverage {
		rows := map[string]coverage{}
		for _, prefix := range []string{"eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"} {
			rows[prefix] = coverage{channel: "04 rows", pattern: searches + `(date|onset-date|birthdate|authoredon|value-quantity|probability|_lastUpdated)=` + prefix}
		}
		return rows
	}()
)

// controlRows has the result parameters, and refusedRows the parameters of the standard that the server refuses.
var (
	controlRows = map[string]coverage{
		"_sort": {channel: "07 sort", pattern: searches + `_sort=`}, "_count": {channel: "06 pages", pattern: searches + `_count=[1-9]`}, "_total": {channel: "05 totals", pattern: searches + `_total=`},
		"_summary": {channel: "12 _elements and _summary", pattern: searches + `_summary=true`}, "_include": {channel: "08 include", pattern: searches + `_include=`}, "_revinclude": {channel: "08 revinclude", pattern: searches + `_revinclude=`},
		"_elements": {channel: "12 _elements and _summary", pattern: searches + `_elements=`}, "_format": {channel: "04 rows", pattern: searches + `_format=`}, "_pretty": {channel: "04 rows", pattern: searches + `_pretty=`},
	}
	refusedRows = map[string]coverage{
		"_query": {channel: faultsChannel, pattern: searches + `_query=`}, "_contained": {channel: faultsChannel, pattern: searches + `_contained=`}, "_containedType": {channel: faultsChannel, pattern: searches + `_containedType=`}, "_score": {channel: faultsChannel, pattern: searches + `_score=`},
	}
)

// uncoveredChannels are the channels of CON-1504 that have no cases here.
var uncoveredChannels = map[string]coverage{
	"20": {noCases: "there is no export: TestAbsentChannels"}, "21": {noCases: "there are no subscriptions over HTTP: TestAbsentChannels"},
	"24": {noCases: "there are no views, measures or aggregates: TestAbsentChannels"}, "26": {noCases: "there are no pages or interfaces of choices, of the access log or of apps: TestAbsentChannels"},
	"27": {noCases: "the command explain is the operator's; over HTTP there is none: TestAbsentChannels"},
	"29": {noCases: "measured in make soak only: TestHiddenTakesAsLongAsAbsent of conformance/suite"}, "30": {noCases: "no requester can read logs, traces or metrics: TestAbsentChannels"},
}

// drawQuestions returns the channelText of many questions.
func drawQuestions() []string {
	var out []string
	if raceDetector {
		return nil // matching would take minutes
	}
	for seed := range uint64(30) {
		g := newGenerator(seed)
		g.world()
		for n := range 300 {
			q := g.reading()
			out = append(out, q.channelText(), g.negation().channelText())
			p := g.writer()
			out = append(out, g.writing(p, n).channelText())
			if entries := g.batch(); len(entries) > 0 {
				out = append(out, batchOf(entries).channelText())
			}
		}
	}
	return out
}

// TestTables: every route, parameter, modifier and prefix of the product has a row with its channel, and the
// generator draws questions that match the row (CON-1504).
func TestTables(t *testing.T) {
	side := serve(t, storetest.NewReference(nil), region{})
	routes := map[string]bool{}
	for _, r := range side.server.Routes() {
		routes[r.Method+" "+r.Path] = true
	}
	kinds, modifiers := map[string]bool{}, map[string]bool{}
	x, err := indexer()
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range r4.Resources() {
		for _, p := range x.Params(typ) {
			if !p.Indexed || p.Code == "_text" || p.Code == "_content" {
				continue
			}
			kinds[string(p.Kind)] = true
			for _, m := range index.Modifiers(p.Kind) {
				modifiers[string(p.Kind)+":"+m] = true
			}
		}
	}
	modifiers["reference:Type"] = true
	drawn := drawQuestions()
	t.Logf("%d questions drawn for %d routes", len(drawn), len(routes))
	for _, table := range []struct {
		what string
		has  map[string]bool
		rows map[string]coverage
	}{
		{"route", routes, routeRows}, {"kind of search parameter", kinds, kindRows}, {"modifier", modifiers, modifierRows},
		{"prefix", set(index.Comparators()), prefixRows}, {"result parameter", set(search.Controls()), controlRows}, {"refused parameter", set(search.NotBuilt()), refusedRows},
	} {
		for _, name := range slices.Sorted(maps.Keys(table.has)) {
			if _, ok := table.rows[name]; !ok {
				t.Errorf("CON-1504: the %s %q has no row with its channel", table.what, name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(table.rows)) {
			if !table.has[name] {
				t.Errorf("the row of the %s %q is about a feature that the server does not have", table.what, name)
			}
			table.rows[name].check(t, table.what+" "+name, drawn)
		}
	}
}

// check fails if the channel of a row does not exist, or if no question matches its pattern.
func (r coverage) check(t *testing.T, what string, drawn []string) {
	t.Helper()
	named := func(ch channel) bool { return ch.name == r.channel }
	if !slices.ContainsFunc(readings, named) && !slices.ContainsFunc(writings, named) {
		t.Errorf("%s: there is no channel %q", what, r.channel)
	}
	pattern, n := regexp.MustCompile(r.pattern), 0
	for _, text := range drawn {
		if pattern.MatchString(text) {
			n++
		}
	}
	if n == 0 && !raceDetector {
		t.Errorf("%s: none of %d questions matches %s", what, len(drawn), r.pattern)
	}
}

func set(names []string) map[string]bool {
	out := map[string]bool{}
	for _, name := range names {
		out[name] = true
	}
	return out
}

// TestEveryChannel: each of the thirty channels of CON-1504 has cases, or a reason why it has none.
func TestEveryChannel(t *testing.T) {
	has := map[string]bool{}
	for _, ch := range append(slices.Clone(readings), writings...) {
		has[ch.name[:2]] = true
	}
	for n := 1; n <= 30; n++ {
		number := fmt.Sprintf("%02d", n)
		if _, absent := uncoveredChannels[number]; absent == has[number] {
			t.Errorf("CON-1504: channel %s has cases: %v, and a reason for having none: %v", number, has[number], absent)
		}
	}
}

// absentRequests are requests to routes that do not exist, with their channels.
var absentRequests = []string{
	"20 GET /$export", "20 POST /$export", "20 GET /Patient/$export", "20 GET /Group/%s/$export", "20 GET /$export-status/1", "20 GET /bulkstatus/1", "20 DELETE /bulkstatus/1",
	"21 GET /Subscription/%s/$status", "21 GET /Subscription/%s/$events", "21 POST /Subscription/$get-ws-binding-token", "21 GET /$subscribe",
	"24 GET /Measure/%s/$evaluate-measure", "24 GET /Observation/$stats", "24 GET /$viewdefinition-run", "24 POST /ViewDefinition/$run", "24 GET /Patient/$aggregate",
	"26 GET /choices", "26 GET /access-log", "26 GET /apps", "26 GET /Patient/%s/$access-log", "26 GET /Patient/%s/$choices",
	"27 GET /$explain", "27 GET /Observation/$explain?code=one", "27 POST /Observation/$explain",
	"30 GET /metrics", "30 GET /logs", "30 GET /traces", "30 GET /debug/pprof/heap",
	"19 GET /Composition/%s/$document", "19 GET /Patient/%s/$graph", "19 POST /Patient/$match", "19 GET /Patient/%s/$summary", "19 POST /$graphql", "19 GET /ValueSet/%s/$expand", "19 GET /ValueSet/$validate-code", "19 GET /CodeSystem/$lookup",
	"19 GET /ConceptMap/$translate", "19 GET /Patient/%s/$break-glass", "19 POST /Patient/$merge",
}

// TestAbsentChannels: a route that does not exist is refused with the same text for every requester and every
// id (CON-1504).
func TestAbsentChannels(t *testing.T) {
	g := newGenerator(1)
	side := serve(t, storetest.NewReference(nil), region{})
	populate(t, g, side)
	people := []consent.Principal{staffMember("XAC01", "user/*.cruds"), staffMember("XGP01", "user/*.rs"), patient(g.patients[0], "patient/*.rs"), sourceSystem("XAC01")}
	for _, line := range absentRequests {
		channel, request, _ := strings.Cut(line, " ")
		method, path, _ := strings.Cut(request, " ")
		var first string
		for _, p := range people {
			for _, id := range []string{g.patients[0], g.patients[1], "none"} {
				q := question{method: method, path: strings.ReplaceAll(path, "%s", id)}
				if method == "POST" {
					q.body = `{"resourceType":"Parameters"}`
				}
				r := side.do(p, q)
				got := comparedText(r)
				if refused := r.Code == http.StatusNotFound || r.Code == http.StatusBadRequest; !refused || !strings.Contains(got, `"code":"not-supported"`) {
					t.Errorf("channel %s: %s is answered %d: %s", channel, q, r.Code, got)
				}
				if first == "" {
					first = got
				}
				if got != first {
					t.Errorf("channel %s: %s of %s is answered\n%s\nanother request of this kind\n%s", channel, q, p.Kind, got, first)
				}
			}
		}
	}
	t.Logf("%d absent routes, by %d requesters and 3 ids each", len(absentRequests), len(people))
}
