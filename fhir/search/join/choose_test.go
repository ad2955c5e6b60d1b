package join

import "testing"

// TestChooseReverse: which of the two scans of a Stream reads the next batch.
func TestChooseReverse(t *testing.T) {
	const chunk = 64
	slow, fast := progress{partitions: 10, docs: 100}, progress{partitions: 100, docs: 100}
	for _, test := range []struct {
		says             string
		turn             int
		driven           bool
		forward, reverse progress
		want             bool
	}{
		{"the first turn is forward where an index can drive it", 0, true, progress{}, progress{}, false},
		{"the first turn is reverse where none can", 0, false, progress{}, progress{}, true},
		{"a reverse scan that has not run is tried", 1, true, fast, progress{}, true},
		{"a forward scan that has not run is tried after four chunks", 5, false, progress{}, progress{1, 4 * chunk}, false},
		{"a forward scan that has not run is not tried before", 1, false, progress{}, progress{1, 4*chunk - 1}, true},
		{"the faster scan continues: reverse", 2, true, slow, fast, true},
		{"the faster scan continues: forward", 2, true, fast, slow, false},
		{"of equals the reverse scan continues", 2, true, fast, fast, true},
	} {
		if got := chooseReverse(test.turn, test.driven, test.forward, test.reverse, chunk); got != test.want {
			t.Errorf("%s: got %t, want %t", test.says, got, test.want)
		}
	}
}
