package consent

import (
	"context"

	"carerecord/store"
)

// ResolveNamed returns the id of the one live Patient who is named, or "", also where the store
// does not answer. It is for the trail, which says of whom a request was, whatever was
// decided (AUD-303); nobody else may learn it.
func (g *Guard) ResolveNamed(ctx context.Context, n NamedPatient) string {
	var id string
	if err := g.store.Read(ctx, func(snap store.Snap) (err error) {
		id, err = g.findNamed(ctx, snap, n)
		return err
	}); err != nil {
		return ""
	}
	return id
}
