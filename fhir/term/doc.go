// Package term evaluates code systems and value sets: the descendants or ancestors of a code
// (SRCH-052), and the members of a value set (SRCH-051).
//
// Code systems and value sets have two sources. Those of the package of FHIR 4.0.1 are in the
// *_gen.tsv tables, which cmd/fhirgen writes: every system of which the package has all codes
// (20,007 of its 20,731 codes), and the compose of every value set. Resources that Terms.Find
// returns take precedence: CodeSystems with the content "complete" and ValueSets with a compose.
// The caller supplies Find and decides which stored resources apply to a request, so that no
// client can change the meaning of a code for others.
//
// A value set is evaluated from its compose: lists of codes, whole systems, other value sets, the
// filters is-a and descendent-of on concept, and = on code, parent and, for a stored system, on
// the properties of its concepts; and exclusions by the same means. A system whose codes are not
// known here (SNOMED CT, LOINC) can be listed from and taken whole, but has no hierarchy and
// cannot be filtered.
//
// A value set that cannot be evaluated is an Error, never an empty set. Codes are compared as
// written, except that the code of a query may have another case.
package term

// Error is the reason why a code system or value set cannot be evaluated. Code is of the issue-type
// value set: not-supported (unknown, or of a kind that is not evaluated) or too-costly (more codes
// than the expansion maximum). Text is for the client.
type Error struct{ Code, Text string }

// Error returns the text.
func (e *Error) Error() string { return e.Text }
