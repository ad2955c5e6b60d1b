package authorize

import (
	"context"
	"net/http"
	"strings"

	"carerecord/consent/policy"
	"carerecord/interop/pages"
	"carerecord/interop/smart/capabilities"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/launch"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/limits"
	"carerecord/interop/smart/record"
	"carerecord/interop/smart/reminder"
	"carerecord/interop/smart/session"
	"carerecord/interop/smart/signin"
)

// The paths of the package.
const (
	Path            = "/oauth/authorize"
	TransactionPath = "/oauth/transaction/"
)

// Endpoint answers authorization requests and the pages that belong to them. It is safe for concurrent use.
type Endpoint struct {
	Base     string // the FHIR base: issuer and audience
	Grants   *grants.Store
	Lives    grants.Lives
	Launches *launch.Book
	Sessions *session.Sessions
	SignIn   *signin.Upstream
	Pages    *pages.Renderer
	Policy   *policy.Folder
	Record   *record.Record
	// Subject returns the identifier of a user in ID tokens (SMART-382).
	Subject func(u session.User) string
	// Starts limits the requests of each address, SignIns the sign-ins that each address starts, and Searches the searches of each user
	// (SMART-482).
	Starts, SignIns, Searches *limits.Limit
	// Refusals records the requests that are refused before they are transactions, and counts what is over a limit.
	Refusals *ledger.Refusals
	// Refused is called with the error code of each refusal that goes to the client, or that a page tells a person instead.
	Refused      func(code string)
	Address      func(*http.Request) string
	Capabilities capabilities.Set
	StopPath     string // of the page with the apps that have access
	// StopPathOf is StopPath for the person of a kind who is signed in.
	StopPathOf func(session.Kind) string
	// Reminders keeps when people were told of apps with offline access. Reminder returns the apps of which the user of a session is to be
	// reminded now, of those in a list, and Reminded takes the answer of its form (SMART-224).
	Reminders *reminder.Book
	Reminder  func(_ *http.Request, _ *session.Session, list func(context.Context) ([]grants.Listed, error)) ([]pages.App, error)
	Reminded  func(*http.Request, *session.Session) error
}

// request is an HTTP request for a step of a transaction.
type request struct {
	w    http.ResponseWriter
	r    *http.Request
	id   string // of the transaction
	step string // the last part of the path of a form; empty for the transaction itself
}

// Continue returns the path at which a transaction goes on.
func Continue(id string) string { return TransactionPath + id }

// ServeTransaction answers the pages of a transaction and their forms.
func (e *Endpoint) ServeTransaction(w http.ResponseWriter, r *http.Request) error {
	id, step, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, TransactionPath), "/")
	q := &request{w: w, r: r, id: id, step: step}
	if r.URL.RawQuery != "" {
		return pages.Fail(pages.BadRequest, nil)
	}
	switch r.Method {
	case http.MethodGet:
		switch {
		case step == stepBack:
			return e.serveBack(q)
		case step == stepApp:
			return e.serveApp(q)
		case step != "" && !isStep(step): // the page of a form that was sent back is loaded again by its path
			return pages.Fail(pages.NotFound, nil)
		}
		return e.advance(q)
	case http.MethodPost:
		return e.post(q)
	}
	return &pages.Failure{Kind: pages.MethodRefused, Allow: "GET, POST"}
}

// tooMany counts a request that is over a limit, and returns the error to answer.
func (e *Endpoint) tooMany(r *http.Request, cause error) error {
	e.Refusals.Count(e.Address(r))
	return pages.Fail(pages.TooMany, cause)
}

// see sends the browser on by a GET (SMART-092).
func see(w http.ResponseWriter, location string) {
	h := w.Header()
	h.Set("Location", location)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(http.StatusSeeOther)
}
