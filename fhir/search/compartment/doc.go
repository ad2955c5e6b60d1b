// Package compartment implements $everything of a Patient or an Encounter on a consent.View: the
// owner, the members of its compartment, and the resources that these refer to, in pages.
//
// $everything of an Encounter also has rows outside the compartment: those that an extension ties to the
// Encounter (OPER-014, encounter.go). No search parameter finds these, so they are searched among the rows
// that name the subject of the Encounter.
package compartment
