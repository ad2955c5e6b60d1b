package suite

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// admin starts a server with an address for its operator and returns both.
func admin(s *server, args ...string) (*server, string) {
	s.t.Helper()
	address := s.freeAddress()
	return s.start(append(args, "--admin", address)...), "http://" + address
}

// TestMonitor: the metrics show each interaction, and no personal data. After requests with names, resources
// and values in every place where a request can have them, none of these is in the metrics or in the log
// (SMART-481, REST-005).
func TestMonitor(t *testing.T) {
	t.Parallel()
	s, at := admin(onPebble(t), "--demo")
	const secret = "Quillfeather"
	patient := fmt.Sprintf(`{"resourceType":"Patient","id":"xac01.%s","name":[{"family":"%s"}],"identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000018"}]}`, secret, secret)
	want(t, "create", s.do(feed, "PUT", "Patient/xac01."+secret, patient), 201, "")
	want(t, "read", s.get(feed, "Patient/xac01."+secret), 200, "")
	want(t, "search", s.get(feed, "Patient?family="+secret), 200, "")
	want(t, "bad parameter", s.get(feed, "Patient?"+secret+"=1", "Prefer: handling=strict"), 400, "")
	want(t, "not there", s.get(feed, "Patient/xac01.not"+secret), 404, "")
	want(t, "no type", s.get(feed, secret+"/1"), 404, "")
	want(t, "no route", s.get(feed, "Patient/1/$"+secret), 404, "")
	want(t, "bad body", s.do(feed, "POST", "Patient", `{"`+secret+`":1}`), 400, "")
	want(t, "foreign id space", s.do(feed, "PUT", "Patient/"+secret, strings.Replace(patient, "xac01."+secret, secret, 1)), 403, "")
	want(t, "transaction", s.do(feed, "POST", "", `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":`+patient+`,"request":{"method":"PUT","url":"Patient/xac01.`+secret+`"}}]}`), 200, "")
	want(t, "no token", s.do("", "GET", "Patient/"+secret, "", "Authorization: Bearer "+secret), 401, "")

	resp, err := http.Get(at + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	metrics := read(t, resp)
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
	_, log, _ := strings.Cut(s.output.String(), "msg=serving") // before it the demonstration prints its samples
	for what, text := range map[string]string{"metrics": metrics, "log": log} {
		for _, no := range append(s.secrets(), secret, strings.ToLower(secret), "9990000018", "xac01.", "family") {
			if strings.Contains(text, no) {
				t.Errorf("the %s holds %q", what, no)
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

// secrets are the tokens that a test used.
func (s *server) secrets() (all []string) {
	for _, token := range s.tokens {
		all = append(all, token)
	}
	return all
}

// TestReadySaysWhy: each part that a request needs has its line.
func TestReadySaysWhy(t *testing.T) {
	s, at := admin(onPebble(t), "--demo")
	for _, site := range []string{s.site, at} {
		resp, err := http.Get(site + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, resp); resp.StatusCode != 200 || got != "store: ready\nlease: ready\ntrail: ready\n" {
			t.Errorf("%s: got %d %q", site, resp.StatusCode, got)
		}
	}
	if resp, err := http.Get(s.site + "/metrics"); err != nil || resp.StatusCode != 404 {
		t.Errorf("the metrics are on the address of the clients: %v %v", resp, err)
	}
}

// read is the whole body of an answer.
func read(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
