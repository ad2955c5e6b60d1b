package law_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/consent"
)

// batch draws the questions that are sent as the entries of one batch (SMART-293). It may return none.
func (g *generator) batch() []question {
	var entries []question
	for range 1 + g.IntN(4) {
		if q := pick(g, g.read, g.history, g.typeSearch, g.typeSearch, g.everything, g.lastN)(); q.method == "GET" && !strings.HasPrefix(q.path, "?") {
			entries = append(entries, q)
		}
	}
	return entries
}

// batchOf returns the request of a batch with these entries.
func batchOf(entries []question) question {
	var list []string
	for _, e := range entries {
		url, err := json.Marshal(strings.TrimPrefix(e.path, "/"))
		if err != nil {
			panic(err)
		}
		request := `"method":"GET","url":` + string(url)
		if len(e.header) > 0 {
			value, name := e.header[1], map[string]string{"If-None-Match": "ifNoneMatch", "If-Modified-Since": "ifModifiedSince"}[e.header[0]]
			if name == "ifNoneMatch" {
				request += `,"ifNoneMatch":"` + strings.ReplaceAll(value, `"`, `\"`) + `"`
			}
		}
		list = append(list, `{"request":{`+request+`}}`)
	}
	return question{method: "POST", body: `{"resourceType":"Bundle","type":"batch","entry":[` + strings.Join(list, ",") + `]}`}
}

// compareBatch sends some questions at once: the answer to each is the same as to the question alone,
// and both signals are those of the entry (CON-1501, channel 18).
func (l *reading) compareBatch(entries []question) {
	l.Helper()
	q := batchOf(entries)
	// The scopes of the requester apply to each entry, so an entry that they do not permit is compared
	// with the guarded answer.
	unguardedAnswer, guardedAnswer := l.visible.do(unguarded(l.principal), q), l.visible.do(l.principal, q)
	openAnswer := l.fullSides[0].do(unguarded(l.principal), q)
	want, refused := entriesOf(unguardedAnswer), entriesOf(guardedAnswer)
	for i, s := range l.fullSides {
		r := s.do(l.principal, q)
		got := entriesOf(r)
		if i == 0 {
			l.tally.addCase(q, r, comparedText(openAnswer) != comparedText(r), strings.Contains(comparedText(r), `"search":{"mode":"match"}`) || strings.Contains(comparedText(r), `"resource":{`))
		}
		if statusAndHeaders(r) != statusAndHeaders(unguardedAnswer) || len(got) != len(want) || len(got) != len(entries) {
			l.fail(i, q, comparedText(r), comparedText(unguardedAnswer))
		}
		for n, e := range entries {
			s1, s2 := l.evaluator.noticesOf(e)
			if !l.evaluator.requester.permits(e) {
				s1, s2, want[n] = false, false, refused[n]
			}
			l.compareEntry(i, q, e, got[n], want[n], s1, s2)
		}
	}
}

// compareEntry checks L1 for the answer to one entry of a batch. s1 and s2 are the notices of the entry.
func (l *reading) compareEntry(store int, q, e question, got, want string, s1, s2 bool) {
	l.Helper()
	for _, m := range resourceTypes.FindAllStringSubmatch(got, -1) {
		if !l.evaluator.requester.mayRead(m[1]) && m[1] != "OperationOutcome" && m[1] != "Bundle" && m[1] != "Parameters" {
			l.fail(store, q, got, "no "+m[1]+": no scope permits reading it")
		}
	}
	ok := gjson.Get(got, "response.status").Str == "200 OK"
	bare, noticed := strings.Replace(got, ","+withheldEntry+"]}", "]}", 1), strings.Contains(got, withheldEntry)
	if strings.Contains(got, `,"entry":[`+withheldEntry+"]}") {
		bare = strings.Replace(got, `,"entry":[`+withheldEntry+"]}", "}", 1)
	}
	switch {
	case s1 && got == want && strings.HasPrefix(gjson.Get(got, "response.status").Str, "400"): // refused as invalid, which is checked before the notices
	case s1:
		if gjson.Get(got, "response.status").Str != "403 Forbidden" || !strings.Contains(got, consent.NoPatientConsent) {
			l.fail(store, q, got, fmt.Sprintf("%s: 403 %s (S1)", e, consent.NoPatientConsent))
		}
	case noticed != (s2 && ok && isSearch(e)):
		l.fail(store, q, got, fmt.Sprintf("%s: S2: %v", e, s2))
	case bare != want:
		l.fail(store, q, e.String()+"\n"+got, want)
	}
}

// entriesOf returns the entries of a batch-response, with the length of each page token in its place.
func entriesOf(r *httptest.ResponseRecorder) []string {
	var out []string
	for _, e := range gjson.GetBytes(r.Body.Bytes(), "entry").Array() {
		out = append(out, withoutTokens(e.Raw))
	}
	return out
}
