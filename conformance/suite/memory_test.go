package suite

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestMemoryOfABundle: a transaction of 64 MiB needs less than 600 MiB of memory. In a soak of ten, the largest
// accepted transaction, of 256 MiB, needs less than 2 GiB (REST-240, LIM-002).
func TestMemoryOfABundle(t *testing.T) {
	size, most := 64<<20, 600<<20
	if soak(t) >= 10 {
		size, most = 255<<20, 2<<30
	}
	s := onPebble(t)
	s.start("--auth", "off")
	before := s.peakMemory(t)
	body := hugeBundle(size)
	resp, err := http.Post(s.base, "application/fhir+json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Fatalf("a bundle of %d bytes: got %d", len(body), resp.StatusCode)
	}
	peak := s.peakMemory(t)
	t.Logf("a bundle of %d MiB: %d MiB at most, %d before", len(body)>>20, peak>>20, before>>20)
	if peak > most {
		t.Errorf("a bundle of %d MiB took %d MiB of memory, want at most %d", len(body)>>20, peak>>20, most>>20)
	}
}

// hugeBundle returns a transaction of so many bytes, with entries of 10 KB.
func hugeBundle(size int) []byte {
	var b bytes.Buffer
	b.Grow(size)
	b.WriteString(`{"resourceType":"Bundle","type":"transaction","entry":[`)
	text := strings.Repeat("x", 9900)
	for n := 0; b.Len()+2*len(text) < size; n++ {
		if n > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"request":{"method":"PUT","url":"Basic/m%d"},"resource":{"resourceType":"Basic","id":"m%[1]d","code":{"text":"c"},`+
			`"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">%s</div>"}}}`, n, text)
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

// peakMemory returns the maximum resident memory of the server, in bytes.
func (s *server) peakMemory(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Skipf("SKIPPED: this system does not say how much memory a process has held: %v", err)
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
	if found == nil {
		t.Skip("SKIPPED: this system does not say how much memory a process has held")
	}
	kb, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}
