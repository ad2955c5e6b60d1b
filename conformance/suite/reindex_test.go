package suite

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"

	"carerecord/fhir/r4"
	"carerecord/store"
	"carerecord/store/mongo"
	"carerecord/store/mongo/mongotest"
	"carerecord/store/pebble"
)

// engine opens the store of a stopped server.
func (s *server) engine() store.Engine {
	s.t.Helper()
	if dir, ok := strings.CutPrefix(s.store, "pebble:"); ok {
		db, err := pebble.Open(pebble.Config{Dir: filepath.Join(dir, "db")})
		if err != nil {
			s.t.Fatal(err)
		}
		return db
	}
	address, err := connstring.ParseAndValidate(s.store)
	if err != nil {
		s.t.Fatal(err)
	}
	db, err := mongo.Open(s.t.Context(), mongo.Config{URI: s.store, Database: address.Database, NoticeStandIn: true})
	if err != nil {
		s.t.Fatal(err)
	}
	return db
}

// useOlderKeyFormat replaces the keys of every document by keys that no search finds, and marks the store with an
// older key format. It returns the number of documents.
func (s *server) useOlderKeyFormat() int {
	s.t.Helper()
	db, n := s.engine(), 0
	defer db.Close()
	ctx := s.t.Context()
	for _, typ := range r4.Resources() {
		var writes []store.Write
		err := db.Read(ctx, func(snap store.Snapshot) error {
			for d, err := range snap.Scan(ctx, store.Query{Type: typ, Where: store.And{}}) {
				if err != nil {
					return err
				}
				keys := []store.Key{"\x01old"}
				for i, k := range d.Keys {
					if i%2 == 0 {
						keys = append(keys, k+"\x02")
					}
				}
				d.Keys = store.Sorted(keys)
				writes = append(writes, store.Write{Doc: d, Expect: d.Version, KeyRevision: d.KeyRevision, Rekey: true})
			}
			return nil
		})
		if err != nil {
			s.t.Fatal(err)
		}
		for chunk := range slices.Chunk(writes, 500) {
			n += len(chunk)
			if _, err := db.Commit(ctx, store.Batch{Writes: chunk}); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	mark := store.StateWrite{Key: "index/keying", Value: []byte(`{"index":1,"facts":1}`)}
	if _, err := db.Commit(ctx, store.Batch{State: []store.StateWrite{mark}}); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// TestReindex: a store with another key format is not served, since searches would miss documents. The command
// reindex rekeys it, also after it was killed in between, and the store then equals a rebuild (design §4).
func TestReindex(t *testing.T) {
	t.Parallel()
	t.Run("pebble", func(t *testing.T) { t.Parallel(); testReindex(t, onPebble(t), func() {}) })
	t.Run("mongo", func(t *testing.T) {
		t.Parallel()
		m := mongotest.StartOwn(t)
		testReindex(t, onServer(t, m), func() {
			if !m.Real() { // MongoDB ends the transactions of a killed process within a minute, the stand-in does not
				m.Kill(t)
				m.Restart(t)
			}
		}, "--lease", lease.String())
	})
}

// testReindex is TestReindex on one engine. It calls killed after it has killed a reindex.
func testReindex(t *testing.T, s *server, killed func(), args ...string) {
	args = append(args, "--demo", "--public-url", "http://127.0.0.1:1")
	s.start(args...)
	total := s.get("gp", "Observation?_summary=count").get("total").Int()
	if total == 0 {
		t.Fatal("the demonstration has no Observations")
	}
	s.stop()
	all := s.useOlderKeyFormat()
	for _, command := range [][]string{append([]string{"serve", "--listen", "127.0.0.1:0"}, args...), {"verify"}} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := exec.CommandContext(ctx, binary, append(append(command, "--store", s.store), s.flags...)...)
		out, err := cmd.CombinedOutput()
		cancel()
		if err == nil || !strings.Contains(string(out), "carerecord reindex --store") || !strings.Contains(string(out), "another key format") {
			t.Errorf("%s of a store with another key format: got %v\n%s", command[0], err, out)
		}
	}
	s.interruptReindex(t, all, killed)
	out, err := s.run("reindex")
	if err != nil || !strings.Contains(out, " times, done") || strings.Contains(out, "resumed 0 times") {
		t.Errorf("the rest of the reindex: %v\n%s", err, out)
	}
	if out, err := s.run("verify"); err != nil {
		t.Errorf("verify after the reindex: %v\n%s", err, out)
	}
	s.start(args...)
	if got := s.get("gp", "Observation?_summary=count").get("total").Int(); got != total {
		t.Errorf("%d Observations are found after the reindex, %d before", got, total)
	}
	s.reindexDuringWrites(t)
	s.stop()
	if out, err := s.run("verify"); err != nil {
		t.Errorf("verify after a reindex during writes: %v\n%s", err, out)
	}
}

// interruptReindex kills a reindex after a part of the documents. Since the start takes a different time on each
// machine, it tries with increasing delays until the stored progress shows a part. The rate is so low that the
// whole reindex takes longer than the longest delay.
func (s *server) interruptReindex(t *testing.T, all int, killed func()) {
	t.Helper()
	const tries = 6
	for after := time.Second; ; after += time.Second {
		s.reindexUntilKilled(t, all, all/(2*tries*tries), after)
		killed()
		out, err := s.run("reindex", "--status")
		if err == nil && strings.Contains(out, "in round 0, ") && !strings.Contains(out, ", 0 %") {
			return
		}
		if err != nil || after > tries*time.Second {
			t.Fatalf("status of an interrupted reindex: %v\n%s", err, out)
		}
	}
}

// reindexUntilKilled starts a reindex and kills it after a delay.
func (s *server) reindexUntilKilled(t *testing.T, all, rate int, after time.Duration) {
	t.Helper()
	output := &output{}
	ctx, cancel := context.WithTimeout(t.Context(), after)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append([]string{"reindex", "--rate", strconv.Itoa(rate), "--store", s.store}, s.flags...)...)
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Run(); err == nil {
		t.Fatalf("the reindex of %d documents was done before it was killed:\n%s", all, output)
	}
}

// reindexDuringWrites rekeys a served store through its socket while a source system writes Patients and
// documents that depend on them.
func (s *server) reindexDuringWrites(t *testing.T) {
	t.Helper()
	s.token(trustClient)
	done := make(chan string, 1)
	go func() { // ends with the command
		out, err := s.run("reindex", "--rate", "1500")
		if err != nil {
			out += err.Error()
		}
		done <- out
	}()
	w := &writer{name: "xac01.r"}
	for {
		w.sent++
		if r := s.do(trustClient, "POST", "", w.bundle(w.sent)); r.status != 200 {
			t.Errorf("a bundle during a reindex: got %d %s", r.status, r.body)
			break
		}
		w.done = w.sent
		select {
		case out := <-done:
			if !strings.Contains(out, ", done: ") {
				t.Errorf("reindex through the socket:\n%s", out)
			}
			w.checkStored(t, s)
			t.Logf("%d bundles were written during the reindex: %s", w.done, strings.TrimSpace(out))
			return
		case <-time.After(50 * time.Millisecond): // the walk also rekeys documents that are written ahead of it
		}
	}
	<-done
}
