package storetest

import (
	"errors"

	"carerecord/store"
)

// c and its like are common keys.
const (
	commonC store.Key = "\x00\x00c"
	commonD store.Key = "\x00\x00d"
)

// ofType is a document of a type at a place.
func ofType(typ, id string, order uint64, keys ...store.Key) store.Doc {
	d := observation(id, order, keys...)
	d.Ref.Type = typ
	return d
}

func commonSentences() []sentence {
	everywhere := func(k *kit, where store.Pred, ids ...string) {
		k.Helper()
		k.read(func(s store.Snapshot) {
			k.scans(s, store.Query{Where: where}, ids...)
			if n, err := s.Count(k.ctx, store.Query{Where: where}, 0); n != len(ids) || err != nil {
				k.Errorf("count: got %d, %v, want %d", n, err, len(ids))
			}
		})
	}
	return []sentence{
		{"a common key finds documents of every type, in one order", func(k *kit) {
			k.put(ofType("Observation", "b", 20, commonC, "k"))
			k.put(ofType("Condition", "a", 10, commonC, commonD))
			k.put(ofType("Encounter", "c", 30, commonC, "k"))
			k.put(ofType("Encounter", "d", 40, commonD))
			everywhere(k, store.Eq{Key: commonC}, "a", "b", "c")
			everywhere(k, store.And{store.Eq{Key: "k"}, store.And{store.Eq{Key: commonC}}}, "b", "c")
			everywhere(k, store.And{store.Eq{Key: commonC}, store.Not{Pred: store.Eq{Key: "k"}}}, "a")
			everywhere(k, store.And{store.Eq{Key: commonC}, store.Eq{Key: commonD}}, "a")
			everywhere(k, store.Eq{Key: commonC + "c"})
			k.read(func(s store.Snapshot) {
				for _, d := range k.all(s.Scan(k.ctx, store.Query{Where: store.Eq{Key: commonC}})) {
					if got, err := s.Get(k.ctx, d.Ref); err != nil || diff(got, d) != "" {
						k.Errorf("%s of every type is not the document at its address: %v %s", d.Ref, err, diff(got, d))
					}
				}
			})
		}},
		{"a common key asked of one type matches and does not drive", func(k *kit) {
			k.put(ofType("Observation", "a", 10, commonC))
			k.put(ofType("Condition", "b", 20, commonC))
			k.finds(store.Eq{Key: commonC}, "a")
			k.finds(store.WithPrefix("\x00"), "a")
			k.finds(store.Range{Low: "\x00", High: "\x01"}, "a")
			k.finds(store.Or{store.Eq{Key: commonC}, store.Eq{Key: "k"}}, "a")
		}},
		{"what must be absent of every type", func(k *kit) {
			demand := func(order uint64, where store.Pred) store.Batch {
				b := writes(ofType("Binary", "new", order, "k"))
				b.Absent = []store.Absent{{Where: where, Claims: []store.Key{commonC}}}
				return b
			}
			c := k.put(ofType("Condition", "a", 10, commonC))[0]
			k.put(ofType("Observation", "o", 11, "k"))
			k.refuses(demand(20, store.Eq{Key: commonC}), store.ErrConflict)
			k.refuses(demand(20, store.Eq{Key: "k"}), store.ErrNeedsCrossTypeKey)
			k.put(next(c, store.Deleted))
			k.commit(demand(20, store.Eq{Key: commonC}))
		}},
		{"a common key follows its document", func(k *kit) {
			v1 := k.put(ofType("Observation", "a", 10, commonC))[0]
			v2 := k.put(next(v1, store.Updated, commonD))[0]
			everywhere(k, store.Eq{Key: commonC})
			everywhere(k, store.Eq{Key: commonD}, "a")
			k.put(next(v2, store.Deleted, commonD))
			everywhere(k, store.Eq{Key: commonD})
		}},
		{"a question of every type without a common key is refused", func(k *kit) {
			k.put(ofType("Observation", "a", 10, commonC, "k"))
			k.read(func(s store.Snapshot) {
				for _, p := range []store.Pred{store.And{}, store.Eq{Key: "k"}, store.Or{store.Eq{Key: commonC}}, store.WithPrefix(commonC), store.Not{Pred: store.Eq{Key: commonC}}} {
					if n, err := s.Count(k.ctx, store.Query{Where: p}, 0); !errors.Is(err, store.ErrNeedsCrossTypeKey) {
						k.Errorf("count of %v: got %d, %v, want ErrCommon", p, n, err)
					}
					for d, err := range s.Scan(k.ctx, store.Query{Where: p}) {
						if !errors.Is(err, store.ErrNeedsCrossTypeKey) {
							k.Errorf("scan of %v: got %v, %v, want ErrCommon", p, d.Ref, err)
						}
					}
				}
			})
		}},
	}
}
