package storetest

import (
	"fmt"
	"sync/atomic"

	"carerecord/store"
)

// keyingSentences test that a reader of a version notices a later rekey, because facts derived
// from its keys may have changed.
func keyingSentences() []sentence {
	return []sentence{
		{"each rekey of a version counts, and a new version begins at 0", keyingCounts},
		{"every way of reading returns the keying", keyingIsRead},
		{"a check of what was rekeyed since is a conflict", func(k *kit) {
			a, dead := k.put(observation("a", 1, "k"))[0], k.put(observation("dead", 2, "k"))[0]
			dead = k.put(next(dead, store.Deleted))[0]
			for i, d := range []store.Doc{a, dead} {
				b := writes(observation(fmt.Sprint("b", i), uint64(10+i)))
				b.Checks = []store.Check{{Ref: d.Ref, Version: d.Version, KeyRevision: 0}}
				k.commit(rekey(d, d.RowID, d.Source, "m"))
				k.refuses(b, store.ErrConflict)
				b.Checks[0].KeyRevision = 2
				k.refuses(b, store.ErrConflict)
				b.Checks[0].KeyRevision = 1
				k.commit(b)
			}
			b := writes(observation("c", 20))
			b.Checks = []store.Check{{Ref: store.Ref{Type: "Observation", ID: "none"}, KeyRevision: 1}}
			k.refuses(b, store.ErrConflict)
		}},
		{"a check by keys is of any live version that has them", func(k *kit) {
			a, dead := k.put(observation("a", 1, "k", "l"))[0], k.put(observation("dead", 2, "k"))[0]
			k.put(next(dead, store.Deleted))
			n := 0
			check := func(id string, where store.Pred, version uint64, holds bool) {
				k.Helper()
				n++
				b := writes(observation(fmt.Sprint("w", n), uint64(100+n)))
				b.Checks = []store.Check{{Ref: store.Ref{Type: "Observation", ID: id}, Where: where, Version: version}}
				if holds {
					k.commit(b)
				} else {
					k.refuses(b, store.ErrConflict)
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
			a = k.put(next(a, store.Updated, "k"))[0]
			both(true, false, false)
			k.commit(rekey(a, a.RowID, a.Source, "k", "m"))
			both(true, true, false)
			a.KeyRevision = 1
			k.put(next(a, store.Deleted))
			both(false, false, false)
			check("dead", store.Eq{Key: "k"}, 2, false)
			check("dead", store.And{}, 2, false)
			check("none", store.And{}, 0, false)
		}},
		{"a write over what was rekeyed since is a conflict", func(k *kit) {
			a := k.put(observation("a", 1, "k"))[0]
			k.commit(rekey(a, a.RowID, a.Source, "m"))
			k.refuses(writes(next(a, store.Updated, "l")), store.ErrConflict)
			k.refuses(writes(next(a, store.Deleted)), store.ErrConflict)
			k.finds(store.Eq{Key: "m"}, "a")
			a.KeyRevision = 1
			a = k.put(next(a, store.Deleted))[0]
			k.commit(rekey(a, a.RowID, a.Source, "n"))
			k.refuses(writes(next(a, store.Upserted, "l")), store.ErrConflict)
			a.KeyRevision = 1
			k.put(next(a, store.Upserted, "l"))
			k.finds(store.Eq{Key: "l"}, "a")
		}},
		{"of two rekeys made from one reading one succeeds", func(k *kit) {
			a, dead := k.put(observation("a", 1, "k"))[0], k.put(observation("dead", 2, "k"))[0]
			dead = k.put(next(dead, store.Deleted))[0]
			for _, d := range []store.Doc{a, dead} {
				k.commit(rekey(d, d.RowID, d.Source, "m"))
				k.refuses(rekey(d, d.RowID, d.Source, "l"), store.ErrConflict)
				d.Keys, d.KeyRevision = []store.Key{"m"}, 1
				k.holds(d)
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
			k.refuses(b, store.ErrConflict)
		}},
		{"the keying is there after reopening", func(k *kit) {
			if k.subject.Reopen == nil {
				k.Skip("the engine keeps nothing")
			}
			docs := k.put(observation("a", 1, "k"), observation("dead", 2, "k"))
			dead := k.put(next(docs[1], store.Deleted))[0]
			k.commit(rekey(docs[0], docs[0].RowID, docs[0].Source, "k"))
			k.commit(rekey(dead, dead.RowID, dead.Source, "k"))
			docs[0].KeyRevision, dead.KeyRevision = 1, 1
			k.Engine = k.subject.Reopen(k, k.Engine, k.clock.Now)
			k.holds(docs[0], dead)
			k.commit(rekey(docs[0], docs[0].RowID, docs[0].Source, "k"))
		}},
		{"of racing rekeys made from one reading one succeeds", func(k *kit) {
			a := k.put(observation("a", 1, "k"))[0]
			var won atomic.Int64
			together(max(k.subject.racers()/10, 10), func(i int) {
				k.race(rekey(a, a.RowID, a.Source, store.Key(fmt.Sprint("v", i))), &won)
			})
			k.one(won.Load(), store.WithPrefix("v"))
		}},
		{"a check and a rekey of what it checks do not both succeed unseen", rekeySkew},
	}
}

func keyingCounts(k *kit) {
	a := k.put(observation("a", 1, "k"))[0]
	for n := range uint64(130) { // more than fits in one byte
		k.commit(rekey(a, a.RowID, a.Source, "m"))
		a.Keys, a.KeyRevision = []store.Key{"m"}, n+1
		k.holds(a)
	}
	second := next(a, store.Updated, "l")
	second = k.put(second)[0]
	k.holds(second)
	k.commit(rekey(second, at(3, 3), "RX2", "m"))
	second.RowID, second.Source, second.Keys, second.KeyRevision = at(3, 3), "RX2", []store.Key{"m"}, 1
	dead := k.put(next(second, store.Deleted))[0]
	k.holds(dead)
	k.commit(rekey(dead, at(4, 4), "RX3", "n"))
	dead.RowID, dead.Source, dead.Keys, dead.KeyRevision = at(4, 4), "RX3", []store.Key{"n"}, 1
	k.holds(dead)
	back := next(dead, store.Upserted, "l")
	back.Body = []byte("back")
	back = k.put(back)[0]
	k.chronicle(store.HistoryQuery{Type: "Observation", ID: "a"}, []store.Doc{back, dead, second, a})
}

func keyingIsRead(k *kit) {
	a := k.put(observation("a", 1, "k", commonC))[0]
	k.commit(rekey(a, at(2, 2), a.Source, "k", "l", commonC))
	a.RowID, a.Keys, a.KeyRevision = at(2, 2), store.Sorted([]store.Key{"k", "l", commonC}), 1
	bare := a
	bare.Body = nil
	k.holds(a) // an engine may have cached it now
	k.holds(a)
	k.read(func(s store.Snapshot) {
		if got, err := s.Version(k.ctx, a.Ref, 1); err != nil || diff(got, a) != "" {
			k.Errorf("version: %v (-got +want)\n%s", err, diff(got, a))
		}
		if d := diff(k.all(s.All(k.ctx, []store.Ref{a.Ref})), []store.Doc{a}); d != "" {
			k.Errorf("all (-got +want):\n%s", d)
		}
		for _, q := range []store.Query{
			{Type: "Observation", Where: store.And{}},
			{Type: "Observation", Where: store.Eq{Key: "l"}},
			{Type: "Observation", Where: store.WithPrefix("l")},
			{Type: "Observation", Where: store.And{store.Eq{Key: "k"}, store.Eq{Key: "l"}}},
			{Where: store.Eq{Key: commonC}},
		} {
			if d := diff(k.all(s.Scan(k.ctx, q)), []store.Doc{a}); d != "" {
				k.Errorf("scan %+v (-got +want):\n%s", q, d)
			}
			q.KeysOnly = true
			if d := diff(k.all(s.Scan(k.ctx, q)), []store.Doc{bare}); d != "" {
				k.Errorf("scan of keys only %+v (-got +want):\n%s", q, d)
			}
		}
	})
	k.chronicle(store.HistoryQuery{Type: "Observation"}, []store.Doc{a})
	k.chronicle(store.HistoryQuery{Type: "Observation", ID: "a"}, []store.Doc{a})
}

// rekeySkew runs pairs of commits that each check the document that the other rekeys. At most one
// of the two may succeed.
func rekeySkew(k *kit) {
	for round := range max(k.subject.racers()/40, 10) {
		docs := k.put(observation(fmt.Sprint("a", round), uint64(2*round), "k"), observation(fmt.Sprint("b", round), uint64(2*round+1), "k"))
		var won atomic.Int64
		together(2, func(i int) {
			batch := rekey(docs[i], docs[i].RowID, docs[i].Source, "m")
			batch.Checks = []store.Check{{Ref: docs[1-i].Ref, Version: 1}}
			k.race(batch, &won)
		})
		if won.Load() > 1 {
			k.Fatalf("round %d: %d commits succeeded, want one", round, won.Load())
		}
	}
}
