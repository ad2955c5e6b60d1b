package consent

import (
	"context"
	"fmt"

	"carerecord/fhir/index"
	"carerecord/store"
)

// apply commits the batch, with the record of it.
func (c *commit) apply(ctx context.Context, results []Result, record Record, marks []store.StateWrite) error {
	l := c.landing()
	l.State = marks
	if record != nil {
		var err error
		if l.Log, err = record(results); err != nil {
			return fmt.Errorf("make the record of a write: %w", err)
		}
	}
	if len(l.Writes) == 0 && len(l.Log) == 0 && len(marks) == 0 {
		return nil
	}
	err := c.view.guard.land(ctx, l)
	c.fresh = l.fresh
	return err
}

// landing is the batch as it goes to the store.
func (c *commit) landing() *landing {
	l := &landing{changed: c.changed, stale: c.stale, began: c.view.began, installed: c.installed, table: c.table,
		before: func(ref store.Ref) store.Doc { return c.before[ref] }}
	for _, ref := range c.order {
		w := c.pending[ref]
		l.Writes = append(l.Writes, *w)
		l.wants = append(l.wants, names(w.Doc.Keys, index.DependsOnPrefix())...)
	}
	l.Absent, l.Tracker = c.demands, c.view.snap.Tracker()
	c.reads.demand(&l.Batch)
	for ref, d := range c.targets {
		if c.pending[ref] == nil {
			l.targets = append(l.targets, d)
		}
	}
	//law:checks-made
	return l
}
