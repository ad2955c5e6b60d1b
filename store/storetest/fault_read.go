package storetest

import (
	"fmt"

	"carerecord/store"
)

// faultyReads returns the operations that change nothing. Each must return an error or the stored data.
func faultyReads() []operation {
	read := func(name string, query func(k *kit, s store.Snapshot, id string) (n int, err error)) operation {
		return operation{name, func(k *kit, id string) error { return k.createIfMissing(operationDoc(id, "k")) }, func(k *kit, id string) error {
			calls, n := 0, 0
			err := k.Read(k.Context(), func(s store.Snapshot) (err error) {
				calls++
				n, err = query(k, s, id)
				return err
			})
			if calls > 1 || err == nil && n != 1 {
				k.Errorf("got %d documents in %d calls, want one of each", n, calls)
			}
			return err
		}, nil}
	}
	rows := func(docs []store.Doc, err error) (int, error) { return len(docs), err }
	return []operation{
		read("get", func(k *kit, s store.Snapshot, id string) (int, error) {
			_, err := s.Get(k.Context(), operationDoc(id).Ref)
			return 1, err
		}),
		read("all", func(k *kit, s store.Snapshot, id string) (int, error) {
			return rows(collect(s.All(k.Context(), []store.Ref{operationDoc(id).Ref, operationDoc("none").Ref})))
		}),
		read("version", func(k *kit, s store.Snapshot, id string) (int, error) {
			_, err := s.Version(k.Context(), operationDoc(id).Ref, 1)
			return 1, err
		}),
		read("scan", func(k *kit, s store.Snapshot, id string) (int, error) {
			return rows(collect(s.Scan(k.Context(), store.Query{Type: "Observation", Where: store.And{store.Eq{Key: "k"}, store.Eq{Key: store.Key("is" + id)}}})))
		}),
		read("count", func(k *kit, s store.Snapshot, id string) (int, error) {
			return s.Count(k.Context(), store.Query{Type: "Observation", Where: store.Eq{Key: store.Key("is" + id)}}, 0)
		}),
		read("history", func(k *kit, s store.Snapshot, id string) (int, error) {
			return rows(collect(s.History(k.Context(), store.HistoryQuery{Type: "Observation", ID: id})))
		}),
		read("get after a refused commit in the same read", func(k *kit, s store.Snapshot, id string) (int, error) {
			b := batchOf(operationDoc(id))
			b.Tracker = s.Tracker()
			if _, err := k.Commit(k.Context(), b); err == nil {
				return 0, fmt.Errorf("a second create of %s succeeded", id)
			}
			_, err := s.Get(k.Context(), operationDoc(id).Ref)
			return 1, err
		}),
		{"lookup", func(k *kit, id string) error {
			return k.commitValue(id)
		}, func(k *kit, id string) error {
			v, err := k.Lookup(k.Context(), id)
			if err == nil && string(v) != "v" {
				k.Errorf("lookup: got %q, want v", v)
			}
			return err
		}, nil},
		{"values", func(k *kit, id string) error {
			return k.commitValue(id)
		}, func(k *kit, id string) error {
			n := 0
			for v, err := range k.Values(k.Context(), id) {
				if err != nil {
					return err
				}
				n += countIf(v.Key == id && string(v.Value) == "v")
			}
			if n != 1 {
				k.Errorf("values: got %d, want one", n)
			}
			return nil
		}, nil},
		{"head", func(k *kit, id string) error { _, err := k.Append(k.Context(), []byte(id)); return err }, func(k *kit, _ string) error {
			r, err := k.Head(k.Context())
			if err == nil && r.Pos == 0 {
				k.Error("head: the log is empty")
			}
			return err
		}, nil},
		{"records", func(k *kit, id string) error { _, err := k.Append(k.Context(), []byte(id)); return err }, func(k *kit, id string) error {
			n, err := k.countRecords(k.Context(), id)
			if err == nil && n == 0 {
				k.Error("records: the appended record is missing")
			}
			return err
		}, nil},
		{"changes", func(k *kit, id string) error { return k.createIfMissing(operationDoc(id)) }, func(k *kit, id string) error {
			page, err := k.Changes(k.Context(), store.Position{}, 100)
			if err == nil && len(page) == 0 {
				k.Error("changes: the page is empty")
			}
			return err
		}, nil},
	}
}

// commitValue stores a value under an id in a commit.
func (k *kit) commitValue(id string) error {
	_, err := k.Commit(k.Context(), store.Batch{State: []store.StateWrite{{Key: id, Value: []byte("v")}}})
	return err
}
