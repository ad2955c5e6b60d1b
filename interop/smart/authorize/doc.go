// Package authorize is the authorization endpoint and the way of one request through it: sign-in, choice of the patient,
// consent, and the redirect with a code (RFC 6749 section 4.1, SMART App Launch). A request on its way is a transaction in
// State, which belongs to one browser (SMART-094). No step trusts what an earlier page showed: each is checked again when its
// form comes back.
package authorize
