package law_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"carerecord/consent"
	"carerecord/consent/consenttest"
	"carerecord/consent/policy"
	"carerecord/store"
)

// s2 is the entry of the second signal (CON-1103), as it stands at the end of a
// searchset.
const confidential = `{"resource":{"resourceType":"OperationOutcome","issue":[{"severity":"warning","code":"suppressed","details":{"coding":[{"system":"https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-ListWarningCode-1","code":"confidential-items"}],` +
	`"text":"Items excluded due to confidentiality and/or patient preferences."}}]},"search":{"mode":"outcome"}}`

// tally counts what the cases were (CON-1511).
type tally struct {
	cases, differ, rows, both int
	channels                  map[string]int
}

// add counts a case: whether the unguarded answer differs, and whether the
// guarded one has a row.
func (c *tally) add(q question, differs, hasRow bool) {
	c.cases++
	if differs {
		c.differ++
	}
	if hasRow {
		c.rows++
	}
	if differs && hasRow {
		c.both++
	}
	if c.channels == nil {
		c.channels = map[string]int{}
	}
	c.channels[channelOf(q)]++
}

// channelOf is the channel of a reading (CON-1504).
func channelOf(q question) string {
	path, query, searches := strings.Cut(strings.TrimSuffix(q.path, "/_search"), "?")
	if q.method == "POST" {
		query, searches = q.body, true
	}
	switch {
	case strings.Contains(q.path, "_page="):
		return "06 pages"
	case strings.HasPrefix(q.path, "/Binary/"):
		return "01 bytes"
	case strings.Contains(q.path, "$everything"):
		return "19 $everything"
	case strings.Contains(q.path, "$"):
		return "19 operations"
	case strings.Contains(q.path, "_history"):
		return "14 history"
	case strings.HasPrefix(q.path, "?") || strings.HasPrefix(q.path, "/_search"):
		return "04 several types"
	case isSearch(q) && strings.Count(path, "/") > 2:
		return "04 compartment"
	case len(q.header) > 0 && q.method != "POST":
		return "02 conditional read"
	case !searches && strings.Count(q.path, "/") > 1:
		return "01 read"
	case strings.Contains(query, "_list="):
		return "11 _list"
	case strings.Contains(query, "_filter="):
		return "11 _filter"
	case strings.Contains(query, "in=") && (strings.Contains(query, ":in=") || strings.Contains(query, ":not-in=")):
		return "11 :in"
	case strings.Contains(query, "_has:"):
		return "10 _has"
	case strings.Contains(query, "."):
		return "09 chains"
	case strings.Contains(query, "_include"):
		return "08 include"
	case strings.Contains(query, "_sort"):
		return "07 sort"
	case strings.Contains(query, "count") || strings.Contains(query, "_total"):
		return "05 totals"
	case strings.Contains(query, ":not") || strings.Contains(query, ":missing"):
		return "11 negations"
	case strings.Contains(query, "_"):
		return "12 metadata"
	}
	return "04 rows"
}

var pageToken = regexp.MustCompile(`_page=[A-Za-z0-9_-]+`)

// shape is an answer as it is compared: status, headers that tell something,
// and the body, where a page token counts by its length alone.
func shape(r *httptest.ResponseRecorder) string {
	out := fmt.Sprintln(r.Code)
	for _, name := range []string{"ETag", "Last-Modified", "Location", "Content-Type", "Allow", "WWW-Authenticate", "Retry-After", "Cache-Control"} {
		if v := r.Header().Values(name); len(v) > 0 {
			out += fmt.Sprintln(name, v)
		}
	}
	return out + pageToken.ReplaceAllStringFunc(r.Body.String(), func(token string) string { return fmt.Sprintf("_page=%d", len(token)) })
}

// unsigned takes the second signal off an answer, and says whether it was there.
func unsigned(answer string) (string, bool) {
	bare, last := strings.CutSuffix(answer, ","+confidential+"]}")
	if last {
		return bare + "]}", true
	}
	bare, only := strings.CutSuffix(answer, `,"entry":[`+confidential+"]}")
	if only {
		return bare + "}", true
	}
	return answer, false
}

// asRequester is what the evaluator needs of a Principal.
func asRequester(p consent.Principal) requester {
	return requester{clinician: p.Kind == consent.Clinician, feed: p.Kind == consent.Feed, organisation: p.Organisation, id: p.Patient,
		breakGlass: slices.Contains(p.Activities, policy.ActivityBreakGlass), scopes: strings.Fields(p.Scopes.String())}
}

// populate writes a world into stores. All of it must be accepted by each in
// the same way.
func populate(t testing.TB, g *generator, sides ...*side) {
	t.Helper()
	for i, w := range g.world() {
		if os.Getenv("CARERECORD_LAW_SEED") != "" {
			t.Logf("%d %s %s", i, w.by, w)
		}
		var first string
		for n, s := range sides {
			s.at(i)
			r := s.ask(feed(w.by), w.question)
			if got := shape(r); n == 0 {
				first = got
			} else if got != first {
				t.Fatalf("write %s: store %d answers\n%s\nstore 0\n%s", w, n, got, first)
			}
			if r.Code >= 400 {
				t.Fatalf("write %s: %s", w, first)
			}
		}
	}
	for _, s := range sides {
		s.at(600)
	}
}

// readWorld asks one world many questions and holds L1 for each.
func readWorld(t testing.TB, seed uint64, questions int, c *tally, stores ...store.Store) {
	t.Helper()
	readWorldBy(t, seed, questions, false, c, stores...)
}

// readWorldBy is readWorld where, by rules, a random decision is made for each
// requester.
func readWorldBy(t testing.TB, seed uint64, questions int, rules bool, c *tally, stores ...store.Store) {
	t.Helper()
	g := newGenerator(seed)
	var all []*side
	for _, s := range stores {
		all = append(all, serve(t, s))
	}
	populate(t, g, all...)
	docs := all[0].versions()
	for asked := 0; asked < questions; {
		p := g.requester()
		var decision consenttest.Decision
		if rules {
			decision = g.decision()
		}
		for _, s := range all {
			s.decider.Set(decision)
		}
		e := evaluate(docs, asRequester(p), decision)
		part := visiblePart(t, e)
		part.at(600)
		l := &reading{TB: t, seed: seed, all: all, part: part, e: e, p: p, tally: c}
		for range min(20, questions-asked) {
			q := g.reading()
			switch {
			case rules && g.chance(12):
				q = g.negation()
			case rules && g.chance(12):
				q = g.past(e)
			case rules && g.insides.chance(10):
				q = g.insides.inside()
			}
			asked += l.pages(q)
		}
	}
}

// reading is the questions of one requester to one world.
type reading struct {
	testing.TB
	seed  uint64
	all   []*side
	part  *side
	e     *evaluator
	p     consent.Principal
	tally *tally
}

// asked is one request as each side has to be asked: page tokens are bound to
// who asks, so behind the first page the questions differ.
type asked struct {
	guarded, unguarded question
	// open is the unguarded question over all data, nil where its pages have
	// ended.
	open *question
}

// pages asks a question and follows its next links. It returns how many
// requests that were.
func (l *reading) pages(q question) int {
	a := &asked{q, q, &q}
	for n := 1; ; n++ {
		if a = l.one(*a); a == nil || n == 8 {
			return n
		}
	}
}

// one asks all sides and compares. It returns the request of the next page, if
// there is one.
func (l *reading) one(a asked) *asked {
	l.Helper()
	q := a.guarded
	s1, s2 := l.e.signals(l.e.find(q))
	part := l.part.ask(unguarded(l.p), a.unguarded)
	if !strings.Contains(q.path, "_page=") && !l.e.who.permitted(q) {
		if part = l.part.ask(l.p, q); !strings.Contains(part.Header().Get("WWW-Authenticate"), "insufficient_scope") {
			l.fail(0, q, shape(part), "403 "+consent.ScopeNotGranted)
		}
		s1, s2 = false, false
	}
	want := shape(part)
	var next *asked
	for i, s := range l.all {
		r := s.ask(l.p, q)
		got := shape(r)
		if i == 0 {
			next = l.count(a, r, got, part)
		}
		for _, m := range resourceIn.FindAllStringSubmatch(got, -1) {
			if !l.e.who.reads(m[1]) && m[1] != "OperationOutcome" {
				l.fail(i, q, got, "no "+m[1]+": no scope lets it be read")
			}
		}
		bare, told := unsigned(got)
		switch {
		case s1:
			if r.Code != 403 || q.method != "HEAD" && !strings.Contains(got, consent.NoPatientConsent) {
				l.fail(i, q, got, "403 "+consent.NoPatientConsent+" (S1)")
			}
		case told != (s2 && r.Code == 200 && isSearch(q)):
			l.fail(i, q, got, fmt.Sprintf("S2: %v", s2))
		case bare != want:
			l.fail(i, q, got, want)
		}
	}
	return next
}

// resourceIn finds the types of the resources of a Bundle.
var resourceIn = regexp.MustCompile(`"resource":\{"resourceType":"([A-Za-z]+)"`)

// permitted: the scopes let the question be asked (SMART-270 to 278).
func (r requester) permitted(q question) bool {
	path, query, _ := strings.Cut(strings.TrimSuffix(q.path, "/_search")+"?"+q.body, "?")
	parts := strings.Split(path, "/")
	for typ, marks := range crossing {
		if slices.ContainsFunc(marks, func(m string) bool { return strings.Contains("&"+query, m) }) && !r.may(typ, "s") {
			return false
		}
	}
	switch {
	case len(parts) == 2 && parts[1] == "_history":
		return true // what may not be searched is left out
	case strings.Contains(path, "$lastn"):
		return r.may("Observation", "s")
	case strings.Contains(path, "$"):
		return r.may(parts[1], "r") && !slices.ContainsFunc(namedTypes(q.path), func(typ string) bool { return !r.may(typ, "s") })
	case len(parts) == 1: // several types
		_, list, _ := strings.Cut(query, "_type=")
		list, _, _ = strings.Cut(list, "&")
		types := strings.FieldsFunc(strings.TrimRight(list, "?"), func(c rune) bool { return c == ',' })
		return !slices.ContainsFunc(types, func(typ string) bool { return !r.may(typ, "s") })
	case len(parts) == 2 || parts[2] == "_history":
		return r.may(parts[1], "s")
	case len(parts) == 4 && parts[3] == "*":
		return true // what may not be searched is left out
	case len(parts) == 4 && parts[3] != "_history":
		return r.may(parts[3], "s")
	}
	return r.may(parts[1], "r")
}

// count counts a case, and finds the next page.
func (l *reading) count(a asked, r *httptest.ResponseRecorder, got string, part *httptest.ResponseRecorder) *asked {
	open := ""
	var openNext *question
	if a.open != nil {
		o := l.all[0].ask(unguarded(l.p), *a.open)
		open, openNext = shape(o), nextPage(a.guarded, o)
	}
	l.tally.add(a.guarded, open != got, hasRow(got))
	guarded, unguarded := nextPage(a.guarded, r), nextPage(a.guarded, part)
	if guarded == nil || unguarded == nil {
		return nil // that both have one is in the comparison
	}
	return &asked{*guarded, *unguarded, openNext}
}

// isSearch: what answers with a searchset.
func isSearch(q question) bool {
	path, _, _ := strings.Cut(q.path, "?")
	parts := strings.Split(path, "/")
	if strings.Contains(path, "$everything") || strings.Contains(path, "$lastn") {
		return q.method != "HEAD"
	}
	return q.method == "POST" || q.method == "GET" && !strings.Contains(path, "$") && parts[len(parts)-1] != "_history" && (len(parts) < 3 || len(parts) == 4)
}

// fail ends the test with the case, and with the documents about which guard
// and evaluator disagree.
func (l *reading) fail(store int, q question, got, want string) {
	l.Helper()
	for _, v := range l.e.newest {
		r := l.all[store].ask(l.p, question{method: "GET", path: "/" + v.Ref.String()})
		if seen := r.Code == 200 || r.Code == 410; seen != l.e.sees(v) && r.Code != 403 {
			owners, resolved := l.e.owners(v)
			l.Logf("%s version %d of %s is answered %d; the evaluator: visible %v, owners %v, resolved %v, mentions %v\n%s", v.Ref, v.Version, v.Source, r.Code, !seen, owners, resolved, l.e.mentioned(v), v.Body)
		}
	}
	l.Logf("decision: %+v", l.e.decision)
	l.Fatalf("LAW BROKEN (L1, CON-1501): seed %d, store %d, %s of %s%s with %s asks %s\n%s\ngot  %s\nwant %s",
		l.seed, store, l.p.Kind, l.p.Organisation, l.p.Patient, l.p.Scopes, q, parting(got, want), got, want)
}

// hasRow: the answer shows at least one resource.
func hasRow(answer string) bool {
	return strings.HasPrefix(answer, "200") && (strings.Contains(answer, `"search":{"mode":"match"}`) || strings.Contains(answer, `"request":{"method":`) ||
		!strings.Contains(answer, `"resourceType":"Bundle"`) || counted.MatchString(answer))
}

// counted is a total above zero without rows.
var counted = regexp.MustCompile(`"total":[1-9]`)

var nextLink = regexp.MustCompile(`"relation":"next","url":"` + base + `([^"]+)"`)

// nextPage is the question behind a next link.
func nextPage(q question, r *httptest.ResponseRecorder) *question {
	m := nextLink.FindStringSubmatch(r.Body.String())
	if m == nil {
		return nil
	}
	return &question{method: "GET", path: m[1], named: q.named, number: q.number}
}

// parting shows where two answers part.
func parting(got, want string) string {
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	around := func(s string) string { return s[min(len(s), max(0, i-100)):min(len(s), i+100)] }
	return fmt.Sprintf("they part at byte %d: got  …%s…\nwant …%s…", i, around(got), around(want))
}
