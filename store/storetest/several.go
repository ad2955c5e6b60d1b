package storetest

import (
	"fmt"

	"carerecord/store"
)

// severalDocs tests Snapshot.All.
func severalDocs(k *kit) {
	a, b := k.put(observation("a", 1, "k"))[0], k.put(docOfType("Condition", "b", 2))[0]
	b = k.put(nextVersion(b, store.Deleted))[0]
	k.put(observation("other", 3))
	never, twice := store.Ref{Type: "Encounter", ID: "a"}, a.Ref
	k.read(func(s store.Snapshot) {
		for _, refs := range [][]store.Ref{nil, {never}, {a.Ref}, {never, b.Ref, a.Ref, twice}} {
			want := map[store.Ref]store.Doc{}
			for _, ref := range refs {
				if d, err := s.Get(k.Context(), ref); err == nil {
					want[ref] = d
				}
			}
			n := 0
			for _, got := range k.collect(s.All(k.Context(), refs)) {
				if d := diff(got, want[got.Ref]); d != "" {
					k.Errorf("of %v: (-got +want)\n%s", refs, d)
				}
				n++
			}
			if n != len(want) {
				k.Errorf("of %v: got %d documents, want %d", refs, n, len(want))
			}
		}
		many := []store.Ref{a.Ref}
		for i := range 300 {
			many = append(many, store.Ref{Type: "Encounter", ID: fmt.Sprint("none", i)})
		}
		if got := k.collect(s.All(k.Context(), many)); len(got) != 1 || got[0].Ref != a.Ref {
			k.Errorf("one of 301: got %d documents", len(got))
		}
	})
}

// inPartitions tests Query.Partitions.
func inPartitions(k *kit) {
	var all []store.Doc
	for i := range 6 {
		d := observation(fmt.Sprint("d", i), uint64(i), "k", "m", store.Key(fmt.Sprint("n", i)))
		d.RowID.Partition = store.Partition(10 * (i / 2))
		all = append(all, d)
	}
	k.put(all...)
	k.read(func(s store.Snapshot) {
		among := store.Or{store.Eq{Key: "n1"}, store.Eq{Key: "n2"}, store.Eq{Key: "n3"}, store.Eq{Key: "n4"}}
		for _, p := range []store.Pred{store.Eq{Key: "k"}, store.And{}, store.WithPrefix("k"), store.And{store.Eq{Key: "k"}, store.Eq{Key: "m"}}, store.Not{Pred: store.Eq{Key: "x"}}} {
			after := all[2].RowID
			k.wantScan(s, store.Query{Type: "Observation", Where: p, Partitions: []store.Partition{0, 20}}, "d0", "d1", "d4", "d5")
			k.wantScan(s, store.Query{Type: "Observation", Where: store.And{p, among}, Partitions: []store.Partition{0, 20}}, "d1", "d4")
			k.wantScan(s, store.Query{Type: "Observation", Where: p, Partitions: []store.Partition{5, 10, 15}}, "d2", "d3")
			k.wantScan(s, store.Query{Type: "Observation", Where: p, Partitions: []store.Partition{0, 10, 20}, After: &after}, "d3", "d4", "d5")
			k.wantScan(s, store.Query{Type: "Observation", Where: p, Partitions: []store.Partition{0, 20}, After: &after}, "d4", "d5")
			k.wantScan(s, store.Query{Type: "Observation", Where: p, Partitions: []store.Partition{15, 1 << 47}})
			k.wantScan(s, store.Query{Type: "Observation", Where: p, Partitions: []store.Partition{}})
			for max, want := range map[int]int{0: 4, 1: 1, 5: 4} {
				if n, err := s.Count(k.Context(), store.Query{Type: "Observation", Where: p, Partitions: []store.Partition{10, 20}}, max); err != nil || n != want {
					k.Errorf("count of %v in two partitions, at most %d: got %d, %v, want %d", p, max, n, err, want)
				}
			}
		}
	})
}
