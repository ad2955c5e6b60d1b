// Package patch changes resources by JSON Patch (RFC 6902) and FHIRPath Patch
// (fhirpatch.html), as bytes.
//
// JSON and FHIRPath read and check a document once and return a Patch, which can be applied to
// any number of bodies. Apply runs all operations in order on a token tree, all or nothing.
// Elements that no operation touches keep their order and the text of their numbers (REST-160).
//
// Some rules hold for every patch. It must not change id and resourceType (REST-163), nor remove
// labels and tags (REST-104). Generated narrative that the patch did not touch is removed; if the
// resource has any other narrative, the patch must replace it (REST-170). Changes of meta alone
// do not count. This holds for the narrative of the resource and of each embedded resource that
// was changed, not for that of a Composition's sections.
//
// The paths of a FHIRPath Patch may use the full language of fhir/path. In insert and move the
// path ends in the name of a list. Elements that a deletion leaves empty are removed, because
// FHIR has no empty elements. A JSON Patch that leaves an element empty is refused.
//
// Every error is a *fhir.Error whose expression is the position in the patch document:
// "$this[2].path" of a JSON Patch, "Parameters.parameter[1]" of a FHIRPath Patch. Apply returns
// the body that an update would have sent. The caller sets meta, applies the rules of updates
// and validates (REST-163, 169); Illegal makes the error for the issues of validation.
package patch
