package storetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"carerecord/store"
)

// kit is the engine of one test, with helpers. A method whose name begins with want fails the test
// unless its condition is true.
type kit struct {
	*testing.T
	Engine
	subject Subject
	clock   *Clock
}

func newKit(t *testing.T, subject Subject) *kit {
	clock := NewClock()
	return &kit{T: t, Engine: subject.Open(t, clock.Now), subject: subject, clock: clock}
}

// memoryChecker is implemented by engines with state in memory that is derived from their storage.
type memoryChecker interface {
	// CheckMemory compares the memory with a rebuild from storage. The engine must not be in use.
	CheckMemory(ctx context.Context) error
}

// checkMemory fails the test if the memory of an engine differs from its storage.
func (k *kit) checkMemory() {
	k.Helper()
	if r, ok := k.Engine.(memoryChecker); ok {
		if err := r.CheckMemory(k.Context()); err != nil && !errors.Is(err, store.ErrUnavailable) {
			k.Errorf("the memory of the engine differs from its storage: %v", err)
		}
	}
}

// instantAt returns an instant some seconds after the one at which the documents of the tests were
// written.
func instantAt(seconds int) time.Time {
	return time.Date(2025, 3, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(seconds) * time.Second)
}

// rowIDOf returns the RowID of a partition and a sort key, which is a number in big-endian order.
func rowIDOf(partition store.Partition, sortKey uint64) store.RowID {
	id := store.RowID{Partition: partition}
	binary.BigEndian.PutUint64(id.SortKey[store.SortKeySize-8:], sortKey)
	return id
}

// observation returns a first version of Observation/id with the given sort key in partition 1.
func observation(id string, sortKey uint64, keys ...store.Key) store.Doc {
	return store.Doc{
		Ref:     store.Ref{Type: "Observation", ID: id},
		Version: 1,
		Updated: instantAt(0),
		RowID:   rowIDOf(1, sortKey),
		Source:  "RX1",
		Origin:  store.Created,
		Keys:    store.Sorted(keys),
		Body:    []byte(`{"id":"` + id + `"}`),
	}
}

// nextVersion returns a version after d, with other keys if any are given. It keeps the KeyRevision of
// d, for writes.
func nextVersion(d store.Doc, origin store.Origin, keys ...store.Key) store.Doc {
	d.Version++
	d.Updated = d.Updated.Add(time.Second)
	d.Origin = origin
	if len(keys) > 0 {
		d.Keys = store.Sorted(keys)
	}
	d.Body = append(d.Body[:len(d.Body):len(d.Body)], '\n')
	if origin == store.Deleted {
		d.Body = nil
	}
	return d
}

// batchOf returns a batch of writes, each of the version after the newest one.
func batchOf(docs ...store.Doc) store.Batch {
	var b store.Batch
	for _, d := range docs {
		b.Writes = append(b.Writes, store.Write{Doc: d, Expect: d.Version - 1, KeyRevision: d.KeyRevision})
	}
	return b
}

// commit commits a batch and fails the test at an error.
func (k *kit) commit(b store.Batch) uint64 {
	k.Helper()
	seq, err := k.Commit(k.Context(), b)
	if err != nil {
		k.Fatalf("commit: %v", err)
	}
	return seq
}

// put commits documents and returns them with their Seq and KeyRevision.
func (k *kit) put(docs ...store.Doc) []store.Doc {
	k.Helper()
	seq := k.commit(batchOf(docs...))
	for i := range docs {
		docs[i].Seq, docs[i].KeyRevision = seq, 0
	}
	return docs
}

// wantCommitError commits a batch and fails the test unless the error is want.
func (k *kit) wantCommitError(b store.Batch, want error) {
	k.Helper()
	if _, err := k.Commit(k.Context(), b); !errors.Is(err, want) {
		k.Errorf("commit: got error %v, want %v", err, want)
	}
}

// read calls f with a snapshot and fails the test if the engine fails.
func (k *kit) read(f func(store.Snapshot)) {
	k.Helper()
	if err := k.Read(k.Context(), func(s store.Snapshot) error { f(s); return nil }); err != nil {
		k.Fatalf("read: %v", err)
	}
}

// get returns the newest version of Observation/id.
func (k *kit) get(id string) (d store.Doc, err error) {
	k.Helper()
	k.read(func(s store.Snapshot) { d, err = s.Get(k.Context(), store.Ref{Type: "Observation", ID: id}) })
	return d, err
}

// wantNewest fails the test unless the documents are the newest versions of their addresses.
func (k *kit) wantNewest(docs ...store.Doc) {
	k.Helper()
	k.read(func(s store.Snapshot) {
		for _, want := range docs {
			got, err := s.Get(k.Context(), want.Ref)
			if err != nil {
				k.Errorf("get %s: %v", want.Ref, err)
			} else if diff := diff(got, want); diff != "" {
				k.Errorf("get %s (-got +want):\n%s", want.Ref, diff)
			}
		}
	})
}

// wantMatches fails the test unless a scan of Observations yields these ids.
func (k *kit) wantMatches(p store.Pred, ids ...string) {
	k.Helper()
	k.read(func(s store.Snapshot) { k.wantScan(s, store.Query{Type: "Observation", Where: p}, ids...) })
}

// wantScan fails the test unless a query yields these ids and counts as many.
func (k *kit) wantScan(s store.Snapshot, q store.Query, ids ...string) {
	k.Helper()
	docs := k.collect(s.Scan(k.Context(), q))
	if diff := cmp.Diff(idsOf(docs), ids, cmpopts.EquateEmpty()); diff != "" {
		k.Errorf("scan of %s where %v, after %v, in partitions %v (-got +want):\n%s", q.Type, q.Where, q.After, q.Partitions, diff)
	}
	n, err := s.Count(k.Context(), q, 0)
	if err != nil || n != len(ids) {
		k.Errorf("count of %s where %v: got %d, %v, want %d", q.Type, q.Where, n, err, len(ids))
	}
}

// collect collects a sequence and fails the test at an error.
func (k *kit) collect(seq iter.Seq2[store.Doc, error]) []store.Doc {
	k.Helper()
	docs, err := collect(seq)
	if err != nil {
		k.Fatalf("sequence ended with %v", err)
	}
	return docs
}

func collect(seq iter.Seq2[store.Doc, error]) ([]store.Doc, error) {
	var docs []store.Doc
	for d, err := range seq {
		if err != nil {
			return docs, err
		}
		docs = append(docs, d)
	}
	return docs, nil
}

func idsOf(docs []store.Doc) []string {
	ids := make([]string, len(docs))
	for i, d := range docs {
		ids[i] = d.Ref.ID
	}
	return ids
}

// diff compares documents or other results. Nil and empty are equal.
func diff(got, want any) string {
	filled := func(a, b []byte) bool { return len(a)+len(b) > 0 }
	return cmp.Diff(got, want, cmpopts.EquateEmpty(), cmp.FilterValues(filled, cmp.Comparer(bytes.Equal)))
}

// concurrently runs f n times, all started at once, and waits for the last.
func concurrently(n int, f func(i int)) {
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-gate
			f(i)
		})
	}
	close(gate)
	wg.Wait()
}
