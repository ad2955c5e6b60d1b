package suite

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/store"
)

// TestBackupAndRestore: a backup during writes contains every bundle as a whole, and all bundles that were
// acknowledged before it. It lacks later opt-outs, so the restored store answers no patient data until an
// operator confirms it, which is recorded (CON-1407). The backup of each engine is also restored into the other.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	pebble := func(t *testing.T) *server { return onPebble(t) }
	mongo := func(t *testing.T) *server { return onMongo(t) }
	for _, c := range []struct {
		name     string
		from, to func(*testing.T) *server
	}{
		{"pebble", pebble, pebble}, {"mongo", mongo, mongo}, {"from pebble to mongo", pebble, mongo}, {"from mongo to pebble", mongo, pebble},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "backup")
			from := c.from(t)
			taken, w := backUp(t, from, out)
			checkDamagedBackups(t, c.to(t), out)
			s := c.to(t)
			if err := os.CopyFS(s.policyFolder(), os.DirFS(from.policyFolder())); err != nil { // keys depend on it
				t.Fatal(err)
			}
			s.checkRestore(t, out, taken, w)
		})
	}
}

// policyFolder returns the folder of the policy.
func (s *server) policyFolder() string {
	if i := slices.Index(s.flags, "--policy"); i >= 0 {
		return s.flags[i+1]
	}
	return filepath.Join(strings.TrimPrefix(s.store, "pebble:"), "policy")
}

// backUp makes a backup while a source system writes. Afterwards a patient opts out. It returns the instant of
// the backup, and the state of the writer before it.
func backUp(t *testing.T, s *server, out string) (taken time.Time, w *writer) {
	t.Helper()
	s.start("--demo", "--public-url", "http://127.0.0.1:1")
	s.token(trustClient)
	w = &writer{name: "xac01.b"}
	write := func() {
		t.Helper()
		w.sent++
		wantStatus(t, "a bundle", s.do(trustClient, "POST", "", w.bundle(w.sent)), 200, "")
		w.done = w.sent
	}
	for range 5 {
		write()
	}
	before := *w
	done := make(chan string, 1)
	go func() { // ends with the command
		text, err := s.run("backup", "--out", out)
		if err != nil {
			text = "FAILED: " + text
		}
		done <- text
	}()
	for text := ""; text == ""; {
		select {
		case text = <-done:
			if !strings.Contains(text, "versions and") || strings.Contains(text, "FAILED") {
				t.Fatalf("backup: %s", text)
			}
		default:
			write()
		}
	}
	for range 3 {
		write()
	}
	r := s.do("patient", "POST", "Consent", optOutOf("Patient/xgp01.r0", "active"))
	wantStatus(t, "an opt-out after the backup", r, 201, "")
	manifest, err := os.ReadFile(filepath.Join(out, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	if taken, err = time.Parse(time.RFC3339Nano, gjson.GetBytes(manifest, "taken").Str); err != nil {
		t.Fatal(err)
	}
	s.stop()
	return taken, &before
}

// checkDamagedBackups checks that a truncated and a changed backup are refused, and that nothing of them is
// stored.
func checkDamagedBackups(t *testing.T, s *server, out string) {
	t.Helper()
	file := filepath.Join(out, "parts.gz")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := append([]byte{}, whole...)
	changed[len(changed)/2] ^= 0x10
	for what, text := range map[string][]byte{"cut off": whole[:len(whole)-1], "changed": changed} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if text, err := s.run("restore", out); err == nil || !strings.Contains(text, "the backup is damaged") {
			t.Errorf("restore of a backup that was %s: got %v\n%s", what, err, text)
		}
	}
	if err := os.WriteFile(file, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	s.start("--demo", "--public-url", "http://127.0.0.1:1") // opens a new store
	wantStatus(t, "nothing of a damaged backup is stored", s.get(trustClient, "Basic/xac01.b"), 404, "not-found")
	s.stop()
	if text, err := s.run("restore", out); err == nil || !strings.Contains(text, "not empty") {
		t.Errorf("restore into a store with documents: got %v\n%s", err, text)
	}
	s.start("--demo", "--public-url", "http://127.0.0.1:1")
	wantStatus(t, "a refused restore does not change the store", s.get(trustClient, "Patient?_summary=count"), 200, "")
}

func (s *server) checkRestore(t *testing.T, out string, taken time.Time, w *writer) {
	t.Helper()
	text, err := s.run("restore", out)
	if err != nil || !strings.Contains(text, "--confirm-from") {
		t.Fatalf("restore: %v\n%s", err, text)
	}
	if text, err := s.run("restore", out); err == nil || !strings.Contains(text, "restored into this store before") {
		t.Errorf("a second restore: got %v\n%s", err, text)
	}
	s.spawn("--demo", "--public-url", "http://127.0.0.1:1")
	s.await("/healthz")
	s.checkUnconfirmed(t)
	for _, c := range []struct{ from, says string }{
		{"yesterday", "must be an instant"},
		{taken.Add(time.Minute).Format(time.RFC3339Nano), "a later instant is wrong"},
	} {
		if text, err := s.run("restore", "--confirm-from", c.from); err == nil || !strings.Contains(text, c.says) {
			t.Errorf("confirmation from %s: got %v\n%s", c.from, err, text)
		}
	}
	s.checkUnconfirmed(t)
	if text, err := s.run("restore", "--confirm-from", taken.Format(time.RFC3339Nano)); err != nil {
		t.Fatalf("confirm: %v\n%s", err, text)
	}
	wantStatus(t, "after confirmation", s.get("gp", "Patient/xgp01.r0"), 200, "")
	s.checkWholeBundles(t, w)
	s.stop()
	for _, command := range [][]string{{"verify"}, {"audit", "verify"}} {
		text, err := s.run(command...)
		if err != nil {
			t.Errorf("%v after the restore: %v\n%s", command, err, text)
		}
		if command[0] == "audit" && !strings.Contains(text, "chain 2 begins at") {
			t.Errorf("audit verify does not report the new chain:\n%s", text)
		}
	}
	s.checkConfirmationRecords(t, taken)
	s.start("--demo", "--public-url", "http://127.0.0.1:1")
	wantStatus(t, "the confirmation is permanent", s.get("gp", "Patient/xgp01.r0"), 200, "")
}

// checkUnconfirmed checks that requests for patient data are answered 503, and others are not.
func (s *server) checkUnconfirmed(t *testing.T) {
	t.Helper()
	for _, path := range []string{"Patient/xgp01.r0", "Patient/unheard-of", "Observation", "Observation?_summary=count", "_history", "Patient/xgp01.r0/_history"} {
		r := s.get("gp", path)
		wantStatus(t, "before confirmation: GET "+path, r, 503, "transient")
		if r.header.Get("Retry-After") == "" || strings.Contains(r.body, "xgp01") {
			t.Errorf("before confirmation: GET %s: got %v %s", path, r.header, r.body)
		}
	}
	wantStatus(t, "before confirmation: a write", s.do(trustClient, "PUT", "Basic/xac01.n", basic("xac01.n", "x")), 503, "transient")
	wantStatus(t, "metadata", s.get("", "metadata"), 200, "")
	resp, err := http.Get(s.site + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b := make([]byte, 4096)
	n, _ := resp.Body.Read(b)
	if resp.StatusCode != 503 || !strings.Contains(string(b[:n]), "restored from a backup") {
		t.Errorf("readyz: got %d %s, want 503 and the reason", resp.StatusCode, b[:n])
	}
}

// checkWholeBundles checks that the store has all bundles that were acknowledged before the backup, and of those
// written during it a prefix of whole bundles.
func (s *server) checkWholeBundles(t *testing.T, before *writer) {
	t.Helper()
	w := *before
	for s.get(trustClient, w.patient(w.done+1)).status == 200 {
		w.done++
	}
	w.sent = w.done
	w.checkStored(t, s)
	for n := w.done + 1; n < w.done+10; n++ {
		for path := range w.bodies(n) {
			if path != w.counter() {
				wantStatus(t, "an entry of a bundle after the backup", s.get(trustClient, path), 404, "not-found")
			}
		}
	}
	t.Logf("%d bundles were stored before the backup, it contains %d", before.done, w.done)
	if r := s.get("gp", "Observation?patient=Patient/xgp01.r0&_count=1"); r.get("entry.#").Int() == 0 {
		t.Errorf("the opt-out is not in the backup, so the rows are: got %d %s", r.status, r.body)
	}
}

// checkConfirmationRecords checks the audit records of the confirmation and of the new chain.
func (s *server) checkConfirmationRecords(t *testing.T, taken time.Time) {
	t.Helper()
	db := s.engine()
	defer db.Close()
	confirmed, begun := 0, 0
	for r, err := range db.Records(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		if g := gjson.GetBytes(r.Payload, "genesis"); g.Exists() {
			begun++
			if g.Get("position").Uint() != r.Pos-1 || len(g.Get("head").Str) != 64 {
				t.Errorf("the genesis record %d has the predecessor %s", r.Pos, g)
			}
		}
		if gjson.GetBytes(r.Payload, "interaction").Str == "confirm-restore" {
			confirmed++
			if who, from := gjson.GetBytes(r.Payload, "agent.subject").Str, gjson.GetBytes(r.Payload, "wishesMissingFrom").Str; who == "" || from != taken.Format(time.RFC3339Nano) {
				t.Errorf("the confirmation is recorded as %s", r.Payload)
			}
		}
	}
	if confirmed != 1 || begun != 1 {
		t.Errorf("got records of %d confirmations and %d new chains, want 1 of each", confirmed, begun)
	}
}

// TestCopiedByOtherMeans: a store that was copied with the tools of its engine is marked as restored by a
// command, and then has to be confirmed like a restored store.
func TestCopiedByOtherMeans(t *testing.T) {
	t.Parallel()
	s := onPebble(t)
	s.start("--demo", "--public-url", "http://127.0.0.1:1")
	wantStatus(t, "before", s.get("gp", "Patient/xgp01.r0"), 200, "")
	if text, err := s.run("restore", "--copied", "2026-05-01T12:00:00Z"); err == nil || !strings.Contains(text, "a server holds this store") {
		t.Errorf("mark a store that is served: got %v\n%s", err, text)
	}
	s.stop()
	seen := s.endOfFeed(store.Position{}, nil)
	if text, err := s.run("restore", "--copied", "2026-05-01T12:00:00Z"); err != nil {
		t.Fatalf("mark: %v\n%s", err, text)
	}
	// A consumer of the change feed of the copied store must resync.
	if now := s.endOfFeed(seen, store.ErrUnknownPosition); now.FeedID == seen.FeedID {
		t.Errorf("the feed of the copy is still %q", now.FeedID)
	}
	if text, err := s.run("audit", "verify"); err != nil || !strings.Contains(text, "chain 2 begins at") {
		t.Errorf("audit verify: %v\n%s", err, text)
	}
	s.spawn("--demo", "--public-url", "http://127.0.0.1:1")
	s.await("/healthz")
	s.checkUnconfirmed(t)
	s.stop()
	if text, err := s.run("restore", "--confirm-from", "2026-05-01T12:00:00Z"); err != nil {
		t.Fatalf("confirm a store at rest: %v\n%s", err, text)
	}
	s.start("--demo", "--public-url", "http://127.0.0.1:1")
	wantStatus(t, "a token of before the copy (SMART-499)", s.get("gp", "Patient/xgp01.r0"), 401, "")
	delete(s.tokens, "gp")
	wantStatus(t, "after", s.get("gp", "Patient/xgp01.r0"), 200, "")
}

// endOfFeed returns the end of the change feed of a stopped server. The test fails unless reading the feed after
// a position ends with the error want.
func (s *server) endOfFeed(after store.Position, want error) store.Position {
	s.t.Helper()
	db := s.engine()
	defer db.Close()
	end, err := db.End(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := db.Changes(s.t.Context(), after, 1); !errors.Is(err, want) {
		s.t.Errorf("after %v: got %v, want %v", after, err, want)
	}
	return end
}
