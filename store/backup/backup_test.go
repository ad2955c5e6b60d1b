package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"carerecord/store"
)

// fakeStore exports its parts, and then fails if fails is set.
type fakeStore struct {
	parts []store.CopyItem
	fails error
}

func (h fakeStore) Export(context.Context) iter.Seq2[store.CopyItem, error] {
	return func(yield func(store.CopyItem, error) bool) {
		for _, p := range h.parts {
			if !yield(p, nil) {
				return
			}
		}
		if h.fails != nil {
			yield(store.CopyItem{}, h.fails)
		}
	}
}

func (fakeStore) Import(context.Context, iter.Seq2[store.CopyItem, error]) error { panic("not called") }

func (fakeStore) RenewFeed(context.Context) error { panic("not called") }

func sampleStore() fakeStore {
	var h fakeStore
	for n := range 50 {
		d := &store.Doc{Ref: store.Ref{Type: "Patient", ID: fmt.Sprint("p", n)}, Version: uint64(n + 1), Updated: time.UnixMilli(int64(n) * 1234567).UTC(),
			Seq: uint64(1000 + n), RowID: store.RowID{Partition: 1<<48 - 1, SortKey: store.SortKey{1, 2, 255}}, Source: "RX1", Origin: store.Upserted,
			Keys: []store.Key{"", "a\x00b", "\xff\xfe"}, Body: bytes.Repeat([]byte("{}"), n)}
		if n%7 == 3 {
			d.Origin, d.Body = store.Deleted, nil
		}
		h.parts = append(h.parts, store.CopyItem{Doc: d})
	}
	var last store.Record
	for n := range 20 {
		payload := fmt.Append(nil, "record ", n)
		last = store.Record{Pos: last.Pos + 1, Hash: store.ChainHash(last.Hash, last.Pos+1, payload), Payload: payload}
		h.parts = append(h.parts, store.CopyItem{Record: &store.Record{Pos: last.Pos, Hash: last.Hash, Payload: payload}})
	}
	return h
}

func TestRoundTrip(t *testing.T) {
	h, dir := sampleStore(), filepath.Join(t.TempDir(), "out")
	h.parts[0].Doc.KeyRevision = 7
	m, err := Write(t.Context(), dir, Manifest{Software: "x", Taken: time.Unix(1, 0).UTC(), PublicURL: "http://record.test"}, h)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.Manifest, m); diff != "" || m.Versions != 50 || m.Records != 20 || m.Head != headOf(*h.parts[69].Record) {
		t.Errorf("manifest (-read +written):\n%s%+v", diff, m)
	}
	var got []store.CopyItem
	for p, err := range b.Parts() {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p)
	}
	h.parts[0].Doc.KeyRevision = 0 // not copied
	if diff := cmp.Diff(got, h.parts); diff != "" {
		t.Errorf("parts (-read +written):\n%s", diff)
	}
	if _, err := Write(t.Context(), dir, Manifest{}, h); err == nil {
		t.Error("a second backup into the same folder: got no error")
	}
	if info, err := os.Stat(filepath.Join(dir, partsFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the parts may be read by others: %v, %v", info, err)
	}
}

// A backup that is truncated, or changed anywhere, is refused before its first part is read.
func TestDamageIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	if _, err := Write(t.Context(), dir, Manifest{}, sampleStore()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{partsFile, manifestFile, sumsFile} {
		file := filepath.Join(dir, name)
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		refuse := func(damage string, text []byte) {
			t.Helper()
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s, %s: got %v, want ErrDamaged", name, damage, err)
			}
		}
		for at := 0; at < len(whole); at += 1 + len(whole)/50 {
			refuse(fmt.Sprint("cut off at ", at), whole[:at])
			changed := bytes.Clone(whole)
			changed[at] ^= 1
			refuse(fmt.Sprint("changed at ", at), changed)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); !errors.Is(err, ErrDamaged) {
			t.Errorf("without %s: got %v, want ErrDamaged", name, err)
		}
		if err := os.WriteFile(file, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, partsFile), b.Manifest.Bytes-9); err != nil {
		t.Fatal(err)
	}
	var last error
	for _, err := range b.Parts() {
		last = err
	}
	if !errors.Is(last, ErrDamaged) {
		t.Errorf("parts cut off after they were opened: got %v, want ErrDamaged", last)
	}
}

// An export that failed leaves no backup.
func TestInterrupted(t *testing.T) {
	h, dir := sampleStore(), t.TempDir()
	h.fails = store.ErrUnavailable
	if _, err := Write(t.Context(), dir, Manifest{}, h); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("write: got %v, want ErrUnavailable", err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrDamaged) {
		t.Errorf("open: got %v, want ErrDamaged", err)
	}
}

// FuzzParsePart: a frame is refused, or its part is written as the same frame's.
func FuzzParsePart(f *testing.F) {
	for _, p := range sampleStore().parts {
		f.Add(appendPart(nil, p))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parsePart(b)
		if err != nil {
			return
		}
		again, err := parsePart(appendPart(nil, p))
		if diff := cmp.Diff(again, p); err != nil || diff != "" {
			t.Errorf("%x: read again: %v\n%s", b, err, diff)
		}
	})
}
