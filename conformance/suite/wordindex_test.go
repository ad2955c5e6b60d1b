package suite

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// TestWordIndex: a record has an index of words only after a reindex with it. It is served only with the setting
// with which it was keyed (SRCH-157).
func TestWordIndex(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		args := []string{"--auth", "off", "--public-url", "http://127.0.0.1:1"}
		s.start(args...)
		for _, body := range []string{`{"resourceType":"Basic","id":"a","code":{"text":"chronic cough"}}`, `{"resourceType":"Basic","id":"b","code":{"text":"cough"}}`} {
			if r := s.do("", "PUT", "Basic/"+gjson.Get(body, "id").Str, body); r.status != 201 {
				t.Fatalf("got %d %s, want 201", r.status, r.body)
			}
		}
		checkSearch := func(when string, status int, total int64) {
			t.Helper()
			r := s.do("", "GET", "Basic?_content=cough&_total=accurate", "")
			if r.status != status || status == 200 && r.get("total").Int() != total {
				t.Errorf("%s: got %d %s, want %d and a total of %d", when, r.status, r.body, status, total)
			}
			listed := s.do("", "GET", "metadata", "").get(`rest.0.resource.#(type=="Basic").searchParam.#(name=="_content").name`).Exists()
			if listed != (status == 200) {
				t.Errorf("%s: metadata lists _content: %v", when, listed)
			}
		}
		checkSearch("a new record", 400, 0)
		s.stop()
		s.checkRefused(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--word-index"}, args...)...)
		s.reindexAndVerify(t, "--word-index")
		s.start(args...)
		checkSearch("keyed with words", 200, 2)
		if r := s.do("", "PUT", "Basic/a", `{"resourceType":"Basic","id":"a","code":{"text":"well"}}`); r.status != 200 {
			t.Errorf("got %d %s, want 200", r.status, r.body)
		}
		checkSearch("an update", 200, 1)
		s.stop()
		s.reindexAndVerify(t)
		s.start(args...)
		checkSearch("rekeyed unchanged", 200, 1)
		s.stop()
		s.checkRefused(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--no-word-index"}, args...)...)
		s.reindexAndVerify(t, "--no-word-index")
		s.start(append(args, "--no-word-index")...)
		checkSearch("keyed without words", 400, 0)
	})
}

// reindexAndVerify runs the commands reindex and verify on a store without a server.
func (s *server) reindexAndVerify(t *testing.T, args ...string) {
	t.Helper()
	site := []string{"--auth", "off", "--public-url", "http://127.0.0.1:1"}
	if out, err := s.run(append(append([]string{"reindex"}, args...), site...)...); err != nil || !strings.Contains(out, ", done: ") {
		t.Fatalf("reindex %v: %v\n%s", args, err, out)
	}
	if out, err := s.run(append([]string{"verify"}, site...)...); err != nil {
		t.Errorf("verify after reindex %v: %v\n%s", args, err, out)
	}
}

// checkRefused runs a command, which must report that the store has another key format.
func (s *server) checkRefused(t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, binary, append(append(args, "--store", s.store), s.flags...)...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another key format") || !strings.Contains(string(out), "with words") {
		t.Errorf("%v: got %v\n%s", args, err, out)
	}
}
