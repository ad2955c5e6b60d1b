package suite

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"carerecord/conformance/testfiles"
)

// TestSyntheaWhole: the command load stores the whole Synthea set, and every resource is read back token for
// token, except id, meta and rewritten references, on both engines (REST-092, 220, 226).
func TestSyntheaWhole(t *testing.T) {
	const bundles, resources = 150, 46_693
	files := testfiles.Shared(t, testfiles.Synthea+"/*.json.gz")
	if len(files) != bundles {
		t.Fatalf("got %d bundles, want %d", len(files), bundles)
	}
	engines(t, func(t *testing.T, s *server) {
		s.start("--auth", "off")
		w := &recordingProxy{server: s}
		between := httptest.NewServer(w)
		defer between.Close()
		out, err := exec.Command(binary, "load", "--to", between.URL+"/fhir", filepath.Dir(files[0])).CombinedOutput()
		if err != nil {
			t.Fatalf("load: %v\n%s", err, out)
		}
		text := strings.TrimSpace(string(out[bytes.LastIndexByte(out, '\r')+1:]))
		if !strings.Contains(text, fmt.Sprintf("%d resources in ", resources)) || !strings.Contains(text, "bundles refused 0") || !strings.Contains(text, "resources/s") {
			t.Errorf("load printed %q, want %d resources, none refused, and the rate", text, resources)
		}
		t.Logf("load: %s", text)
		began := time.Now()
		if n := w.readBack(t); n != resources {
			t.Errorf("read back %d resources, want %d", n, resources)
		}
		t.Logf("read back and compared in %s", time.Since(began).Round(time.Second))
	})
}

// recordingProxy forwards the requests of the command load to the server, and records requests and answers, which
// have the ids of the resources.
type recordingProxy struct {
	*server
	mu     sync.Mutex
	passed []exchange
}

type exchange struct {
	sent     string
	answered reply
}

func (w *recordingProxy) ServeHTTP(out http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)
		return
	}
	to, err := url.Parse(w.site)
	if err != nil {
		http.Error(out, err.Error(), http.StatusInternalServerError)
		return
	}
	to.Path = q.URL.Path
	resp, err := http.Post(to.String(), q.Header.Get("Content-Type"), bytes.NewReader(body))
	if err != nil {
		http.Error(out, err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		http.Error(out, err.Error(), http.StatusBadGateway)
		return
	}
	w.mu.Lock()
	w.passed = append(w.passed, exchange{string(body), reply{resp.StatusCode, resp.Header, string(answer)}})
	w.mu.Unlock()
	out.WriteHeader(resp.StatusCode)
	out.Write(answer)
}

// readBack reads back all recorded resources, several bundles at a time, and returns their number.
func (w *recordingProxy) readBack(t *testing.T) int {
	n := 0
	var group sync.WaitGroup
	places := make(chan struct{}, 8)
	for _, e := range w.passed {
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			read, err := readBackTransaction(w.server, e.sent, e.answered)
			if err != nil {
				t.Error(err)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			n += read
		})
	}
	group.Wait()
	return n
}
