package mongo

import (
	"testing"
	"time"
)

// TestClockOffset: the offset of a clock from that of the primary is found within the time that the question takes (AUD-105).
func TestClockOffset(t *testing.T) {
	var ahead time.Duration
	db := openWatched(t, freshConfig(t, func() time.Time { return time.Now().Add(ahead) }))
	const moved = time.Hour
	for _, ahead = range []time.Duration{0, moved, -moved} {
		offset, uncertain, err := db.ClockOffset(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if off := (offset - ahead).Abs(); off > uncertain+time.Millisecond {
			t.Errorf("a clock that is %v ahead: got %v, uncertain by %v", ahead, offset, uncertain)
		}
	}
}
