// Package term answers questions about codes: which lie below or above one
// (SRCH-052), and which belong to a value set (SRCH-051).
//
// Code systems and value sets come from two places. Those of the package of FHIR
// 4.0.1 are in the *_gen.tsv tables, written by cmd/fhirgen: every system of which
// the package has all codes (20,007 of its 20,731 codes), and what every value set
// is composed of. Resources that Terms.Find finds come before them: CodeSystems with the
// content "complete" and ValueSets with a compose. Whoever gives Find decides whose
// resources count for a caller, so that nobody changes what a code means to others.
//
// A value set is evaluated from its compose, the table's and a resource's alike:
// lists of codes, whole systems, other value sets, the filters is-a and descendent-of
// on concept, and = on code, parent and, of a stored system, on the
// properties of its concepts; and what is excluded by the same means. A system whose codes are not known here
// (SNOMED CT, LOINC) can be listed from and taken whole, but has no hierarchy and
// cannot be filtered.
//
// What cannot be answered is an Error, never an empty answer. Codes compare as
// they are written; a question may write one in another case.
package term

// Error is a question that cannot be answered. Code is of the issue-type set:
// not-supported (unknown, or of a kind that is not evaluated) or too-costly (more
// codes than the expansion maximum). Text is for the client.
type Error struct{ Code, Text string }

// Error returns the text.
func (e *Error) Error() string { return e.Text }
