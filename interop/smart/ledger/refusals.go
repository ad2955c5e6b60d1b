package ledger

import (
	"context"

	"carerecord/consent/audit"
	"carerecord/interop/smart/limits"
)

// Refusals records what is refused to senders who are nobody: a client that was not authenticated, a browser without a session. They
// can send as much as they like under any name, and must not fill the audit trail. Of each source a limited number in a minute
// has a record each; the others are counted, and the count has a record of its own (audit.UnidentifiedLimiter). It is safe
// for concurrent use.
type Refusals struct {
	Ledger *Ledger
	// Sources is how many refusals of a source have a record each in a minute.
	Sources *limits.Limit
	// Counted counts the others. Its owner flushes it.
	Counted *audit.UnidentifiedLimiter
}

// Note records a refusal. It reports whether the source is still within its limit; if not, it was counted, and the answer is 429. The
// error is that of the audit trail.
func (r *Refusals) Note(ctx context.Context, e Event) (within bool, err error) {
	if !r.Sources.Count(limits.Source(e.Client.Address)) {
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
