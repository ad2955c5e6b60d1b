package join

import (
	"context"

	"carerecord/consent"
	"carerecord/store"
)

// VersionedHops adds to hops, as Type.param, the hops of nodes over which rows refer to a version
// of a resource. A chain tests the current version of such a resource (SRCH-136).
func VersionedHops(ctx context.Context, v *consent.View, nodes []Node, rows []store.Doc, hops map[string]bool) error {
	return noteVersions(ctx, v, nodes, rows, hops)
}

func noteVersions(ctx context.Context, v *consent.View, nodes []Node, rows []store.Doc, seen map[string]bool) error {
	for _, n := range nodes {
		if err := n.noteVersions(ctx, v, rows, seen); err != nil {
			return err
		}
	}
	return nil
}
