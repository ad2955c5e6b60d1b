package pebble

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"carerecord/store"
)

// A benchmark document is like a laboratory result: a body of 2 KB, 33 keys of
// which 16 drive, 100 documents to a patient.
const (
	perPatient = 100
	loaded     = 50_000
)

func benchDoc(n int) store.Doc {
	rng := rand.New(rand.NewPCG(uint64(n), 7))
	patient := n / perPatient
	id := fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", rng.Uint32(), rng.Uint32()>>16, rng.Uint32()>>16, rng.Uint32()>>16, rng.Uint64()>>16)
	h := fnv.New64a()
	fmt.Fprint(h, patient)
	at := store.RowID{Partition: store.Partition(h.Sum64() >> 16)}
	at.SortKey = [store.SortKeySize]byte{0, 0, 0, byte(n >> 8), byte(n)}
	binary.BigEndian.PutUint64(at.SortKey[5:], rng.Uint64())
	keys := []store.Key{patientKey(patient), store.Key(fmt.Sprintf("\x01\x02cat%d", n%10)), "\x01\x01all"}
	for i := range 13 {
		keys = append(keys, store.Key(fmt.Sprintf("\x02%chttp://loinc.org|%05d", i, rng.IntN(2000))))
	}
	for i := range 17 {
		keys = append(keys, store.Key(fmt.Sprintf("\x82%cverifying %d", i, rng.IntN(1000))))
	}
	var body strings.Builder
	for body.Len() < 2000 {
		fmt.Fprintf(&body, `{"system":"http://terminology.hl7.org/CodeSystem/observation-category","value":%d,"unit":"mmol/L"},`, rng.Uint32())
	}
	return store.Doc{Ref: store.Ref{Type: "Observation", ID: id}, Version: 1, Updated: time.UnixMilli(int64(n)).UTC(), RowID: at, Source: "RX1",
		Origin: store.Created, Keys: store.Sorted(keys), Body: []byte(body.String())}
}

func patientKey(patient int) store.Key {
	return store.Key(fmt.Sprintf("\x01\x03Patient/%08d", patient))
}

func batchOf(docs ...store.Doc) store.Batch {
	var b store.Batch
	for _, d := range docs {
		b.Writes = append(b.Writes, store.Write{Doc: d, Expect: d.Version - 1})
	}
	return b
}

func BenchmarkPut(b *testing.B) {
	db := open(b, b.TempDir(), nil)
	docs := make([]store.Doc, 20000)
	for i := range docs {
		docs[i] = benchDoc(i)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		d := docs[n%len(docs)]
		d.Ref.ID, d.RowID.Partition = fmt.Sprint(d.Ref.ID, n), d.RowID.Partition^store.Partition(n/len(docs))
		if _, err := db.Commit(b.Context(), batchOf(d)); err != nil {
			b.Fatal(err)
		}
		n++
	}
}

func BenchmarkPutParallel8(b *testing.B) {
	parallel8(b, func(db *DB, d store.Doc) error {
		_, err := db.Commit(b.Context(), batchOf(d))
		return err
	})
}

// BenchmarkPutKept measures the processor time of a create on a disk in memory, with stored
// counts for some of its keys.
func BenchmarkPutKept(b *testing.B) {
	for _, keys := range [][]store.Key{nil, {""}, {"", "\x01\x01all", "\x01\x02cat0"}} {
		b.Run(fmt.Sprint(len(keys)), func(b *testing.B) {
			db, err := Open(Config{Dir: "db", FS: vfs.NewMem()})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			docs := make([]store.Doc, 2000)
			for i := range docs {
				docs[i] = benchDoc(10 * i)
			}
			if _, err := db.Commit(b.Context(), batchOf(benchDoc(100_000))); err != nil {
				b.Fatal(err)
			}
			keepAll(db, 100, math.MaxInt64)
			for _, key := range keys {
				if err := db.storeCount(countRequest{code: 1, key: key}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				d := docs[n%len(docs)]
				d.Ref.ID, d.RowID.Partition = fmt.Sprint(d.Ref.ID, n), d.RowID.Partition^store.Partition(n/len(docs))
				if _, err := db.Commit(b.Context(), batchOf(d)); err != nil {
					b.Fatal(err)
				}
				n++
			}
		})
	}
}

// BenchmarkRawParallel8 is the reference of BenchmarkPutParallel8: the same rows, applied to
// Pebble without preconditions.
func BenchmarkRawParallel8(b *testing.B) {
	parallel8(b, func(db *DB, d store.Doc) error {
		s, err := db.prepare(batchOf(d))
		if err != nil {
			return err
		}
		defer s.prepared.Close()
		if err := s.changes[0].putNew(s.prepared, 1); err != nil {
			return err
		}
		return db.rows.Apply(s.prepared, pebble.Sync)
	})
}

func parallel8(b *testing.B, put func(*DB, store.Doc) error) {
	db := open(b, b.TempDir(), nil)
	docs := make([]store.Doc, 20000)
	for i := range docs {
		docs[i] = benchDoc(i)
	}
	var next atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(4) // on two processors
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := int(next.Add(1))
			d := docs[n%len(docs)]
			d.Ref.ID, d.RowID.Partition = fmt.Sprint(d.Ref.ID, n), d.RowID.Partition^store.Partition(n/len(docs))
			if err := put(db, d); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkLoad measures a document of a bundle of 100.
func BenchmarkLoad(b *testing.B) {
	db := open(b, b.TempDir(), nil)
	docs := make([]store.Doc, 20000)
	for i := range docs {
		docs[i] = benchDoc(i)
	}
	n := 0
	b.ResetTimer()
	for n < b.N {
		var batch store.Batch
		for range min(100, b.N-n) {
			d := docs[n%len(docs)]
			d.Ref.ID, d.RowID.Partition = fmt.Sprint(d.Ref.ID, n), d.RowID.Partition^store.Partition(n/len(docs))
			batch.Writes = append(batch.Writes, store.Write{Doc: d})
			n++
		}
		if _, err := db.Commit(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendParallel8(b *testing.B) {
	db := open(b, b.TempDir(), nil)
	payload := []byte(strings.Repeat("audit ", 150))
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := db.Append(b.Context(), payload); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	db := open(b, b.TempDir(), nil)
	refs := make([]store.Ref, loaded)
	for n := 0; n < loaded; n += 500 {
		docs := make([]store.Doc, 500)
		for i := range docs {
			docs[i] = benchDoc(n + i)
			refs[n+i] = docs[i].Ref
		}
		if _, err := db.Commit(b.Context(), batchOf(docs...)); err != nil {
			b.Fatal(err)
		}
	}
	if err := db.rows.Compact(b.Context(), []byte{0}, []byte{255}, false); err != nil {
		b.Fatal(err)
	}
	size := int64(0)
	for _, level := range db.rows.Metrics().Levels {
		size += level.TablesSize
	}
	b.Logf("%d documents: %d bytes each in tables", loaded, size/loaded)
	rng := rand.New(rand.NewPCG(1, 1))
	patient := func() store.Pred { return store.Eq{Key: patientKey(rng.IntN(loaded / perPatient))} }
	read := func(name string, f func(s store.Snapshot) error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := db.Read(b.Context(), f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	scan := func(p func() store.Pred, max int, keysOnly bool) func(s store.Snapshot) error {
		return func(s store.Snapshot) error {
			n := 0
			for _, err := range s.Scan(b.Context(), store.Query{Type: "Observation", Where: p(), KeysOnly: keysOnly}) {
				if err != nil {
					return err
				}
				if n++; n == max {
					break
				}
			}
			return nil
		}
	}
	count := func(p func() store.Pred) func(s store.Snapshot) error {
		return func(s store.Snapshot) error {
			_, err := s.Count(b.Context(), store.Query{Type: "Observation", Where: p()}, 0)
			return err
		}
	}
	read("Get", func(s store.Snapshot) error {
		_, err := s.Get(b.Context(), refs[rng.IntN(loaded)])
		return err
	})
	category := store.Eq{Key: "\x01\x02cat3"}
	and := func() store.Pred { return store.And{patient(), category} }
	read("PatientPageOf20", scan(patient, 20, false))
	read("AndOfTwo10Rows", scan(and, 0, false))
	read("AndOfTwo10RowsKeysOnly", scan(and, 0, true))
	read("CountAndOfTwo", count(and))
	read("CountOf5000", count(func() store.Pred { return category }))
	read("CountOf50000", count(func() store.Pred { return store.Eq{Key: "\x01\x01all"} }))
	read("CountOfTypeVerified", count(func() store.Pred { return store.Not{Pred: category} }))
	read("RangeOf250Rows", scan(func() store.Pred { return store.WithPrefix("\x02\x00http://loinc.org|0042") }, 0, true))
}
