package consent

import (
	"context"
	"errors"
	"fmt"

	"carerecord/store"
)

// apply commits the batch and tells the register before anybody hears of it.
func (c *commit) apply(ctx context.Context, results []Result, record Record, marks []store.StateWrite) error {
	b := store.Batch{Absent: c.absent, State: marks, Within: c.view.snap.Reading()}
	speaks, rekeys := false, false
	reg := c.view.guard.register
	for _, ref := range c.order {
		b.Writes = append(b.Writes, *c.pending[ref])
		c.view.guard.types.add(ref.Type)
		speaks = speaks || reg.tells(c.before[ref], c.pending[ref].Doc)
		rekeys = rekeys || c.pending[ref].Rekey || ref.Type == "Patient"
	}
	written := map[store.Ref]bool{}
	for _, w := range b.Writes {
		written[w.Doc.Ref] = true
	}
	for _, check := range c.checks {
		if !written[check.Ref] {
			written[check.Ref] = true
			b.Checks = append(b.Checks, check)
		}
	}
	if record != nil {
		var err error
		if b.Log, err = record(results); err != nil {
			return fmt.Errorf("make the record of a write: %w", err)
		}
	}
	if len(b.Writes) == 0 && len(b.Log) == 0 && len(marks) == 0 {
		return nil
	}
	if rekeys {
		c.view.guard.rekeys.RLock()
		defer c.view.guard.rekeys.RUnlock()
	}
	release, err := c.hold(ctx, &b)
	if err != nil {
		return unavailable(err)
	}
	defer release()
	if speaks {
		reg.commits.Lock()
		defer reg.commits.Unlock()
	}
	_, err = c.view.guard.store.Commit(ctx, b)
	if err := c.view.guard.tableOutcome(c.table, err); err != nil {
		return err
	}
	if err != nil {
		if errors.Is(err, store.ErrConflict) {
			return err
		}
		return unavailable(fmt.Errorf("commit: %w", err))
	}
	if speaks {
		for _, w := range b.Writes {
			reg.apply(w.Doc)
		}
	}
	return nil
}
