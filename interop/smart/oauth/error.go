package oauth

import (
	"errors"
	"fmt"
	"net/http"
)

// The error codes of RFC 6749 (sections 4.1.2.1 and 5.2), RFC 6750 and OpenID Connect that this server uses. Each has a line on the page for
// developers (SMART-010).
const (
	InvalidRequest          = "invalid_request"
	InvalidClient           = "invalid_client"
	InvalidGrant            = "invalid_grant"
	InvalidScope            = "invalid_scope"
	UnauthorizedClient      = "unauthorized_client"
	UnsupportedGrantType    = "unsupported_grant_type"
	UnsupportedResponseType = "unsupported_response_type"
	InvalidToken            = "invalid_token"
	InsufficientScope       = "insufficient_scope"
	AccessDenied            = "access_denied"
	ServerError             = "server_error"
	TemporarilyUnavailable  = "temporarily_unavailable"
	LoginRequired           = "login_required"
	ConsentRequired         = "consent_required"
	InteractionRequired     = "interaction_required"
	RequestNotSupported     = "request_not_supported"
	RequestURINotSupported  = "request_uri_not_supported"
)

// Codes returns the error codes, in the order of the standards.
func Codes() []string {
	return []string{InvalidRequest, InvalidClient, InvalidGrant, InvalidScope, UnauthorizedClient, UnsupportedGrantType, UnsupportedResponseType, InvalidToken, InsufficientScope,
		AccessDenied, ServerError, TemporarilyUnavailable, LoginRequired, ConsentRequired, InteractionRequired, RequestNotSupported, RequestURINotSupported}
}

// Error is a refusal. Code and Description are sent; Description is plain ASCII without anything of
// a request, a person or a secret (SMART-316). Cause is for the log and the audit trail alone.
type Error struct {
	Status      int
	Code        string
	Description string
	Cause       error
	Header      http.Header // nil for none
}

// Error describes the refusal for the log.
func (e *Error) Error() string {
	return e.Code + ": " + e.reason()
}

// reason describes the refusal for the log beside its code: the cause, or what the client is told if there is none.
func (e *Error) reason() string {
	if e.Cause != nil {
		return e.Cause.Error()
	}
	return e.Description
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Refuse returns an Error of status 400.
func Refuse(code, description string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: code, Description: description}
}

// Because returns a copy of the error with a cause for the log.
func (e *Error) Because(format string, args ...any) *Error {
	out := *e
	out.Cause = fmt.Errorf(format, args...)
	return &out
}

// Unavailable returns the error of a store that does not answer: 503, and never a refusal that a
// client would take for its own fault.
func Unavailable(cause error) *Error {
	return &Error{Status: http.StatusServiceUnavailable, Code: TemporarilyUnavailable, Description: "The server cannot answer now. Try again.",
		Cause: cause, Header: http.Header{"Retry-After": {"1"}}}
}

// TooMany returns the error of a limit (SMART-482).
func TooMany(description string) *Error {
	return &Error{Status: http.StatusTooManyRequests, Code: TemporarilyUnavailable, Description: description, Header: http.Header{"Retry-After": {"60"}}}
}

// AsError returns the Error in a chain of errors; any other error is a fault of the server.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Status: http.StatusInternalServerError, Code: ServerError, Description: "The server failed.", Cause: err}
}
