package suite

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestServerWithRaceDetector runs the program with the race detector on both engines. At the same time,
// clients write transactions, conditionally create one resource (REST-126) and read, and a patient opts out and
// in again. The test has a twentieth of the requests of the long tests. It fails if the program has a data race.
func TestServerWithRaceDetector(t *testing.T) {
	raced := filepath.Join(t.TempDir(), "carerecord")
	if out, err := exec.Command("go", "build", "-race", "-o", raced, "../../cmd/carerecord").CombinedOutput(); err != nil {
		t.Fatalf("build the program with the race detector: %v\n%s", err, out)
	}
	engines(t, func(t *testing.T, s *server) {
		s.program = raced
		s.start("--demo")
		for _, who := range []string{trustClient, "gp", "consultant"} {
			s.token(who)
		}
		began := time.Now()
		var all sync.WaitGroup
		client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
		defer client.CloseIdleConnections()
		const bundles, creates, looks = 3, 50, 40
		for i := range writers {
			w := &writer{name: fmt.Sprintf("xac01.r%d", i)}
			all.Go(func() {
				for n := range bundles {
					if status, body, err := s.post(client, w.bundle(n+1)); err != nil || status != 200 {
						t.Errorf("bundle %d of %s: got %d %s, %v", n+1, w.name, status, body, err)
					}
				}
			})
		}
		for range 5 {
			all.Go(func() {
				for range creates / 5 {
					s.do(trustClient, "POST", "Organization", `{"resourceType":"Organization","name":"R","identifier":[{"system":"s","value":"raced"}]}`, "If-None-Exist: identifier=s|raced")
				}
			})
		}
		for range 2 {
			all.Go(func() {
				for range looks / 2 {
					s.get("consultant", "Observation?code=k-1&_include=Observation:subject&_sort=date")
					s.get("consultant", "Patient/_history?_count=5")
				}
			})
		}
		all.Go(func() {
			patient := "Patient/" + s.do(trustClient, "POST", "Patient", `{"resourceType":"Patient"}`).id()
			id := s.do("gp", "POST", "Consent", optOutOf(patient, "active")).id()
			for i := range 6 {
				status := []string{"inactive", "active"}[i%2]
				s.do("gp", "PUT", "Consent/"+id, strings.Replace(optOutOf(patient, status), `"status"`, `"id":"`+id+`","status"`, 1))
			}
		})
		all.Wait()
		if r := s.get(trustClient, "Organization?identifier=s|raced"); r.get("total").Int() != 1 {
			t.Errorf("REST-126: got %s, want one resource", r.body)
		}
		s.stop()
		if code := s.cmd.ProcessState.ExitCode(); code != 0 || strings.Contains(s.output.String(), "DATA RACE") {
			t.Errorf("the program ended with %d:\n%s", code, s.output)
		}
		t.Logf("%d bundles, %d conditional creates and %d reads in %.1f s", writers*bundles, creates, 2*looks, time.Since(began).Seconds())
	})
}
