package storetest

import (
	"errors"
	"fmt"
	"time"

	"carerecord/store"
)

// countIf returns 1 for true and 0 for false.
func countIf(is bool) int {
	if is {
		return 1
	}
	return 0
}

// faultyWrites returns the operations with an effect.
func faultyWrites() []operation {
	versions := func(before int) func(k *kit, id string) (int, error) {
		return func(k *kit, id string) (int, error) {
			n, err := k.countVersions(id)
			return n - before, err
		}
	}
	first := func(k *kit, id string) error { return k.createIfMissing(operationDoc(id, "k")) }
	commit := func(b store.Batch, k *kit) error {
		_, err := k.Commit(k.Context(), b)
		return err
	}
	return append([]operation{
		{"create", nil, func(k *kit, id string) error { return commit(batchOf(operationDoc(id)), k) }, versions(0)},
		{"conditional create with checks", func(k *kit, id string) error { return k.createIfMissing(operationDoc("other" + id)) },
			func(k *kit, id string) error {
				b := batchOf(operationDoc(id))
				key := store.Key("is" + id)
				b.Absent = []store.Absent{{Type: "Observation", Where: store.Eq{Key: key}, Claims: []store.Key{key}}}
				b.Checks = []store.Check{{Ref: operationDoc("other" + id).Ref, Version: 1}, {Ref: operationDoc("none").Ref}}
				return commit(b, k)
			}, versions(0)},
		{"update", first, func(k *kit, id string) error {
			return commit(batchOf(nextVersion(operationDoc(id, "l"), store.Updated)), k)
		}, versions(1)},
		{"update of the row ID", first, func(k *kit, id string) error {
			d := nextVersion(operationDoc(id, "l"), store.Updated)
			d.RowID.Partition = 2
			return commit(batchOf(d), k)
		}, versions(1)},
		{"delete", first, func(k *kit, id string) error {
			return commit(batchOf(nextVersion(operationDoc(id, "k"), store.Deleted)), k)
		}, versions(1)},
		{"rekey", first, func(k *kit, id string) error {
			d := operationDoc(id, "k")
			return commit(rekey(d, d.RowID, d.Source, "m", store.Key("is"+id)), k)
		}, func(k *kit, id string) (int, error) {
			d, err := k.readDoc(operationDoc(id).Ref)
			return int(d.KeyRevision), err
		}},
		{"commit of a value", nil, func(k *kit, id string) error {
			return commit(store.Batch{State: []store.StateWrite{{Key: id, Value: []byte("v")}}}, k)
		}, (*kit).countValues},
		{"commit with records", nil, func(k *kit, id string) error {
			b := batchOf(operationDoc(id))
			b.Log = [][]byte{[]byte(id)}
			return commit(b, k)
		}, func(k *kit, id string) (int, error) {
			did, err := k.countVersions(id)
			records, logErr := k.countRecords(k.Context(), id)
			if records > 1 || records < did {
				return 0, fmt.Errorf("a commit has %d records and was carried out %d times", records, did)
			}
			return did, errors.Join(err, logErr)
		}},
		{"create within a read", nil, func(k *kit, id string) error { return k.createInRead(id, nil) }, versions(0)},
		{"create after a get in the same read", first, func(k *kit, id string) error {
			return k.createInRead(id, func(s store.Snapshot) error {
				_, err := s.Get(k.Context(), operationDoc(id).Ref)
				return err
			})
		}, versions(1)},
	}, faultyStateAndLogWrites()...)
}

// createInRead creates a document in the function of a Read, at another address for each call, as a
// server that assigns ids does.
func (k *kit) createInRead(id string, read func(store.Snapshot) error) error {
	calls := 0
	err := k.Read(k.Context(), func(s store.Snapshot) error {
		calls++
		if read != nil {
			if err := read(s); err != nil {
				return err
			}
		}
		d := operationDoc(id)
		d.Ref.ID = fmt.Sprint("new", calls, id)
		d.RowID.Partition = store.Partition(100 + calls)
		b := batchOf(d)
		b.Tracker = s.Tracker()
		_, err := k.Commit(k.Context(), b)
		return err
	})
	if calls > 1 {
		k.Errorf("a callback that commits was called %d times", calls)
	}
	return err
}

// countValues returns the number of values with the key id, 0 or 1.
func (k *kit) countValues(id string) (int, error) {
	_, err := k.Lookup(k.Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	return countIf(err == nil), err
}

// faultyStateAndLogWrites returns the writes of State and Log.
func faultyStateAndLogWrites() []operation {
	// Preparations are repeated until they succeed, so one may find the result of an earlier
	// attempt.
	value := func(v string, life time.Duration) func(k *kit, id string) error {
		return func(k *kit, id string) error {
			if err := k.Insert(k.Context(), id, []byte(v), k.clock.Now().Add(life)); !errors.Is(err, store.ErrExists) {
				return err
			}
			return nil
		}
	}
	return []operation{
		{"insert", nil, func(k *kit, id string) error { return k.Insert(k.Context(), id, []byte("v"), time.Time{}) }, (*kit).countValues},
		{"insert over an expired value", value("old", time.Second), func(k *kit, id string) error {
			k.clock.Advance(2 * time.Second)
			return k.Insert(k.Context(), id, []byte("v"), time.Time{})
		}, (*kit).countValues},
		{"swap", value("0", time.Hour), func(k *kit, id string) error {
			return k.Swap(k.Context(), id, []byte("0"), []byte("1"), time.Time{})
		}, func(k *kit, id string) (int, error) {
			v, err := k.Lookup(k.Context(), id)
			return countIf(string(v) == "1"), err
		}},
		{"take", value("v", time.Hour), func(k *kit, id string) error {
			v, err := k.Take(k.Context(), id)
			if err == nil && string(v) != "v" {
				k.Errorf("take: got %q, want v", v)
			}
			return err
		}, func(k *kit, id string) (int, error) {
			live, err := k.countValues(id)
			return 1 - live, err
		}},
		{"append", nil, func(k *kit, id string) error {
			first, err := k.Append(k.Context(), []byte(id), []byte("second"))
			if err == nil && first == 0 {
				k.Error("append: got position 0")
			}
			return err
		}, func(k *kit, id string) (int, error) { return k.countRecords(k.Context(), id) }},
	}
}
