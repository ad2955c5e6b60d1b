package storetest

import (
	"fmt"
	"sync/atomic"

	"carerecord/store"
)

// keyRevisionSentences test that a commit that depends on a version fails after a rekey of the version,
// because facts derived from its keys may have changed.
func keyRevisionSentences() []sentence {
	return []sentence{
		{"each rekey increments the key revision, and a new version begins at 0", keyRevisionCounts},
		{"every method that reads a document returns its key revision", keyRevisionIsRead},
		{"a check of a version that was rekeyed since is a conflict", func(k *kit) {
			a, tombstone := k.put(observation("a", 1, "k"))[0], k.put(observation("dead", 2, "k"))[0]
			tombstone = k.put(nextVersion(tombstone, store.Deleted))[0]
			for i, d := range []store.Doc{a, tombstone} {
				b := batchOf(observation(fmt.Sprint("b", i), uint64(10+i)))
				b.Checks = []store.Check{{Ref: d.Ref, Version: d.Version, KeyRevision: 0}}
				k.commit(rekey(d, d.RowID, d.Source, "m"))
				k.wantCommitError(b, store.ErrConflict)
				b.Checks[0].KeyRevision = 2
				k.wantCommitError(b, store.ErrConflict)
				b.Checks[0].KeyRevision = 1
				k.commit(b)
			}
			b := batchOf(observation("c", 20))
			b.Checks = []store.Check{{Ref: store.Ref{Type: "Observation", ID: "none"}, KeyRevision: 1}}
			k.wantCommitError(b, store.ErrConflict)
		}},
		{"a check by keys is true of any live version with these keys", func(k *kit) {
			a, tombstone := k.put(observation("a", 1, "k", "l"))[0], k.put(observation("dead", 2, "k"))[0]
			k.put(nextVersion(tombstone, store.Deleted))
			n := 0
			check := func(id string, where store.Pred, version uint64, holds bool) {
				k.Helper()
				n++
				b := batchOf(observation(fmt.Sprint("w", n), uint64(100+n)))
				b.Checks = []store.Check{{Ref: store.Ref{Type: "Observation", ID: id}, Where: where, Version: version}}
				if holds {
					k.commit(b)
				} else {
					k.wantCommitError(b, store.ErrConflict)
				}
			}
			both := func(holds bool, m, l bool) {
				k.Helper()
				check("a", store.And{}, 9, holds) // the version is ignored
				check("a", store.Eq{Key: "k"}, 0, holds)
				check("a", store.Not{Pred: store.Eq{Key: "k"}}, 0, false)
				check("a", store.Eq{Key: "m"}, 0, m)
				check("a", store.And{store.Eq{Key: "k"}, store.Not{Pred: store.Eq{Key: "l"}}}, 0, holds && !l)
			}
			both(true, false, true)
			a = k.put(nextVersion(a, store.Updated, "k"))[0]
			both(true, false, false)
			k.commit(rekey(a, a.RowID, a.Source, "k", "m"))
			both(true, true, false)
			a.KeyRevision = 1
			k.put(nextVersion(a, store.Deleted))
			both(false, false, false)
			check("dead", store.Eq{Key: "k"}, 2, false)
			check("dead", store.And{}, 2, false)
			check("none", store.And{}, 0, false)
		}},
		{"a write after a version that was rekeyed since is a conflict", func(k *kit) {
			a := k.put(observation("a", 1, "k"))[0]
			k.commit(rekey(a, a.RowID, a.Source, "m"))
			k.wantCommitError(batchOf(nextVersion(a, store.Updated, "l")), store.ErrConflict)
			k.wantCommitError(batchOf(nextVersion(a, store.Deleted)), store.ErrConflict)
			k.wantMatches(store.Eq{Key: "m"}, "a")
			a.KeyRevision = 1
			a = k.put(nextVersion(a, store.Deleted))[0]
			k.commit(rekey(a, a.RowID, a.Source, "n"))
			k.wantCommitError(batchOf(nextVersion(a, store.Upserted, "l")), store.ErrConflict)
			a.KeyRevision = 1
			k.put(nextVersion(a, store.Upserted, "l"))
			k.wantMatches(store.Eq{Key: "l"}, "a")
		}},
		{"of two rekeys of one key revision one succeeds", func(k *kit) {
			a, tombstone := k.put(observation("a", 1, "k"))[0], k.put(observation("dead", 2, "k"))[0]
			tombstone = k.put(nextVersion(tombstone, store.Deleted))[0]
			for _, d := range []store.Doc{a, tombstone} {
				k.commit(rekey(d, d.RowID, d.Source, "m"))
				k.wantCommitError(rekey(d, d.RowID, d.Source, "l"), store.ErrConflict)
				d.Keys, d.KeyRevision = []store.Key{"m"}, 1
				k.wantNewest(d)
			}
		}},
		{"a document that is rekeyed and checked in one batch is checked in its state before the batch", func(k *kit) {
			a := k.put(observation("a", 1, "k"))[0]
			b := rekey(a, a.RowID, a.Source, "m")
			b.Checks = []store.Check{{Ref: a.Ref, Version: 1}}
			k.commit(b)
			a.KeyRevision = 1
			b = rekey(a, a.RowID, a.Source, "n")
			b.Checks = []store.Check{{Ref: a.Ref, Version: 1}}
			k.wantCommitError(b, store.ErrConflict)
		}},
		{"the key revision is stored after reopening", func(k *kit) {
			if k.subject.Reopen == nil {
				k.Skip("the engine has no durable storage")
			}
			docs := k.put(observation("a", 1, "k"), observation("dead", 2, "k"))
			tombstone := k.put(nextVersion(docs[1], store.Deleted))[0]
			k.commit(rekey(docs[0], docs[0].RowID, docs[0].Source, "k"))
			k.commit(rekey(tombstone, tombstone.RowID, tombstone.Source, "k"))
			docs[0].KeyRevision, tombstone.KeyRevision = 1, 1
			k.Engine = k.subject.Reopen(k, k.Engine, k.clock.Now)
			k.wantNewest(docs[0], tombstone)
			k.commit(rekey(docs[0], docs[0].RowID, docs[0].Source, "k"))
		}},
		{"of racing rekeys of one key revision one succeeds", func(k *kit) {
			a := k.put(observation("a", 1, "k"))[0]
			var won atomic.Int64
			concurrently(max(k.subject.racers()/10, 10), func(i int) {
				k.commitRacing(rekey(a, a.RowID, a.Source, store.Key(fmt.Sprint("v", i))), &won)
			})
			k.wantOneWinner(won.Load(), store.WithPrefix("v"))
		}},
		{"of two commits that check the document that the other rekeys at most one succeeds", rekeySkewIsPrevented},
	}
}

func keyRevisionCounts(k *kit) {
	a := k.put(observation("a", 1, "k"))[0]
	for n := range uint64(130) { // more than fits in one byte
		k.commit(rekey(a, a.RowID, a.Source, "m"))
		a.Keys, a.KeyRevision = []store.Key{"m"}, n+1
		k.wantNewest(a)
	}
	second := nextVersion(a, store.Updated, "l")
	second = k.put(second)[0]
	k.wantNewest(second)
	k.commit(rekey(second, rowIDOf(3, 3), "RX2", "m"))
	second.RowID, second.Source, second.Keys, second.KeyRevision = rowIDOf(3, 3), "RX2", []store.Key{"m"}, 1
	tombstone := k.put(nextVersion(second, store.Deleted))[0]
	k.wantNewest(tombstone)
	k.commit(rekey(tombstone, rowIDOf(4, 4), "RX3", "n"))
	tombstone.RowID, tombstone.Source, tombstone.Keys, tombstone.KeyRevision = rowIDOf(4, 4), "RX3", []store.Key{"n"}, 1
	k.wantNewest(tombstone)
	back := nextVersion(tombstone, store.Upserted, "l")
	back.Body = []byte("back")
	back = k.put(back)[0]
	k.wantHistory(store.HistoryQuery{Type: "Observation", ID: "a"}, []store.Doc{back, tombstone, second, a})
}

func keyRevisionIsRead(k *kit) {
	a := k.put(observation("a", 1, "k", crossTypeC))[0]
	k.commit(rekey(a, rowIDOf(2, 2), a.Source, "k", "l", crossTypeC))
	a.RowID, a.Keys, a.KeyRevision = rowIDOf(2, 2), store.Sorted([]store.Key{"k", "l", crossTypeC}), 1
	bare := a
	bare.Body = nil
	k.wantNewest(a) // an engine may have cached it now
	k.wantNewest(a)
	k.read(func(s store.Snapshot) {
		if got, err := s.Version(k.Context(), a.Ref, 1); err != nil || diff(got, a) != "" {
			k.Errorf("version: %v (-got +want)\n%s", err, diff(got, a))
		}
		if d := diff(k.collect(s.All(k.Context(), []store.Ref{a.Ref})), []store.Doc{a}); d != "" {
			k.Errorf("all (-got +want):\n%s", d)
		}
		for _, q := range []store.Query{
			{Type: "Observation", Where: store.And{}},
			{Type: "Observation", Where: store.Eq{Key: "l"}},
			{Type: "Observation", Where: store.WithPrefix("l")},
			{Type: "Observation", Where: store.And{store.Eq{Key: "k"}, store.Eq{Key: "l"}}},
			{Where: store.Eq{Key: crossTypeC}},
		} {
			if d := diff(k.collect(s.Scan(k.Context(), q)), []store.Doc{a}); d != "" {
				k.Errorf("scan %+v (-got +want):\n%s", q, d)
			}
			q.KeysOnly = true
			if d := diff(k.collect(s.Scan(k.Context(), q)), []store.Doc{bare}); d != "" {
				k.Errorf("scan of keys only %+v (-got +want):\n%s", q, d)
			}
		}
	})
	k.wantHistory(store.HistoryQuery{Type: "Observation"}, []store.Doc{a})
	k.wantHistory(store.HistoryQuery{Type: "Observation", ID: "a"}, []store.Doc{a})
}

// rekeySkewIsPrevented runs pairs of commits that each check the document that the other rekeys. At most one
// of the two may succeed.
func rekeySkewIsPrevented(k *kit) {
	for round := range max(k.subject.racers()/40, 10) {
		docs := k.put(observation(fmt.Sprint("a", round), uint64(2*round), "k"), observation(fmt.Sprint("b", round), uint64(2*round+1), "k"))
		var won atomic.Int64
		concurrently(2, func(i int) {
			batch := rekey(docs[i], docs[i].RowID, docs[i].Source, "m")
			batch.Checks = []store.Check{{Ref: docs[1-i].Ref, Version: 1}}
			k.commitRacing(batch, &won)
		})
		if won.Load() > 1 {
			k.Fatalf("round %d: %d commits succeeded, want one", round, won.Load())
		}
	}
}
