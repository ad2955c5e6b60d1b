package law_test

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"carerecord/consent"
	"carerecord/consent/consenttest"
	"carerecord/consent/reindex"
	"carerecord/store"
)

// traceWorld draws a world and a trace, and checks L2 for each request.
func traceWorld(t testing.TB, seed uint64, m mode, c *tally, stores ...store.Store) {
	t.Helper()
	g := newGenerator(seed)
	m.region = g.region
	all := m.open(t, stores...)
	defer closeServers(all...)
	populate(t, g, all...)
	docs := all[0].versions()
	p := g.writer()
	var decision consenttest.Decision
	if m.rules {
		decision = g.decision()
		if p.Kind != consent.SourceSystem && g.chance(40) { // for the writes of patients and staff
			decision.Permissions = map[string]string{"Consent": pick(g, "", "", "rs")}
		}
	}
	r := asRequester(p)
	r.permissions = "cruds" // a write decides by its own letter
	e := evaluate(docs, m.region, r, decision)
	if e.hasOrphanRows() {
		return
	}
	part := visiblePart(t, e, m.region)
	if e.requester.sourceSystem { // with the facts that follow from its own documents: writes rekey dependents
		_, err := reindex.New(part.guard, part.store.(reindex.DB), func() time.Time { return part.now }).All(context.Background(), func(context.Context, reindex.Walk) error { return nil })
		part.noError(err)
	}
	if m.http {
		part.overHTTP()
		defer closeServers(part)
	}
	for _, s := range append(all, part) {
		s.decider.Set(decision)
	}
	for n := range 25 {
		for _, s := range append(all, part) {
			s.startRequest(700 + n)
		}
		if w := g.otherWrite(p, e, n); w != nil && g.chance(25) {
			if os.Getenv("CARERECORD_LAW_SEED") != "" {
				t.Logf("step %d: others write: %s", n, w)
			}
			for _, s := range append(all, part) {
				if r := s.do(sourceSystem(w.by), w.question); r.Code >= 300 {
					t.Fatalf("seed %d: a write of another caller is refused: %s\n%s", seed, w, comparedText(r))
				}
			}
			continue
		}
		q := g.reading()
		if g.chance(65) {
			q = g.writing(p, n)
		}
		if endsDirective(e, q) {
			continue
		}
		answer := part.do(p, q)
		g.noteCreated(answer.Header().Get("Location"))
		answer.Header().Del("Content-Length") // an answer to HEAD has the length of the notices, which are outside of L2
		want, _ := withoutNotice(withoutContradictions(comparedText(answer)))
		if os.Getenv("CARERECORD_LAW_SEED") != "" {
			t.Logf("step %d: %s: %.3s", n, q, want)
		}
		for i, s := range all {
			r := s.do(p, q)
			r.Header().Del("Content-Length")
			got, _ := withoutNotice(withoutContradictions(comparedText(r)))
			if i == 0 {
				c.cases++
				c.countChannels(channelsOf(q, writings)...)
				if q.method != "GET" && q.method != "HEAD" && strings.HasPrefix(got, "20") {
					c.withRow++
				}
			}
			if got != want {
				t.Logf("decision: %+v", decision)
				t.Fatalf("LAW BROKEN (L2, CON-1502): seed %d, step %d, store %d, %s of %s%s sends %s\n%s\ngot (all data):\n%s\nwant (visible data):\n%s",
					seed, n, i, p.Kind, p.Organisation, p.Patient, q, firstDifference(got, want), got, want)
			}
		}
	}
	for _, s := range all {
		checkHiddenUnchanged(t, seed, e, s.versions())
	}
	if seed%4 == 0 { // Verify takes as long as the trace
		s := all[len(all)-1]
		_, err := reindex.Verify(context.Background(), s.guard, func(err error) { t.Errorf("seed %d: the keys of a document differ from a rebuild: %v", seed, err) })
		s.noError(err)
	}
}

// contradictionIssue matches the warning that Patients contradict the patient index, and emptyOutcome the entry that had no other.
var (
	contradictionIssue = regexp.MustCompile(`,?\{"severity":"warning","code":"business-rule","details":\{"text":"The national number was not accepted[^"]*"\},"diagnostics":"[^"]*"\}`)
	emptyOutcome       = regexp.MustCompile(`,\{"resource":\{"resourceType":"OperationOutcome","issue":\[\]\},"search":\{"mode":"outcome"\}\}`)
)

// withoutContradictions removes these warnings: the visible part lacks the patient index, of which a source is told this much
// (IDN-104).
func withoutContradictions(answer string) string {
	return emptyOutcome.ReplaceAllString(contradictionIssue.ReplaceAllString(answer, ""), "")
}

// hasOrphanRows reports whether rows are visible whose Patient is hidden, by a rule or because it links to a
// hidden Patient, or which mention a hidden Patient, or whether a hidden row opens a record. L1 holds for such a world. L2 cannot be tested, since the visible part has rows without an
// owner.
func (e *evaluator) hasOrphanRows() bool {
	if e.requester.sourceSystem {
		return false
	}
	for _, v := range e.newest {
		owners, _ := e.owners(v)
		if v.Ref.Type != "Patient" && e.isVisible(v) && slices.ContainsFunc(owners, func(p string) bool { return slices.ContainsFunc(e.patientsOf(p), e.hiddenByRules) }) {
			return true
		}
	}
	if slices.ContainsFunc(e.versions, e.inheritsHiddenOwners) || slices.ContainsFunc(e.versions, e.hiddenPatientDecides) {
		return true
	}
	if !e.requester.staff {
		return slices.ContainsFunc(e.versions, e.mentionsHiddenPatient)
	}
	if slices.ContainsFunc(e.versions, e.isHiddenOwnRow) {
		return true
	}
	for _, v := range e.newest {
		if v.Ref.Type == "Patient" && !v.Deleted() && v.ordinary() && !e.mentionHidden(v.Ref.ID) && !e.isVisible(v) {
			return true
		}
	}
	return false
}

// inheritsHiddenOwners reports whether a visible older version inherits its owners from a hidden document. The
// server looks up these owners for each request, and the visible part lacks that document.
func (e *evaluator) inheritsHiddenOwners(v *version) bool {
	if newest := e.newest[v.Ref.String()]; !v.Deleted() && v == newest || !e.isVisible(v) {
		return false
	}
	for _, path := range ownerElements[v.Ref.Type] {
		for _, reference := range valuesAt(v.decoded, path) {
			typ, id := localTarget(reference)
			if from := e.newest[typ+"/"+id]; ownerElements[typ] != nil && from != nil && !e.isVisible(from) {
				return true
			}
		}
	}
	return false
}

// hiddenPatientDecides reports whether a version is of a hidden Patient that decides who may record a directive: the patient
// index's Patient of the person of a visible Patient (IDN-133).
func (e *evaluator) hiddenPatientDecides(v *version) bool {
	person, live := e.livePerson(v.Ref.ID)
	if v.Ref.Type != "Patient" || !live || e.isVisible(v) || v.Source != e.region.index {
		return false
	}
	return slices.ContainsFunc(e.patientsOf(person), e.isVisible)
}

// isHiddenOwnRow reports whether a version is of an own row that opens the record of a person who opts out, but is itself
// hidden: it mentions a hidden person, or nothing of it is left after references are cut.
func (e *evaluator) isHiddenOwnRow(v *version) bool {
	return e.countsAsOwnRow(v) && !e.isVisible(v) && slices.ContainsFunc(e.allOwners(v), func(p string) bool { return !e.restricted(p) && !e.denied(p) })
}

// mentionsHiddenPatient reports whether a version is visible that mentions a hidden Patient: another one of the person
// who requests. The visible part does not have that Patient, so there the mention is of somebody else.
func (e *evaluator) mentionsHiddenPatient(v *version) bool {
	return e.isVisible(v) && slices.ContainsFunc(e.mentions(v), func(name string) bool {
		p := e.newest["Patient/"+name]
		return p != nil && !e.isVisible(p)
	})
}

// endsDirective reports whether a question ends a directive of the world. It would reveal documents that the
// visible part never had, so it is outside of L2. Directives that the trace made may end.
func endsDirective(e *evaluator, q question) bool {
	v := e.newest[strings.TrimPrefix(q.path, "/")]
	return v != nil && v.Ref.Type == "Consent" && v.decoded["status"] == "active" && !e.requester.sourceSystem && (q.method == "PUT" || q.method == "PATCH")
}

// noteCreated adds the id of a new document to the ids of later questions. location is the Location header.
func (g *generator) noteCreated(location string) {
	parts := strings.Split(strings.TrimPrefix(location, base+"/"), "/")
	if len(parts) > 1 && !slices.Contains(g.rows[parts[0]], parts[1]) {
		g.rows[parts[0]] = append(g.rows[parts[0]], parts[1])
	}
}

// checkHiddenUnchanged fails the test if a document that was hidden from the writer has another version or
// body now (CON-1305).
func checkHiddenUnchanged(t testing.TB, seed uint64, e *evaluator, after []store.Doc) {
	newest := map[store.Ref]store.Doc{}
	for _, d := range after {
		if d.Version >= newest[d.Ref].Version {
			newest[d.Ref] = d
		}
	}
	for _, v := range e.newest {
		if now := newest[v.Ref]; !e.isVisible(v) && (now.Version != v.Version || !bytes.Equal(now.Body, v.Body)) {
			t.Fatalf("LAW BROKEN (CON-1305): seed %d, %s was hidden, and was changed to version %d: %s", seed, v.Ref, now.Version, now.Body)
		}
	}
}
