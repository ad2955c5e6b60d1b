package fhir

import (
	"errors"
	"fmt"
	"strings"
)

// MaxIssues is how many faults of one body are reported in one pass (REST-003).
const MaxIssues = 50

// Issue is one fault for the client. Text is a sentence on which a developer of a client can
// act. It must not contain messages of the storage, nor ids or content that the requester may not
// see (REST-005).
type Issue struct {
	Severity   string // empty means error
	Code       string // of the issue-type value set
	Text       string
	Expression string // simple FHIRPath of the element in the body, if there is one (AppendElement)
	Detail     Coding // of OperationOutcome.issue.details, if there is one
}

// Coding is a system and a code.
type Coding struct{ System, Code string }

// Error is the error that handlers return for a client. The cause is for the log only.
type Error struct {
	Status int // of HTTP
	Issues []Issue
	Cause  error
	// Header has headers for the response (Allow, Retry-After, WWW-Authenticate, ETag).
	Header map[string]string
}

// Error returns the first sentence and the cause, for logs and tests.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", e.Status)
	for i, issue := range e.Issues {
		if i == 3 {
			b.WriteString(" …")
			break
		}
		fmt.Fprintf(&b, " %s: %s", issue.Code, issue.Text)
		if issue.Expression != "" {
			fmt.Fprintf(&b, " (%s)", issue.Expression)
		}
	}
	if e.Cause != nil {
		fmt.Fprintf(&b, ": %v", e.Cause)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Fault makes an Error with one issue.
func Fault(status int, code, format string, args ...any) *Error {
	return &Error{Status: status, Issues: []Issue{{Code: code, Text: fmt.Sprintf(format, args...)}}}
}

// At returns the error with a path as the Expression of its issues. It replaces the first
// element of an Expression: "Bundle.entry[3].resource" and "Patient.id" make
// "Bundle.entry[3].resource.id".
func (e *Error) At(path string) *Error {
	c := *e
	c.Issues = make([]Issue, len(e.Issues))
	for i, issue := range e.Issues {
		if _, rest, found := strings.Cut(issue.Expression, "."); found {
			issue.Expression = path + "." + rest
		} else {
			issue.Expression = path
		}
		c.Issues[i] = issue
	}
	return &c
}

// AsError finds the Error in a chain.
func AsError(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}

// NotFound returns the error both for an id that never existed and for one that the requester may
// not see.
func NotFound() *Error {
	return Fault(404, "not-found", "No such resource is known here.")
}
