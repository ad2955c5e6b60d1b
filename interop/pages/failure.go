package pages

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"carerecord/store"
)

// ErrorKind is what an error page explains. Its texts are in the catalogue, so an error page never shows a text from
// outside.
type ErrorKind string

// The kinds of error pages.
const (
	BadRequest     ErrorKind = "bad-request"     // 400: the app sent a wrong request, or a form is not one of ours
	Forbidden      ErrorKind = "forbidden"       // 403: a post that is not from our page, or a thing that the user may not do
	NotFound       ErrorKind = "not-found"       // 404
	Ended          ErrorKind = "ended"           // 400: the transaction or session has ended
	OtherBrowser   ErrorKind = "other-browser"   // 400: a sign-in that another browser began, or that was used already
	SignInRefused  ErrorKind = "sign-in-refused" // 403: the identity provider did not sign in, or not well enough
	TooMany        ErrorKind = "too-many"        // 429
	ProviderDown   ErrorKind = "provider-down"   // 503: the identity provider does not answer (SMART-187)
	Unavailable    ErrorKind = "unavailable"     // 503: a part of this server does not answer
	MethodRefused  ErrorKind = "method-refused"  // 405
	InternalFailed ErrorKind = "internal"        // 500
)

// Status returns the HTTP status of an error page.
func (k ErrorKind) Status() int {
	switch k {
	case BadRequest, Ended, OtherBrowser:
		return http.StatusBadRequest
	case Forbidden, SignInRefused:
		return http.StatusForbidden
	case NotFound:
		return http.StatusNotFound
	case MethodRefused:
		return http.StatusMethodNotAllowed
	case TooMany:
		return http.StatusTooManyRequests
	case ProviderDown, Unavailable:
		return http.StatusServiceUnavailable
	case InternalFailed:
		return http.StatusInternalServerError
	default:
		return http.StatusInternalServerError
	}
}

// Failure is an error that becomes an error page. Err is for the log and never leaves the server.
type Failure struct {
	Kind  ErrorKind
	Retry string // path of a link "Try again", chosen by the server; empty: none
	Apps  string // path of the page of apps with access, for a link; empty: none
	// RetryAfter is sent with TooMany, ProviderDown and Unavailable, if it is not zero.
	RetryAfter time.Duration
	Allow      string // methods, sent with MethodRefused
	Err        error
}

// Fail returns a Failure.
func Fail(kind ErrorKind, err error) *Failure { return &Failure{Kind: kind, Err: err} }

// Error implements error. The text is for logs.
func (f *Failure) Error() string {
	if f.Err == nil {
		return string(f.Kind)
	}
	return fmt.Sprintf("%s: %v", f.Kind, f.Err)
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// Handle returns a handler that runs h and answers with an error page if h returns an error or panics. An error that is
// not a *Failure is an internal one, except that of a store that does not answer. This is the one place that turns errors into pages (SMART-480).
func (p *Renderer) Handle(h func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v == http.ErrAbortHandler {
				panic(v)
			} else if v != nil {
				p.fail(w, r, fmt.Errorf("panic: %v", v))
			}
		}()
		err := h(w, r)
		if err != nil && p.cfg.Refused != nil {
			err = p.cfg.Refused(r, err)
		}
		if err != nil {
			p.fail(w, r, err)
		}
	})
}

func (p *Renderer) fail(w http.ResponseWriter, r *http.Request, err error) {
	reference := p.cfg.Reference(r)
	if p.cfg.Log != nil {
		p.cfg.Log(r, reference, err)
	}
	var f *Failure
	switch {
	case errors.As(err, &f):
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		f = Fail(Unavailable, err)
	default:
		f = Fail(InternalFailed, err)
	}
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
	}
	if f.Allow != "" {
		w.Header().Set("Allow", f.Allow)
	}
	w.Header().Del("Location")
	page := Error{Kind: f.Kind, Reference: reference, Retry: f.Retry, Apps: f.Apps}
	if err := p.Render(w, r, f.Kind.Status(), page, Options{}); err != nil && p.cfg.Log != nil {
		p.cfg.Log(r, reference, err)
	}
}
