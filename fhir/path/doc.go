// Package path evaluates FHIRPath over resources as JSON bytes.
//
// A resource is read once into a Doc, a flat list of nodes in document order whose strings are
// slices of the body. Numbers are kept as text. An expression is compiled once into an Expr, bound to a
// resource type (For), and evaluated on any number of Docs. The results are Values: nodes of the
// Doc with their FHIR type from the tables of package r4, so that a caller can distinguish a
// Quantity from a CodeableConcept.
//
// The language is the part of FHIRPath that search parameters use: paths with choice types
// ("value" finds valueQuantity), as and is (also as functions), ofType, |, =, !=, and, or, where,
// exists, first, [n], extension, hasExtension, %resource, resolve() before is, string and boolean
// literals. Compile refuses everything else, and For refuses paths that no resource of the type
// can have, so an unsupported expression is an error and not an empty result.
//
// It differs from the standard in these points. A union keeps duplicates. The operator "as" filters
// a collection of any size, as ofType does. Logic has two values: an empty operand is false, so
// a comparison always yields a boolean. Elements with only an id or extensions (_birthDate
// without birthDate) do not exist.
//
// resolve() does not read other resources. It takes the type of the target from the literal
// reference, from Reference.type, or from the contained resource; a reference by an NHS number alone refers to a
// Patient.
//
// # The full language
//
// Patches and invariants use the whole language: Full makes a Program, and Run evaluates it on the
// same Docs (FHIRPath 2.0.0 with the functions for trial use). It has three-valued logic, System
// types, extensions of primitives, and elements that have only extensions. An Item is an element
// with its path, or a value of a System type. Evaluation is slower than that of an Expr, bounded by
// MaxSteps, and reads only the resource: resolve() finds only contained resources. A name that no
// value of the known types can have is an error.
//
// Quantities are compared if their units are equal or fixed lengths of time; there is no UCUM
// conversion. conformsTo(), memberOf() and other functions that need profiles or terminology are
// refused as Unsupported. The tests run the official cases; testdata lists those that do not pass.
package path
