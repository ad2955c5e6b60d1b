package law_test

import (
	"fmt"
	"net/http/httptest"
	"regexp"
	"strings"

	"github.com/tidwall/gjson"
)

// comparePages sends a question and follows the links of its pages. It returns the number of requests.
func (l *reading) comparePages(q question) int {
	l.Helper()
	n := 0
	for a := (&sideQuestions{q, q, &q}); a != nil; {
		at := l.compare(*a)
		if n++; n >= 8 {
			break
		}
		next := at.follow(*a, "next")
		if next == nil {
			break // compare checks that all sides have a link
		}
		if l.g.chance(8) {
			n += l.compareTampered(*next)
		}
		if back := at.follow(*a, pick(l.g, "previous", "first", "self")); back != nil && l.g.chance(15) {
			l.compare(*back)
			n++
		}
		if l.mode.rules && l.g.chance(8) {
			l.decide(l.g.decision()) // the next page needs a new decision (CON-1402)
		}
		a = next
	}
	return n
}

// follow returns the requests of a link, or nil if there is none.
func (at sideAnswers) follow(a sideQuestions, relation string) *sideQuestions {
	guarded, unguarded := linkOf(a.guarded, at.guarded, relation), linkOf(a.unguarded, at.unguarded, relation)
	if guarded == nil || unguarded == nil {
		return nil
	}
	out := sideQuestions{guarded: *guarded, unguarded: *unguarded}
	if at.open != nil {
		out.open = linkOf(*a.open, at.open, relation)
	}
	return &out
}

// linkOf returns the request of a link in an answer.
func linkOf(q question, r *httptest.ResponseRecorder, relation string) *question {
	url := gjson.GetBytes(r.Body.Bytes(), `link.#(relation=="`+relation+`").url`).Str
	path, ours := strings.CutPrefix(url, base)
	if !ours {
		return nil
	}
	return &question{method: "GET", path: path, named: q.named, number: q.number, acceptGzip: q.acceptGzip}
}

// relations finds the names of links.
var relations = regexp.MustCompile(`"relation":"([a-z]+)"`)

// compareTampered sends the token of a page altered, to another address, and as another caller. The answers are the
// same on both sides, and the last is that to an altered token (SMART-276, SRCH-204, CON-1402).
func (l *reading) compareTampered(a sideQuestions) int {
	l.Helper()
	altered := sideQuestions{guarded: alter(a.guarded), unguarded: alter(a.unguarded)}
	refusal := comparedText(l.compare(altered).unguarded)
	if !strings.HasPrefix(refusal, "400") {
		l.fail(0, altered.guarded, refusal, "400")
	}
	elsewhere := sideQuestions{guarded: a.guarded, unguarded: a.unguarded}
	for _, q := range []*question{&elsewhere.guarded, &elsewhere.unguarded} {
		_, token, _ := strings.Cut(q.path, "?")
		q.path = "/Medication?" + token
	}
	l.compare(elsewhere)
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
			l.tally.add(foreign, r, true, false, forgedChannel)
		}
	}
	l.tally.channels[forgedChannel] += 2
	return 3
}

// alter changes one character of a page token.
func alter(q question) question {
	at := strings.Index(q.path, "_page=") + 40
	changed := byte('A')
	if q.path[at] == changed {
		changed = 'B'
	}
	q.path = q.path[:at] + string(changed) + q.path[at+1:]
	return q
}
