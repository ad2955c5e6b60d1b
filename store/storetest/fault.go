package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"carerecord/store"
)

// FaultInjector makes one access of an engine to its storage fail: a command to a server, a write
// to a disk.
type FaultInjector interface {
	// Arm makes the n-th step from now on fail, after the step if carriedOut, else instead of it.
	Arm(n int, carriedOut bool)
	// Disarm stops the injection and reports whether a step failed. When it returns, no
	// operation of the engine is running.
	Disarm() (failed bool)
}

// Faulty makes engines with injected faults.
type Faulty struct {
	Open func(t testing.TB, clock func() time.Time) (Engine, FaultInjector)
	// Reopen reopens an engine that a fault has stopped, without faults; nil for engines that
	// recover by themselves.
	Reopen func(t testing.TB, e Engine, clock func() time.Time) Engine
}

// faultPatience is the longest time in which an engine must recover from a fault.
const faultPatience = 30 * time.Second

// Faults makes each step of each operation fail once, before and after it is carried out, and
// counts the effects. An operation without an error has its effect once, one with ErrUnknown once
// or not at all, and one with another error not at all. A fault is neither an absence nor a
// conflict.
func Faults(t *testing.T, subject Faulty) {
	var all sync.WaitGroup // concurrent, because the operations mostly wait
	for _, o := range append(faultyWrites(), faultyReads()...) {
		all.Go(func() {
			t.Run(o.name, func(t *testing.T) {
				f := &faultKit{operation: o, subject: subject}
				for _, carriedOut := range []bool{false, true} {
					for n := 1; f.injectFault(t, n, carriedOut) && !t.Failed(); n++ {
						f.faults++
					}
				}
				if f.faults == 0 && (o.effects != nil || subject.Reopen == nil) {
					t.Error("no step failed")
				}
				t.Logf("%d faults", f.faults)
			})
		})
	}
	all.Wait()
}

// operation is one operation of an engine. Each run has another id, with which effects are counted.
type operation struct {
	name string
	// prepare stores the data that the operation needs; nil if it needs none.
	prepare func(k *kit, id string) error
	run     func(k *kit, id string) error
	// effects counts how often the operation was carried out; nil for a read.
	effects func(k *kit, id string) (int, error)
}

// faultKit runs one operation again and again, with another fault each time.
type faultKit struct {
	operation
	subject Faulty
	kit     *kit
	fault   FaultInjector
	faults  int
}

// injectFault runs the operation with a fault at its n-th step. It returns false if the operation has
// fewer steps.
func (f *faultKit) injectFault(t *testing.T, n int, carriedOut bool) bool {
	if f.kit == nil || f.subject.Reopen != nil {
		clock := NewClock()
		f.kit = &kit{T: t, clock: clock}
		f.kit.Engine, f.fault = f.subject.Open(t, clock.Now)
	}
	k := f.kit
	id := fmt.Sprint("n", n, carriedOut)
	k.clock.Advance(5 * time.Minute) // periodic work is due
	if f.prepare != nil {
		f.retryUnavailable(func() error { return f.prepare(k, id) })
	}
	f.fault.Arm(n, carriedOut)
	err := f.run(k, id)
	if !f.fault.Disarm() {
		if err != nil {
			k.Errorf("without a fault: %v", err)
		}
		return false
	}
	if f.subject.Reopen != nil {
		k.Engine = f.subject.Reopen(t, k.Engine, k.clock.Now)
	}
	what := fmt.Sprintf("step %d failed, carried out: %t", n, carriedOut)
	unknown := errors.Is(err, store.ErrUnknown)
	if err != nil && !errors.Is(err, store.ErrUnavailable) {
		k.Errorf("%s: got error %v, want nil or ErrUnavailable", what, err)
	}
	for _, wrong := range []error{store.ErrConflict, store.ErrNotFound, store.ErrExists} {
		if errors.Is(err, wrong) {
			k.Errorf("%s: got error %v", what, err)
		}
	}
	if f.effects == nil {
		if unknown {
			k.Errorf("%s: a read returned ErrUnknown: %v", what, err)
		}
		return true
	}
	var effects int
	f.retryUnavailable(func() (err error) { effects, err = f.effects(k, id); return err })
	if r, ok := k.Engine.(memoryChecker); ok {
		f.retryUnavailable(func() error { return r.CheckMemory(k.Context()) })
	}
	if effects > 1 || effects == 0 && err == nil || effects == 1 && err != nil && !unknown {
		k.Errorf("%s: got %d effects and error %v", what, effects, err)
	}
	return true
}

// retryUnavailable repeats a function without effects until it returns another error than
// ErrUnavailable, or nil.
func (f *faultKit) retryUnavailable(do func() error) {
	f.kit.Helper()
	var err error
	for until := time.Now().Add(faultPatience); time.Now().Before(until); {
		if err = do(); !errors.Is(err, store.ErrUnavailable) {
			break
		}
	}
	if err != nil {
		f.kit.Fatalf("after a fault: %v", err)
	}
}

// operationDoc returns version 1 of the document of an operation with an id.
func operationDoc(id string, keys ...store.Key) store.Doc {
	d := observation(id, 1, append(keys, store.Key("is"+id))...)
	copy(d.RowID.SortKey[1:], id)
	return d
}

// readDoc returns the newest version of a document.
func (k *kit) readDoc(ref store.Ref) (d store.Doc, err error) {
	err = k.Read(k.Context(), func(s store.Snapshot) (err error) {
		d, err = s.Get(k.Context(), ref)
		return err
	})
	return d, err
}

// createIfMissing creates a document unless it exists, for a preparation that is repeated.
func (k *kit) createIfMissing(d store.Doc) error {
	if _, err := k.readDoc(d.Ref); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	_, err := k.Commit(k.Context(), batchOf(d))
	return err
}

// countVersions counts the versions of documents of the operation with an id.
func (k *kit) countVersions(id string) (n int, err error) {
	err = k.Read(k.Context(), func(s store.Snapshot) error {
		n = 0
		for _, err := range s.History(k.Context(), store.HistoryQuery{Type: "Observation", Where: store.Eq{Key: store.Key("is" + id)}}) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, err
}

// countRecords counts the records of the operation with an id, and verifies the chain of the log.
func (k *kit) countRecords(ctx context.Context, id string) (n int, err error) {
	var last store.Record
	for r, err := range k.Records(ctx, 1) {
		if err != nil {
			return 0, err
		}
		if r.Pos != last.Pos+1 || r.Hash != store.ChainHash(last.Hash, r.Pos, r.Payload) {
			return 0, fmt.Errorf("record %d does not follow %d", r.Pos, last.Pos)
		}
		last = r
		if string(r.Payload) == id {
			n++
		}
	}
	return n, nil
}
