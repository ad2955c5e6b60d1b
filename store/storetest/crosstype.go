package storetest

import (
	"errors"

	"carerecord/store"
)

// Cross-type keys.
const (
	crossTypeC store.Key = "\x00\x00c"
	crossTypeD store.Key = "\x00\x00d"
)

// docOfType returns a first version of typ/id with the given sort key in partition 1.
func docOfType(typ, id string, sortKey uint64, keys ...store.Key) store.Doc {
	d := observation(id, sortKey, keys...)
	d.Ref.Type = typ
	return d
}

func crossTypeSentences() []sentence {
	wantAllTypes := func(k *kit, where store.Pred, ids ...string) {
		k.Helper()
		k.read(func(s store.Snapshot) {
			k.wantScan(s, store.Query{Where: where}, ids...)
			if n, err := s.Count(k.Context(), store.Query{Where: where}, 0); n != len(ids) || err != nil {
				k.Errorf("count: got %d, %v, want %d", n, err, len(ids))
			}
		})
	}
	return []sentence{
		{"a cross-type key finds documents of every type, by row ID", func(k *kit) {
			k.put(docOfType("Observation", "b", 20, crossTypeC, "k"))
			k.put(docOfType("Condition", "a", 10, crossTypeC, crossTypeD))
			k.put(docOfType("Encounter", "c", 30, crossTypeC, "k"))
			k.put(docOfType("Encounter", "d", 40, crossTypeD))
			wantAllTypes(k, store.Eq{Key: crossTypeC}, "a", "b", "c")
			wantAllTypes(k, store.And{store.Eq{Key: "k"}, store.And{store.Eq{Key: crossTypeC}}}, "b", "c")
			wantAllTypes(k, store.And{store.Eq{Key: crossTypeC}, store.Not{Pred: store.Eq{Key: "k"}}}, "a")
			wantAllTypes(k, store.And{store.Eq{Key: crossTypeC}, store.Eq{Key: crossTypeD}}, "a")
			wantAllTypes(k, store.Eq{Key: crossTypeC + "c"})
			k.read(func(s store.Snapshot) {
				for _, d := range k.collect(s.Scan(k.Context(), store.Query{Where: store.Eq{Key: crossTypeC}})) {
					if got, err := s.Get(k.Context(), d.Ref); err != nil || diff(got, d) != "" {
						k.Errorf("scan of every type: %s differs from the document at its address: %v %s", d.Ref, err, diff(got, d))
					}
				}
			})
		}},
		{"a cross-type key in a query of one type matches and does not drive the query", func(k *kit) {
			k.put(docOfType("Observation", "a", 10, crossTypeC))
			k.put(docOfType("Condition", "b", 20, crossTypeC))
			k.wantMatches(store.Eq{Key: crossTypeC}, "a")
			k.wantMatches(store.WithPrefix("\x00"), "a")
			k.wantMatches(store.Range{Low: "\x00", High: "\x01"}, "a")
			k.wantMatches(store.Or{store.Eq{Key: crossTypeC}, store.Eq{Key: "k"}}, "a")
		}},
		{"an absence may be required of every type", func(k *kit) {
			batchRequiringAbsence := func(order uint64, where store.Pred) store.Batch {
				b := batchOf(docOfType("Binary", "new", order, "k"))
				b.Absent = []store.Absent{{Where: where, Claims: []store.Key{crossTypeC}}}
				return b
			}
			c := k.put(docOfType("Condition", "a", 10, crossTypeC))[0]
			k.put(docOfType("Observation", "o", 11, "k"))
			k.wantCommitError(batchRequiringAbsence(20, store.Eq{Key: crossTypeC}), store.ErrConflict)
			k.wantCommitError(batchRequiringAbsence(20, store.Eq{Key: "k"}), store.ErrNeedsCrossTypeKey)
			k.put(nextVersion(c, store.Deleted))
			k.commit(batchRequiringAbsence(20, store.Eq{Key: crossTypeC}))
		}},
		{"an update or deletion removes a cross-type key", func(k *kit) {
			v1 := k.put(docOfType("Observation", "a", 10, crossTypeC))[0]
			v2 := k.put(nextVersion(v1, store.Updated, crossTypeD))[0]
			wantAllTypes(k, store.Eq{Key: crossTypeC})
			wantAllTypes(k, store.Eq{Key: crossTypeD}, "a")
			k.put(nextVersion(v2, store.Deleted, crossTypeD))
			wantAllTypes(k, store.Eq{Key: crossTypeD})
		}},
		{"a query of every type without a cross-type key is refused", func(k *kit) {
			k.put(docOfType("Observation", "a", 10, crossTypeC, "k"))
			k.read(func(s store.Snapshot) {
				for _, p := range []store.Pred{store.And{}, store.Eq{Key: "k"}, store.Or{store.Eq{Key: crossTypeC}}, store.WithPrefix(crossTypeC), store.Not{Pred: store.Eq{Key: crossTypeC}}} {
					if n, err := s.Count(k.Context(), store.Query{Where: p}, 0); !errors.Is(err, store.ErrNeedsCrossTypeKey) {
						k.Errorf("count of %v: got %d, %v, want ErrNeedsCrossTypeKey", p, n, err)
					}
					for d, err := range s.Scan(k.Context(), store.Query{Where: p}) {
						if !errors.Is(err, store.ErrNeedsCrossTypeKey) {
							k.Errorf("scan of %v: got %v, %v, want ErrNeedsCrossTypeKey", p, d.Ref, err)
						}
					}
				}
			})
		}},
	}
}
