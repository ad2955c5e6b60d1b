// Package node is a running care record: an opened store that no other process may write to, the
// FHIR server over it, and the interfaces for its operator.
//
// A heldStore is an engine that this process has the only right to write to: by a lock of the
// folder (Pebble) or by a lease (MongoDB). Commands that read no document need no more. A Node
// adds the guard, the search and the FHIR server.
//
// A server listens on three addresses: the one for clients (Node.Handler), the one for metrics
// and operators (--admin, admin.go), and a socket in the store's folder (socket.go). Each command of
// cmd/carerecord that needs a store has a function here. It goes through the socket if a server
// on this machine holds the store, and opens the store otherwise. Every operation leaves a record
// in the audit trail, in both cases.
package node

// version of the software, as the CapabilityStatement, backups and audit trails have it.
const version = "0.1.0"
