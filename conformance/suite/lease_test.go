package suite

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"carerecord/conformance/wait"
)

// lease is the duration of leases: short, so that tests do not wait long, and long enough for a busy machine to
// renew it.
const lease = 6 * time.Second

// onOtherMachine returns a server for the same store as on a machine that shares no folder with the first.
func (s *server) onOtherMachine() *server {
	home := s.t.TempDir()
	for _, name := range []string{"keys", "policy"} {
		copyFiles(s.t, s.folderFlag(name), filepath.Join(home, name))
	}
	return &server{t: s.t, store: s.store, tokens: s.tokens, flags: []string{"--keys", filepath.Join(home, "keys"), "--policy", filepath.Join(home, "policy")}}
}

// copyFiles copies the plain files of a folder, without folders and sockets.
func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, e.Name()), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// folderFlag returns the folder of the keys or of the policy of a server on MongoDB.
func (s *server) folderFlag(name string) string {
	for i, flag := range s.flags {
		if flag == "--"+name {
			return s.flags[i+1]
		}
	}
	s.t.Fatalf("the server has no --%s", name)
	return ""
}

// TestLeaseRefusesASecondWriter: one process writes to a MongoDB record (design §6). While a server runs, a
// second server and every command that writes are refused, with a text that names the remedy.
func TestLeaseRefusesASecondWriter(t *testing.T) {
	t.Parallel()
	s := onMongo(t).start("--demo", "--lease", lease.String())
	other := s.onOtherMachine()
	file := filepath.Join(t.TempDir(), "basic.json")
	if err := os.WriteFile(file, []byte(basic("xac01.l", "x")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"serve", "--listen", "127.0.0.1:0", "--demo", "--lease", lease.String()},
		{"load", "--source", "XAC01", file},
		{"token", "--client", trustClient},
	} {
		out, err := other.run(args...)
		if err == nil || !strings.Contains(out, "--to URL") || !strings.Contains(out, "held by process") {
			t.Errorf("%s while a server runs: got %v %q, want a refusal that names the holder and --to", args[0], err, out)
		}
	}
	wantStatus(t, "nothing was written", s.get(trustClient, "Basic/xac01.l"), 404, "not-found")
	// Through the socket next to the keys, and through HTTP, the running server writes.
	if out, err := s.run("load", "--source", "XAC01", file); err != nil {
		t.Errorf("load through the socket: %v\n%s", err, out)
	}
	wantStatus(t, "written through the socket", s.get(trustClient, "Basic/xac01.l"), 200, "")
	load := exec.Command(binary, "load", "--to", s.base, file)
	load.Env = append(os.Environ(), "CARERECORD_TOKEN="+s.token(trustClient))
	if out, err := load.CombinedOutput(); err != nil {
		t.Errorf("load --to: %v\n%s", err, out)
	}
	if out, err := other.run("audit", "verify"); err != nil || !strings.Contains(out, "the chain holds") {
		t.Errorf("a command that only reads: %v\n%s", err, out)
	}
	s.stop()
	if out, err := other.run("load", "--source", "XAC01", file); err != nil {
		t.Errorf("load after the server's end: %v\n%s", err, out)
	}
}

// TestLeaseEndsWithAKilledServer: after kill -9 the record can be opened again when the lease has expired.
func TestLeaseEndsWithAKilledServer(t *testing.T) {
	t.Parallel()
	s := onMongo(t).start("--demo", "--lease", lease.String())
	s.kill()
	began := time.Now()
	s.onOtherMachine().start("--demo", "--lease", lease.String())
	if took := time.Since(began); took > lease+30*time.Second { // opening may be slow on a busy machine
		t.Errorf("the next server was ready after %s, the lease is %s", took, lease)
	}
}

// TestLeaseLost: a server that is paused until another one has its lease answers no further request, and ends
// (design, laws 5 and 8).
func TestLeaseLost(t *testing.T) {
	t.Parallel()
	s := onMongo(t).start("--demo", "--lease", lease.String())
	s.token("consultant")
	wantStatus(t, "before", s.get("consultant", "Observation?_summary=count"), 200, "")
	freeze(t, s, syscall.SIGSTOP)
	t.Cleanup(func() { freeze(t, s, syscall.SIGCONT) })
	next := s.onOtherMachine().start("--demo", "--lease", lease.String())
	// This request is already waiting when the server continues, however slow the test is.
	waiting := s.raw(fmt.Sprintf("GET /fhir/Observation?_summary=count HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", s.tokens["consultant"]))
	waiting.SetReadDeadline(time.Now().Add(patience))
	freeze(t, s, syscall.SIGCONT)
	statuses := map[int]int{}
	if resp, err := http.ReadResponse(bufio.NewReader(waiting), nil); err != nil {
		t.Errorf("the request that waited: %v", err)
	} else {
		statuses[resp.StatusCode]++
	}
	if !wait.Until(func() bool {
		if !s.running() {
			return true
		}
		q, err := http.NewRequest("GET", s.base+"/Observation?_summary=count", nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Authorization", "Bearer "+s.tokens["consultant"])
		if resp, err := http.DefaultClient.Do(q); err == nil {
			resp.Body.Close()
			statuses[resp.StatusCode]++
		}
		return false
	}) {
		t.Fatalf("the server did not end: %v\n%s", statuses, s.output)
	}
	if s.cmd.ProcessState.Success() || !strings.Contains(s.output.String(), "lease of the record is lost") {
		t.Errorf("the server ended with %v:\n%s", s.cmd.ProcessState, s.output)
	}
	if statuses[503] == 0 || len(statuses) != 1 {
		t.Errorf("after the loss: got statuses %v, want only 503", statuses)
	}
	wantStatus(t, "the next server", next.get("consultant", "Observation?_summary=count"), 200, "")
}

// freeze pauses a server, or continues it.
func freeze(t *testing.T, s *server, signal syscall.Signal) {
	t.Helper()
	if !s.running() {
		return
	}
	if err := s.cmd.Process.Signal(signal); err != nil {
		t.Error(err)
	}
}

// TestPebbleStoreHasOneServer: a Pebble store has one process. A second server is refused with the reason.
func TestPebbleStoreHasOneServer(t *testing.T) {
	t.Parallel()
	s := onPebble(t).start("--demo")
	out, err := s.run("serve", "--listen", "127.0.0.1:0", "--demo")
	if err == nil || !strings.Contains(out, "another process holds this store") || strings.Contains(out, "resource temporarily unavailable") {
		t.Errorf("a second server: got %v %q, want a text that another process has the store open", err, out)
	}
}
