package storetest

import (
	"sync"
	"testing"
	"time"
)

// sentence is one sentence of the contract and the test that proves it.
type sentence struct {
	name string
	test func(*kit)
}

// Run tests an engine against the contract. Every sentence is a subtest with its own engine.
func Run(t *testing.T, subject Subject) {
	chapters := []struct {
		name      string
		sentences []sentence
	}{
		{"commit", commitSentences()},
		{"rekey", rekeySentences()},
		{"key revision", keyRevisionSentences()},
		{"absent", absentSentences()},
		{"read", readSentences()},
		{"cross-type key", crossTypeSentences()},
		{"history", historySentences()},
		{"race", raceSentences()},
		{"repeat", repeatSentences()},
		{"state", stateSentences()},
		{"log", logSentences()},
		{"feed", feedSentences()},
	}
	for _, chapter := range chapters {
		t.Run(chapter.name, func(t *testing.T) {
			for _, s := range chapter.sentences {
				t.Run(s.name, func(t *testing.T) { runSentence(t, subject, s.test) })
			}
		})
	}
}

// Clock is a clock that moves only by Advance. It is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock at a fixed instant, a Tuesday in 2025.
func NewClock() *Clock { return &Clock{now: time.Date(2025, 4, 1, 9, 0, 0, 0, time.UTC)} }

// Now returns the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
