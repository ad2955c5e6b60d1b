// Package clientauth finds out which client sends a request to an OAuth endpoint: by a secret in HTTP
// Basic, by a signed assertion (private_key_jwt, RFC 7523), or, for a public client, by its id alone. A
// request has exactly one of them, and it is the one that the client registered (SMART-317). Every
// failure has one text; the reason is for the log and the audit trail (SMART-337).
package clientauth
