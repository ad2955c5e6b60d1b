package law_test

import (
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"

	"github.com/tidwall/gjson"
)

// comparePages sends a question, follows the links of its pages and checks L1 for each page. It returns the
// number of requests.
func (l *reading) comparePages(q question) int {
	l.Helper()
	n := 0
	for a := (&pageRequests{q, q, &q}); a != nil; {
		at := l.compareAnswers(*a)
		if n++; n >= 8 {
			break
		}
		next := at.follow(*a, "next")
		if next == nil {
			break // compareAnswers has checked that no side has the link
		}
		if l.g.chance(8) {
			n += l.compareTampered(*next)
		}
		if back := at.follow(*a, pick(l.g, "previous", "first", "self")); back != nil && l.g.chance(15) {
			l.compareAnswers(*back)
			n++
		}
		if l.mode.rules && l.g.chance(25) {
			l.decide(l.g.decision()) // the next page needs a new decision (CON-1402)
		}
		a = next
	}
	return n
}

// follow returns the requests for the pages of a link, or nil if there is no such link.
func (at pageAnswers) follow(a pageRequests, relation string) *pageRequests {
	guarded, unguarded := linkOf(a.guarded, at.guarded, relation), linkOf(a.unguarded, at.unguarded, relation)
	if guarded == nil || unguarded == nil {
		return nil
	}
	out := pageRequests{guarded: *guarded, unguarded: *unguarded}
	if at.open != nil {
		out.open = linkOf(*a.open, at.open, relation)
	}
	return &out
}

// linkOf returns the request for a link in an answer, or nil if there is no such link.
func linkOf(q question, r *httptest.ResponseRecorder, relation string) *question {
	url := gjson.GetBytes(r.Body.Bytes(), `link.#(relation=="`+relation+`").url`).Str
	path, ours := strings.CutPrefix(url, base)
	if !ours {
		return nil
	}
	return &question{method: "GET", path: path, patientID: q.patientID, patientNumber: q.patientNumber, acceptGzip: q.acceptGzip}
}

// linkRelations matches the relations of links.
var linkRelations = regexp.MustCompile(`"relation":"([a-z]+)"`)

// compareTampered sends an altered page token, and the token of a page to another address and as another caller.
// Answers are equal on both sides, and another caller gets the answer to an altered token (SMART-276, SRCH-204,
// CON-1402). It returns the number of requests.
func (l *reading) compareTampered(a pageRequests) int {
	l.Helper()
	altered := pageRequests{guarded: alterToken(a.guarded), unguarded: alterToken(a.unguarded)}
	refusal := comparedText(l.compareAnswers(altered).unguarded)
	if !strings.HasPrefix(refusal, "400") {
		l.fail(0, altered.guarded, refusal, "400")
	}
	elsewhere := pageRequests{guarded: a.guarded, unguarded: a.unguarded}
	for _, q := range []*question{&elsewhere.guarded, &elsewhere.unguarded} {
		_, token, _ := strings.Cut(q.path, "?")
		q.path = "/Medication?" + token
	}
	l.compareAnswers(elsewhere)
	other := l.principal
	if other.Subject = "another"; l.g.chance(50) {
		if other = l.g.requester(); other.Subject == l.principal.Subject && other.Scopes.String() == l.principal.Scopes.String() {
			other.Subject = "another"
		}
	}
	foreign := a.guarded
	for i, s := range l.fullSides {
		r := s.do(other, foreign)
		if got := comparedText(r); got != refusal {
			l.fail(i, foreign, fmt.Sprintf("as %v: %s", other, got), refusal)
		} else if i == 0 {
			l.tally.addCase(foreign, r, true, false, forgedChannel)
		}
	}
	l.tally.channels[forgedChannel] += 2
	return 3
}

// alterToken changes one character of a page token.
func alterToken(q question) question {
	at := strings.Index(q.path, "_page=") + 40
	changed := byte('A')
	if q.path[at] == changed {
		changed = 'B'
	}
	q.path = q.path[:at] + string(changed) + q.path[at+1:]
	return q
}
