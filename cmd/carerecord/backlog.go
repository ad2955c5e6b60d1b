package main

import (
	"context"
	"time"
)

// keepCatchingUp keys anew what depends on writes and was too much to be keyed
// before they were answered, until the context ends. The returned function waits for
// the end.
func (r *record) keepCatchingUp(ctx context.Context) (wait func()) {
	done := make(chan struct{})
	go func() { // ends with the context
		defer close(done)
		for {
			again := (<-chan time.Time)(nil)
			if err := r.catchUp(ctx); err != nil && ctx.Err() == nil {
				r.log.Error("keying what depends on writes", "err", err, "again", indexAgain)
				again = time.After(indexAgain)
			}
			select {
			case <-ctx.Done():
				return
			case <-again:
			case <-r.guard.BacklogWork():
			}
		}
	}()
	return func() { <-done }
}

// catchUp keys anew whatever depends on what was written, at most besideServer
// documents a second.
func (r *record) catchUp(ctx context.Context) error {
	return r.guard.CatchUp(ctx, func(ctx context.Context, looked int) error {
		if !r.held.sure() {
			return errLost
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(looked) * time.Second / besideServer):
			return nil
		}
	})
}
