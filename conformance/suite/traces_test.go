package suite

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// TestTraces: a request has a span at each of the four boundaries. Its attributes are from a fixed list, and it has
// no value of the request.
func TestTraces(t *testing.T) {
	var mu sync.Mutex
	var bodies [][]byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		b, err := io.ReadAll(q.Body)
		if err != nil || q.URL.Path != "/v1/traces" {
			t.Errorf("traces came to %s: %v", q.URL.Path, err)
		}
		mu.Lock()
		defer mu.Unlock()
		bodies = append(bodies, b)
	}))
	defer server.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
	s := onPebble(t).start("--demo")
	wantStatus(t, "create", s.do(trustClient, "PUT", "Patient/xac01.Quillfeather", `{"resourceType":"Patient","id":"xac01.Quillfeather","name":[{"family":"Quillfeather"}]}`), 201, "")
	wantStatus(t, "read", s.get(trustClient, "Patient/xac01.Quillfeather"), 200, "")
	wantStatus(t, "a stale write", s.do(trustClient, "PUT", "Patient/xac01.Quillfeather", `{"resourceType":"Patient","id":"xac01.Quillfeather"}`, `If-Match: W/"7"`), 412, "")
	s.stop() // exports the remaining spans

	attributes := []string{"carerecord.cause", "carerecord.interaction", "carerecord.records", "carerecord.type", "carerecord.writes", "http.response.status_code"}
	below := map[string]bool{} // spans with their parents
	names := map[string]string{}
	mu.Lock()
	defer mu.Unlock()
	for _, b := range bodies {
		for _, no := range append(s.secrets(), "Quillfeather", "xac01", "family") {
			if bytes.Contains(b, []byte(no)) {
				t.Errorf("a trace contains %q", no)
			}
		}
		var sent collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(b, &sent); err != nil {
			t.Fatal(err)
		}
		for _, r := range sent.ResourceSpans {
			for _, scope := range r.ScopeSpans {
				for _, span := range scope.Spans {
					names[string(span.SpanId)] = span.Name
				}
			}
		}
		for _, r := range sent.ResourceSpans {
			for _, scope := range r.ScopeSpans {
				for _, span := range scope.Spans {
					below[names[string(span.ParentSpanId)]+">"+span.Name] = true
					for _, a := range span.Attributes {
						if !slices.Contains(attributes, a.Key) {
							t.Errorf("%s has the attribute %q, which is not in the list", span.Name, a.Key)
						}
					}
					if len(span.Events) > 0 || span.Status.GetMessage() != "" {
						t.Errorf("%s has texts: %v %v", span.Name, span.Events, span.Status)
					}
				}
			}
		}
	}
	for _, pair := range []string{">request", "request>store.read", "request>decision", "request>store.commit", "request>trail.append"} {
		if !below[pair] {
			t.Errorf("no span %s: got %s", pair, cmp.Diff(nil, below))
		}
	}
	if !strings.Contains(s.output.String(), " trace=") {
		t.Errorf("the log has no trace id:\n%s", s.output)
	}
}
