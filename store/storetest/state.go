package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"carerecord/store"
)

func stateSentences() []sentence {
	var never time.Time
	return []sentence{
		{"a value is stored unchanged", func(k *kit) {
			for _, key := range []string{"a", "a/b", "a\x00b", "\xff\x80", ""} {
				for _, v := range [][]byte{[]byte("v"), {}, {0, 255}, bytes.Repeat([]byte("x"), 100000)} {
					k.wantError(nil, k.Insert(k.Context(), key, v, never), "insert")
					k.wantValue(key, v)
					if got, err := k.Take(k.Context(), key); err != nil || !bytes.Equal(got, v) {
						k.Errorf("take %q: got %d bytes, %v, want %d", key, len(got), err, len(v))
					}
				}
			}
		}},
		{"an insert over a live value returns ErrExists", func(k *kit) {
			k.wantError(nil, k.Insert(k.Context(), "a", []byte("1"), never), "insert")
			k.wantError(store.ErrExists, k.Insert(k.Context(), "a", []byte("2"), never), "insert again")
			k.wantError(nil, k.Insert(k.Context(), "ab", []byte("3"), never), "insert of another")
			k.wantValue("a", []byte("1"))
		}},
		{"a missing value is not found", func(k *kit) {
			k.wantNoValue("a")
			_, err := k.Take(k.Context(), "a")
			k.wantError(store.ErrNotFound, err, "take")
			k.wantError(store.ErrConflict, k.Swap(k.Context(), "a", nil, []byte("1"), never), "swap")
			k.wantNoValue("a")
		}},
		{"a swap requires the old value", func(k *kit) {
			k.wantError(nil, k.Insert(k.Context(), "a", []byte("1"), never), "insert")
			k.wantError(store.ErrConflict, k.Swap(k.Context(), "a", []byte("2"), []byte("3"), never), "swap of another value")
			k.wantError(store.ErrConflict, k.Swap(k.Context(), "a", nil, []byte("3"), never), "swap of nothing")
			k.wantValue("a", []byte("1"))
			k.wantError(nil, k.Swap(k.Context(), "a", []byte("1"), []byte("2"), never), "swap")
			k.wantValue("a", []byte("2"))
		}},
		{"a taken value is deleted", func(k *kit) {
			k.wantError(nil, k.Insert(k.Context(), "a", []byte("1"), never), "insert")
			_, err := k.Take(k.Context(), "a")
			k.wantError(nil, err, "take")
			k.wantNoValue("a")
			_, err = k.Take(k.Context(), "a")
			k.wantError(store.ErrNotFound, err, "take again")
			k.wantError(nil, k.Insert(k.Context(), "a", []byte("2"), never), "insert again")
			k.wantValue("a", []byte("2"))
		}},
		{"an expired value does not exist", func(k *kit) {
			soon := k.clock.Now().Add(time.Minute)
			for _, key := range []string{"lookup", "take", "swap", "insert", "batch"} {
				k.wantError(nil, k.Insert(k.Context(), key, []byte("1"), soon), "insert")
			}
			k.wantError(nil, k.Insert(k.Context(), "stays", []byte("1"), never), "insert")
			k.clock.Advance(59 * time.Second)
			k.wantValue("lookup", []byte("1"))
			k.clock.Advance(time.Second) // at the instant itself it has expired
			k.wantNoValue("lookup")
			_, err := k.Take(k.Context(), "take")
			k.wantError(store.ErrNotFound, err, "take")
			k.wantError(store.ErrConflict, k.Swap(k.Context(), "swap", []byte("1"), []byte("2"), never), "swap")
			k.wantNoValue("swap")
			k.wantError(nil, k.Insert(k.Context(), "insert", []byte("2"), never), "insert over an expired value")
			k.wantValue("insert", []byte("2"))
			k.commit(store.Batch{State: []store.StateWrite{{Key: "batch", Value: []byte("2"), Expires: k.clock.Now().Add(time.Hour)}}})
			k.wantValue("batch", []byte("2"))
			k.clock.Advance(50 * 365 * 24 * time.Hour)
			k.wantValue("stays", []byte("1"))
			k.wantValue("insert", []byte("2"))
			k.wantNoValue("batch")
		}},
		{"a swap sets a new expiry", func(k *kit) {
			k.wantError(nil, k.Insert(k.Context(), "a", []byte("1"), k.clock.Now().Add(time.Minute)), "insert")
			k.wantError(nil, k.Swap(k.Context(), "a", []byte("1"), []byte("2"), k.clock.Now().Add(time.Hour)), "swap")
			k.clock.Advance(2 * time.Minute)
			k.wantValue("a", []byte("2"))
			k.clock.Advance(time.Hour)
			k.wantNoValue("a")
		}},
		{"a value that expires in the past does not exist", func(k *kit) {
			k.wantError(nil, k.Insert(k.Context(), "a", []byte("1"), k.clock.Now().Add(-time.Second)), "insert")
			k.wantNoValue("a")
		}},
		{"a batch removes a value that expires in the past", func(k *kit) {
			k.wantError(nil, k.Insert(k.Context(), "a", []byte("1"), never), "insert")
			b := store.Batch{State: []store.StateWrite{{Key: "a", Expires: time.Unix(0, 0)}, {Key: "b", Expires: time.Unix(0, 0)}}}
			k.commit(b)
			k.wantNoValue("a")
			k.wantNoValue("b")
			k.wantValues("a")
			k.wantError(nil, k.Insert(k.Context(), "a", []byte("2"), never), "insert again")
			k.wantValue("a", []byte("2"))
		}},
		{"values are listed by a prefix of their keys", func(k *kit) {
			k.wantValues("a/")
			for _, key := range []string{"a/\xff", "a", "a/b/c", "a/b", "b", "a/\x00", "a/b\x01", "a0", "a/", "\xff\xff", "\xff"} {
				k.wantError(nil, k.Insert(k.Context(), key, []byte(key), never), "insert")
			}
			k.wantValues("a/", "a/", "a/\x00", "a/b", "a/b\x01", "a/b/c", "a/\xff")
			k.wantValues("a/b", "a/b", "a/b\x01", "a/b/c")
			k.wantValues("\xff", "\xff", "\xff\xff")
			k.wantValues("c")
			for v, err := range k.Values(k.Context(), "a/") { // one may be enough
				if err != nil || !strings.HasPrefix(v.Key, "a/") {
					k.Errorf("the first value: got %q, %v", v.Key, err)
				}
				break
			}
		}},
		{"expired and taken values are not listed", func(k *kit) {
			k.wantError(nil, k.Insert(k.Context(), "a/1", []byte("a/1"), k.clock.Now().Add(time.Minute)), "insert")
			k.wantError(nil, k.Insert(k.Context(), "a/2", []byte("a/2"), never), "insert")
			k.commit(store.Batch{State: []store.StateWrite{{Key: "a/3", Value: []byte("a/3")}}})
			k.wantValues("a/", "a/1", "a/2", "a/3")
			_, err := k.Take(k.Context(), "a/2")
			k.wantError(nil, err, "take")
			k.clock.Advance(time.Minute)
			k.wantValues("a/", "a/3")
		}},
		{"a batch replaces a value", func(k *kit) {
			k.wantError(nil, k.Insert(k.Context(), "a", []byte("1"), never), "insert")
			b := batchOf(observation("d", 1))
			b.State = []store.StateWrite{{Key: "a", Value: []byte("2")}, {Key: "b", Value: []byte("3")}}
			k.commit(b)
			k.wantValue("a", []byte("2"))
			k.wantValue("b", []byte("3"))
		}},
		{"a batch that requires a new value is a conflict if there is a live one, and writes nothing", func(k *kit) {
			b := batchOf(observation("d", 1))
			b.State = []store.StateWrite{{Key: "a", Value: []byte("1"), Expires: k.clock.Now().Add(time.Minute), New: true}}
			k.commit(b)
			again := batchOf(observation("e", 2))
			again.State = []store.StateWrite{{Key: "a", Value: []byte("2"), New: true}}
			_, err := k.Commit(k.Context(), again)
			k.wantError(store.ErrConflict, err, "a value exists")
			k.wantValue("a", []byte("1"))
			k.clock.Advance(time.Minute)
			k.commit(again)
			k.wantValue("a", []byte("2"))
		}},
		{"of racing batches that require one new value one succeeds", func(k *kit) {
			var won atomic.Int64
			concurrently(max(k.subject.racers()/10, 10), func(i int) {
				b := batchOf(observation(fmt.Sprint("d", i), uint64(i)))
				b.State = []store.StateWrite{{Key: "a", Value: fmt.Append(nil, i), New: true}}
				_, err := k.Commit(k.Context(), b)
				k.countWin(&won, store.ErrConflict, err)
			})
			k.wantOneSuccess(won.Load())
		}},
		{"a batch that requires a value is a conflict if there is another or none, and writes nothing", func(k *kit) {
			k.wantError(nil, k.Insert(k.Context(), "a", []byte("1"), k.clock.Now().Add(time.Minute)), "insert")
			k.wantError(nil, k.Insert(k.Context(), "empty", []byte{}, never), "insert")
			batch := func(key, old string) store.Batch {
				return store.Batch{Log: [][]byte{[]byte("r")}, State: []store.StateWrite{{Key: "new", Value: []byte("n"), New: true}, {Key: key, Value: []byte("2"), Old: []byte(old)}}}
			}
			for _, c := range [][2]string{{"a", "2"}, {"a", ""}, {"b", "1"}, {"b", ""}} {
				_, err := k.Commit(k.Context(), batch(c[0], c[1]))
				k.wantError(store.ErrConflict, err, "another value of "+c[0])
				k.wantNoValue("new")
			}
			k.commit(batch("a", "1"))
			k.wantValue("a", []byte("2"))
			k.wantValue("new", []byte("n"))
			k.commit(store.Batch{State: []store.StateWrite{{Key: "empty", Expires: time.Unix(0, 0), Old: []byte{}}}})
			k.wantNoValue("empty")
			k.wantError(nil, k.Insert(k.Context(), "b", []byte("1"), k.clock.Now().Add(time.Minute)), "insert")
			k.clock.Advance(time.Minute)
			_, err := k.Commit(k.Context(), store.Batch{State: []store.StateWrite{{Key: "b", Value: []byte("2"), Old: []byte("1")}}})
			k.wantError(store.ErrConflict, err, "an expired value")
		}},
		{"of racing batches that require one value one succeeds", func(k *kit) {
			k.wantError(nil, k.Insert(k.Context(), "a", []byte("old"), never), "insert")
			var won atomic.Int64
			concurrently(max(k.subject.racers()/10, 10), func(i int) {
				_, err := k.Commit(k.Context(), store.Batch{State: []store.StateWrite{{Key: "a", Expires: time.Unix(0, 0), Old: []byte("old")}, {Key: fmt.Sprint("b/", i), Value: []byte("v"), New: true}}})
				k.countWin(&won, store.ErrConflict, err)
			})
			k.wantOneSuccess(won.Load())
			k.wantNoValue("a")
			n := 0
			for _, err := range k.Values(k.Context(), "b/") {
				k.wantError(nil, err, "list")
				n++
			}
			k.wantOneSuccess(int64(n))
		}},
		{"of racing inserts one succeeds", func(k *kit) {
			var won atomic.Int64
			concurrently(max(k.subject.racers()/10, 10), func(i int) {
				k.countWin(&won, store.ErrExists, k.Insert(k.Context(), "a", fmt.Append(nil, i), never))
			})
			k.wantOneSuccess(won.Load())
		}},
		{"of racing swaps of one value one succeeds", func(k *kit) {
			k.wantError(nil, k.Insert(k.Context(), "a", []byte("old"), never), "insert")
			var won atomic.Int64
			concurrently(max(k.subject.racers()/10, 10), func(i int) {
				k.countWin(&won, store.ErrConflict, k.Swap(k.Context(), "a", []byte("old"), fmt.Append(nil, i), never))
			})
			k.wantOneSuccess(won.Load())
		}},
		{"of racing takes one returns the value", func(k *kit) {
			k.wantError(nil, k.Insert(k.Context(), "a", []byte("1"), never), "insert")
			var won atomic.Int64
			concurrently(max(k.subject.racers()/10, 10), func(int) {
				_, err := k.Take(k.Context(), "a")
				k.countWin(&won, store.ErrNotFound, err)
			})
			k.wantOneSuccess(won.Load())
			k.wantNoValue("a")
		}},
		{"values are stored after reopening", func(k *kit) {
			if k.subject.Reopen == nil {
				k.Skip("the engine has no durable storage")
			}
			k.wantError(nil, k.Insert(k.Context(), "a", []byte("1"), never), "insert")
			k.wantError(nil, k.Insert(k.Context(), "b", []byte("2"), k.clock.Now().Add(time.Minute)), "insert")
			k.wantError(nil, k.Insert(k.Context(), "c", []byte("3"), never), "insert")
			_, err := k.Take(k.Context(), "c")
			k.wantError(nil, err, "take")
			k.Engine = k.subject.Reopen(k, k.Engine, k.clock.Now)
			k.wantValue("a", []byte("1"))
			k.wantValue("b", []byte("2"))
			k.wantNoValue("c")
			k.clock.Advance(time.Minute)
			k.wantNoValue("b")
		}},
	}
}

func (k *kit) wantError(want, got error, what string) {
	k.Helper()
	if !errors.Is(got, want) {
		k.Errorf("%s: got error %v, want %v", what, got, want)
	}
}

func (k *kit) wantValue(key string, want []byte) {
	k.Helper()
	if got, err := k.Lookup(k.Context(), key); err != nil || !bytes.Equal(got, want) {
		k.Errorf("lookup %q: got %.40q, %v, want %.40q", key, got, err, want)
	}
}

// wantValues fails the test unless the keys with a prefix are want, which is sorted, and each value
// equals its key.
func (k *kit) wantValues(prefix string, want ...string) {
	k.Helper()
	var got []string
	for v, err := range k.Values(k.Context(), prefix) {
		if err != nil || string(v.Value) != v.Key {
			k.Errorf("values under %q: got %q under %q, %v", prefix, v.Value, v.Key, err)
		}
		got = append(got, v.Key)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		k.Errorf("values under %q: got %q, want %q", prefix, got, want)
	}
}

func (k *kit) wantNoValue(key string) {
	k.Helper()
	if got, err := k.Lookup(k.Context(), key); !errors.Is(err, store.ErrNotFound) {
		k.Errorf("lookup %q: got %.40q, %v, want ErrNotFound", key, got, err)
	}
}

func (k *kit) countWin(won *atomic.Int64, lost, err error) {
	if err == nil {
		won.Add(1)
	} else if !errors.Is(err, lost) {
		k.Errorf("got error %v, want nil or %v", err, lost)
	}
}

func (k *kit) wantOneSuccess(won int64) {
	k.Helper()
	if won != 1 {
		k.Errorf("%d succeeded, want 1", won)
	}
}
