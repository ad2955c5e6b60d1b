// Package validate checks a resource against the definition of its type in FHIR 4.0.1, element by
// element, without profiles.
//
// The body is walked once, as bytes. The tables of fhir/r4 are compiled on first use into one
// immutable table of shapes. A fault is a fhir.Issue whose expression is a simple FHIRPath: a choice
// has the name of its element (Observation.value), and an extension of a primitive is below the
// primitive (Patient.birthDate.extension[0]). The expression of a missing element is its own path.
//
// The twin of a primitive property x is the property _x, which has the id and the extensions of x
// (json.html, "JSON representation of primitive elements").
//
// These rules are checked, by code of the issue:
//
//	structure     the form of JSON (json.html): unknown elements, arrays exactly
//	              where elements repeat, objects for complex types, quotes around
//	              strings only, nothing empty, null only as a filler of arrays, one
//	              variant of a choice, _x only for a primitive x
//	required      elements with a minimum cardinality of 1
//	value         primitives against their type (datatypes.html), narrative that
//	              is well-formed XHTML
//	code-invalid  codes of required bindings
//	invariant     the rules of every resource: ele-1 (an element has more than
//	              its id), ext-1 (an extension has a value or extensions), txt-1
//	              and txt-2 (content of narrative)
//
// Other invariants, targets of references and profiles are not checked here.
// All functions are safe for concurrent use.
package validate
