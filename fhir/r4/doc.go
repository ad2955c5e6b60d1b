// Package r4 has the definitions of FHIR 4.0.1 as tables: resource types and datatypes with their
// elements, search parameters, compartments, and the codes of bound value sets.
//
// The tables are the embedded *_gen.tsv files, which cmd/fhirgen writes. A table is parsed on first
// use. All results are shared and must not be changed. All functions are safe for concurrent use.
//
// A Type is anything that has elements: a resource ("Patient"), a datatype
// ("HumanName") or a backbone element, which is named by its path
// ("Patient.contact"). An Element is one line of a definition; the JSON
// properties that can hold it are its Properties: one for most, one for each
// type of a choice (value[x] is valueQuantity, valueString ...).
package r4

//go:generate go run carerecord/cmd/fhirgen -package ../../.cache/hl7.fhir.r4.examples-4.0.1.tgz -out ..
