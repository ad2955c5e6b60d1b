// Package telemetry tells an operator how the server does: metrics, one line of
// log per request, and traces.
//
// It goes around the parts and is in none of them: a rest.Middleware around each
// request, and an Engine around the engine, with the same interface. What is not
// asked for is not there.
//
// Nothing that leaves here names a person or a resource, or repeats what a
// client sent: labels and attributes come from short lists (labels.go). Two
// values are free: the id of a request, which its client may choose, and the
// registered id of a client; they stand in the log and in no metric.
package telemetry
