package smart

import (
	"testing"
	"time"

	"carerecord/store/storetest"
)

// withoutExpiry returns a store whose clock stands still, so that it removes nothing.
func withoutExpiry(clock func() time.Time) engine {
	began := clock()
	return storetest.NewReference(func() time.Time { return began })
}

// TestExpiredTransactions: transactions that have ended do not count among the ten of a browser, also if the store has not removed
// them (SMART-094, 492).
func TestExpiredTransactions(t *testing.T) {
	w := openWorld(t, withoutExpiry, 1)
	b := w.browser()
	for i := range 12 {
		if i == 10 {
			w.now = w.now.Add(10 * time.Minute)
		}
		if b.open(site + "/oauth/authorize?" + w.authorization("app", "patient/Observation.rs").Encode()); b.page.code != 200 {
			t.Errorf("SMART-094, 492: request %d: got %d", i+1, b.page.code)
		}
	}
}
