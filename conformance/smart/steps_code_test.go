package smart

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"time"
)

// users are the clients that act for people.
func userClients() []string {
	return []string{"app", "clinical", "both", "secret", "signer", "limited"}
}

// other returns mostly a client itself, and sometimes another.
func (w *walk) other(client string) string {
	if w.IntN(8) > 0 {
		return client
	}
	return one(w, userClients())
}

// takes reports whether the session on which a grant depends lets it have tokens, and whether that is certain.
func (w *walk) takes(g *modelGrant) (takes, known bool) {
	if g.doubt {
		return true, false
	}
	if !w.live(g, w.now) {
		return false, true
	}
	if !g.online {
		return true, true
	}
	return g.session.alive(w.now)
}

// refused reports whether a client is suspended, so that nothing that it sends has an effect. Where another walk may have
// suspended it, the answer tells.
func (w *walk) refused(client string, a answer) bool {
	if w.safe {
		return a.str("error") == "invalid_client"
	}
	return w.suspended[client]
}

// exchangeCode exchanges a code, rightly or wrongly, again or late.
func (w *walk) exchangeCode() {
	if len(w.codes) == 0 {
		return
	}
	c := one(w, w.codes[max(0, len(w.codes)-3):])
	client := w.other(c.client)
	form := url.Values{"grant_type": {"authorization_code"}, "code": {c.value}, "redirect_uri": {redirect}, "code_verifier": {c.tx.verifier()}}
	wrong := w.IntN(12)
	switch wrong {
	case 0:
		form.Set("code_verifier", one(w, []string{verifier, c.tx.verifier() + "x", challengeOf(c.tx.verifier())}))
	case 1:
		form.Set("redirect_uri", redirect+"/")
	}
	a := w.token(client, form)
	takes, known := w.takes(c.grant)
	want, used, ends := false, c.used, c.grant.ended
	switch {
	case w.refused(client, a):
	case c.used:
		ends = true
	case client != c.client:
		used = true
	case !w.now.Before(c.ends):
	case wrong < 2:
		used = true
	case takes:
		want = true
	}
	w.note("%s by %s, wrong %d: %d %s", c.tx.state, client, wrong, a.code, a.str("error"))
	if a.code == 200 && !want || a.code != 200 && want && known && !w.safe {
		w.Errorf("SMART-090, 091, 113, 114, 320, T07, T08: exchange of the code of %+v by %s, wrong %d: got %d %s, want success: %v", *c.tx, client, wrong, a.code, a.text, want)
	}
	c.used, c.grant.ended = used || a.code == 200, ends
	if a.code == 200 {
		w.issued(a, c.grant, "")
	}
}

// exchangeAtOnce exchanges a code twice at once. At most one succeeds, and then its tokens end.
func (w *walk) exchangeAtOnce() {
	if len(w.codes) == 0 {
		return
	}
	c := w.codes[len(w.codes)-1]
	form := url.Values{"grant_type": {"authorization_code"}, "code": {c.value}, "redirect_uri": {redirect}, "code_verifier": {c.tx.verifier()}}
	var requests [2]*http.Request
	for i := range requests {
		own, change := w.as(c.client, form)
		requests[i] = w.request("POST", site+"/oauth/token", own.Encode())
		requests[i].Header.Set("Content-Type", "application/x-www-form-urlencoded")
		change(requests[i])
	}
	var answers [2]answer
	var wg sync.WaitGroup
	for i, r := range requests {
		wg.Go(func() {
			rec := httptest.NewRecorder()
			w.servers[i%len(w.servers)].ServeHTTP(rec, r)
			answers[i] = read(rec)
		})
	}
	wg.Wait()
	w.note("%s: %d, %d", c.tx.state, answers[0].code, answers[1].code)
	wins := 0
	for _, a := range answers {
		if a.code == 200 {
			wins++
			w.issued(a, c.grant, "")
		}
	}
	if wins > 1 || wins > 0 && (c.used || !w.now.Before(c.ends)) {
		w.Errorf("SMART-091, 491, T08: two exchanges at once: got %d successes, used before: %v", wins, c.used)
	}
	if wins > 0 {
		c.used, c.grant.ended = true, true
	} else if c.used && !w.refused(c.client, answers[0]) && !w.refused(c.client, answers[1]) {
		c.grant.ended = true
	}
}

// issued takes note of the tokens of an answer.
func (w *walk) issued(a answer, g *modelGrant, narrower string) {
	w.Helper()
	life := min(15*time.Minute, g.ends.Sub(w.now))
	if got := a.body["expires_in"]; got != float64(int(life.Seconds())) {
		w.Errorf("SMART-314: a token of %+v lives %v s, want %v", *g, got, life.Seconds())
	}
	if got := a.str("patient"); got != g.patient && (got != "" || needsPatient(a.str("scope"))) {
		w.Errorf("SMART-141, 371: a token of %+v names the patient %q", *g, got)
	}
	if got := a.str("encounter"); g.encounter != got && (g.encounter == "" || strings.Contains(a.str("scope"), "launch/encounter")) {
		w.Errorf("SMART-149, 372: a token of %+v names the encounter %q", *g, got)
	}
	g.taken = true
	w.access = append(w.access, &modelAccess{value: a.str("access_token"), scope: a.str("scope"), grant: g, ends: w.now.Add(life)})
	w.checkScope(g, a.str("scope"), narrower)
	refresh := a.str("refresh_token")
	if (refresh != "") != (g.offline || g.online) {
		w.Errorf("SMART-340: a refresh token: got %v, want %v, for %+v", refresh != "", !(refresh != ""), *g)
	}
	if refresh == "" {
		return
	}
	r := &modelRefresh{value: refresh, grant: g, ends: g.ends}
	if unused := w.now.Add(90 * 24 * time.Hour); g.offline && unused.Before(r.ends) {
		r.ends = unused
	}
	w.refresh = append(w.refresh, r)
}
