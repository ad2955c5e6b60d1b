package rest_test

import (
	"context"
	"io"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/fhir/rest"
	"carerecord/store"
	"carerecord/store/storetest"
)

// TestOverload: while as many requests run as may, another is refused at once
// and may be repeated, metadata answers, and the one that runs goes on
// (LIM-007).
func TestOverload(t *testing.T) {
	const deadline = 4 * time.Second // time enough for the next request, on a busy machine too
	entered := make(chan struct{}, 1)
	h := &hanging{Reference: storetest.NewReference(time.Now)}
	site := handlerWith(t, entering{h, entered}, func(c *rest.Config) {
		c.Limits.Requests, c.Limits.Deadline = 1, deadline
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	})
	h.at = "commit"
	first := make(chan *httptest.ResponseRecorder, 1)
	go func() { first <- send(site, "POST", "/Patient", `{"resourceType":"Patient"}`) }() // ends with the deadline
	<-entered
	w := send(site, "GET", "/Patient/1", "")
	if w.Code != 503 || gjson.Get(w.Body.String(), "issue.0.code").Str != "transient" || w.Header().Get("Retry-After") == "" {
		t.Errorf("LIM-007: got %d %s, want 503 transient", w.Code, w.Body)
	}
	if w := send(site, "GET", "/metadata", ""); w.Code != 200 {
		t.Errorf("LIM-007: metadata answers %d under load, want 200", w.Code)
	}
	if len(first) > 0 {
		t.Error("LIM-007: the refusal came when the request that runs was done, want at once")
	}
	if w := <-first; gjson.Get(w.Body.String(), "issue.0.code").Str != "timeout" {
		t.Errorf("LIM-007: the request that ran got %d %s, want what its commit gives", w.Code, w.Body)
	}
	if w := send(site, "GET", "/Patient/1", ""); w.Code != 404 {
		t.Errorf("LIM-007: got %d %s afterwards, want 404", w.Code, w.Body)
	}
}

// entering tells when a commit begins.
type entering struct {
	*hanging
	entered chan struct{}
}

func (e entering) Commit(ctx context.Context, b store.Batch) (uint64, error) {
	e.entered <- struct{}{}
	return e.hanging.Commit(ctx, b)
}
