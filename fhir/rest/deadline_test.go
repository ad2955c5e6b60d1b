package rest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/fhir/rest"
	"carerecord/store"
	"carerecord/store/storetest"
)

// hanging is an engine that hangs until the context of a call ends: at a
// snapshot, in the middle of a scan or a history, or at a commit.
type hanging struct {
	*storetest.Reference
	at    string
	ended int // calls that ended with their context
}

func (h *hanging) hang(ctx context.Context) error {
	select {
	case <-ctx.Done():
		h.ended++
		return ctx.Err()
	case <-time.After(10 * time.Second):
		return fmt.Errorf("no deadline reached the store")
	}
}

func (h *hanging) Read(ctx context.Context, f func(store.Snapshot) error) error {
	if h.at == "snapshot" {
		return h.hang(ctx)
	}
	return h.Reference.Read(ctx, func(s store.Snapshot) error { return f(hangingSnap{s, h}) })
}

func (h *hanging) Commit(ctx context.Context, b store.Batch) (uint64, error) {
	if h.at == "commit" {
		return 0, h.hang(ctx)
	}
	return h.Reference.Commit(ctx, b)
}

type hangingSnap struct {
	store.Snapshot
	h *hanging
}

func (s hangingSnap) Get(ctx context.Context, ref store.Ref) (store.Doc, error) {
	if s.h.at == "row" {
		return store.Doc{}, s.h.hang(ctx)
	}
	return s.Snapshot.Get(ctx, ref)
}

func (s hangingSnap) Scan(ctx context.Context, q store.Query) iter.Seq2[store.Doc, error] {
	return s.rows(ctx, s.Snapshot.Scan(ctx, q))
}

func (s hangingSnap) History(ctx context.Context, q store.HistoryQuery) iter.Seq2[store.Doc, error] {
	return s.rows(ctx, s.Snapshot.History(ctx, q))
}

// rows hangs behind the first row.
func (s hangingSnap) rows(ctx context.Context, all iter.Seq2[store.Doc, error]) iter.Seq2[store.Doc, error] {
	return func(yield func(store.Doc, error) bool) {
		for d, err := range all {
			if !yield(d, err) {
				return
			}
			if s.h.at == "row" {
				yield(store.Doc{}, s.h.hang(ctx))
				return
			}
		}
	}
}

// TestDeadlines: the deadline of a request reaches the store; when it passes the
// answer is a 503 that may be repeated, with no part of the answer in it, and
// nothing is written (LIM-005).
func TestDeadlines(t *testing.T) {
	const deadline = 50 * time.Millisecond
	h := &hanging{Reference: storetest.NewReference(time.Now)}
	site := handlerWith(t, h, func(c *rest.Config) {
		c.Limits.Deadline, c.Limits.BundleDeadline = deadline, deadline
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	})
	const ely = `{"resourceType":"Patient","id":"%s","name":[{"family":"Ely"}]}`
	for _, id := range []string{"1", "2"} {
		if w := send(site, "PUT", "/Patient/"+id, fmt.Sprintf(ely, id)); w.Code != 201 {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
	}
	bundle := func(typ, entry string) string {
		return `{"resourceType":"Bundle","type":"` + typ + `","entry":[` + entry + `]}`
	}
	post := `{"resource":{"resourceType":"Patient","name":[{"family":"New"}]},"request":{"method":"POST","url":"Patient"}}`
	for _, c := range []struct{ at, method, path, body string }{
		{"snapshot", "GET", "/Patient/1", ""}, {"row", "GET", "/Patient/1", ""},
		{"snapshot", "GET", "/Patient", ""}, {"row", "GET", "/Patient", ""}, {"row", "GET", "/Patient?_sort=family", ""},
		{"row", "GET", "/Patient/1/_history", ""}, {"row", "GET", "/Patient/_history", ""}, {"row", "GET", "/_history", ""}, {"row", "GET", "/?_type=Patient", ""},
		{"snapshot", "POST", "/Patient", fmt.Sprintf(ely, "3")}, {"commit", "POST", "/Patient", fmt.Sprintf(ely, "3")},
		{"commit", "PUT", "/Patient/1", fmt.Sprintf(ely, "1\",\"gender\":\"male")}, {"commit", "DELETE", "/Patient/1", ""},
		{"commit", "PATCH", "/Patient/1", `{"resourceType":"Parameters","parameter":[{"name":"operation","part":[{"name":"type","valueCode":"delete"},{"name":"path","valueString":"Patient.name"}]}]}`},
		{"commit", "POST", "", bundle("transaction", post+","+post)}, {"snapshot", "POST", "", bundle("transaction", post)},
	} {
		what := c.method + " " + c.path + " that hangs at a " + c.at
		h.at, h.ended = c.at, 0
		began := time.Now()
		w := send(site, c.method, c.path, c.body)
		if took := time.Since(began); took < deadline {
			t.Errorf("LIM-005: %s: took %s, less than the deadline of %s", what, took, deadline)
		}
		if w.Code != 503 || gjson.Get(w.Body.String(), "issue.0.code").Str != "timeout" || w.Header().Get("Retry-After") == "" {
			t.Errorf("LIM-005: %s: got %d %v %s, want 503 timeout with Retry-After", what, w.Code, w.Header(), w.Body)
		}
		if h.ended == 0 || strings.Contains(w.Body.String(), "Ely") || w.Header().Get("ETag")+w.Header().Get("Location") != "" || !json.Valid(w.Body.Bytes()) {
			t.Errorf("LIM-005: %s: %d calls ended; got %v %s, want nothing partial", what, h.ended, w.Header(), w.Body)
		}
	}
	h.at = ""
	if w := send(site, "GET", "/_history", ""); len(gjson.Get(w.Body.String(), "entry").Array()) != 2 {
		t.Errorf("LIM-005: something was written after its deadline: %s", w.Body)
	}
}

// TestSlowBody: a body that comes too slowly ends with the deadline (LIM-005,
// LIM-009).
func TestSlowBody(t *testing.T) {
	const deadline = 50 * time.Millisecond
	server := httptest.NewServer(handlerWith(t, storetest.NewReference(time.Now), func(c *rest.Config) {
		c.Limits.Deadline = deadline
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}))
	defer server.Close()
	body, sender := io.Pipe()
	defer sender.Close()
	go sender.Write([]byte(`{"resourceType":`)) // ends with Close
	client := server.Client()
	client.Timeout = time.Minute // the body never ends: without a deadline there is no answer
	resp, err := client.Post(server.URL+"/fhir/Patient", "application/fhir+json", body)
	if err != nil {
		t.Fatalf("LIM-009: got %v, want an answer", err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 503 || gjson.GetBytes(text, "issue.0.code").Str != "timeout" {
		t.Errorf("LIM-009: got %d %s, want 503 timeout", resp.StatusCode, text)
	}
}
