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

// types is the dictionary of type codes, read without a lock. A code once given
// stays.
type types struct {
	mu    sync.Mutex // giving a new code
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

// crossType stands for no type, in the postings of common keys.
const crossType typeCode = 0

// code returns the code of a type; false if nothing of it was ever written.
func (t *types) code(typ string) (typeCode, bool) {
	if typ == "" {
		return crossType, true
	}
	code, found := (*t.codes.Load())[typ]
	return code, found
}

// assign returns the code of a type, a new one if need be, durable before it is
// used.
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
		return 0, fmt.Errorf("there are too many types for another, %q", typ)
	}
	code := typeCode(len(codes) + 1)
	if err := setDurably(rows, nameRow(rowType, typ), binary.BigEndian.AppendUint16(nil, uint16(code))); err != nil {
		return 0, err
	}
	codes[typ] = code
	t.codes.Store(&codes)
	return code, nil
}

// errJournal says that nothing is known of what the disk holds, nor will be before the
// engine is opened again.
var errJournal = errors.New("the journal failed")

// setDurably is Set of Pebble, which ends the process where the journal fails, for
// whoever can say instead that the engine is out of service.
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
