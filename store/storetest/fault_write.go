package storetest

import (
	"errors"
	"fmt"
	"time"

	"carerecord/store"
)

// once returns 1 for true.
func once(is bool) int {
	if is {
		return 1
	}
	return 0
}

// faultyWrites are the operations that change something.
func faultyWrites() []operation {
	versions := func(before int) func(k *kit, id string) (int, error) {
		return func(k *kit, id string) (int, error) {
			n, err := k.made(id)
			return n - before, err
		}
	}
	first := func(k *kit, id string) error { return k.put1(faulty(id, "k")) }
	commit := func(b store.Batch, k *kit) error {
		_, err := k.Commit(k.ctx, b)
		return err
	}
	return append([]operation{
		{"create", nil, func(k *kit, id string) error { return commit(writes(faulty(id)), k) }, versions(0)},
		{"conditional create with checks", func(k *kit, id string) error { return k.put1(faulty("other" + id)) },
			func(k *kit, id string) error {
				b := writes(faulty(id))
				key := store.Key("is" + id)
				b.Absent = []store.Absent{{Type: "Observation", Where: store.Eq{Key: key}, Claims: []store.Key{key}}}
				b.Checks = []store.Check{{Ref: faulty("other" + id).Ref, Version: 1}, {Ref: faulty("none").Ref}}
				return commit(b, k)
			}, versions(0)},
		{"update", first, func(k *kit, id string) error { return commit(writes(next(faulty(id, "l"), store.Updated)), k) }, versions(1)},
		{"update that moves", first, func(k *kit, id string) error {
			d := next(faulty(id, "l"), store.Updated)
			d.RowID.Partition = 2
			return commit(writes(d), k)
		}, versions(1)},
		{"delete", first, func(k *kit, id string) error { return commit(writes(next(faulty(id, "k"), store.Deleted)), k) }, versions(1)},
		{"rekey", first, func(k *kit, id string) error {
			d := faulty(id, "k")
			return commit(rekey(d, d.RowID, d.Source, "m", store.Key("is"+id)), k)
		}, func(k *kit, id string) (int, error) {
			d, err := k.readDoc(faulty(id).Ref)
			return int(d.KeyRevision), err
		}},
		{"commit of a value", nil, func(k *kit, id string) error {
			return commit(store.Batch{State: []store.StateWrite{{Key: id, Value: []byte("v")}}}, k)
		}, (*kit).hasValue},
		{"commit with records", nil, func(k *kit, id string) error {
			b := writes(faulty(id))
			b.Log = [][]byte{[]byte(id)}
			return commit(b, k)
		}, func(k *kit, id string) (int, error) {
			did, err := k.made(id)
			records, logErr := k.logged(k.ctx, id)
			if records > 1 || records < did {
				return 0, fmt.Errorf("%d records of a commit that took place %d times", records, did)
			}
			return did, errors.Join(err, logErr)
		}},
		{"create within a read", nil, func(k *kit, id string) error { return k.createWithin(id, nil) }, versions(0)},
		{"create within a read that has read", first, func(k *kit, id string) error {
			return k.createWithin(id, func(s store.Snapshot) error {
				_, err := s.Get(k.ctx, faulty(id).Ref)
				return err
			})
		}, versions(1)},
	}, faultyPorts()...)
}

// createWithin lets the function of a Read create a document, under another address at each call,
// as a server assigns ids.
func (k *kit) createWithin(id string, read func(store.Snapshot) error) error {
	calls := 0
	err := k.Read(k.ctx, func(s store.Snapshot) error {
		calls++
		if read != nil {
			if err := read(s); err != nil {
				return err
			}
		}
		d := faulty(id)
		d.Ref.ID = fmt.Sprint("new", calls, id)
		d.RowID.Partition = store.Partition(100 + calls)
		b := writes(d)
		b.Tracker = s.Tracker()
		_, err := k.Commit(k.ctx, b)
		return err
	})
	if calls > 1 {
		k.Errorf("a callback that commits was called %d times", calls)
	}
	return err
}

// hasValue returns 1 if there is a value under an id.
func (k *kit) hasValue(id string) (int, error) {
	_, err := k.Lookup(k.ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	return once(err == nil), err
}

// faultyPorts are the writes of State and Log.
func faultyPorts() []operation {
	// Preparations are repeated until they succeed, so one may find the result of an earlier
	// attempt.
	value := func(v string, life time.Duration) func(k *kit, id string) error {
		return func(k *kit, id string) error {
			if err := k.Insert(k.ctx, id, []byte(v), k.clock.Now().Add(life)); !errors.Is(err, store.ErrExists) {
				return err
			}
			return nil
		}
	}
	return []operation{
		{"insert", nil, func(k *kit, id string) error { return k.Insert(k.ctx, id, []byte("v"), time.Time{}) }, (*kit).hasValue},
		{"insert over what has expired", value("old", time.Second), func(k *kit, id string) error {
			k.clock.Advance(2 * time.Second)
			return k.Insert(k.ctx, id, []byte("v"), time.Time{})
		}, (*kit).hasValue},
		{"swap", value("0", time.Hour), func(k *kit, id string) error {
			return k.Swap(k.ctx, id, []byte("0"), []byte("1"), time.Time{})
		}, func(k *kit, id string) (int, error) {
			v, err := k.Lookup(k.ctx, id)
			return once(string(v) == "1"), err
		}},
		{"take", value("v", time.Hour), func(k *kit, id string) error {
			v, err := k.Take(k.ctx, id)
			if err == nil && string(v) != "v" {
				k.Errorf("take: got %q, want v", v)
			}
			return err
		}, func(k *kit, id string) (int, error) {
			stands, err := k.hasValue(id)
			return 1 - stands, err
		}},
		{"append", nil, func(k *kit, id string) error {
			first, err := k.Append(k.ctx, []byte(id), []byte("behind"))
			if err == nil && first == 0 {
				k.Error("append: got position 0")
			}
			return err
		}, func(k *kit, id string) (int, error) { return k.logged(k.ctx, id) }},
	}
}
