package index

import (
	"fmt"

	"carerecord/fhir"
	"carerecord/store"
)

// Query is one search parameter as a client wrote it.
type Query struct {
	Type     string   // resource type that is searched
	Name     string   // name of the parameter
	Modifier string   // behind the colon, empty for none
	Values   []string // split at unescaped commas, otherwise still escaped
}

// Error is a fault of a query. Code is of the issue-type set: not-supported
// (modifier or kind of parameter that is not served), value (malformed),
// invalid (contradicts itself), not-found (no such parameter). Text is for the
// client.
type Error struct{ Code, Text string }

// Error returns the text.
func (e *Error) Error() string { return e.Text }

func fault(code, format string, args ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

// Predicate returns what a document's keys must satisfy to match one of the
// values. Errors are *Error.
func (x *Indexer) Predicate(q Query) (store.Pred, error) {
	return nil, fault("not-supported", "Search is not built.")
}

// References returns the local literal references that a reference parameter
// finds in a resource, in the order of the body; for _include.
func (x *Indexer) References(typ, name string, body []byte) ([]fhir.Ref, error) {
	return nil, errNotBuilt
}
