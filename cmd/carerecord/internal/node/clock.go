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

// clockCheck compares the clock of this machine with that of the database server. nil is a check that has nothing to compare with. It is
// safe for concurrent use.
type clockCheck struct {
	measure func(ctx context.Context) (offset, uncertain time.Duration, err error)
	within  time.Duration // for one comparison: the lease is renewed between two
	log     *slog.Logger

	mu     sync.Mutex
	offset time.Duration // the last that was measured
	wrong  bool
}

// look compares the clocks. The clock counts as wrong if it differs by more than maxClockOffset for certain: an answer that was long on its
// way proves nothing, and neither does a server that does not answer. Then what was found before holds.
func (c *clockCheck) look(ctx context.Context) {
	if c == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, c.within)
	defer cancel()
	offset, uncertain, err := c.measure(ctx)
	if err != nil {
		c.log.Warn("the clock was not compared with that of the database server", "err", err)
		return
	}
	away := offset.Abs()
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.wrong
	switch {
	case away-uncertain > maxClockOffset:
		c.wrong = true
	case away+uncertain <= maxClockOffset:
		c.wrong = false
	}
	c.offset = offset
	if c.wrong != before {
		c.log.Error("the clock of this machine and that of the database server", "ahead", offset.Round(time.Millisecond), "uncertain", uncertain.Round(time.Millisecond), "answers", !c.wrong)
	}
}

// err returns an error while the clock is wrong.
func (c *clockCheck) err() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wrong {
		return fmt.Errorf("the clock of this machine is %v ahead of that of the database server", c.offset.Round(time.Millisecond))
	}
	return nil
}
