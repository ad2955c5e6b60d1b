package backlog

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"carerecord/store"
)

// Check compares the backlog with State. The error names the first difference. No commit and
// no read may be in progress.
func (b *Backlog) Check(ctx context.Context, state store.State) error {
	stored, legacy, err := readEntries(ctx, state)
	if err != nil {
		return err
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	if !reflect.DeepEqual(stored, b.entries) || legacy != b.legacyList {
		return fmt.Errorf("the backlog differs from the store: it has %v, the store %v; legacy list: %v, %v", b.entries, stored, b.legacyList, legacy)
	}
	if len(b.pending)+len(b.ended)+len(b.added) > 0 {
		return fmt.Errorf("the backlog keeps entries that no read needs: %v, %v, %v", b.pending, slices.Collect(maps.Keys(b.ended)), b.added)
	}
	return nil
}
