package law_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"carerecord/consent"
	"carerecord/consent/consenttest"
	"carerecord/consent/policy"
	"carerecord/fhir/index"
	"carerecord/store"
)

// withheldEntry is the entry of the notice S2 (CON-1103), at the end of a searchset.
const withheldEntry = `{"resource":{"resourceType":"OperationOutcome","issue":[{"severity":"warning","code":"suppressed","details":{"coding":[{"system":"https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-ListWarningCode-1","code":"confidential-items"}],` +
	`"text":"Items excluded due to confidentiality and/or patient preferences."},"diagnostics":"Items excluded due to confidentiality and/or patient preferences."}]},"search":{"mode":"outcome"}}`

var pageToken = regexp.MustCompile(`_page=[A-Za-z0-9_-]+`)

// comparedText returns the part of an answer that is compared: status, headers and body, with the length of
// each page token in its place.
func comparedText(r *httptest.ResponseRecorder) string {
	return statusAndHeaders(r) + withoutTokens(r.Body.String())
}

// statusAndHeaders returns the status and all headers except Date, sorted by name. Only an answer to HEAD has
// Content-Length (side.normalizeBody).
func statusAndHeaders(r *httptest.ResponseRecorder) string {
	out := fmt.Sprintln(r.Code)
	for _, name := range slices.Sorted(maps.Keys(r.Header())) {
		if name != "Date" {
			out += fmt.Sprintln(name, r.Header()[name])
		}
	}
	return out
}

func withoutTokens(body string) string {
	return pageToken.ReplaceAllStringFunc(body, func(token string) string { return fmt.Sprintf("_page=%d", len(token)) })
}

// withoutNotice removes the notice S2 from an answer, and reports whether the answer had it.
func withoutNotice(answer string) (string, bool) {
	bare, last := strings.CutSuffix(answer, ","+withheldEntry+"]}")
	if last {
		return bare + "]}", true
	}
	bare, only := strings.CutSuffix(answer, `,"entry":[`+withheldEntry+"]}")
	if only {
		return bare + "}", true
	}
	return answer, false
}

// asRequester converts a Principal for the evaluator.
func asRequester(p consent.Principal) requester {
	return requester{staff: p.Kind == consent.Staff, sourceSystem: p.Kind == consent.SourceSystem, organisation: p.Organisation, id: cmp.Or(p.Patient, p.Context.Patient), person: cmp.Or(p.Person, p.Context.Person),
		breakGlass: slices.Contains(p.Activities, policy.ActivityBreakGlass), scopes: parseScopes(p.Scopes.String())}
}

// populate writes a world to all sides. Each side must accept every write, with the same answers.
func populate(t testing.TB, g *generator, sides ...*side) {
	t.Helper()
	writes := g.world()
	for i := 0; i < len(writes); i++ {
		w, overtakes := writes[i], g.overtakes && i+1 < len(writes) && g.chance(50)
		if os.Getenv("CARERECORD_LAW_SEED") != "" {
			t.Logf("%d %s %s; the next one overtakes it: %v", i, w.by, w, overtakes)
		}
		var first []string
		for n, s := range sides {
			got := s.write(i, writes, overtakes)
			if n == 0 {
				first = got
			} else if !slices.Equal(got, first) {
				t.Fatalf("write %s: store %d answers\n%s\nstore 0\n%s", w, n, got, first)
			}
			for _, answer := range got {
				if answer[0] != '2' {
					t.Fatalf("write %s: %s", w, answer)
				}
			}
		}
		if overtakes {
			i++
		}
	}
	for _, s := range sides {
		s.startRequest(600)
	}
}

// mode selects how a world is made and queried.
type mode struct {
	rules             bool // each requester gets a random decision
	http              bool // over HTTP instead of in process
	lowLimits         bool // with small limits
	onlySourceSystems bool // only source systems send questions
	overtakes         bool // writes of the world overtake one another
	region            region
}

// open opens a side for each store.
func (m mode) open(t testing.TB, stores ...store.Store) []*side {
	t.Helper()
	var all []*side
	for _, s := range stores {
		w := serve(t, s, m.region)
		m.configure(w)
		all = append(all, w)
	}
	return all
}

// configure applies the mode to a side.
func (m mode) configure(w *side) {
	if m.http {
		w.overHTTP()
	}
	if m.lowLimits {
		w.useLowLimits()
	}
}

// readWorld sends many questions to one world and checks L1 for each.
func readWorld(t testing.TB, seed uint64, questions int, m mode, c *tally, stores ...store.Store) {
	t.Helper()
	g := newGenerator(seed)
	g.onlySourceSystems, g.overtakes, m.lowLimits, m.region = m.onlySourceSystems, m.overtakes, seed%5 == 0, g.region
	all := m.open(t, stores...)
	defer closeServers(all...)
	populate(t, g, all...)
	docs := all[0].versions()
	for sent := 0; sent < questions; {
		l := &reading{TB: t, g: g, seed: seed, mode: m, fullSides: all, docs: docs, principal: g.requester(), tally: c}
		var decision consenttest.Decision
		if m.rules {
			decision = g.decision()
		}
		l.decide(decision)
		for n := min(20, questions-sent); n > 0; n-- {
			q := g.reading()
			for (l.evaluator.namesAnother(q) || l.evaluator.recordHidden(l.evaluator.namedPerson(q)) || !l.evaluator.requester.permits(q)) && g.chance(80) {
				q = g.reading() // few refusals are enough
			}
			for q.path == "/metadata" && l.principal.Kind == consent.SourceSystem {
				q = g.reading() // its visible part is served without an identity policy, which the statement describes
			}
			switch {
			case slices.ContainsFunc(l.evaluator.requester.scopes, scope.constrained) && g.containedDraws.chance(40):
				q = g.containedDraws.scopeSearch()
			case m.lowLimits && g.chance(15):
				q = g.costlySearch()
			case m.rules && g.chance(12):
				q = g.questionAboutCut(l.evaluator.decision)
			case m.rules && g.chance(6):
				q = g.negation()
			case m.rules && g.chance(12):
				q = g.pastVersions(l.evaluator)
			case m.rules && g.containedDraws.chance(10):
				q = g.containedDraws.containedChain()
			case g.containedDraws.chance(5):
				q = g.containedDraws.mentionSearch()
			case !m.rules && g.chance(5):
				q = g.pastVersions(l.evaluator)
			case g.chance(3):
				if entries := g.batch(); len(entries) > 0 {
					l.compareBatch(entries)
					sent++
				}
				continue
			}
			sent += l.comparePages(q)
		}
		closeServers(l.visible)
	}
}

// reading compares the answers to the questions of one requester about one world.
type reading struct {
	testing.TB
	g         *generator
	seed      uint64
	mode      mode
	fullSides []*side
	visible   *side
	docs      []store.Doc
	evaluator *evaluator
	principal consent.Principal
	tally     *tally
}

// decide sets the decision for the requester, and makes its visible part.
func (l *reading) decide(d consenttest.Decision) {
	l.Helper()
	for _, s := range l.fullSides {
		s.decider.Set(d)
	}
	if l.visible != nil {
		closeServers(l.visible)
	}
	l.evaluator = evaluate(l.docs, l.mode.region, asRequester(l.principal), d)
	in := l.mode.region
	in.literal = l.evaluator.requester.sourceSystem // its answers know no persons (IDN-124)
	l.visible = visiblePart(l, l.evaluator, in)
	l.mode.configure(l.visible)
	l.visible.startRequest(600)
}

// pageRequests has the request of one page for each side. They differ after the first page, since page tokens
// are bound to their caller.
type pageRequests struct {
	guarded, unguarded question
	// open is the unguarded question over all data, nil after its last page.
	open *question
}

// pageAnswers has the answers of the sides: guarded over all data, unguarded over the visible part, and
// unguarded over all data.
type pageAnswers struct{ guarded, unguarded, open *httptest.ResponseRecorder }

// compareAnswers sends a request to all sides and checks L1.
func (l *reading) compareAnswers(a pageRequests) pageAnswers {
	l.Helper()
	q := a.guarded
	s1, s2 := l.evaluator.noticesOf(q)
	out := pageAnswers{unguarded: l.visible.do(unguarded(l.principal), a.unguarded)}
	if !strings.Contains(q.path, "_page=") && !l.evaluator.requester.permits(q) {
		out.unguarded = l.visible.do(l.principal, q)
		// An invalid request is refused before the scopes are checked.
		if out.unguarded.Code != 400 && !strings.Contains(out.unguarded.Header().Get("WWW-Authenticate"), "insufficient_scope") {
			l.fail(0, q, comparedText(out.unguarded), "403 "+consent.ScopeNotGranted)
		}
		s1, s2 = false, false
	}
	want := comparedText(out.unguarded)
	for i, s := range l.fullSides {
		r := s.do(l.principal, q)
		got := comparedText(r)
		if i == 0 {
			out.guarded = r
			l.countCase(a, got, &out)
		}
		for _, m := range resourceTypes.FindAllStringSubmatch(got, -1) {
			if !l.evaluator.requester.mayRead(m[1]) && m[1] != "OperationOutcome" {
				l.fail(i, q, got, "no "+m[1]+": no scope permits reading it")
			}
		}
		bare, noticed := withoutNotice(got)
		if s2 && q.method == "HEAD" {
			bare = withoutNoticeLength(got, want)
		}
		switch {
		case s1 && r.Code == 400 && got == want: // refused as invalid, which is checked before the notices
		case s1:
			if r.Code != 403 || q.method != "HEAD" && !strings.Contains(got, consent.NoPatientConsent) {
				l.fail(i, q, got, "403 "+consent.NoPatientConsent+" (S1)")
			}
		case noticed != (s2 && r.Code == 200 && isSearch(q)):
			l.fail(i, q, got, fmt.Sprintf("S2: %v", s2))
		case bare != want:
			l.fail(i, q, got, want)
		}
	}
	return out
}

// resourceTypes matches the types of the resources in a Bundle.
var resourceTypes = regexp.MustCompile(`"resource":\{"resourceType":"([A-Za-z]+)"`)

// permits reports whether the scopes permit a question (SMART-270, 271, 272, 273, 274, 275, 277, 278;
// SMART-279, 280, 283).
func (r requester) permits(q question) bool {
	path, query, _ := strings.Cut(strings.TrimSuffix(q.path, "/_search")+"?"+q.body, "?")
	parts := strings.Split(path, "/")
	for typ, marks := range chainMarks {
		if slices.ContainsFunc(marks, func(m string) bool { return strings.Contains("&"+query, m) }) && !r.hasScope(typ, "s") {
			return false
		}
	}
	switch {
	case len(parts) == 2 && parts[1] == "_history":
		return true // types that may not be searched are omitted
	case path == "/metadata", path == "/$meta": // types without the permission are omitted
		return true
	case q.method == "GET" && (strings.Contains(path, "/$meta-") || strings.HasSuffix(path, "/$validate")): // refused for every caller, as a wrong method
		return true
	case strings.HasSuffix(path, "/$validate"):
		return r.hasScope(parts[1], "r") || len(parts) == 3 && (r.hasScope(parts[1], "c") || r.hasScope(parts[1], "u"))
	case strings.Contains(path, "$lastn"):
		return r.hasScope("Observation", "s")
	case strings.Contains(path, "$ihe-pix"):
		return r.hasScope("Patient", "s")
	case strings.Contains(path, "$"):
		return r.hasScope(parts[1], "r") && !slices.ContainsFunc(namedTypes(q.path), func(typ string) bool { return !r.hasScope(typ, "s") })
	case len(parts) == 1: // several types
		_, list, _ := strings.Cut(query, "_type=")
		list, _, _ = strings.Cut(list, "&")
		types := strings.FieldsFunc(strings.TrimRight(list, "?"), func(c rune) bool { return c == ',' })
		return !slices.ContainsFunc(types, func(typ string) bool { return !r.hasScope(typ, "s") })
	case len(parts) == 2 || parts[2] == "_history":
		return r.hasScope(parts[1], "s")
	case len(parts) == 4 && parts[3] == "*":
		return true // types that may not be searched are omitted
	case len(parts) == 4 && parts[3] != "_history":
		return r.hasScope(parts[3], "s")
	}
	return r.hasScope(parts[1], "r")
}

// countCase counts a case. It sends the question without a guard over all data and sets out.open.
func (l *reading) countCase(a pageRequests, got string, out *pageAnswers) {
	open := ""
	if a.open != nil {
		out.open = l.fullSides[0].do(unguarded(l.principal), *a.open)
		open = comparedText(out.open)
	}
	var more []string
	parts := strings.Split(a.guarded.path, "/")
	if v := l.evaluator.newest[strings.Join(parts[1:min(3, len(parts))], "/")]; v != nil && v.Deleted() {
		more = []string{deletedChannel}
	}
	l.tally.addCase(a.guarded, out.guarded, open != got, hasRow(got), more...)
}

// isSearch reports whether the answer to a question is a searchset.
func isSearch(q question) bool {
	path, _, _ := strings.Cut(q.path, "?")
	parts := strings.Split(path, "/")
	if strings.Contains(path, "$everything") || strings.Contains(path, "$lastn") || strings.Contains(path, "$sources") {
		return q.method != "HEAD"
	}
	return q.method == "POST" && strings.HasSuffix(path, "/_search") || q.method == "GET" && path != "/metadata" && !strings.Contains(path, "$") && parts[len(parts)-1] != "_history" && (len(parts) < 3 || len(parts) == 4)
}

// fail ends the test. It logs the case and the documents about which server and evaluator disagree.
func (l *reading) fail(number int, q question, got, want string) {
	l.Helper()
	for _, v := range l.evaluator.newest {
		r := l.fullSides[number].do(l.principal, question{method: "GET", path: "/" + v.Ref.String()})
		if seen := r.Code == 200 || r.Code == 410; seen != l.evaluator.isVisible(v) && r.Code != 403 {
			owners, resolved := l.evaluator.owners(v)
			l.Logf("%s version %d of %s is answered %d; the evaluator: visible %v, owners %v, resolved %v, mentions %v\n%s", v.Ref, v.Version, v.Source, r.Code, !seen, owners, resolved, l.evaluator.mentions(v), v.Body)
			l.logStored(number, v)
		}
	}
	l.Logf("decision: %+v", l.evaluator.decision)
	l.Fatalf("LAW BROKEN (L1, CON-1501): seed %d, store %d, %s of %s%s with the scopes %s sends %s\n%s\ngot (all data):\n%s\nwant (visible data):\n%s",
		l.seed, number, l.principal.Kind, l.principal.Organisation, cmp.Or(l.principal.Patient, l.principal.Context.Patient), l.principal.Scopes, q, firstDifference(got, want), got, want)
}

// logStored logs the keys of a stored document and the parts of the predicate of its type that they do not satisfy
// (docs/howto/why-hidden.md).
func (l *reading) logStored(of int, v *version) {
	ctx, s := context.Background(), l.fullSides[of]
	var keys []store.Key
	err := s.store.Read(ctx, func(snap store.Snapshot) error {
		d, err := snap.Get(ctx, v.Ref)
		keys = d.Keys
		return err
	})
	for _, k := range keys {
		l.Logf("its key: %s", index.Describe(k))
	}
	err = errors.Join(err, s.guard.Read(ctx, l.principal, consent.Request{Interaction: consent.Read, Type: v.Ref.Type}, func(view *consent.View) error {
		parts, _ := view.Grant().Where(v.Ref.Type).(store.And)
		for n, part := range parts {
			if !store.Match(part, keys) {
				l.Logf("part %d of the predicate of its type hides it: %s", n, index.DescribePred(part))
			}
		}
		return nil
	}))
	if err != nil {
		l.Log(err)
	}
}

// hasRow reports whether an answer has at least one resource.
func hasRow(answer string) bool {
	return strings.HasPrefix(answer, "200") && (strings.Contains(answer, `"search":{"mode":"match"}`) || strings.Contains(answer, `"request":{"method":`) ||
		!strings.Contains(answer, `"resourceType":"Bundle"`) || totalAboveZero.MatchString(answer))
}

// totalAboveZero matches a total of at least one, in an answer without rows.
var totalAboveZero = regexp.MustCompile(`"total":[1-9]`)

// firstDifference returns the parts of two answers around the first byte that differs.
func firstDifference(got, want string) string {
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	around := func(s string) string { return s[min(len(s), max(0, i-100)):min(len(s), i+100)] }
	return fmt.Sprintf("first difference at byte %d:\ngot  …%s…\nwant …%s…", i, around(got), around(want))
}
