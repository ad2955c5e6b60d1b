// Package path evaluates FHIRPath over resources as JSON bytes.
//
// A resource is read once into a Doc, a flat list of nodes in document order
// whose strings are slices of the body; numbers stay text. An expression is
// compiled once into an Expr, bound to a resource type (For), and evaluated on
// any number of Docs. What it yields are Values: places in the Doc with their
// FHIR type, known from the tables of package r4, so that the reader can tell a
// Quantity from a CodeableConcept.
//
// The language is the part of FHIRPath that search parameters use: paths with
// choice types ("value" finds valueQuantity), as and is (also as functions),
// ofType, |, =, !=, and, or, where, exists, first, [n], extension, hasExtension,
// %resource, resolve() before is, string and boolean literals. Compile refuses
// everything else, and For refuses paths that no resource of the type can have:
// an expression is never empty for want of understanding.
//
// It differs from the language of the standard in three points. A union keeps
// doubles. The operator as filters a collection of any size, as ofType does.
// Truth has two values: an empty operand is false, so that a comparison always
// yields a boolean. Elements that have only an id or extensions (_birthDate
// without birthDate) are not there.
//
// resolve() resolves nothing: it looks at what a literal reference says about
// the type of its target, or else at Reference.type; of a contained resource at
// its type.
//
// # The full language
//
// For patches and invariants there is the language as a whole beside it: Full
// makes a Program, and Run evaluates it on the same Docs (FHIRPath 2.0.0 with the
// functions for trial use). It knows truth with three values, System types,
// extensions of primitives, and elements that have only those; an Item is an
// element with its place or a value of a System type. Evaluation is slower than
// that of an Expr, bounded by MaxSteps, and never leaves the resource: resolve()
// finds contained resources alone. A name that no value it is asked of can have is
// an error and not empty, as far as the types are known.
//
// Units are compared where they are the same, or are fixed lengths of time; there
// is no UCUM conversion. conformsTo(), memberOf() and what else needs profiles or
// terminology is refused as Unsupported. The official cases run in the tests,
// with the list of those that do not pass in testdata.
package path
