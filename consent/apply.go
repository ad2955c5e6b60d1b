package consent

import (
	"context"
	"fmt"

	"carerecord/fhir/index"
	"carerecord/store"
)

// apply commits the batch, with the record of it.
func (c *commitBuilder) apply(ctx context.Context, results []Result, record Record, marks []store.StateWrite) error {
	prepared := c.prepared()
	prepared.State = marks
	if record != nil {
		var err error
		if prepared.Log, err = record(results); err != nil {
			return fmt.Errorf("make the record of a write: %w", err)
		}
	}
	if len(prepared.Writes) == 0 && len(prepared.Log) == 0 && len(marks) == 0 {
		return nil
	}
	err := c.view.guard.commitPrepared(ctx, prepared)
	c.newlyStale = prepared.newlyStale
	return err
}

// prepared is the batch as it goes to the store.
func (c *commitBuilder) prepared() *preparedCommit {
	prepared := &preparedCommit{changedNames: c.changedNames, staleNames: c.staleNames, epoch: c.view.epoch, definitions: c.definitions, newTable: c.newTable,
		replaced: func(ref store.Ref) store.Doc { return c.replaced[ref] }}
	for _, ref := range c.order {
		w := c.pending[ref]
		prepared.Writes = append(prepared.Writes, *w)
		prepared.dependsOn = append(prepared.dependsOn, index.Names(w.Doc.Keys, index.DependsOnPrefix())...)
	}
	prepared.Absent, prepared.Tracker = c.absences, c.view.snap.Tracker()
	c.TrackedReader.AddConditions(&prepared.Batch)
	for ref, d := range c.Sources {
		if c.pending[ref] == nil {
			prepared.sources = append(prepared.sources, d)
		}
	}
	//law:checks-made
	return prepared
}
