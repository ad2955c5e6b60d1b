package storetest

import (
	"fmt"
	"slices"
	"time"

	"carerecord/store"
)

func historySentences() []sentence {
	return []sentence{
		{"versions are ordered newest first and include tombstones", func(k *kit) {
			all := commitHistory(k)
			k.wantHistory(store.HistoryQuery{Type: "Observation"}, all)
		}},
		{"the history of one document has only its versions", func(k *kit) {
			all := commitHistory(k)
			for _, id := range []string{"a", "b", "c", "none"} {
				k.wantHistory(store.HistoryQuery{Type: "Observation", ID: id}, filterDocs(all, func(d store.Doc) bool { return d.Ref.ID == id }))
			}
		}},
		{"Since selects the versions at or after an instant", func(k *kit) {
			all := commitHistory(k)
			for _, d := range all {
				for _, since := range []time.Time{d.Updated, d.Updated.Add(time.Millisecond), d.Updated.Add(-time.Millisecond), d.Updated.Add(time.Microsecond)} {
					want := filterDocs(all, func(d store.Doc) bool { return !d.Updated.Before(since) })
					k.wantHistory(store.HistoryQuery{Type: "Observation", Since: since}, want)
					k.wantHistory(store.HistoryQuery{Type: "Observation", ID: "a", Since: since},
						filterDocs(want, func(d store.Doc) bool { return d.Ref.ID == "a" }))
				}
			}
		}},
		{"Before selects the versions after the mark", func(k *kit) {
			all := commitHistory(k)
			for i, d := range all {
				mark := d.HistoryMark()
				k.wantHistory(store.HistoryQuery{Type: "Observation", Before: &mark}, all[i+1:])
				k.wantHistory(store.HistoryQuery{Type: "Observation", ID: "b", Before: &mark},
					filterDocs(all[i+1:], func(d store.Doc) bool { return d.Ref.ID == "b" }))
			}
		}},
		{"a mark need not be the mark of a version", func(k *kit) {
			all := commitHistory(k)
			for _, d := range all {
				for _, mark := range []store.HistoryMark{
					{Updated: d.Updated, Seq: d.Seq + 1, Ref: d.Ref},
					{Updated: d.Updated, Seq: d.Seq - 1, Ref: d.Ref, Version: 7},
					{Updated: d.Updated, Seq: d.Seq, Ref: store.Ref{Type: "Condition", ID: "zz"}},
					{Updated: d.Updated, Seq: d.Seq, Ref: store.Ref{Type: "Patient", ID: "a"}},
					{Updated: d.Updated, Seq: d.Seq, Ref: store.Ref{Type: d.Ref.Type, ID: d.Ref.ID + "a"}},
					{Updated: d.Updated, Seq: d.Seq, Ref: d.Ref, Version: d.Version + 1},
					{Updated: d.Updated.Add(time.Millisecond), Ref: d.Ref},
				} {
					want := filterDocs(all, func(d store.Doc) bool { return store.CompareMarks(d.HistoryMark(), mark) > 0 })
					k.wantHistory(store.HistoryQuery{Type: "Observation", Before: &mark}, want)
				}
			}
		}},
		{"Where applies to the keys of each version", func(k *kit) {
			all := commitHistory(k)
			for _, p := range []store.Pred{store.Eq{Key: "k"}, store.Eq{Key: "l"}, store.Not{Pred: store.Eq{Key: "k"}}, store.And{}, store.Eq{Key: "none"}} {
				want := filterDocs(all, func(d store.Doc) bool { return store.Match(p, d.Keys) })
				k.wantHistory(store.HistoryQuery{Type: "Observation", Where: p}, want)
			}
			mark, p := all[2].HistoryMark(), store.Eq{Key: "k"}
			k.wantHistory(store.HistoryQuery{Type: "Observation", Where: p, Before: &mark, Since: all[len(all)-2].Updated},
				filterDocs(all[3:], func(d store.Doc) bool { return store.Match(p, d.Keys) && !d.Updated.Before(all[len(all)-2].Updated) }))
		}},
		{"versions are ordered by their instants even if the clock was set back", func(k *kit) {
			d := observation("a", 1, "k")
			var all []store.Doc
			for _, second := range []int{50, 40, 40, 60, 10} {
				d.Updated = instantAt(second)
				all = append(all, k.put(d)...)
				d = nextVersion(d, store.Updated)
			}
			slices.SortFunc(all, func(a, b store.Doc) int { return store.CompareMarks(a.HistoryMark(), b.HistoryMark()) })
			k.wantHistory(store.HistoryQuery{Type: "Observation"}, all)
			k.wantHistory(store.HistoryQuery{Type: "Observation", ID: "a"}, all)
			mark := all[1].HistoryMark()
			k.wantHistory(store.HistoryQuery{Type: "Observation", ID: "a", Before: &mark}, all[2:])
		}},
		{"documents of one commit are ordered by address", func(k *kit) {
			var all []store.Doc
			for _, id := range []string{"b", "a", "a-1", "a.1", "B", "0", "ab"} {
				all = append(all, observation(id, uint64(len(all)), "k"))
			}
			all = k.put(all...)
			slices.SortFunc(all, func(a, b store.Doc) int { return store.CompareMarks(a.HistoryMark(), b.HistoryMark()) })
			k.wantHistory(store.HistoryQuery{Type: "Observation"}, all)
			for i, d := range all {
				mark := d.HistoryMark()
				k.wantHistory(store.HistoryQuery{Type: "Observation", Before: &mark}, all[i+1:])
			}
		}},
		{"a document of many versions", func(k *kit) {
			d := observation("a", 1, "k")
			var all []store.Doc
			for range 300 {
				all = append(all, k.put(d)...)
				d = nextVersion(d, store.Updated, "k", store.Key(fmt.Sprint("v", d.Version)))
			}
			slices.Reverse(all)
			k.wantHistory(store.HistoryQuery{Type: "Observation", ID: "a"}, all)
		}},
	}
}

// commitHistory commits versions of every kind and returns them, newest first.
func commitHistory(k *kit) []store.Doc {
	k.Helper()
	var all []store.Doc
	put := func(docs ...store.Doc) []store.Doc {
		docs = k.put(docs...)
		all = append(all, slices.Clone(docs)...)
		return docs
	}
	docs := put(observation("b", 2, "k"), observation("a", 1, "k"))
	b, a := docs[0], docs[1]
	a = put(nextVersion(a, store.Updated, "l"))[0]
	put(observation("c", 3, "l"))
	a = put(nextVersion(a, store.Deleted))[0]
	b = put(nextVersion(b, store.Updated, "k", "l"))[0]
	back := nextVersion(a, store.Upserted, "k")
	back.RowID, back.Body = rowIDOf(4, 4), []byte("back")
	put(back)
	b2 := nextVersion(b, store.Updated, "m")
	b2.Updated = b.Updated // at the same instant
	put(b2)
	other := observation("a", 100, "k")
	other.Ref.Type = "Condition"
	k.put(other)
	slices.SortFunc(all, func(a, b store.Doc) int { return store.CompareMarks(a.HistoryMark(), b.HistoryMark()) })
	return all
}

func filterDocs(docs []store.Doc, keep func(store.Doc) bool) []store.Doc {
	return slices.DeleteFunc(slices.Clone(docs), func(d store.Doc) bool { return !keep(d) })
}

// wantHistory fails the test unless the history is as expected.
func (k *kit) wantHistory(q store.HistoryQuery, want []store.Doc) {
	k.Helper()
	k.read(func(s store.Snapshot) {
		if d := diff(k.collect(s.History(k.Context(), q)), want); d != "" {
			k.Errorf("history %+v, before %+v (-got +want):\n%s", q, q.Before, d)
		}
	})
}
