package signin

import (
	"fmt"

	"carerecord/interop/pages"
)

// Reason is why a sign-in did not succeed.
type Reason string

// The reasons. Each is for a page and the audit; the cause is for the log.
const (
	UnknownAnswer Reason = "unknown-answer" // no sign-in of this browser awaits this answer: another browser, a replay, or too late
	Unreadable    Reason = "unreadable"     // the query is not one of an answer
	WrongIssuer   Reason = "wrong-issuer"   // the answer is of another issuer than the sign-in was started at
	Refused       Reason = "refused"        // the issuer refused, or the person stopped
	Invalid       Reason = "invalid"        // the answer or the ID token failed a check
	TooWeak       Reason = "too-weak"       // the person is not identified as the assurance rules require
	Down          Reason = "down"           // the issuer does not answer, or not as agreed
)

// Error is a sign-in that did not succeed. errors.As finds a *pages.Failure in it, for the page.
type Error struct {
	Reason      Reason
	Issuer      string // name, empty if unknown
	Transaction string // empty unless the answer belongs to this browser
	Retry       string // path at which the transaction goes on, empty without a transaction
	Err         error  // for the log: never holds a code, token or secret
}

// Error implements error.
func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("sign-in at %q: %s", e.Issuer, e.Reason)
	}
	return fmt.Sprintf("sign-in at %q: %s: %v", e.Issuer, e.Reason, e.Err)
}

// Unwrap returns the cause and the page.
func (e *Error) Unwrap() []error {
	page := &pages.Failure{Kind: pages.SignInRefused, Retry: e.Retry}
	switch e.Reason {
	case UnknownAnswer, WrongIssuer:
		page.Kind, page.Retry = pages.OtherBrowser, ""
	case Unreadable:
		page.Kind, page.Retry = pages.BadRequest, ""
	case Down:
		page.Kind = pages.ProviderDown
	case Refused, Invalid, TooWeak:
	}
	if e.Err == nil {
		return []error{page}
	}
	return []error{page, e.Err}
}

// failed returns an error of a leg that belongs to the browser.
func (u *Upstream) failed(reason Reason, l leg, err error) error {
	return &Error{Reason: reason, Issuer: l.Issuer, Transaction: l.Transaction, Retry: u.cfg.Continue(l.Transaction), Err: err}
}
