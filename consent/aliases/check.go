package aliases

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"carerecord/store"
)

// Check compares the table with one that is rebuilt from a store. No commit may be in flight. It is for tests.
func (t *Table) Check(ctx context.Context, s store.Store) error {
	rebuilt := New(t.keyer)
	if err := rebuilt.Load(ctx, s); err != nil {
		return err
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	for name, pair := range map[string][2]any{
		"Patients": {t.patients, rebuilt.patients},
		"links":    {t.linkedTo, rebuilt.linkedTo},
		"numbers":  {t.numbers, rebuilt.numbers},
		"order":    {slices.Concat(t.order), slices.Concat(rebuilt.order)},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			return fmt.Errorf("the table of superseded numbers differs from a rebuild in %s: it has %v, the store %v", name, pair[0], pair[1])
		}
	}
	return nil
}
