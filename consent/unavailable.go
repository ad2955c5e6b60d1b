package consent

import (
	"context"
	"errors"

	"carerecord/fhir"
	"carerecord/store"
)

// The codes of a 503 to a write.
const (
	NotStored   = "NOT_STORED"    // nothing was stored, and nothing will be
	MayBeStored = "MAY_BE_STORED" // the change may have been stored, or may be stored later
)

// unavailable turns the error of a store that is unavailable into a 503 (CON-1705). A write of unknown
// outcome has no Retry-After: to repeat it could store it twice.
func unavailable(err error) error {
	if err == nil || isAnswer(err) {
		return err
	}
	again := map[string]string{"Retry-After": "1"}
	switch {
	case errors.Is(err, store.ErrUnknown):
		return outage("transient", "The outcome of the write is unknown: it may have been stored. Read the resource before you repeat the request.", MayBeStored, err, nil)
	case errors.Is(err, context.DeadlineExceeded):
		return outage("timeout", "The request took too long. No partial result is sent. Try again.", "", err, again)
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, context.Canceled):
		return outage("transient", "The store is unavailable. Try again.", "", err, again)
	case errors.Is(err, store.ErrTooLarge):
		return &fhir.Error{Status: 413, Issues: []fhir.Issue{{Code: "too-long", Text: "The resource is too large."}}, Cause: err}
	}
	return err
}

// notStored is unavailable for a request that writes and stored nothing, unless the error says otherwise.
func notStored(err error) error {
	if err == nil || isAnswer(err) {
		return err
	}
	again := map[string]string{"Retry-After": "1"}
	switch {
	case errors.Is(err, store.ErrUnknown), errors.Is(err, store.ErrTooLarge):
		return unavailable(err)
	case errors.Is(err, context.DeadlineExceeded):
		return outage("timeout", "The request took too long. Nothing was stored. Try again.", NotStored, err, again)
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, context.Canceled):
		return outage("transient", "The store is unavailable. Nothing was stored. Try again.", NotStored, err, again)
	}
	return err
}

// isAnswer reports whether an error is an answer for the client.
func isAnswer(err error) bool {
	if _, ok := AsRefusal(err); ok {
		return true
	}
	_, ok := fhir.AsError(err)
	return ok
}

func outage(code, text, detail string, cause error, header map[string]string) *fhir.Error {
	e := &fhir.Error{Status: 503, Issues: []fhir.Issue{{Code: code, Text: text}}, Cause: cause, Header: header}
	if detail != "" {
		e.Issues[0].Detail = fhir.Coding{System: outcomeSystem, Code: detail}
	}
	return e
}

// NothingStored is the detail of a 503 after which the request may be repeated.
func NothingStored() fhir.Coding { return fhir.Coding{System: outcomeSystem, Code: NotStored} }

// outcomeSystem is the code system of the outcomes of writes.
const outcomeSystem = "urn:carerecord:write-outcome"
