package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"carerecord/store"
)

func commitSentences() []sentence {
	return []sentence{
		{"a document is stored unchanged, with the number of its commit", func(k *kit) {
			d := observation("a", 1, "k1", "k2", "\x80v")
			d.Body = []byte("{\"x\":1.00,\n \"_y\":\"\xff\x00\"}")
			k.wantNewest(k.put(d)...)
		}},
		{"a document may have no keys, no source and a large body", func(k *kit) {
			d := observation("a", 1)
			d.Source, d.Body = "", bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
			k.wantNewest(k.put(d)...)
		}},
		{"keys are any bytes", func(k *kit) {
			keys := []store.Key{"", "a", "a\x00", "a\x00\x00", "a\x00\x01", "a\x00\xff", "a\x01", "a\xff", "\x00", "\x00\x00\xff", "\x7f\xff\xff", "\x80", "\xff\xff"}
			k.wantNewest(k.put(observation("all", 1, keys...))...)
			for i, key := range keys {
				k.put(observation(fmt.Sprintf("d%02d", i), uint64(10+i), key))
			}
			for i, key := range keys {
				k.wantMatches(store.Eq{Key: key}, "all", fmt.Sprintf("d%02d", i))
			}
		}},
		{"instants before 1970 and far in the future are stored unchanged", func(k *kit) {
			a, b := observation("a", 1), observation("b", 2)
			a.Updated = time.Date(1901, 1, 2, 3, 4, 5, 6e6, time.UTC)
			b.Updated = time.Date(2261, 1, 2, 3, 4, 5, 6e6, time.UTC)
			k.wantNewest(k.put(a, b)...)
		}},
		{"sequence numbers grow", func(k *kit) {
			last := uint64(0)
			d := observation("a", 1)
			for range 5 {
				seq := k.put(d)[0].Seq
				if seq <= last {
					k.Fatalf("commit %d came after commit %d", seq, last)
				}
				last, d = seq, nextVersion(d, store.Updated)
			}
		}},
		{"the expected version must be the newest", expectedVersions},
		{"a check must be the newest version", checkedVersions},
		{"nothing of a failed commit is written", func(k *kit) {
			a := k.put(observation("a", 1, "k"))[0]
			b := batchOf(observation("b", 2, "k"), nextVersion(a, store.Updated, "l"), observation("a2", 3))
			b.Checks = []store.Check{{Ref: store.Ref{Type: "Observation", ID: "no"}, Version: 1}}
			b.State = []store.StateWrite{{Key: "s", Value: []byte("v")}}
			k.wantCommitError(b, store.ErrConflict)
			k.wantNewest(a)
			k.wantMatches(store.And{}, "a")
			k.wantMatches(store.Eq{Key: "l"})
			if _, err := k.Lookup(k.Context(), "s"); !errors.Is(err, store.ErrNotFound) {
				k.Errorf("lookup: got %v, want ErrNotFound", err)
			}
			k.read(func(s store.Snapshot) {
				if docs := k.collect(s.History(k.Context(), store.HistoryQuery{Type: "Observation"})); len(docs) != 1 {
					k.Errorf("history has %d versions, want 1", len(docs))
				}
			})
		}},
		{"an update replaces the keys", func(k *kit) {
			a := k.put(observation("a", 1, "k", "l"))[0]
			k.wantNewest(k.put(nextVersion(a, store.Updated, "l", "m"))...)
			k.wantMatches(store.Eq{Key: "k"})
			k.wantMatches(store.Eq{Key: "l"}, "a")
			k.wantMatches(store.Eq{Key: "m"}, "a")
		}},
		{"Get returns a tombstone, Scan does not", func(k *kit) {
			a := k.put(observation("a", 1, "k"), observation("b", 2, "k"))[0]
			tombstone := k.put(nextVersion(a, store.Deleted))[0]
			if !tombstone.Deleted() {
				k.Error("Deleted of a tombstone is false")
			}
			k.wantNewest(tombstone)
			k.wantMatches(store.Eq{Key: "k"}, "b")
			k.wantMatches(store.And{}, "b")
		}},
		{"a tombstone has no body, even if the write has one", func(k *kit) {
			a := k.put(observation("a", 1, "k"))[0]
			tombstone := nextVersion(a, store.Deleted)
			tombstone.Body = []byte("left over")
			tombstone.Seq = k.commit(batchOf(tombstone))
			tombstone.Body = nil
			k.wantNewest(tombstone)
		}},
		{"a write after a tombstone makes the next version", func(k *kit) {
			a := k.put(observation("a", 1, "k"))[0]
			tombstone := k.put(nextVersion(a, store.Deleted))[0]
			back := tombstone
			back.Version, back.Origin, back.Keys, back.Body = 3, store.Upserted, []store.Key{"l"}, []byte("3")
			back.Seq = k.commit(batchOf(back))
			k.wantNewest(back)
			k.wantMatches(store.Eq{Key: "k"})
			k.wantMatches(store.Eq{Key: "l"}, "a")
			k.read(func(s store.Snapshot) {
				for _, want := range []store.Doc{a, tombstone, back} {
					got, err := s.Version(k.Context(), a.Ref, want.Version)
					if d := diff(got, want); err != nil || d != "" {
						k.Errorf("version %d: %v (-got +want)\n%s", want.Version, err, d)
					}
				}
			})
		}},
		{"an update may change the row ID", func(k *kit) {
			docs := k.put(observation("a", 1, "k"), observation("b", 2, "k"), observation("c", 3, "k"))
			moved := nextVersion(docs[0], store.Updated)
			moved.RowID = rowIDOf(7, 1)
			k.wantNewest(k.put(moved)...)
			k.wantMatches(store.Eq{Key: "k"}, "b", "c", "a")
			k.wantMatches(store.And{}, "b", "c", "a")
		}},
		{"two live documents never have one row ID", rowIDsAreDistinct},
		{"a query of a type returns only that type", func(k *kit) {
			a := observation("a", 1, "k")
			b := observation("a", 2, "k")
			b.Ref.Type = "Condition"
			k.wantNewest(k.put(a, b)...)
			k.wantMatches(store.Eq{Key: "k"}, "a")
			k.read(func(s store.Snapshot) {
				k.wantScan(s, store.Query{Type: "Condition", Where: store.Eq{Key: "k"}}, "a")
				k.wantScan(s, store.Query{Type: "Patient", Where: store.Eq{Key: "k"}})
				k.wantScan(s, store.Query{Type: "Patient", Where: store.And{}})
			})
		}},
		{"a malformed batch is refused and writes nothing", malformedBatches},
		{"a commit with an ended context writes nothing", func(k *kit) {
			ctx, cancel := context.WithCancel(k.Context())
			cancel()
			if _, err := k.Commit(ctx, batchOf(observation("a", 1))); err == nil {
				k.Error("commit in an ended context succeeded")
			}
			if _, err := k.get("a"); !errors.Is(err, store.ErrNotFound) {
				k.Errorf("get: got %v, want ErrNotFound", err)
			}
		}},
		{"acknowledged commits are stored after reopening", func(k *kit) {
			if k.subject.Reopen == nil {
				k.Skip("the engine has no durable storage")
			}
			docs := k.put(observation("a", 1, "k"), observation("b", 2, "k"), observation("c", 3, "k"))
			moved := nextVersion(docs[0], store.Updated, "l")
			moved.RowID = rowIDOf(9, 9)
			moved, tombstone := k.put(moved)[0], k.put(nextVersion(docs[1], store.Deleted))[0]
			k.Engine = k.subject.Reopen(k, k.Engine, k.clock.Now)
			k.wantNewest(moved, tombstone, docs[2])
			k.wantMatches(store.Eq{Key: "k"}, "c")
			if seq := k.put(observation("d", 4))[0].Seq; seq <= tombstone.Seq {
				k.Errorf("commit %d after reopening does not follow commit %d", seq, tombstone.Seq)
			}
		}},
	}
}

func expectedVersions(k *kit) {
	k.put(observation("new", 1))
	k.put(nextVersion(observation("new", 1), store.Updated))
	k.put(observation("dead", 2))
	k.put(nextVersion(observation("dead", 2), store.Deleted))
	for _, c := range []struct {
		name, id string
		expect   uint64
		want     error
	}{
		{"no version, but there is one", "new", 0, store.ErrConflict},
		{"an older version", "new", 1, store.ErrConflict},
		{"a later version", "new", 3, store.ErrConflict},
		{"a version, but there is none", "none", 1, store.ErrConflict},
		{"no version, but there is a tombstone", "dead", 0, store.ErrConflict},
		{"the version before the tombstone", "dead", 1, store.ErrConflict},
		{"the newest", "new", 2, nil},
		{"the tombstone", "dead", 2, nil},
		{"no version, and there is none", "none", 0, nil},
	} {
		k.Run(c.name, func(t *testing.T) {
			d := observation(c.id, 100+uint64(len(c.name)))
			d.Version, d.Origin = c.expect+1, store.Upserted
			if _, err := k.Commit(k.Context(), batchOf(d)); !errors.Is(err, c.want) {
				t.Errorf("write of %s expecting %d: got error %v, want %v", d.Ref, c.expect, err, c.want)
			}
		})
	}
}

func checkedVersions(k *kit) {
	k.put(observation("new", 1))
	k.put(nextVersion(observation("new", 1), store.Updated))
	k.put(observation("dead", 2))
	k.put(nextVersion(observation("dead", 2), store.Deleted))
	for i, c := range []struct {
		id      string
		version uint64
		want    error
	}{
		{"new", 2, nil}, {"new", 1, store.ErrConflict}, {"new", 0, store.ErrConflict}, {"new", 3, store.ErrConflict},
		{"dead", 2, nil}, {"dead", 1, store.ErrConflict}, {"dead", 0, store.ErrConflict},
		{"none", 0, nil}, {"none", 1, store.ErrConflict},
	} {
		b := batchOf(observation(fmt.Sprint("w", i), 100+uint64(i)))
		b.Checks = []store.Check{{Ref: store.Ref{Type: "Observation", ID: c.id}, Version: c.version}}
		if _, err := k.Commit(k.Context(), b); !errors.Is(err, c.want) {
			k.Errorf("check of %s at version %d: got error %v, want %v", c.id, c.version, err, c.want)
		}
	}
	k.commit(store.Batch{Checks: []store.Check{{Ref: store.Ref{Type: "Observation", ID: "new"}, Version: 2}}})
	own := batchOf(observation("own", 200))
	own.Checks = []store.Check{{Ref: store.Ref{Type: "Observation", ID: "own"}, Version: 0}}
	k.commit(own) // preconditions apply to the state before the batch
}

func rowIDsAreDistinct(k *kit) {
	a, b := observation("a", 1), observation("b", 2)
	docs := k.put(a, b)
	k.wantCommitError(batchOf(observation("c", 2)), store.ErrConflict)
	other := observation("c", 2)
	other.Ref.Type = "Condition"
	k.wantCommitError(batchOf(other), store.ErrConflict)
	k.wantCommitError(batchOf(observation("c", 3), observation("d", 3)), store.ErrConflict)

	moved := nextVersion(docs[0], store.Updated)
	moved.RowID = rowIDOf(1, 2)
	k.wantCommitError(batchOf(moved), store.ErrConflict)

	// Two documents exchange row IDs in one commit; only the result counts.
	a, b = nextVersion(docs[0], store.Updated, "k"), nextVersion(docs[1], store.Updated, "k")
	a.RowID, b.RowID = b.RowID, a.RowID
	docs = k.put(a, b)
	k.wantMatches(store.And{}, "b", "a")
	k.wantMatches(store.Eq{Key: "k"}, "b", "a")

	// Another document may take the row ID of a tombstone, in the same commit or later.
	tombstone := nextVersion(docs[0], store.Deleted)
	k.put(tombstone, observation("c", 2, "k"))
	k.wantMatches(store.Eq{Key: "k"}, "b", "c")
	back := nextVersion(tombstone, store.Upserted)
	k.wantCommitError(batchOf(back), store.ErrConflict)
	back.RowID = rowIDOf(1, 9)
	k.put(back)
	k.wantMatches(store.Eq{Key: "k"}, "b", "c", "a")
}

func malformedBatches(k *kit) {
	a := k.put(observation("a", 1))[0]
	wrong := observation("b", 2)
	wrong.Version = 2
	for name, b := range map[string]store.Batch{
		"a version that is not the next":   {Writes: []store.Write{{Doc: wrong, Expect: 0}}},
		"a rekey that makes a version":     {Writes: []store.Write{{Doc: nextVersion(a, store.Updated), Expect: 1, Rekey: true}}},
		"a key revision without a version": {Writes: []store.Write{{Doc: observation("b", 2), KeyRevision: 1}}},
		"two writes of one address":        batchOf(observation("b", 2), observation("b", 3)),
		"an absence without a claim":       {Absent: []store.Absent{{Type: "Patient", Where: store.Eq{Key: "k"}}}},
	} {
		if _, err := k.Commit(k.Context(), b); err == nil {
			k.Errorf("commit of %s succeeded", name)
		}
	}
	k.wantNewest(a)
	k.wantMatches(store.And{}, "a")
}
