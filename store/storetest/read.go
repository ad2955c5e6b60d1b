package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"carerecord/store"
)

func readSentences() []sentence {
	return []sentence{
		{"a missing document or version is not found", func(k *kit) {
			a := k.put(observation("a", 1))[0]
			k.read(func(s store.Snapshot) {
				if _, err := s.Get(k.Context(), store.Ref{Type: "Observation", ID: "b"}); !errors.Is(err, store.ErrNotFound) {
					k.Errorf("get: got %v, want ErrNotFound", err)
				}
				if _, err := s.Get(k.Context(), store.Ref{Type: "Condition", ID: "a"}); !errors.Is(err, store.ErrNotFound) {
					k.Errorf("get of another type: got %v, want ErrNotFound", err)
				}
				for _, v := range []uint64{0, 2, 1 << 40} {
					if _, err := s.Version(k.Context(), a.Ref, v); !errors.Is(err, store.ErrNotFound) {
						k.Errorf("version %d: got %v, want ErrNotFound", v, err)
					}
				}
			})
		}},
		{"All returns each document once, tombstones too", severalDocs},
		{"every version can be read", func(k *kit) {
			v1 := k.put(observation("a", 1, "k"))[0]
			v2 := k.put(nextVersion(v1, store.Updated, "l"))[0]
			v3 := k.put(nextVersion(v2, store.Deleted))[0]
			k.read(func(s store.Snapshot) {
				for _, want := range []store.Doc{v1, v2, v3} {
					got, err := s.Version(k.Context(), want.Ref, want.Version)
					if d := diff(got, want); err != nil || d != "" {
						k.Errorf("version %d: %v (-got +want)\n%s", want.Version, err, d)
					}
				}
			})
		}},
		{"rows are ordered by partition, then by sort key", func(k *kit) {
			ids := []store.RowID{rowIDOf(0, 0), rowIDOf(0, 1), rowIDOf(0, 256), rowIDOf(0, 1<<63), rowIDOf(1, 0), rowIDOf(255, 7), rowIDOf(256, 7), rowIDOf(1<<47, 3), rowIDOf(1<<48-1, 1<<64-1)}
			early := rowIDOf(1, 0)
			early.SortKey[0] = 1
			ids = append(ids[:5:5], append([]store.RowID{early}, ids[5:]...)...)
			var want []string
			for i := range ids {
				n := (i*7 + 3) % len(ids)
				d := observation(fmt.Sprintf("d%02d", n), 0, "k")
				d.RowID = ids[n]
				k.put(d)
				want = append(want, fmt.Sprintf("d%02d", i))
			}
			k.wantMatches(store.Eq{Key: "k"}, want...)
			k.wantMatches(store.And{}, want...)
			k.wantMatches(store.WithPrefix("k"), want...)
		}},
		{"a query returns the documents that Match accepts", predicatesAgreeWithMatch},
		{"After may be any row ID", func(k *kit) {
			for i := range 6 {
				k.put(observation(fmt.Sprint("d", i), uint64(10*i+10), "k"))
			}
			k.read(func(s store.Snapshot) {
				for _, p := range []store.Pred{store.Eq{Key: "k"}, store.And{}, store.WithPrefix("k"), store.Not{Pred: store.Eq{Key: "x"}}} {
					for order := uint64(0); order <= 70; order += 5 {
						var want []string
						for i := range 6 {
							if uint64(10*i+10) > order {
								want = append(want, fmt.Sprint("d", i))
							}
						}
						after := rowIDOf(1, order)
						k.wantScan(s, store.Query{Type: "Observation", Where: p, After: &after}, want...)
					}
					before, afterAll := rowIDOf(0, 1<<60), rowIDOf(2, 0)
					k.wantScan(s, store.Query{Type: "Observation", Where: p, After: &before}, "d0", "d1", "d2", "d3", "d4", "d5")
					k.wantScan(s, store.Query{Type: "Observation", Where: p, After: &afterAll})
				}
			})
		}},
		{"a query may be limited to partitions", inPartitions},
		{"pages return a row once if it matches throughout, while other rows change", pagesWhileChanging},
		{"KeysOnly omits the body", func(k *kit) {
			a := k.put(observation("a", 1, "k"))[0]
			k.read(func(s store.Snapshot) {
				for _, keysOnly := range []bool{true, false} {
					want := a
					if keysOnly {
						want.Body = nil
					}
					got := k.collect(s.Scan(k.Context(), store.Query{Type: "Observation", Where: store.Eq{Key: "k"}, KeysOnly: keysOnly}))
					if d := diff(got, []store.Doc{want}); d != "" {
						k.Errorf("keys only %v (-got +want):\n%s", keysOnly, d)
					}
					if keysOnly && len(got) == 1 && got[0].Body != nil {
						k.Error("keys only: the body is not nil")
					}
				}
			})
		}},
		{"a count stops at its maximum", func(k *kit) {
			for i := range 5 {
				k.put(observation(fmt.Sprint("d", i), uint64(i), "k"))
			}
			k.read(func(s store.Snapshot) {
				for max, want := range map[int]int{0: 5, 1: 1, 4: 4, 5: 5, 6: 5, -1: 5} {
					for _, p := range []store.Pred{store.Eq{Key: "k"}, store.And{}, store.Not{Pred: store.Eq{Key: "x"}}} {
						if n, err := s.Count(k.Context(), store.Query{Type: "Observation", Where: p}, max); err != nil || n != want {
							k.Errorf("count of %v, at most %d: got %d, %v, want %d", p, max, n, err, want)
						}
					}
				}
			})
		}},
		{"a sequence may be ended early, repeated and nested", func(k *kit) {
			for i := range 4 {
				k.put(observation(fmt.Sprint("d", i), uint64(i), "k"))
			}
			k.read(func(s store.Snapshot) {
				seq := s.Scan(k.Context(), store.Query{Type: "Observation", Where: store.Eq{Key: "k"}})
				pairs := 0
				for range seq {
					break
				}
				for a, err := range seq {
					if err != nil {
						k.Fatal(err)
					}
					for b, err := range s.Scan(k.Context(), store.Query{Type: "Observation", Where: store.Eq{Key: "k"}, After: &a.RowID}) {
						if got, err2 := s.Get(k.Context(), b.Ref); err != nil || err2 != nil || diff(got, b) != "" {
							k.Fatalf("get in a scan in a scan: %v %v", err, err2)
						}
						pairs++
					}
				}
				if pairs != 6 {
					k.Errorf("saw %d pairs, want 6", pairs)
				}
			})
		}},
		{"documents of a scan do not change after they were yielded", func(k *kit) {
			var want []store.Doc
			for i := range 50 {
				want = append(want, k.put(observation(fmt.Sprint("d", i), uint64(i), "k", store.Key(fmt.Sprint("v", i))))...)
			}
			k.read(func(s store.Snapshot) {
				got := k.collect(s.Scan(k.Context(), store.Query{Type: "Observation", Where: store.And{}}))
				if d := diff(got, want); d != "" {
					k.Errorf("scan (-got +want):\n%s", d)
				}
			})
		}},
		{"a snapshot does not change", snapshotIsStable},
		{"an acknowledged commit is in the next snapshot", func(k *kit) {
			d := k.put(observation("a", 1, "k"))[0]
			for range 30 {
				d = k.put(nextVersion(d, store.Updated))[0]
				k.wantNewest(d)
			}
		}},
		{"Read returns what its function returns", func(k *kit) {
			want := errors.New("mine")
			if err := k.Read(k.Context(), func(store.Snapshot) error { return want }); !errors.Is(err, want) {
				k.Errorf("read: got error %v, want %v", err, want)
			}
		}},
		{"a read with an ended context returns an error and not fewer rows", endedContext},
	}
}

func predicatesAgreeWithMatch(k *kit) {
	sets := map[string][]store.Key{
		"empty": {}, "a": {"ka"}, "ab": {"ka", "kb"}, "bc": {"kb", "kc"}, "abc": {"ka", "kb", "kc"},
		"verify": {"\x80kx", "ka"}, "only": {"\x80kx"},
		"span-13": {"s:13"}, "span-25": {"s:25"}, "span-4": {"s:4"}, "span-two": {"s:12", "s:67"},
		"text": {"\x80tabc"}, "name": {"nred"}, "prefix": {"k"}, "long": {"kaa"},
	}
	order, byID := uint64(0), []string{"empty", "a", "ab", "bc", "abc", "verify", "only", "span-13", "span-25", "span-4", "span-two", "text", "name", "prefix", "long"}
	for _, id := range byID {
		order++
		k.put(observation(id, order, sets[id]...))
	}
	eq := func(key store.Key) store.Pred { return store.Eq{Key: key} }
	span := store.Interval{Prefix: "s:", Width: 1, LoMin: "1", LoMax: "3", HiMin: "3"}
	scanned := span
	scanned.Scan = []store.Range{{Low: "s:1", High: "s:2"}, {Low: "s:2", High: "s:3"}}
	for _, p := range []store.Pred{
		eq("ka"), eq("kb"), eq("none"), eq("\x80kx"), eq(""),
		store.Range{Low: "ka", High: "kb"}, store.Range{Low: "ka", High: "kc"}, store.Range{Low: "kb"}, store.Range{}, store.Range{Low: "kb", High: "ka"},
		store.Range{Low: "k", High: "\x80l"}, store.Range{Low: "\x80", High: "\x81"}, store.WithPrefix("k"), store.WithPrefix("ka"), store.WithPrefix("\xff"),
		span, scanned, store.Not{Pred: scanned}, store.Interval{Prefix: "s:", Width: 1, Scan: []store.Range{store.WithPrefix("s:")}},
		store.Contains{Prefix: "\x80t", Text: "b"}, store.Contains{Prefix: "k", Text: ""},
		store.In{Prefix: "n", Set: fixedSet{"red": true}}, store.In{Prefix: "k", Set: fixedSet{"": true, "aa": true}},
		store.And{}, store.Or{}, store.And{store.And{}, store.And{eq("ka")}}, store.Or{store.Or{}, store.And{}},
		store.And{eq("ka"), eq("kb")}, store.And{eq("ka"), store.And{eq("kb"), store.And{eq("kc")}}}, store.And{eq("ka"), eq("none")},
		store.Or{eq("ka"), eq("kb")}, store.Or{eq("ka"), eq("ka")}, store.Or{eq("ka"), eq("\x80kx")}, store.Or{eq("kc"), store.WithPrefix("s:")},
		store.Or{store.And{eq("ka"), eq("kb")}, eq("nred")}, store.And{store.Or{eq("ka"), eq("kb")}, eq("kc")},
		store.Not{Pred: eq("ka")}, store.Not{Pred: store.And{}}, store.Not{Pred: store.Or{}}, store.Not{Pred: store.Not{Pred: eq("ka")}},
		store.VerifyOnly{Pred: eq("ka")}, store.And{store.VerifyOnly{Pred: eq("ka")}, eq("kb")}, store.Or{store.VerifyOnly{Pred: eq("ka")}, eq("kb")}, store.Not{Pred: store.VerifyOnly{Pred: eq("kb")}},
		store.And{eq("kb"), store.Not{Pred: eq("ka")}}, store.Or{store.Not{Pred: eq("ka")}, eq("kb")}, store.And{store.WithPrefix("k"), store.Not{Pred: eq("kb")}},
		store.And{eq("ka"), eq("kb"), store.Not{Pred: eq("kc")}}, store.And{store.WithPrefix("s:"), scanned}, store.And{store.Or{}, eq("ka")},
	} {
		var want []string
		for _, id := range byID {
			if store.Match(p, sets[id]) {
				want = append(want, id)
			}
		}
		k.wantMatches(p, want...)
	}
}

// fixedSet is a fixed store.Set.
type fixedSet map[string]bool

// Has implements store.Set.
func (n fixedSet) Has(name string) bool { return n[name] }

// pagesWhileChanging reads pages while documents are updated, created and deleted, and tests that each
// unchanged document is returned once.
func pagesWhileChanging(k *kit) {
	const n = 40
	docs := map[string]store.Doc{}
	for i := range n {
		d := observation(fmt.Sprintf("d%02d", i), uint64(100*i), "k")
		docs[d.Ref.ID] = k.put(d)[0]
	}
	for name, p := range map[string]store.Pred{"key": store.Eq{Key: "k"}, "type": store.And{}, "range": store.WithPrefix("k")} {
		k.Run(name, func(t *testing.T) {
			seen := map[string]int{}
			var after *store.RowID
			for page := 0; ; page++ {
				var last *store.Doc
				rows := 0
				k.read(func(s store.Snapshot) {
					for d, err := range s.Scan(k.Context(), store.Query{Type: "Observation", Where: p, After: after}) {
						if err != nil {
							t.Fatal(err)
						}
						seen[d.Ref.ID]++
						last = &d
						if rows++; rows == 3 {
							break
						}
					}
				})
				if last == nil {
					break
				}
				after = &last.RowID
				// Odd documents are moved, deleted or created near the cursor; even ones are not.
				id := fmt.Sprintf("d%02d", (7*page+1)%n|1)
				if d := docs[id]; d.Deleted() {
					back := nextVersion(d, store.Upserted)
					back.Body = []byte("back")
					docs[id] = k.put(back)[0]
				} else if page%2 == 0 {
					docs[id] = k.put(nextVersion(d, store.Deleted))[0]
				} else {
					moved := nextVersion(d, store.Updated)
					moved.RowID = rowIDOf(1, moved.Seq*10000+7)
					docs[id] = k.put(moved)[0]
				}
				if page > 4*n {
					t.Fatal("the pages do not end")
				}
			}
			for i := 0; i < n; i += 2 {
				if id := fmt.Sprintf("d%02d", i); seen[id] != 1 {
					t.Errorf("%s did not change and was returned %d times, want 1", id, seen[id])
				}
			}
		})
	}
}

func snapshotIsStable(k *kit) {
	docs := k.put(observation("a", 1, "k"), observation("b", 2, "k"), observation("c", 3, "k"))
	k.read(func(s store.Snapshot) {
		moved := nextVersion(docs[0], store.Updated, "l")
		moved.RowID = rowIDOf(8, 8)
		begun := false
		for d, err := range s.Scan(k.Context(), store.Query{Type: "Observation", Where: store.Eq{Key: "k"}}) {
			if err != nil {
				k.Fatal(err)
			}
			if !begun {
				begun = true
				k.put(moved, nextVersion(docs[1], store.Deleted), observation("d", 4, "k"))
				k.commit(rekey(docs[2], rowIDOf(9, 9), "RX2", "m"))
			}
			if d.Ref.ID == "d" {
				k.Error("a scan saw a later commit")
			}
		}
		for _, p := range []store.Pred{store.Eq{Key: "k"}, store.And{}, store.WithPrefix("k")} {
			k.wantScan(s, store.Query{Type: "Observation", Where: p}, "a", "b", "c")
		}
		for _, want := range docs {
			got, err := s.Get(k.Context(), want.Ref)
			if d := diff(got, want); err != nil || d != "" {
				k.Errorf("get %s in an older snapshot: %v (-got +want)\n%s", want.Ref, err, d)
			}
		}
		if _, err := s.Version(k.Context(), docs[0].Ref, 2); !errors.Is(err, store.ErrNotFound) {
			k.Errorf("a later version in an older snapshot: got %v, want ErrNotFound", err)
		}
		if got := k.collect(s.History(k.Context(), store.HistoryQuery{Type: "Observation"})); len(got) != 3 {
			k.Errorf("history in an older snapshot has %d versions, want 3", len(got))
		}
	})
	k.wantMatches(store.Eq{Key: "k"}, "d")
	k.wantMatches(store.And{}, "d", "a", "c")
}

func endedContext(k *kit) {
	const n = 300
	docs := make([]store.Doc, n)
	for i := range docs {
		docs[i] = observation(fmt.Sprintf("d%03d", i), uint64(i), "k")
	}
	k.put(docs...)
	k.commit(store.Batch{State: []store.StateWrite{{Key: "s", Value: []byte("v")}}})
	ctx, cancel := context.WithCancel(k.Context())
	wantCompleteOrError := func(call string, seen int, err error) {
		k.Helper()
		if err == nil && seen != n {
			k.Errorf("%s: ended after %d of %d rows without an error", call, seen, n)
		}
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, store.ErrUnavailable) {
			k.Errorf("%s: got error %v, want the context's or ErrUnavailable", call, err)
		}
	}
	k.read(func(s store.Snapshot) {
		q := store.Query{Type: "Observation", Where: store.Eq{Key: "k"}}
		seen, failed := 0, error(nil)
		for _, err := range s.Scan(ctx, q) {
			if err != nil {
				failed = err
				break
			}
			if seen++; seen == 5 {
				cancel()
			}
		}
		wantCompleteOrError("scan", seen, failed)
		got, err := collect(s.Scan(ctx, q))
		wantCompleteOrError("scan begun later", len(got), err)
		got, err = collect(s.History(ctx, store.HistoryQuery{Type: "Observation"}))
		wantCompleteOrError("history", len(got), err)
		count, err := s.Count(ctx, q, 0)
		wantCompleteOrError("count", count, err)
		_, err = s.Get(ctx, docs[0].Ref)
		wantCompleteOrError("get", n, err)
		_, err = s.Version(ctx, docs[0].Ref, 1)
		wantCompleteOrError("version", n, err)
	})
	wantCompleteOrError("read", n, k.Read(ctx, func(store.Snapshot) error { return nil }))
	_, err := k.Lookup(ctx, "s")
	wantCompleteOrError("lookup", n, err)
	_, err = k.Head(ctx)
	wantCompleteOrError("head", n, err)
}
