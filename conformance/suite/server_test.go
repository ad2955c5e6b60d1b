package suite

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/conformance/wait"
	"carerecord/store/mongo/mongotest"
)

const patience = wait.Patience

// binary is the path of the program under test, which is built once.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "carerecord-suite-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "carerecord")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/carerecord").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the program: %v\n%s", err, out)
		os.Exit(1)
	}
	code := mongotest.Run(m)
	os.RemoveAll(dir)
	os.Exit(code)
}

// server runs the program on a store of its own.
type server struct {
	t       *testing.T
	program string // the program to run instead of binary; may be empty
	store   string // value of --store
	flags   []string
	args    []string
	site    string
	base    string
	cmd     *exec.Cmd
	ended   chan struct{} // closed after cmd has ended
	output  *output
	tokens  map[string]string
}

// output collects the output of a running program.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// engines runs a test on both engines, in parallel with other tests, since tests mostly wait for their server.
func engines(t *testing.T, f func(t *testing.T, s *server)) {
	t.Helper()
	t.Parallel()
	t.Run("pebble", func(t *testing.T) { t.Parallel(); f(t, onPebble(t)) })
	t.Run("mongo", func(t *testing.T) { t.Parallel(); f(t, onMongo(t)) })
}

func onPebble(t *testing.T) *server {
	return &server{t: t, store: "pebble:" + filepath.Join(t.TempDir(), "store"), tokens: map[string]string{}}
}

func onMongo(t *testing.T) *server { return onServer(t, mongotest.StartSeparate(t)) }

// onServer returns a server on a new database of a MongoDB server.
func onServer(t *testing.T, m *mongotest.Server) *server {
	uri, name := m.Database(t)
	home := t.TempDir()
	at, query, _ := strings.Cut(uri, "?")
	at = strings.TrimSuffix(at, "/") + "/" + name
	if query != "" {
		at += "?" + query
	}
	return &server{t: t, store: at, tokens: map[string]string{},
		flags: []string{"--keys", filepath.Join(home, "keys"), "--policy", filepath.Join(home, "policy")}}
}

// start runs the command serve with additional arguments and waits until it is ready.
func (s *server) start(args ...string) *server {
	s.t.Helper()
	s.spawn(args...)
	s.await("/readyz")
	return s
}

// spawn runs the command serve with additional arguments.
func (s *server) spawn(args ...string) {
	s.t.Helper()
	s.args = args
	address := s.freeAddress()
	s.site = "http://" + address
	s.base = s.site + "/fhir"
	s.output = &output{}
	s.cmd = exec.Command(cmp.Or(s.program, binary), append(append([]string{"serve", "--store", s.store, "--listen", address}, s.flags...), args...)...)
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) { // ends with the program, which stop ends
		cmd.Wait()
		close(ended)
	}(s.cmd, s.ended)
	s.t.Cleanup(s.stop)
}

// freeAddress returns an address without a listener.
func (s *server) freeAddress() string {
	s.t.Helper()
	port, err := mongotest.FreePort()
	if err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// await waits until a GET of path is answered 200.
func (s *server) await(path string) {
	s.t.Helper()
	ok := false
	wait.Until(func() bool {
		resp, err := http.Get(s.site + path)
		if err == nil {
			resp.Body.Close()
			ok = resp.StatusCode == 200
		}
		return ok || !s.running()
	})
	if !ok {
		s.t.Fatalf("%s did not answer 200:\n%s", path, s.output)
	}
}

func (s *server) running() bool {
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// stop drains the server, and kills it if that takes too long. A second call does nothing.
func (s *server) stop() {
	if s.cmd == nil || !s.running() {
		return
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(40 * time.Second):
		s.t.Errorf("the server does not end:\n%s", s.output)
		s.kill()
	}
}

// kill kills the server (kill -9).
func (s *server) kill() {
	s.cmd.Process.Kill()
	<-s.ended
}

// run runs a command of the program against the store.
func (s *server) run(args ...string) (string, error) {
	flags := append([]string{"--store", s.store}, s.flags...)
	out, err := exec.Command(binary, append(args, flags...)...).CombinedOutput()
	return string(out), err
}

// runWithoutStore runs a command of the program that needs no store.
func (s *server) runWithoutStore(args ...string) (string, error) {
	out, err := exec.Command(binary, args...).CombinedOutput()
	return string(out), err
}

// token returns a token of a sample person or client: "gp", "consultant", "clerk", "nurse", "patient", or a
// client's id.
func (s *server) token(who string) string {
	s.t.Helper()
	if tok, ok := s.tokens[who]; ok {
		return tok
	}
	args := []string{"token", "--client", who}
	switch who {
	case "patient":
		args = []string{"token", "--user", who, "--client", "demo-app"}
	case "gp", "consultant", "clerk", "nurse":
		args = []string{"token", "--user", who, "--client", "demo-ehr"}
	}
	out, err := s.run(args...)
	if err != nil {
		s.t.Fatalf("token of %s: %v\n%s", who, err, out)
	}
	s.tokens[who] = strings.TrimSpace(out)
	return s.tokens[who]
}

// reply is an answer of the server with its whole body.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) get(path string) gjson.Result { return gjson.Get(r.body, path) }

// id returns the id in the Location header.
func (r reply) id() string {
	parts := strings.Split(r.header.Get("Location"), "/")
	if len(parts) < 3 {
		return ""
	}
	return parts[len(parts)-3]
}

// do sends a request as a sample person or client, or without a token if who is empty. Headers have the form
// "Name: value".
func (s *server) do(who, method, path, body string, header ...string) reply {
	s.t.Helper()
	url := path
	if !strings.HasPrefix(path, "http") {
		url = s.base + "/" + path
	}
	q, err := http.NewRequestWithContext(context.Background(), method, strings.TrimSuffix(url, "/"), strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		q.Header.Set("Content-Type", "application/fhir+json")
	}
	if who != "" {
		q.Header.Set("Authorization", "Bearer "+s.token(who))
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Content-Type" {
			q.Header.Del(name)
		}
		q.Header.Add(name, value)
	}
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s", method, path, err, s.output)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if len(b) > 0 && method != http.MethodHead && strings.Contains(resp.Header.Get("Content-Type"), "json") && !json.Valid(b) {
		s.t.Fatalf("%s %s: the body is not JSON: %q", method, path, b)
	}
	return reply{resp.StatusCode, resp.Header, string(b)}
}

func (s *server) get(who, path string, header ...string) reply {
	s.t.Helper()
	return s.do(who, http.MethodGet, path, "", header...)
}
