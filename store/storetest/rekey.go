package storetest

import (
	"time"

	"carerecord/store"
)

// rekey returns a batch that replaces the row ID, source and keys of a document, if its version and key
// revision are still those of d.
func rekey(d store.Doc, id store.RowID, source string, keys ...store.Key) store.Batch {
	d.RowID, d.Source, d.Keys = id, source, store.Sorted(keys)
	d.Updated, d.Origin, d.Body = instantAt(99).Add(time.Hour), store.Upserted, []byte("to be ignored")
	return store.Batch{Writes: []store.Write{{Doc: d, Expect: d.Version, KeyRevision: d.KeyRevision, Rekey: true}}}
}

func rekeySentences() []sentence {
	return []sentence{
		{"a rekey replaces row ID, keys and source of a version and nothing else", func(k *kit) {
			docs := k.put(observation("a", 1, "k", "l"), observation("b", 2, "k"))
			k.commit(rekey(docs[0], rowIDOf(5, 5), "RX2", "l", "m"))
			want := docs[0]
			want.RowID, want.Source, want.Keys, want.KeyRevision = rowIDOf(5, 5), "RX2", []store.Key{"l", "m"}, 1
			k.wantNewest(want, docs[1])
			k.wantMatches(store.Eq{Key: "k"}, "b")
			k.wantMatches(store.Eq{Key: "l"}, "a")
			k.wantMatches(store.Eq{Key: "m"}, "a")
			k.wantMatches(store.And{}, "b", "a")
			k.read(func(s store.Snapshot) {
				got := k.collect(s.History(k.Context(), store.HistoryQuery{Type: "Observation", ID: "a"}))
				if d := diff(got, []store.Doc{want}); d != "" {
					k.Errorf("history of the rekeyed (-got +want):\n%s", d)
				}
			})
		}},
		{"a rekey may keep the row ID", func(k *kit) {
			a := k.put(observation("a", 1, "k"))[0]
			k.commit(rekey(a, a.RowID, a.Source, "m"))
			a.Keys, a.KeyRevision = []store.Key{"m"}, 1
			k.wantNewest(a)
			k.wantMatches(store.Eq{Key: "k"})
			k.wantMatches(store.Eq{Key: "m"}, "a")
		}},
		{"a rekey does not change older versions", func(k *kit) {
			v1 := k.put(observation("a", 1, "k"))[0]
			v2 := k.put(nextVersion(v1, store.Updated, "l"))[0]
			k.commit(rekey(v2, rowIDOf(2, 2), "RX2", "m"))
			v2.RowID, v2.Source, v2.Keys, v2.KeyRevision = rowIDOf(2, 2), "RX2", []store.Key{"m"}, 1
			v3 := k.put(nextVersion(v2, store.Updated, "n"))[0]
			k.read(func(s store.Snapshot) {
				got := k.collect(s.History(k.Context(), store.HistoryQuery{Type: "Observation"}))
				if d := diff(got, []store.Doc{v3, v2, v1}); d != "" {
					k.Errorf("history (-got +want):\n%s", d)
				}
			})
		}},
		{"a rekeyed tombstone is still a tombstone", func(k *kit) {
			a := k.put(observation("a", 1, "k"))[0]
			tombstone := k.put(nextVersion(a, store.Deleted))[0]
			b := k.put(observation("b", 1, "k"))[0] // the former row ID of a
			k.commit(rekey(tombstone, rowIDOf(1, 1), "RX2", "m"))
			tombstone.RowID, tombstone.Source, tombstone.Keys, tombstone.KeyRevision = rowIDOf(1, 1), "RX2", []store.Key{"m"}, 1
			k.wantNewest(tombstone, b)
			k.wantMatches(store.Eq{Key: "m"})
			k.wantMatches(store.And{}, "b")
		}},
		{"a rekey requires the newest version", func(k *kit) {
			v1 := k.put(observation("a", 1, "k"))[0]
			v2 := k.put(nextVersion(v1, store.Updated, "l"))[0]
			k.wantCommitError(rekey(v1, v1.RowID, "", "m"), store.ErrConflict)
			k.wantCommitError(rekey(observation("none", 7), rowIDOf(1, 7), "", "m"), store.ErrConflict)
			k.wantNewest(v2)
		}},
		{"a rekey to the row ID of another document is a conflict", func(k *kit) {
			docs := k.put(observation("a", 1, "k"), observation("b", 2, "k"))
			k.wantCommitError(rekey(docs[0], rowIDOf(1, 2), "", "m"), store.ErrConflict)
			k.wantNewest(docs...)
			swap := rekey(docs[0], rowIDOf(1, 2), "RX1", "k")
			swap.Writes = append(swap.Writes, rekey(docs[1], rowIDOf(1, 1), "RX1", "k").Writes...)
			k.commit(swap)
			k.wantMatches(store.Eq{Key: "k"}, "b", "a")
			k.wantMatches(store.And{}, "b", "a")
		}},
	}
}

func absentSentences() []sentence {
	absent := func(p store.Pred, claims ...store.Key) []store.Absent {
		return []store.Absent{{Type: "Observation", Where: p, Claims: claims}}
	}
	return []sentence{
		{"a live match is a conflict", func(k *kit) {
			k.put(observation("a", 1, "k", "l"))
			for _, p := range []store.Pred{
				store.Eq{Key: "k"},
				store.And{store.Eq{Key: "k"}, store.Eq{Key: "l"}},
				store.And{store.Eq{Key: "k"}, store.Not{Pred: store.Eq{Key: "x"}}},
			} {
				b := batchOf(observation("b", 2, "k"))
				b.Absent = absent(p, "k")
				k.wantCommitError(b, store.ErrConflict)
			}
			k.wantMatches(store.And{}, "a")
		}},
		{"no match is no conflict", func(k *kit) {
			a := observation("a", 1, "k")
			other := observation("o", 8, "k", "l")
			other.Ref.Type = "Condition"
			k.put(a, other)
			b := batchOf(observation("b", 2, "k", "l"))
			b.Absent = absent(store.And{store.Eq{Key: "k"}, store.Eq{Key: "l"}}, "k", "l")
			k.commit(b)
			k.wantMatches(store.Eq{Key: "k"}, "a", "b")
		}},
		{"a tombstone does not match", func(k *kit) {
			a := k.put(observation("a", 1, "k"))[0]
			k.put(nextVersion(a, store.Deleted))
			b := batchOf(observation("b", 2, "k"))
			b.Absent = absent(store.Eq{Key: "k"}, "k")
			k.commit(b)
		}},
		{"the batch's own writes do not count", func(k *kit) {
			b := batchOf(observation("a", 1, "k"), observation("b", 2, "k"))
			b.Absent = absent(store.Eq{Key: "k"}, "k")
			k.commit(b)
			a, _ := k.get("a")
			c := batchOf(nextVersion(a, store.Deleted))
			c.Absent = absent(store.Eq{Key: "k"}, "k")
			k.wantCommitError(c, store.ErrConflict)
		}},
		{"every absence must hold", func(k *kit) {
			k.put(observation("a", 1, "k"))
			b := batchOf(observation("b", 2, "l"))
			b.Absent = append(absent(store.Eq{Key: "l"}, "l"), absent(store.Eq{Key: "k"}, "k")...)
			k.wantCommitError(b, store.ErrConflict)
		}},
	}
}
