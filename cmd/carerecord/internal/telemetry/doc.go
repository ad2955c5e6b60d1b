// Package telemetry observes a server: metrics, one log line per request, and traces.
//
// It wraps the parts of a server and is in none of them: a rest.Middleware around each request,
// and a store.Engine around the engine. A server without telemetry does not run any of it.
//
// Nothing in metrics, logs and traces identifies a person or a resource, or repeats what a
// client sent: labels and attributes are from short lists (labels.go). There are two exceptions,
// which are in the log and in no metric: the id of a request, which its client may choose, and
// the registered id of a client.
package telemetry
