// Package clients is the registry of client applications: what each may ask for, how it proves who it
// is, and who approved it. The registry is State, and nothing of it is kept in the process, so that a
// change governs the next request on every server. A client that is not active does not exist for
// the OAuth endpoints and for tokens (SMART-050).
package clients
