// Package signin lets people sign in at the identity providers of the region by OpenID Connect: it sends the browser to an
// issuer, receives the answer, and hands a verified identity to the authorization server (SMART-180 to 188). What it
// remembers between the two is in State under the digest of the state parameter and belongs to one browser, so any instance
// may receive the answer, and an answer in another browser, a second time or from another issuer is refused (SMART-164).
// The assurance rules of the national issuers are not built: an issuer that needs them is refused when the server starts.
package signin
