// Package staff keeps the resources of members of staff who sign in (SMART-442): a Practitioner, and a PractitionerRole for each role with
// an SDS role profile id. One that exists is taken as it is. One that is missing is created at the first sign-in, with a Provenance, as data
// of the organisation for which the person acts; the name of a Practitioner that was made here follows the identity provider. Codes come
// from the registered role and are never changed here.
//
// Whether a resource exists is asked as the person, and only organisations for which the person works say who the person is, so what is
// made depends on nothing that the person may not see, and on no other organisation. A value in State, found by issuer and subject, names
// what was made or found: it is written in the same commit, so that of two sign-ins at once one makes it, and that what a source has removed
// is not made again.
package staff
