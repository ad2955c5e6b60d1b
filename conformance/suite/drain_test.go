package suite

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"carerecord/conformance/wait"
)

// raw opens a connection and sends text.
func (s *server) raw(text string) net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.site, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	if _, err := conn.Write([]byte(text)); err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// requestHead returns the head of an HTTP request of the source system.
func (s *server) requestHead(method, path string, length int) string {
	return fmt.Sprintf("%s /fhir%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/fhir+json\r\nContent-Length: %d\r\n\r\n",
		method, path, s.token(trustClient), length)
}

// drainTime is the time in which a server finishes running requests (LIM-009).
const drainTime = 30 * time.Second

// TestDrain: after SIGTERM a server finishes the running request, accepts no new one, and exits with 0 (LIM-009).
func TestDrain(t *testing.T) {
	t.Parallel()
	s := onPebble(t).start("--demo")
	body := `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":` + basic("xac01.drained", "kept") + `,"request":{"method":"PUT","url":"Basic/xac01.drained"}}]}`
	s.token(trustClient)
	// The answer 100 says that the server has begun to read the body: the request is running.
	head := strings.Replace(s.requestHead("POST", "", len(body)), "Content-Type", "Expect: 100-continue\r\nContent-Type", 1)
	running := s.raw(head)
	answers := bufio.NewReader(running)
	if begun, err := http.ReadResponse(answers, nil); err != nil || begun.StatusCode != http.StatusContinue {
		t.Fatalf("got %v %v, want 100", begun, err)
	}
	if _, err := running.Write([]byte(body[:50])); err != nil {
		t.Fatal(err)
	}
	idle := s.raw("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	answered, err := http.ReadResponse(bufio.NewReader(idle), nil)
	if err != nil || answered.StatusCode != 200 {
		t.Fatalf("got %v %v", answered, err)
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	if !wait.For(drainTime, func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.site, "http://"))
		if err == nil {
			conn.Close()
		}
		return err != nil
	}) {
		t.Fatal("LIM-009: a draining server accepts new connections")
	}
	if !s.running() {
		t.Fatal("LIM-009: the server ended while a request was running")
	}
	if _, err := running.Write([]byte(body[50:])); err != nil {
		t.Fatal(err)
	}
	running.SetReadDeadline(time.Now().Add(drainTime))
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatalf("LIM-009: the running request got no answer: %v\n%s", err, s.output)
	}
	if got := readAll(t, resp); resp.StatusCode != 200 {
		t.Errorf("LIM-009: the running request got %d %s", resp.StatusCode, got)
	}
	select {
	case <-s.ended:
	case <-time.After(drainTime):
		t.Fatal("LIM-009: the server does not end after the last request")
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("LIM-009: the server ended with %d:\n%s", code, s.output)
	}
	s.start("--demo")
	wantStatus(t, "LIM-009 a resource that was acknowledged while draining", s.get(trustClient, "Basic/xac01.drained"), 200, "")
}

// TestAborts: clients that close their connection at any moment, and clients that send slowly or nothing, leave
// no connection and no goroutine (LIM-009). 200 clients close their connection, 10,000 in a soak.
func TestAborts(t *testing.T) {
	t.Parallel()
	s, at := startWithAdmin(onPebble(t), "--demo", "--limit", "search-deadline=1s", "--limit", "bundle-deadline=1s")
	s.token(trustClient)
	wantStatus(t, "before", s.get(trustClient, "Basic"), 200, "")
	before := gauges(t, at)
	n := 200
	if soak(t) > 1 {
		n = 10_000
	}
	body := basic("xac01.a", strings.Repeat("x", 5000))
	put := s.requestHead("PUT", "/Basic/xac01.a", len(body))
	for i := range n {
		var text string
		switch i % 5 {
		case 0:
			text = put[:20]
		case 1:
			text = put
		case 2:
			text = put + body[:2500]
		case 3:
			text = put + body
		case 4:
			text = s.requestHead("GET", "/Observation?_count=1000", 0)
		}
		s.raw(text).Close()
	}
	var slow []net.Conn
	for range 20 {
		slow = append(slow, s.raw(put+body[:2500]), s.raw(put[:20]))
	}
	began := time.Now()
	for i, conn := range slow {
		conn.SetReadDeadline(time.Now().Add(patience))
		_, err := bufio.NewReader(conn).WriteTo(&output{})
		if e, ok := err.(net.Error); ok && e.Timeout() {
			t.Fatalf("LIM-009: slow client %d still has its connection after %s", i, time.Since(began))
		}
	}
	t.Logf("%d clients hung up; 40 slow ones were disconnected after %s", n, time.Since(began).Round(time.Millisecond))
	var after heldResources
	if !wait.Until(func() bool {
		after = gauges(t, at)
		return after.underWay == 0 && after.goroutines <= before.goroutines+5 && after.files <= before.files+5
	}) {
		t.Fatalf("LIM-009: before %+v, after %+v", before, after)
	}
	r := s.get(trustClient, "Basic/xac01.a")
	if r.status == 404 {
		t.Log("no write was done before its client was found to be gone: it is not there")
		return
	}
	wantStatus(t, "LIM-009 a write of a disconnected client is stored as a whole or not at all", r, 200, "")
	if got := r.get("code.text").Str; got != strings.Repeat("x", 5000) {
		t.Errorf("LIM-009: got %.40s…, want the whole text", got)
	}
}

// heldResources are the resources of a server that connections use.
type heldResources struct{ underWay, goroutines, files int }

func gauges(t *testing.T, at string) (h heldResources) {
	t.Helper()
	resp, err := http.Get(at + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(readAll(t, resp)) {
		fmt.Sscanf(line, "carerecord_requests_under_way %d", &h.underWay)
		fmt.Sscanf(line, "go_goroutines %d", &h.goroutines)
		fmt.Sscanf(line, "process_open_fds %d", &h.files)
	}
	if h.goroutines == 0 || h.files == 0 {
		t.Fatal("the metrics lack goroutines or files")
	}
	return h
}
