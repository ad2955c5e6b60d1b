// Package wait lets tests wait for a condition. Tests do not sleep: a sleep is too short on a busy machine, and
// too long on any other.
package wait

import "time"

// Patience is how long a test waits for a condition. It is long, because machines are busy, and
// is reached only if the test fails.
const Patience = 2 * time.Minute

// maxPause is the longest pause between two calls of a condition.
const maxPause = 20 * time.Millisecond

// Until calls a condition until it is true, with short pauses. It returns false if that takes longer
// than Patience.
func Until(condition func() bool) bool { return For(Patience, condition) }

// For is Until with a limit of its own. The condition is called at least once, and once more
// after the limit has passed.
func For(limit time.Duration, condition func() bool) bool {
	end := time.Now().Add(limit)
	pause := 50 * time.Microsecond
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		late := time.Now().After(end)
		if condition() {
			return true
		}
		if late {
			return false
		}
		timer.Reset(pause)
		<-timer.C
		pause = min(2*pause, maxPause)
	}
}
