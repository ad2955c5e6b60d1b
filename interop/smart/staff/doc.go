// Package staff keeps the resources of members of staff who sign in (SMART-442): for each organisation for which somebody works a
// Practitioner, and a PractitionerRole of this Practitioner for each role with an SDS role profile id. One that exists is taken as it is.
// One that is missing is created at the first sign-in, with a Provenance, as data of the organisation; the name of a Practitioner that was
// made here follows the identity provider. Codes come from the registered role and are never changed here.
//
// What is made for an organisation depends on its own resources alone, and names no other organisation's: its source system reads what is
// made. Whether a resource exists is asked as the person. A resource of the organisation that the person does not see still keeps another
// one from being made: the person then has no resource (SMART-384). A value in State, found by issuer and subject, names what was made or
// found at each organisation: it is written in the same commit, so that of two sign-ins at once one makes it, and that what a source has
// removed is not made again.
package staff
