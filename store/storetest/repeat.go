package storetest

import (
	"context"
	"errors"
	"fmt"

	"carerecord/store"
)

// repeatSentences test that no engine calls the function of a Read twice. Faults tests the same
// after a fault.
func repeatSentences() []sentence {
	return []sentence{
		{"Read calls its function once, also if it returns an error", func(k *kit) {
			for _, want := range []error{nil, store.ErrConflict, store.ErrNotFound, store.ErrUnavailable,
				errors.Join(store.ErrUnavailable, store.ErrUnknown), context.DeadlineExceeded, errors.New("another")} {
				calls := 0
				err := k.Read(k.Context(), func(store.Snapshot) error { calls++; return want })
				if calls != 1 || !errors.Is(err, want) {
					k.Errorf("a function that returns %v: called %d times, read returned %v", want, calls, err)
				}
			}
		}},
		{"Read returns the result of its function also after a commit in it", func(k *kit) {
			for i, want := range []error{nil, store.ErrUnavailable, errors.New("another")} {
				calls := 0
				err := k.Read(k.Context(), func(s store.Snapshot) error {
					calls++
					b := batchOf(observation(fmt.Sprint("d", i, "-", calls), uint64(10*i+calls), "k"))
					b.Tracker = s.Tracker()
					if _, err := k.Commit(k.Context(), b); err != nil {
						k.Errorf("commit: %v", err)
					}
					return want
				})
				if calls != 1 || !errors.Is(err, want) {
					k.Errorf("a function that commits and returns %v: called %d times, read returned %v", want, calls, err)
				}
			}
			k.wantMatches(store.Eq{Key: "k"}, "d0-1", "d1-1", "d2-1")
		}},
		{"a snapshot can be read after a refused commit in the same Read", func(k *kit) {
			k.put(observation("a", 1, "k"))
			var d store.Doc
			err := k.Read(k.Context(), func(s store.Snapshot) (err error) {
				b := batchOf(observation("a", 2, "l"))
				b.Tracker = s.Tracker()
				if _, err := k.Commit(k.Context(), b); !errors.Is(err, store.ErrConflict) {
					k.Errorf("commit: got %v, want ErrConflict", err)
				}
				d, err = s.Get(k.Context(), b.Writes[0].Doc.Ref)
				return err
			})
			if err != nil || len(d.Keys) != 1 || d.Keys[0] != "k" {
				k.Errorf("read: got keys %q, %v, want k", d.Keys, err)
			}
		}},
		{"an ended context is an error without ErrUnknown", func(k *kit) {
			ctx, cancel := context.WithCancel(k.Context())
			cancel()
			for what, do := range map[string]func() error{
				"commit": func() error { _, err := k.Commit(ctx, batchOf(observation("a", 1))); return err },
				"append": func() error { _, err := k.Append(ctx, []byte("a")); return err },
				"insert": func() error { return k.Insert(ctx, "a", nil, instantAt(0)) },
				"swap":   func() error { return k.Swap(ctx, "a", nil, nil, instantAt(0)) },
				"take":   func() error { _, err := k.Take(ctx, "a"); return err },
			} {
				if err := do(); err == nil || errors.Is(err, store.ErrUnknown) {
					k.Errorf("%s: got %v, want an error without ErrUnknown", what, err)
				}
			}
		}},
	}
}
