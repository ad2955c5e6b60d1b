package signin

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"carerecord/interop/pages"
	"carerecord/interop/smart/secret"
	"carerecord/store"
)

// Callback receives the answer of an issuer at CallbackPath: it finds the sign-in that this browser started, exchanges the
// code, verifies the identity, calls Config.Verified, and sends the browser to the continuation of the transaction (303).
// The error is an *Error, a *pages.Failure for another method or an unknown issuer, an error of State, or that of Verified; then
// nothing is written.
func (u *Upstream) Callback(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet {
		return &pages.Failure{Kind: pages.MethodRefused, Allow: http.MethodGet}
	}
	name, ok := strings.CutPrefix(r.URL.Path, CallbackPath)
	i := u.issuer(name)
	if !ok || i == nil {
		return pages.Fail(pages.NotFound, nil)
	}
	answer, err := readAnswer(r.URL)
	if err != nil {
		return &Error{Reason: Unreadable, Issuer: name, Err: err}
	}
	l, err := u.take(r, name, answer.state)
	if err != nil {
		return err
	}
	if l.Issuer != name {
		return &Error{Reason: WrongIssuer, Issuer: name, Err: fmt.Errorf("the sign-in was started at %q", l.Issuer)}
	}
	id, err := u.identify(r, i, l, answer)
	if err != nil {
		return err
	}
	if err := u.cfg.Verified(w, r, l.Transaction, *id); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "same-origin")
	w.Header().Set("Location", u.cfg.Origin+u.cfg.Continue(l.Transaction))
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// answer is the authorization response of an issuer (RFC 6749 section 4.1.2, RFC 9207).
type answer struct{ state, code, issuer, err string }

// readAnswer reads the query. A repeated parameter is an error.
func readAnswer(u *url.URL) (answer, error) {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return answer{}, errors.New("the query of an answer cannot be read")
	}
	for _, values := range query {
		if len(values) != 1 {
			return answer{}, errors.New("an answer repeats a parameter") // the log has nothing of a query (SMART-495)
		}
	}
	return answer{query.Get("state"), query.Get("code"), query.Get("iss"), query.Get("error")}, nil
}

// take returns the sign-in that waits for a state and ends the wait. A state that is unknown, used or of another browser
// gives one and the same error. Another browser does not end the wait.
func (u *Upstream) take(r *http.Request, name, state string) (leg, error) {
	unknown := func(text string) error {
		return &Error{Reason: UnknownAnswer, Issuer: name, Err: errors.New(text)}
	}
	if !secret.State.Is(state) {
		return leg{}, unknown("the state is not one of ours")
	}
	raw, err := u.cfg.State.Lookup(r.Context(), u.legKey(state))
	if errors.Is(err, store.ErrNotFound) {
		return leg{}, unknown("the state is unknown, used or too old")
	}
	if err != nil {
		return leg{}, fmt.Errorf("look up sign-in: %w", err)
	}
	var l leg
	if err := json.Unmarshal(raw, &l); err != nil {
		return leg{}, fmt.Errorf("read sign-in: %w", err)
	}
	browser := u.cfg.Sessions.KnownBrowser(r)
	if browser == "" || subtle.ConstantTimeCompare([]byte(browser), []byte(l.Browser)) != 1 {
		return leg{}, unknown("the sign-in was started in another browser")
	}
	if !u.cfg.Clock().Before(l.Started.Add(legLife)) {
		return leg{}, unknown("the state is too old")
	}
	if _, err := u.cfg.State.Take(r.Context(), u.legKey(state)); errors.Is(err, store.ErrNotFound) {
		return leg{}, unknown("the state was used at the same time")
	} else if err != nil {
		return leg{}, fmt.Errorf("take sign-in: %w", err)
	}
	return l, nil
}
