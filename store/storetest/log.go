package storetest

import (
	"bytes"
	"fmt"
	"sync"

	"carerecord/store"
)

// logSentences: records are in the order of their commits, and positions have no gap, also
// across restart (AUD-405).
func logSentences() []sentence {
	return []sentence{
		{"an empty log has a zero head and no records", func(k *kit) {
			if head, err := k.Head(k.Context()); err != nil || diff(head, store.Record{}) != "" {
				k.Errorf("head: got %v, %v, want the zero Record", head, err)
			}
			k.chain()
		}},
		{"records are in the order of Append, each with the hash of the one before", func(k *kit) {
			for i, payloads := range [][][]byte{{[]byte("a")}, {[]byte("b"), []byte("c"), {}}, {bytes.Repeat([]byte("d"), 100000)}} {
				first, err := k.Append(k.Context(), payloads...)
				if want := []uint64{1, 2, 5}[i]; err != nil || first != want {
					k.Errorf("append: got %d, %v, want %d", first, err, want)
				}
			}
			if got := k.chain(); len(got) != 5 || got[3] != "" || got[2] != "c" || len(got[4]) != 100000 {
				k.Errorf("the log holds %d records: %.80q", len(got), got)
			}
		}},
		{"records are read from a position on", func(k *kit) {
			for i := range 5 {
				if _, err := k.Append(k.Context(), fmt.Append(nil, i)); err != nil {
					k.Fatal(err)
				}
			}
			for from, want := range map[uint64]int{0: 5, 1: 5, 2: 4, 5: 1, 6: 0, 100: 0} {
				n := 0
				for rec, err := range k.Records(k.Context(), from) {
					if err != nil || rec.Pos < from {
						k.Fatalf("records from %d: got %d, %v", from, rec.Pos, err)
					}
					n++
				}
				if n != want {
					k.Errorf("records from %d: got %d, want %d", from, n, want)
				}
			}
			for range k.Records(k.Context(), 1) {
				break
			}
		}},
		{"racing appends leave no gap, and the records of one append are adjacent", func(k *kit) {
			var mu sync.Mutex
			firsts := map[uint64]string{}
			n := max(k.subject.racers()/10, 10)
			concurrently(n, func(i int) {
				first, err := k.Append(k.Context(), fmt.Append(nil, i, ".1"), fmt.Append(nil, i, ".2"))
				mu.Lock()
				defer mu.Unlock()
				if err != nil || firsts[first] != "" {
					k.Errorf("append: position %d, %v", first, err)
				}
				firsts[first] = fmt.Sprint(i)
			})
			got := k.chain()
			if len(got) != 2*n {
				k.Fatalf("the log holds %d records, want %d", len(got), 2*n)
			}
			for first, name := range firsts {
				if got[first-1] != name+".1" || got[first] != name+".2" {
					k.Errorf("records at %d: got %q and %q, want those of %s", first, got[first-1], got[first], name)
				}
			}
		}},
		{"a batch appends its records in order", func(k *kit) {
			for i := range 4 {
				b := batchOf(observation(fmt.Sprint("d", i), uint64(i)))
				b.Log = [][]byte{fmt.Append(nil, i, ".1"), fmt.Append(nil, i, ".2")}
				k.commit(b)
			}
			if d := diff(k.chain(), []string{"0.1", "0.2", "1.1", "1.2", "2.1", "2.2", "3.1", "3.2"}); d != "" {
				k.Errorf("log (-got +want):\n%s", d)
			}
		}},
		{"racing batches and appends leave no gap, and every document has its record", func(k *kit) {
			n := max(k.subject.racers()/20, 10)
			concurrently(2*n, func(i int) {
				if i%2 == 0 {
					if _, err := k.Append(k.Context(), fmt.Append(nil, "append ", i)); err != nil {
						k.Errorf("append: %v", err)
					}
					return
				}
				b := batchOf(observation(fmt.Sprint("d", i), uint64(i), "k"))
				b.Log = [][]byte{fmt.Append(nil, "d", i)}
				if _, err := k.Commit(k.Context(), b); err != nil {
					k.Errorf("commit: %v", err)
				}
			})
			seen := map[string]bool{}
			for _, payload := range k.chain() {
				seen[payload] = true
			}
			if len(seen) != 2*n {
				k.Errorf("the log holds %d distinct records, want %d", len(seen), 2*n)
			}
		}},
		{"the log continues after reopening", func(k *kit) {
			if k.subject.Reopen == nil {
				k.Skip("the engine has no durable storage")
			}
			for i := range 4 {
				if _, err := k.Append(k.Context(), fmt.Append(nil, i)); err != nil {
					k.Fatal(err)
				}
				k.Engine = k.subject.Reopen(k, k.Engine, k.clock.Now)
			}
			if d := diff(k.chain(), []string{"0", "1", "2", "3"}); d != "" {
				k.Errorf("log (-got +want):\n%s", d)
			}
		}},
	}
}

// chain reads the whole log, verifies positions, hashes and head, and returns the payloads.
func (k *kit) chain() []string {
	k.Helper()
	var payloads []string
	var last store.Record
	for rec, err := range k.Records(k.Context(), 1) {
		if err != nil {
			k.Fatalf("records: %v", err)
		}
		if rec.Pos != last.Pos+1 {
			k.Fatalf("record %d follows record %d", rec.Pos, last.Pos)
		}
		if rec.Hash != store.ChainHash(last.Hash, rec.Pos, rec.Payload) {
			k.Fatalf("the hash of record %d does not follow from the record before", rec.Pos)
		}
		last = rec
		payloads = append(payloads, string(rec.Payload))
	}
	head, err := k.Head(k.Context())
	last.Payload = nil
	if d := diff(head, last); err != nil || d != "" {
		k.Errorf("head: %v (-got +want)\n%s", err, d)
	}
	return payloads
}
