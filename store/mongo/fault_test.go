package mongo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"carerecord/store"
	"carerecord/store/mongo/mongotest"
)

// document is version n of Patient/id.
func document(id string, n uint64) store.Doc {
	d := store.Doc{
		Ref: store.Ref{Type: "Patient", ID: id}, Version: n, Updated: time.UnixMilli(int64(1000 * n)).UTC(),
		Origin: store.Updated, Keys: []store.Key{"a", store.Key("id" + id)}, Body: []byte(id),
	}
	if n == 1 {
		d.Origin = store.Created
	}
	copy(d.RowID.SortKey[:], fmt.Sprintf("%13s", id))
	return d
}

func write(docs ...store.Doc) store.Batch {
	var b store.Batch
	for _, d := range docs {
		b.Writes = append(b.Writes, store.Write{Doc: d, Expect: d.Version - 1})
	}
	return b
}

func get(ctx context.Context, db *DB, id string) (d store.Doc, err error) {
	err = db.Read(ctx, func(s store.Snapshot) error {
		var err error
		d, err = s.Get(ctx, store.Ref{Type: "Patient", ID: id})
		return err
	})
	return d, err
}

func TestOpenRefuses(t *testing.T) {
	t.Run("a standalone server", func(t *testing.T) {
		s := mongotest.Standalone(t)
		_, err := Open(t.Context(), Config{URI: s.URI(), Database: "x"})
		if err == nil || !strings.Contains(err.Error(), "standalone") {
			t.Errorf("Open of a standalone server: got %v, want an error that says so", err)
		}
	})
	t.Run("a format of another program", func(t *testing.T) {
		c := freshConfig(t, nil)
		db := openWatched(t, c)
		_, err := db.counters.UpdateOne(t.Context(), bson.D{{Key: "_id", Value: "format"}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "n", Value: int64(format + 1)}}}}, options.UpdateOne().SetHint(byID))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), c); err == nil {
			t.Error("Open of a newer format: got no error")
		}
	})
	t.Run("no server", func(t *testing.T) {
		_, err := Open(t.Context(), Config{URI: "mongodb://127.0.0.1:1/", Database: "x", Timeout: 200 * time.Millisecond})
		if !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Open without a server: got %v, want %v", err, store.ErrUnavailable)
		}
	})
}

// LIM-008: a store without a server is unavailable and reports no document as missing.
func TestServerEnded(t *testing.T) {
	server := mongotest.StartOwn(t)
	uri, name := server.Database(t)
	ctx := t.Context()
	db := openWatched(t, Config{URI: uri, Database: name, Timeout: 2 * time.Second})
	if _, err := db.Commit(ctx, write(document("1", 1))); err != nil {
		t.Fatal(err)
	}
	if err := db.Insert(ctx, "k", []byte("v"), time.Time{}); err != nil {
		t.Fatal(err)
	}
	server.Kill(t)
	asks := map[string]func(id string) error{
		"get": func(id string) error { _, err := get(ctx, db, id); return err },
		"version": func(id string) error {
			return db.Read(ctx, func(s store.Snapshot) error {
				_, err := s.Version(ctx, store.Ref{Type: "Patient", ID: id}, 1)
				return err
			})
		},
		"scan": func(string) error {
			return db.Read(ctx, func(s store.Snapshot) error {
				for _, err := range s.Scan(ctx, store.Query{Type: "Patient", Where: store.Or{store.Eq{Key: "a"}, store.Eq{Key: "b"}}}) {
					return err
				}
				return nil
			})
		},
		"collect": func(string) error {
			return db.Read(ctx, func(s store.Snapshot) error {
				for _, err := range s.Scan(ctx, store.Query{Type: "Patient", Where: store.WithPrefix("i")}) {
					return err
				}
				return nil
			})
		},
		"count": func(string) error {
			return db.Read(ctx, func(s store.Snapshot) error {
				_, err := s.Count(ctx, store.Query{Type: "Patient", Where: store.And{}}, 0)
				return err
			})
		},
		"history": func(id string) error {
			return db.Read(ctx, func(s store.Snapshot) error {
				for _, err := range s.History(ctx, store.HistoryQuery{Type: "Patient", ID: id}) {
					return err
				}
				return nil
			})
		},
		"commit": func(string) error { _, err := db.Commit(ctx, write(document("2", 1))); return err },
		"insert": func(id string) error { return db.Insert(ctx, id, nil, time.Time{}) },
		"lookup": func(string) error { _, err := db.Lookup(ctx, "k"); return err },
		"swap":   func(string) error { return db.Swap(ctx, "k", []byte("v"), []byte("w"), time.Time{}) },
		"take":   func(string) error { _, err := db.Take(ctx, "k"); return err },
		"append": func(id string) error { _, err := db.Append(ctx, []byte(id)); return err },
		"head":   func(string) error { _, err := db.Head(ctx); return err },
		"records": func(string) error {
			for _, err := range db.Records(ctx, 1) {
				return err
			}
			return nil
		},
	}
	var wg sync.WaitGroup
	for what, ask := range asks {
		for _, id := range []string{"1", "unheard-of"} {
			wg.Go(func() {
				begun := time.Now()
				err := ask(id)
				if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
					t.Errorf("%s of %s without a server: got %v, want %v", what, id, err, store.ErrUnavailable)
				}
				if d := time.Since(begun); d > 15*time.Second {
					t.Errorf("%s of %s without a server took %v", what, id, d)
				}
			})
		}
	}
	wg.Wait()
	server.Restart(t)
	waitFor(t, "the restarted server", func() error { _, err := get(ctx, db, "1"); return err })
	if _, err := get(ctx, db, "unheard-of"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("get of what never was, after the restart: got %v, want %v", err, store.ErrNotFound)
	}
}

// waitFor repeats a call until it succeeds.
func waitFor(t *testing.T, what string, ask func() error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if err = ask(); err == nil {
			return
		}
	}
	t.Fatalf("waiting for %s: %v", what, err)
}

// A commit whose answer is lost is settled: it is applied once, and an acknowledged one is
// stored.
func TestCommitWithoutAnswer(t *testing.T) {
	uri, name := mongotest.Start(t).Database(t)
	ctx := t.Context()
	proxy, through := newProxy(t, uri)
	db := openWatched(t, Config{URI: through, Database: name, Timeout: 20 * time.Second})
	if _, err := db.Commit(ctx, write(document("1", 1), document("2", 1))); err != nil {
		t.Fatal(err)
	}
	state := store.Batch{State: []store.StateWrite{{Key: "s", Value: []byte("v")}}}
	version := map[string]uint64{"1": 1, "2": 1}
	for _, answersOnly := range []bool{true, false} {
		for lose := 1; lose <= 3; lose++ {
			for _, what := range []string{"create", "update", "state"} {
				t.Run(fmt.Sprintf("%s, %d lost, server got it: %t", what, lose, answersOnly), func(t *testing.T) {
					b := state
					id := fmt.Sprint("new", lose, answersOnly)
					switch what {
					case "create":
						b = write(document(id, 1))
						version[id] = 1
					case "update":
						id = "1"
						version[id]++
						b = write(document(id, version[id]))
					}
					proxy.loseNext("commitTransaction", lose, answersOnly)
					seq, err := db.Commit(ctx, b)
					if err != nil {
						t.Fatalf("commit: %v", err)
					}
					if n := proxy.lost(); n == 0 {
						t.Fatal("the proxy lost nothing")
					}
					proxy.loseNext("", 0, false)
					if what == "state" {
						if v, err := db.Lookup(ctx, "s"); string(v) != "v" {
							t.Errorf("lookup: got %q, %v, want v", v, err)
						}
						return
					}
					d, err := get(ctx, db, id)
					if err != nil || d.Version != version[id] || d.Seq != seq {
						t.Errorf("get: got version %d of commit %d, %v, want version %d of commit %d", d.Version, d.Seq, err, version[id], seq)
					}
				})
			}
		}
	}
}

// A commit that never arrives is not mistaken for an applied one because the answer to the
// transaction that settles it is lost.
func TestSettlingLeavesNoTraceOfACommit(t *testing.T) {
	for _, what := range []string{"state", "create", "update"} {
		t.Run(what, func(t *testing.T) {
			uri, name := mongotest.Start(t).Database(t)
			ctx := t.Context()
			proxy, through := newProxy(t, uri)
			db := openWatched(t, Config{URI: through, Database: name, Timeout: 5 * time.Second})
			b := store.Batch{State: []store.StateWrite{{Key: "s", Value: []byte("v")}}}
			switch what {
			case "create":
				b = write(document("1", 1))
			case "update":
				if _, err := db.Commit(ctx, write(document("1", 1))); err != nil {
					t.Fatal(err)
				}
				b = write(document("1", 2))
			}
			p, err := prepareCommit(b)
			if err != nil {
				t.Fatal(err)
			}
			seq, err := db.nextSeq(ctx)
			if err != nil {
				t.Fatal(err)
			}
			proxy.loseNext("commitTransaction", 1_000_000, true)
			short, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			if done, err := db.tryToSettle(short, p, seq); err == nil {
				t.Fatalf("settling without an answer: got %t, want an error", done)
			}
			proxy.loseNext("", 0, false)
			waitFor(t, "the outcome", func() error {
				done, err := db.tryToSettle(ctx, p, seq)
				if done {
					t.Error("a commit that was never made is found to be carried out")
				}
				return err
			})
		})
	}
}

// If an outcome cannot be found out the error is ErrUnknown, and only then.
func TestUnknownOutcome(t *testing.T) {
	server := mongotest.StartOwn(t)
	uri, name := server.Database(t)
	ctx := t.Context()
	proxy, through := newProxy(t, uri)
	db := openWatched(t, Config{URI: through, Database: name, Timeout: 5 * time.Second})

	proxy.loseNext("commitTransaction", 1_000_000, true)
	// The engine finds the outcome if the driver reconnects in time; else the outcome is
	// unknown. The error never means that nothing was written.
	if _, err := db.Commit(ctx, write(document("1", 1))); err != nil && !errors.Is(err, store.ErrUnknown) {
		t.Errorf("commit whose answers are all lost: got %v, want none, or %v", err, store.ErrUnknown)
	}
	// The driver needs a moment to reconnect after its connections broke; until then it sends
	// nothing, and the error says so.
	notSent := func(err error) bool { return errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrUnknown) }
	patience := time.Now().Add(time.Minute)
	proxy.loseNext("commitTransaction", 1_000_000, false)
	_, err := db.Commit(ctx, write(document("2", 1)))
	for notSent(err) && time.Now().Before(patience) {
		_, err = db.Commit(ctx, write(document("2", 1)))
	}
	if !errors.Is(err, store.ErrUnknown) || !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrConflict) {
		t.Errorf("commit that never arrives: got %v, want %v", err, store.ErrUnknown)
	}
	proxy.loseNext("insert", 1_000_000, true)
	patience = time.Now().Add(time.Minute)
	_, err = db.Append(ctx, []byte("0"))
	for notSent(err) && time.Now().Before(patience) {
		_, err = db.Append(ctx, []byte("0"))
	}
	if err != nil && !errors.Is(err, store.ErrUnknown) {
		t.Errorf("append without any answer: got %v, want none, for a look finds it, or %v", err, store.ErrUnknown)
	}
	patience = time.Now().Add(time.Minute)
	err = db.Insert(ctx, "k", nil, time.Time{})
	for notSent(err) && time.Now().Before(patience) {
		err = db.Insert(ctx, "k", nil, time.Time{})
	}
	if !errors.Is(err, store.ErrUnknown) {
		t.Errorf("insert without any answer: got %v, want %v", err, store.ErrUnknown)
	}
	proxy.loseNext("", 0, false)
	patience = time.Now().Add(time.Minute)
	first, err := db.Append(ctx, []byte("1"))
	for notSent(err) && time.Now().Before(patience) {
		first, err = db.Append(ctx, []byte("1"))
	}
	if err != nil || first != 2 {
		t.Errorf("append after one in doubt that landed: got %d, %v, want 2", first, err)
	}
	checkChain(t, db, 2)

	server.Kill(t)
	_, err = db.Commit(ctx, write(document("3", 1)))
	if !errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrUnknown) {
		t.Errorf("commit that cannot begin: got %v, want %v alone", err, store.ErrUnavailable)
	}
}

// A log record whose answer is lost is in the log once, and positions have no gap.
func TestLogWithoutAnswer(t *testing.T) {
	uri, name := mongotest.Start(t).Database(t)
	ctx := t.Context()
	proxy, through := newProxy(t, uri)
	db := openWatched(t, Config{URI: through, Database: name, Timeout: 5 * time.Second})
	want := 0
	for _, answersOnly := range []bool{true, false} {
		for lose := 0; lose <= 4; lose++ {
			proxy.loseNext("insert", lose, answersOnly)
			first, err := db.Append(ctx, fmt.Append(nil, want), fmt.Append(nil, want+1))
			if err != nil || first != uint64(want+1) {
				t.Fatalf("append with %d lost, server got it: %t: got %d, %v, want %d", lose, answersOnly, first, err, want+1)
			}
			want += 2
		}
	}
	checkChain(t, db, want)
}

// checkChain fails the test unless the log holds that many records, the text of
// each its position less one.
func checkChain(t *testing.T, db *DB, want int) {
	t.Helper()
	var last store.Record
	for r, err := range db.Records(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Pos != last.Pos+1 || r.Hash != store.ChainHash(last.Hash, r.Pos, r.Payload) {
			t.Fatalf("record %d after %d does not continue the chain", r.Pos, last.Pos)
		}
		if got, want := string(r.Payload), fmt.Sprint(r.Pos-1); want != got {
			t.Errorf("record %d: got payload %q, want %q", r.Pos, got, want)
		}
		last = r
	}
	if last.Pos != uint64(want) {
		t.Errorf("the log ends at %d, want %d", last.Pos, want)
	}
}
