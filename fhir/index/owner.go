package index

import "carerecord/fhir"

// Rule says how the owners of a resource type are found.
type Rule byte

// The rules of owners.txt. The zero Rule is for a type that has none: nobody
// may see it.
const (
	Nobody  Rule = iota // no line in owners.txt
	Unowned             // about nobody: Practitioner, Location, ValueSet ...
	Owned               // about patients
)

// Ownership says which patients a resource is about (CON-406).
type Ownership struct {
	Rule     Rule
	Patients []string // ids of local Patients, sorted and distinct
	// Unresolved is an Owned resource without any local Patient: neither at
	// its owner paths nor, so far, through another resource.
	Unresolved bool
	// Identifiers stand at an owner path in place of a literal reference.
	Identifiers []Identifier
	// Through are the resources whose owners this one inherits: items of a
	// List, targets of a Provenance, the securityContext of a Binary.
	Through []fhir.Ref
}

// Identifier is the system and value of a Reference.identifier.
type Identifier struct{ System, Value string }
