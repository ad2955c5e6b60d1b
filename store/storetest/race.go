package storetest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"carerecord/store"
)

func raceSentences() []sentence {
	return []sentence{
		{"a snapshot contains both writes of a commit or none", concurrentTransfers},
		{"of conditional creates one succeeds", func(k *kit) {
			var created atomic.Int64
			concurrently(k.subject.racers(), func(i int) {
				b := batchOf(observation(fmt.Sprint("d", i), uint64(i), "identifier"))
				b.Absent = []store.Absent{{Type: "Observation", Where: store.And{store.Eq{Key: "identifier"}}, Claims: []store.Key{"identifier"}}}
				k.commitRacing(b, &created)
			})
			k.wantOneWinner(created.Load(), store.Eq{Key: "identifier"})
		}},
		{"of conditional creates that share one claim of two one succeeds", func(k *kit) {
			var created atomic.Int64
			concurrently(max(k.subject.racers()/10, 10), func(i int) {
				// A document with x0 and x1 violates the conditions of both kinds.
				mine := store.Key(fmt.Sprint("x", i%2))
				b := batchOf(observation(fmt.Sprint("d", i), uint64(i), "shared", "x0", "x1"))
				b.Absent = []store.Absent{{Type: "Observation", Where: store.And{store.Eq{Key: "shared"}, store.Eq{Key: mine}}, Claims: []store.Key{"shared", mine}}}
				k.commitRacing(b, &created)
			})
			k.wantOneWinner(created.Load(), store.Eq{Key: "shared"})
		}},
		{"of creates of one address one succeeds", func(k *kit) {
			var created atomic.Int64
			concurrently(max(k.subject.racers()/10, 10), func(i int) { k.commitRacing(batchOf(observation("a", uint64(i), "k")), &created) })
			k.wantOneWinner(created.Load(), store.Eq{Key: "k"})
		}},
		{"of creates with one row ID one succeeds", func(k *kit) {
			var created atomic.Int64
			concurrently(max(k.subject.racers()/10, 10), func(i int) { k.commitRacing(batchOf(observation(fmt.Sprint("d", i), 1, "k")), &created) })
			k.wantOneWinner(created.Load(), store.Eq{Key: "k"})
		}},
		{"of updates of one version one succeeds", func(k *kit) {
			a := k.put(observation("a", 1, "k"))[0]
			var updated atomic.Int64
			concurrently(max(k.subject.racers()/10, 10), func(i int) {
				k.commitRacing(batchOf(nextVersion(a, store.Updated, store.Key(fmt.Sprint("v", i)))), &updated)
			})
			k.wantOneWinner(updated.Load(), store.WithPrefix("v"))
		}},
		{"of two commits that check the document that the other writes at most one succeeds", writeSkewIsPrevented},
		{"numbers of racing commits are distinct", func(k *kit) {
			var mu sync.Mutex
			seen := map[uint64]bool{}
			concurrently(max(k.subject.racers()/10, 10), func(i int) {
				seq, err := k.Commit(k.Context(), batchOf(observation(fmt.Sprint("d", i), uint64(i))))
				mu.Lock()
				defer mu.Unlock()
				if err != nil || seen[seq] {
					k.Errorf("commit %d: %v, seen before: %v", seq, err, seen[seq])
				}
				seen[seq] = true
			})
		}},
	}
}

// commitRacing commits a batch and counts a success. Any error but a conflict fails the test.
func (k *kit) commitRacing(b store.Batch, won *atomic.Int64) {
	switch _, err := k.Commit(k.Context(), b); {
	case err == nil:
		won.Add(1)
	case !errors.Is(err, store.ErrConflict):
		k.Errorf("commit: got error %v, want nil or ErrConflict", err)
	}
}

// wantOneWinner fails the test unless one commit succeeded and one document matches.
func (k *kit) wantOneWinner(won int64, p store.Pred) {
	k.Helper()
	k.read(func(s store.Snapshot) {
		n, err := s.Count(k.Context(), store.Query{Type: "Observation", Where: p}, 0)
		if err != nil || won != 1 || n != 1 {
			k.Errorf("%d commits succeeded and %d documents are found (%v), want one of each", won, n, err)
		}
	})
}

// concurrentTransfers runs writers that move amounts between accounts, and readers that compare the sum
// of all accounts.
func concurrentTransfers(k *kit) {
	const accounts, sum = 8, 100
	account := func(i int, amount uint64) store.Doc {
		d := observation(fmt.Sprint("acc", i), uint64(i), "account", store.Key(fmt.Sprintf("b%08d", amount)))
		d.Body = binary.BigEndian.AppendUint64(nil, amount)
		return d
	}
	for i := range accounts {
		k.put(account(i, sum))
	}
	ctx, cancel := context.WithCancel(k.Context())
	var readers, writers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for ctx.Err() == nil {
				k.checkSums(accounts, accounts*sum)
			}
		})
	}
	moves := max(k.subject.racers()/20, 20)
	for w := range 4 {
		writers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 1))
			for range moves {
				k.transfer(rng.IntN(accounts), rng.IntN(accounts), rng.Uint64N(9), rng.IntN(3) == 0)
			}
		})
	}
	writers.Wait()
	cancel()
	readers.Wait()
	k.checkSums(accounts, accounts*sum)
}

// transfer moves an amount, trying again on a conflict. With move the giving
// document also gets another row ID.
func (k *kit) transfer(from, to int, amount uint64, move bool) {
	if from == to {
		return
	}
	for {
		var docs [2]store.Doc
		err := k.Read(k.Context(), func(s store.Snapshot) (err error) {
			for i, n := range []int{from, to} {
				if docs[i], err = s.Get(k.Context(), store.Ref{Type: "Observation", ID: fmt.Sprint("acc", n)}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			k.Errorf("read: %v", err)
			return
		}
		balances := [2]uint64{binary.BigEndian.Uint64(docs[0].Body), binary.BigEndian.Uint64(docs[1].Body)}
		amount := min(amount, balances[0])
		balances[0], balances[1] = balances[0]-amount, balances[1]+amount
		for i := range docs {
			docs[i] = nextVersion(docs[i], store.Updated, "account", store.Key(fmt.Sprintf("b%08d", balances[i])))
			docs[i].Body = binary.BigEndian.AppendUint64(nil, balances[i])
		}
		if move {
			docs[0].RowID.Partition ^= 2
		}
		switch _, err = k.Commit(k.Context(), batchOf(docs[:]...)); {
		case err == nil:
			return
		case !errors.Is(err, store.ErrConflict):
			k.Errorf("commit: %v", err)
			return
		}
	}
}

// checkSums fails the test unless three ways to read all accounts in one snapshot give the sum want.
func (k *kit) checkSums(accounts int, want uint64) {
	err := k.Read(k.Context(), func(s store.Snapshot) error {
		var sums [3]uint64
		for i, p := range []store.Pred{store.Eq{Key: "account"}, store.And{}} {
			for d, err := range s.Scan(k.Context(), store.Query{Type: "Observation", Where: p}) {
				if err != nil {
					return err
				}
				amount := binary.BigEndian.Uint64(d.Body)
				sums[i] += amount
				if !store.Match(store.Eq{Key: store.Key(fmt.Sprintf("b%08d", amount))}, d.Keys) {
					return fmt.Errorf("%s has the keys of one version and the body of another", d.Ref)
				}
			}
		}
		for i := range accounts {
			d, err := s.Get(k.Context(), store.Ref{Type: "Observation", ID: fmt.Sprint("acc", i)})
			if err != nil {
				return err
			}
			sums[2] += binary.BigEndian.Uint64(d.Body)
		}
		if sums != [3]uint64{want, want, want} {
			return fmt.Errorf("the sums by key, by type and by address are %d, want %d", sums, want)
		}
		return nil
	})
	if err != nil {
		k.Errorf("read: %v", err)
	}
}

// writeSkewIsPrevented runs pairs of commits that each check the document that the other writes. At most one
// of the two may succeed.
func writeSkewIsPrevented(k *kit) {
	for round := range max(k.subject.racers()/40, 10) {
		a, b := observation(fmt.Sprint("a", round), uint64(2*round), "k"), observation(fmt.Sprint("b", round), uint64(2*round+1), "k")
		docs := k.put(a, b)
		var won atomic.Int64
		concurrently(2, func(i int) {
			batch := batchOf(nextVersion(docs[i], store.Updated, "m"))
			batch.Checks = []store.Check{{Ref: docs[1-i].Ref, Version: 1}}
			if round%2 == 1 { // by a key that each removes
				batch.Checks = []store.Check{{Ref: docs[1-i].Ref, Where: store.Eq{Key: "k"}}}
			}
			k.commitRacing(batch, &won)
		})
		if won.Load() > 1 {
			k.Fatalf("round %d: %d commits succeeded, want one", round, won.Load())
		}
	}
}
