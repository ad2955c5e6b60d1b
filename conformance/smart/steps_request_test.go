package smart

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// asks are the scopes that the walk asks for, by client.
func asks() map[string][]string {
	patients := []string{"launch/patient patient/Observation.rs patient/Condition.rs offline_access", "openid fhirUser patient/Observation.read offline_access", "patient/*.rs offline_access", "patient/Observation.cruds",
		"user/Condition.rs openid offline_access", "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory", "launch/encounter patient/Condition.rs offline_access"}
	staff := []string{"launch/patient patient/Observation.rs", "user/*.rs openid fhirUser", "patient/Condition.rs user/Observation.rs", "openid launch/patient patient/Observation.cruds", "launch/patient launch/encounter patient/Condition.rs"}
	return map[string][]string{"app": patients, "secret": patients, "clinical": staff, "signer": staff, "both": append(staff, patients...), "limited": append(staff, patients...)}
}

// fresh makes an authorization request and its model, in one of the browsers.
func (w *walk) fresh() (*seat, *modelTransaction, url.Values) {
	client := one(w, []string{"app", "app", "clinical", "clinical", "both", "secret", "signer", "limited"})
	tx := &modelTransaction{state: fmt.Sprintf("state-%d-%d", w.requests, len(w.log)), client: client, scope: one(w, asks()[client]), browser: one(w, w.seats), made: w.now}
	tx.visit = tx.browser.visit
	params := w.authorization(client, tx.scope)
	params.Set("state", tx.state)
	params.Set("code_challenge", challengeOf(tx.verifier()))
	return tx.browser, tx, params
}

// open opens an authorization request that is right, or comes with a launch that may be another's, used or late.
func (w *walk) open() {
	b, tx, params := w.fresh()
	want := ""
	if tx.client == "clinical" || tx.client == "signer" || w.IntN(20) == 0 {
		if len(w.launches) > 0 && w.IntN(2) == 0 {
			l := one(w, w.launches)
			tx.launch, tx.scope = l, one(w, []string{"launch patient/Observation.rs online_access", "launch user/Condition.rs openid online_access", "launch openid online_access user/Observation.rs"})
			params.Set("scope", tx.scope)
			params.Set("launch", l.handle)
			if l.used || l.client != tx.client || !w.now.Before(l.ends) {
				want = "invalid_request"
			}
		}
	}
	switch w.IntN(8) {
	case 0, 1:
		tx.login = true
		params.Set("prompt", "login")
	case 2:
		tx.consent = true
		params.Set("prompt", "consent")
	}
	w.note("%s in %s: %s (%q, launch %v)", tx.client, b.name, tx.state, tx.scope, tx.launch != nil)
	open := 0
	for _, other := range w.transactions {
		if other.open(b, w.now) {
			open++
		}
	}
	w.ask(b, tx, params, want, open >= 10)
}

// ask sends an authorization request. want is the error that it must have; full says that the browser has many
// transactions.
func (w *walk) ask(b *seat, tx *modelTransaction, params url.Values, want string, full bool) {
	w.Helper()
	suspended := w.suspended[tx.client]
	tx.kind = tx.kindNow()
	location := b.browser.open(site + "/oauth/authorize?" + params.Encode())
	id := ""
	for _, path := range b.visited {
		if rest, ok := strings.CutPrefix(path, "/oauth/transaction/"); ok {
			id = rest
			break
		}
	}
	if tx.launch != nil && (id != "" || location != "" || b.browser.page.code == http.StatusTooManyRequests) {
		tx.launch.used = true
	}
	b.tx, b.page = nil, nil
	if id == "" {
		if location != "" {
			w.arrived(b, location, nil)
		}
		if want == "" && !suspended && !full && !w.safe {
			w.Errorf("SMART-080: a request that is right: got %d and %q", b.browser.page.code, location)
		}
		return
	}
	if want != "" || suspended && !w.safe {
		w.Errorf("SMART-050, 083, 124: a request was taken, want %q: %v", want, params)
	}
	tx.id, b.tx = id, tx
	w.transactions = append(w.transactions, tx)
	if w.saw(b); location != "" {
		w.arrived(b, location, nil)
	}
}

// kindNow returns the kind of people that the client or the launch decides; "" where the reader chooses.
func (tx *modelTransaction) kindNow() string {
	switch {
	case tx.launch != nil || tx.client == "clinical" || tx.client == "signer":
		return "staff"
	case tx.client == "app" || tx.client == "secret":
		return "patient"
	}
	return ""
}

// openWrongly opens an authorization request that must be refused.
func (w *walk) openWrongly() {
	b, tx, params := w.fresh()
	set := one(w, [][2]string{{"redirect_uri", "https://evil.example/back"}, {"redirect_uri", redirect + "/x"}, {"client_id", "app-none"}, {"code_challenge", ""}, {"code_challenge_method", "plain"},
		{"aud", "https://other.example"}, {"response_type", "token"}, {"launch", "cr_lh_" + strings.Repeat("A", 43)}, {"state", ""}, {"scope", "nonsense"}, {"client_id", w.ids["ehr"]}})
	w.note("%s in %s with %v", tx.client, b.name, set)
	params.Set(set[0], set[1])
	location := b.browser.open(site + "/oauth/authorize?" + params.Encode())
	if b.tx, b.page = nil, nil; strings.Contains(strings.Join(b.visited, " "), "/oauth/transaction/") {
		w.Errorf("T01, T09, T12, T13: a wrong request was taken: %v", params)
	}
	if location != "" && (!strings.HasPrefix(location, redirect+"?") || strings.Contains(location, "code=") || set[0] == "redirect_uri") {
		w.Errorf("SMART-083, T01: a wrong request (%v) sends the browser to %s", set, location)
	}
}

// returnTo opens the page of a transaction of this or of the other browser.
func (w *walk) returnTo() {
	if len(w.transactions) == 0 {
		return
	}
	b, tx := one(w, w.seats), one(w, w.transactions)
	w.note("to %s in %s", tx.state, b.name)
	location := b.browser.open(site + "/oauth/transaction/" + tx.id)
	if b.tx, b.page = nil, nil; !tx.open(b, w.now) && (location != "" || b.browser.page.code < 400) {
		w.Errorf("SMART-094: browser %s got the page of %+v: %d", b.name, *tx, b.browser.page.code)
		return
	}
	if w.saw(b); location != "" {
		w.arrived(b, location, nil)
	}
}
