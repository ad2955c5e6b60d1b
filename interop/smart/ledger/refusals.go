package ledger

import (
	"context"

	"carerecord/consent/audit"
	"carerecord/interop/smart/limits"
)

// Refusals records what is refused. Whoever is refused can send as much as they like, and must not fill the audit trail. Of each sender a
// limited number in a minute has a record each; the others are counted, and the count has a record of its own
// (audit.UnidentifiedLimiter). A sender is a network address, or a client that was authenticated. It is safe for concurrent use.
type Refusals struct {
	Ledger *Ledger
	// Sources is how many refusals of a source have a record each in a minute, and Clients how many of a client that was authenticated.
	Sources, Clients *limits.Limit
	// Counted counts the others. Its owner flushes it.
	Counted *audit.UnidentifiedLimiter
}

// Note records a refusal of a sender who is known by the address alone, whatever name they give: a client that was not authenticated, a
// browser. It reports whether the source is still within its limit; if not, the refusal was counted, and the answer is 429. The error is that
// of the audit trail.
func (r *Refusals) Note(ctx context.Context, e Event) (within bool, err error) {
	return r.note(ctx, e, r.Sources, limits.Source(e.Client.Address))
}

// NoteClient is Note for a client that was authenticated, e.Client, wherever it sends from.
func (r *Refusals) NoteClient(ctx context.Context, e Event) (within bool, err error) {
	return r.note(ctx, e, r.Clients, e.Client.ID)
}

func (r *Refusals) note(ctx context.Context, e Event, of *limits.Limit, sender string) (within bool, err error) {
	if !of.Count(sender) {
		r.Count(e.Client.Address)
		if r.Ledger.Observe != nil {
			r.Ledger.Observe(e)
		}
		return false, nil
	}
	return true, r.Ledger.Note(ctx, e)
}

// Count counts a refusal that has no record: that of a source or a client which exceeds another limit.
func (r *Refusals) Count(address string) { r.Counted.Count(address, r.Ledger.Now()) }
