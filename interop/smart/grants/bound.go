package grants

import (
	"cmp"
	"context"
	"slices"
	"time"

	"carerecord/interop/smart/ledger"
)

// MaxOfApp is how many grants in force a user may have of one client. Each sign-in on another device makes one, and so does each launch
// that repeats an earlier decision: without a bound the list of a user would grow for as long as offline access lasts.
const MaxOfApp = 100

// EndOldest ends those of a user's grants of a client that have not been used for longest, so that there is room for one more. Grants that
// gave no token go first, since anybody can lead a browser to one more, and those that were made by a decision on a page last: others
// repeat it. The grant keep, "" for none, stays. event returns the audit event of the end of a grant.
func (s *Store) EndOldest(ctx context.Context, all []Listed, client, keep string, event func(*Grant) ledger.Event) error {
	all = slices.DeleteFunc(slices.Clone(all), func(g Listed) bool { return g.Client != client })
	slices.SortStableFunc(all, func(a, b Listed) int {
		return cmp.Or(cmp.Compare(redeemed(a), redeemed(b)), cmp.Compare(byPage(a), byPage(b)), a.lastSeen().Compare(b.lastSeen()))
	})
	for _, g := range all[:max(0, len(all)+1-MaxOfApp)] {
		if g.ID == keep {
			continue
		}
		if err := s.End(ctx, g.ID, event(&g.Grant), "the user has more recent grants of the app"); err != nil {
			return err
		}
	}
	return nil
}

// redeemed is 1 for a grant of which a token was issued, else 0.
func redeemed(g Listed) int {
	if g.LastUsed.IsZero() {
		return 0
	}
	return 1
}

// byPage is 1 for a grant that a person decided on a page, else 0.
func byPage(g Listed) int {
	if g.Decision == "" {
		return 1
	}
	return 0
}

// lastSeen is when a token of the grant was issued last; for none, when it was made.
func (g Listed) lastSeen() time.Time {
	if g.LastUsed.After(g.Made) {
		return g.LastUsed
	}
	return g.Made
}
