package pebble

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// types is the dictionary of type codes, read without a lock. A code never changes.
type types struct {
	mu    sync.Mutex // for a new code
	codes atomic.Pointer[map[string]typeCode]
}

func (t *types) load(rows *pebble.DB) error {
	codes := map[string]typeCode{}
	it, err := rows.NewIter(&pebble.IterOptions{LowerBound: []byte{rowType}, UpperBound: []byte{rowType + 1}})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		if v := it.Value(); len(v) == 2 {
			codes[string(it.Key()[1:])] = typeCode(binary.BigEndian.Uint16(v))
		}
	}
	t.codes.Store(&codes)
	return it.Close()
}

// crossType is the type code of postings of cross-type keys.
const crossType typeCode = 0

// code returns the code of a type; false if no document of it was ever written.
func (t *types) code(typ string) (typeCode, bool) {
	if typ == "" {
		return crossType, true
	}
	code, found := (*t.codes.Load())[typ]
	return code, found
}

// assign returns the code of a type. A new code is durable before it is returned.
func (t *types) assign(rows *pebble.DB, typ string) (typeCode, error) {
	if code, found := t.code(typ); found {
		return code, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if code, found := t.code(typ); found {
		return code, nil
	}
	codes := maps.Clone(*t.codes.Load())
	if len(codes) >= math.MaxUint16 {
		return 0, fmt.Errorf("add type %q: too many types", typ)
	}
	code := typeCode(len(codes) + 1)
	if err := setDurably(rows, nameRow(rowType, typ), binary.BigEndian.AppendUint16(nil, uint16(code))); err != nil {
		return 0, err
	}
	codes[typ] = code
	t.codes.Store(&codes)
	return code, nil
}

// errJournal: a sync failed, so the content of the disk is unknown until the engine is opened
// again.
var errJournal = errors.New("the journal failed")

// setDurably writes one row durably. Unlike Set of Pebble, which ends the process if the journal
// fails, it returns the error.
func setDurably(rows *pebble.DB, row, value []byte) error {
	out := rows.NewBatch()
	set(out, row, value)
	if err := rows.ApplyNoSyncWait(out, pebble.Sync); err != nil {
		return fmt.Errorf("%w: %w", errJournal, err)
	}
	if err := out.SyncWait(); err != nil {
		return fmt.Errorf("%w: %w", errJournal, err)
	}
	return out.Close()
}

// name returns the type of a code.
func (t *types) name(of typeCode) string {
	for typ, code := range *t.codes.Load() {
		if code == of {
			return typ
		}
	}
	return ""
}

// names returns the types by their codes.
func (t *types) names() map[typeCode]string {
	names := map[typeCode]string{}
	for typ, code := range *t.codes.Load() {
		names[code] = typ
	}
	return names
}
