// Package validate checks a resource against what FHIR 4.0.1 says of its type:
// element by element, without profiles.
//
// The body is walked once, as bytes, by the tables of fhir/r4 that are compiled
// on first use into one immutable value. A fault is a fhir.Issue with the place
// as simple FHIRPath: choices by the name of their element (Observation.value),
// extensions of primitives below the primitive (Patient.birthDate.extension[0]).
// A missing element is named by the place where it should stand.
//
// What is checked, with the code of the issue:
//
//	structure     the form of JSON (json.html): unknown elements, arrays exactly
//	              where elements repeat, objects for complex types, quotes around
//	              strings only, nothing empty, null as filler only, one variant of
//	              a choice, _x beside a primitive x
//	required      elements with a lower bound of 1
//	value         primitives against their type (datatypes.html), narrative that
//	              is well-formed XHTML
//	code-invalid  codes of required bindings
//	invariant     the rules that hold everywhere: ele-1 (an element has more than
//	              its id), ext-1 (an extension has a value or extensions), txt-1
//	              and txt-2 (what narrative may hold)
//
// Other invariants, targets of references and profiles are not checked here.
// All functions are safe for concurrent use.
package validate
