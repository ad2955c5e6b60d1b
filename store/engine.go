package store

import "context"

// Engine is everything that a storage engine offers a server: the document store, its ports,
// and the maintenance of both.
type Engine interface {
	Store
	State
	Log
	ChangeFeed
	Copier
	Explainer
	// Verify reads the whole store and returns an error that lists inconsistencies, up to a maximum.
	Verify(context.Context) error
	// Recount discards the stored counts of keys. They are counted again when they are next needed.
	Recount(context.Context) error
}
