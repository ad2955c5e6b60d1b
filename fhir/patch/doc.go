// Package patch changes resources by JSON Patch (RFC 6902) and FHIRPath Patch
// (fhirpatch.html), as bytes.
//
// A document is read and checked once, by JSON or FHIRPath, and makes a Patch
// that may be applied to any number of bodies. Apply runs all operations in
// order on a token tree, all or nothing: what no operation touches keeps its
// order and the text of its numbers (REST-160).
//
// Over the operations stand the rules that hold for every patch. id and
// resourceType stay (REST-163). Labels and tags are not taken away (REST-104).
// Generated narrative that the patch did not touch goes, and under any other
// narrative a patch must bring its own (REST-170); what the patch did to meta
// alone says nothing about narrative. The narrative of the resource is meant,
// and that of a resource within it, each for what was changed in it; not that of
// a Composition's sections.
//
// The paths of a FHIRPath Patch are read as the full language of fhir/path. Only
// insert and move name a list as a whole: their path ends in its name. What a
// deletion empties goes too, since FHIR has no empty elements. A JSON Patch is
// taken by its word: what it leaves empty is refused.
//
// Every error is a *fhir.Error whose expression is the place in the document:
// "$this[2].path" of a JSON Patch, "Parameters.parameter[1]" of a FHIRPath Patch.
// Apply gives the body that an update would have been sent: meta, the rules of
// update and validation are the caller's (REST-163, 169), with Illegal for what
// validation finds.
package patch
