package suite

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// startWithAdmin starts a server with an admin address and returns both.
func startWithAdmin(s *server, args ...string) (*server, string) {
	s.t.Helper()
	address := s.freeAddress()
	return s.start(append(args, "--admin", address)...), "http://" + address
}

// TestMonitor: the metrics count each interaction and contain no personal data. The requests have names, ids and
// values wherever a request can have them, and none of these is in the metrics or in the log (SMART-481,
// REST-005).
func TestMonitor(t *testing.T) {
	t.Parallel()
	s, at := startWithAdmin(onPebble(t), "--demo")
	const secret = "Quillfeather"
	patient := fmt.Sprintf(`{"resourceType":"Patient","id":"xac01.%s","name":[{"family":"%s"}],"identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000018"}]}`, secret, secret)
	wantStatus(t, "create", s.do(trustClient, "PUT", "Patient/xac01."+secret, patient), 201, "")
	wantStatus(t, "read", s.get(trustClient, "Patient/xac01."+secret), 200, "")
	wantStatus(t, "search", s.get(trustClient, "Patient?family="+secret), 200, "")
	wantStatus(t, "bad parameter", s.get(trustClient, "Patient?"+secret+"=1", "Prefer: handling=strict"), 400, "")
	wantStatus(t, "unknown id", s.get(trustClient, "Patient/xac01.not"+secret), 404, "")
	wantStatus(t, "unknown type", s.get(trustClient, secret+"/1"), 404, "")
	wantStatus(t, "unknown route", s.get(trustClient, "Patient/1/$"+secret), 404, "")
	wantStatus(t, "bad body", s.do(trustClient, "POST", "Patient", `{"`+secret+`":1}`), 400, "")
	wantStatus(t, "foreign id space", s.do(trustClient, "PUT", "Patient/"+secret, strings.Replace(patient, "xac01."+secret, secret, 1)), 403, "")
	wantStatus(t, "transaction", s.do(trustClient, "POST", "", `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":`+patient+`,"request":{"method":"PUT","url":"Patient/xac01.`+secret+`"}}]}`), 200, "")
	wantStatus(t, "no token", s.do("", "GET", "Patient/"+secret, "", "Authorization: Bearer "+secret), 401, "")

	resp, err := http.Get(at + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	metrics := readAll(t, resp)
	for _, line := range []string{
		`carerecord_requests_total{class="2xx",interaction="read"} 1`,
		`carerecord_requests_total{class="4xx",interaction="read"} 3`,
		`carerecord_requests_total{class="2xx",interaction="update"} 1`,
		`carerecord_requests_total{class="4xx",interaction="update"} 1`,
		`carerecord_requests_total{class="2xx",interaction="transaction"} 1`,
		`carerecord_requests_total{class="4xx",interaction="unknown"} 1`,
		`carerecord_request_seconds_count{interaction="search"} 2`,
		`carerecord_requests_under_way 0`,
		`carerecord_held 1`,
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("the metrics lack %q", line)
		}
	}
	for _, name := range []string{`carerecord_store_seconds_bucket{call="read"`, `carerecord_store_seconds_bucket{call="commit"`, "carerecord_trail_records_total", "process_resident_memory_bytes", "go_goroutines"} {
		if !strings.Contains(metrics, name) {
			t.Errorf("the metrics lack %s", name)
		}
	}
	_, log, _ := strings.Cut(s.output.String(), "msg=serving") // the demonstration prints sample tokens before it
	for what, text := range map[string]string{"metrics": metrics, "log": log} {
		for _, no := range append(s.secrets(), secret, strings.ToLower(secret), "9990000018", "xac01.", "family") {
			if strings.Contains(text, no) {
				t.Errorf("the %s contains %q", what, no)
			}
		}
	}
	lines := regexp.MustCompile(`(?m)msg=request interaction=(\S+) type=(\S+) status=(\d+) took=\S+ request=[0-9a-f]+ client=(\S+)$`).FindAllStringSubmatch(log, -1)
	if len(lines) != 11 {
		t.Errorf("got %d lines of requests, want 11, one each:\n%s", len(lines), s.output)
	} else if got := strings.Join(lines[1][1:], " "); got != "read Patient 200 demo-feed" {
		t.Errorf("the second request is logged as %q", got)
	}
}

// secrets returns the tokens that a test has used.
func (s *server) secrets() (all []string) {
	for _, token := range s.tokens {
		all = append(all, token)
	}
	return all
}

// TestReadySaysWhy: readyz has a line for each part that requests need.
func TestReadySaysWhy(t *testing.T) {
	s, at := startWithAdmin(onPebble(t), "--demo")
	for _, site := range []string{s.site, at} {
		resp, err := http.Get(site + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, resp); resp.StatusCode != 200 || got != "store: ready\nlease: ready\nclock: ready\ntrail: ready\n" {
			t.Errorf("%s: got %d %q", site, resp.StatusCode, got)
		}
	}
	if resp, err := http.Get(s.site + "/metrics"); err != nil || resp.StatusCode != 404 {
		t.Errorf("the metrics are served on the address for clients: %v %v", resp, err)
	}
}

// readAll returns the body of an answer.
func readAll(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
