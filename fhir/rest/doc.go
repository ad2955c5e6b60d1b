// Package rest serves the RESTful API of FHIR R4 over HTTP: one file per interaction, one place that
// turns errors into OperationOutcome (errors.go).
//
// One table of routes (routes.go) and one dispatcher (dispatch.go) serve HTTP requests and the entries
// of batches and transactions. A request becomes a call: the requester is verified, the format negotiated, the
// parameters read once (serve.go). A handler returns an answer or an error; it never writes to the
// connection. The audit record of the answer is made durable, and then the first byte is sent. A handler
// holds a consent.View and never a store.
package rest
