package node

import (
	"context"
	"maps"
	"slices"
	"time"
)

// noticesEvery is how often the notices about clients are logged.
const noticesEvery = 24 * time.Hour

// keepNotices logs what an operator should know of the clients, at the start and every day, until the context ends.
func (n *Node) keepNotices(ctx context.Context) (wait func()) {
	if n.smart == nil {
		return func() {}
	}
	done := make(chan struct{})
	go func() { // ends with the context
		defer close(done)
		tick := time.NewTicker(noticesEvery)
		defer tick.Stop()
		for {
			n.logNotices(ctx)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return func() { <-done }
}

// logNotices logs the notices of now, and counts the clients that have one.
func (n *Node) logNotices(ctx context.Context) {
	notices, err := n.smart.Clients.Notices(ctx)
	if err != nil {
		n.log.Error("the clients cannot be listed", "err", err)
		return
	}
	n.noticed.Store(int64(len(notices)))
	for _, id := range slices.Sorted(maps.Keys(notices)) {
		for _, notice := range notices[id] {
			n.log.Warn("a client needs attention", "client", id, "notice", notice)
		}
	}
}
