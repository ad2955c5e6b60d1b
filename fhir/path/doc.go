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
// the type of its target, or else at Reference.type.
package path
