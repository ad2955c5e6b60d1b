package store

import (
	"cmp"
	"context"
	"strings"
)

// ChangeFeed lists the commits that made versions, in the order of their numbers, each whole
// and once, also across restarts. Commits without a version (values, records of the log,
// rekeys) are not listed. Versions are kept for ever, and so is the feed. It is safe for
// concurrent use in the process that writes.
//
// A commit is listed as soon as it is durable and no commit with a lower number can follow,
// so nothing is ever inserted before a listed commit. Listed versions can be read.
//
// Every method with a Position returns ErrUnknownPosition for one that the feed does not
// have.
type ChangeFeed interface {
	// Changes returns the first commits after a position, at most max of them (max > 0). It
	// returns none only if there is none.
	Changes(ctx context.Context, after Position, max int) ([]Change, error)
	// End returns the position after the last listed commit.
	End(ctx context.Context) (Position, error)
	// Await returns nil as soon as a commit after a position is listed, or the context's
	// error if that ends first.
	Await(ctx context.Context, after Position) error
}

// Position is a position in a ChangeFeed: after the commit with the number Seq. The zero
// Position is before the first commit of every feed.
type Position struct {
	// Feed identifies the feed. A store has another one after Copier.Import and
	// Copier.RenewFeed.
	Feed string
	Seq  uint64
}

// Change is a commit in a ChangeFeed.
type Change struct {
	At       Position    // after this commit
	Versions []VersionID // that the commit made, tombstones included, by address
}

// VersionID identifies a version of a document.
type VersionID struct {
	Ref     Ref
	Version uint64
}

// CompareVersions orders versions by address, then by number.
func CompareVersions(a, b VersionID) int {
	return cmp.Or(strings.Compare(a.Ref.Type, b.Ref.Type), strings.Compare(a.Ref.ID, b.Ref.ID), cmp.Compare(a.Version, b.Version))
}
