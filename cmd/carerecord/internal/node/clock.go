package node

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// maxClockOffset is by how much the clock of this machine may differ from that of the database server (AUD-105).
const maxClockOffset = time.Second

// firstComparison is how long the comparison at the start may take: nothing waits for a renewal yet.
const firstComparison = 5 * time.Second

// clockCheck compares the clock of this machine with that of the database server. nil is a check that has nothing to compare with. It is
// safe for concurrent use.
type clockCheck struct {
	measure func(ctx context.Context) (offset, uncertain time.Duration, err error)
	timeout time.Duration // of one comparison: the lease is renewed between two
	log     *slog.Logger

	mu     sync.Mutex
	right  bool          // false until the first comparison
	offset time.Duration // the last that was measured
}

// compare compares the clocks. The clock counts as wrong until it is known to be right, and again once it differs by more than maxClockOffset
// for certain: an answer that was long on its way proves nothing, and neither does a server that does not answer. Then what was found
// before holds.
func (c *clockCheck) compare(ctx context.Context) {
	if c == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	offset, uncertain, err := c.measure(ctx)
	if err != nil {
		c.log.Warn("the clock was not compared with that of the database server", "err", err)
		return
	}
	away := offset.Abs()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset = offset
	switch was := c.right; {
	case away-uncertain > maxClockOffset:
		if c.right = false; was {
			c.log.Error("the clock of this machine differs too much from that of the database server: requests are refused", "offset", offset.Round(time.Millisecond), "uncertain", uncertain.Round(time.Millisecond))
		}
	case away+uncertain <= maxClockOffset:
		c.right = true
	}
}

// err returns an error while the clock is not known to be right.
func (c *clockCheck) err() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.right {
		return fmt.Errorf("the clock of this machine is not known to agree with that of the database server: the last offset that was measured is %v", c.offset.Round(time.Millisecond))
	}
	return nil
}
