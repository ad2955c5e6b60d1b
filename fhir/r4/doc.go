// Package r4 holds what FHIR 4.0.1 defines, as tables: resource types and
// datatypes with their elements, search parameters, compartments, and the codes
// of bound value sets.
//
// The tables are the *_gen.tsv files, written by cmd/fhirgen and embedded. A
// table is parsed when it is first asked for; afterwards everything returned is
// shared and must not be changed. All functions are safe for concurrent use.
//
// A Type is anything that has elements: a resource ("Patient"), a datatype
// ("HumanName") or a backbone element, which is named by its path
// ("Patient.contact"). An Element is one line of a definition; the JSON
// properties that can hold it are its Properties: one for most, one for each
// type of a choice (value[x] is valueQuantity, valueString ...).
package r4

//go:generate go run carerecord/cmd/fhirgen -package ../../.cache/hl7.fhir.r4.examples-4.0.1.tgz -out ..
