package rest_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/fhir/rest"
	"carerecord/store"
	"carerecord/store/storetest"
)

// ill is a store that breaks in one of several ways while how is set, each with
// words in it that nobody outside may read.
type ill struct {
	*storetest.Reference
	how func() error
}

func (s *ill) Read(ctx context.Context, f func(store.Snapshot) error) error {
	if s.how != nil {
		return s.how()
	}
	return s.Reference.Read(ctx, f)
}

// inside is what no error body holds: traces, files of ours, words of stores.
var inside = regexp.MustCompile(`(?i)goroutine|panic|runtime|\.go\b|/var/|secret|pebble|mongo|wiredtiger|E11000|0x[0-9a-f]{6}|\bnil\b|carerecord/`)

// TestErrorBodies scans the body of every kind of error (REST-005): each is an
// OperationOutcome, none tells of the inside, and a fault of ours names the
// request and harms no other.
func TestErrorBodies(t *testing.T) {
	db := &ill{Reference: storetest.NewReference(time.Now)}
	h := handlerWith(t, db, func(*rest.Config) {})
	if w := send(h, "PUT", "/Patient/1", `{"resourceType":"Patient","id":"1","identifier":[{"system":"s","value":"1"}]}`); w.Code != 201 {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	bundle := func(entry string) string {
		return `{"resourceType":"Bundle","type":"transaction","entry":[` + entry + `]}`
	}
	requests := []struct {
		method, path, body string
		header             string
	}{
		{"GET", "/Patient/1", "", ""}, {"GET", "/Patient?identifier=s%7C1", "", ""}, {"GET", "/Patient/1/_history", "", ""}, {"GET", "/Patient/_history", "", ""},
		{"GET", "/_history", "", ""}, {"GET", "/Patient/1/Observation", "", ""}, {"GET", "/Patient/1/$meta", "", ""}, {"GET", "/?_type=Patient", "", ""},
		{"POST", "/Patient", `{"resourceType":"Patient"}`, ""}, {"PUT", "/Patient/1", `{"resourceType":"Patient","id":"1"}`, ""}, {"DELETE", "/Patient/1", "", ""},
		{"PATCH", "/Patient/1", `[{"op":"add","path":"/gender","value":"male"}]`, "Content-Type: application/json-patch+json"},
		{"POST", "", bundle(`{"resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}}`), ""},
		{"POST", "", strings.Replace(bundle(`{"request":{"method":"GET","url":"Patient/1"}}`), "transaction", "batch", 1), ""},
	}
	wrongs := []struct {
		method, path, body string
		header             string
	}{
		{"GET", "/Patient/none", "", ""}, {"GET", "/Nothing/1", "", ""}, {"GET", "/Patient/1/$nothing", "", ""}, {"GET", "/Patient?name:foo=x", "", ""}, {"GET", "/Patient?a=%zz", "", ""},
		{"GET", "/Patient?birthdate=x", "", ""}, {"GET", "/Patient?_page=x", "", ""}, {"GET", "/Patient/_history?_since=x", "", ""}, {"GET", "/Patient/1", "", "Accept: text/csv"},
		{"POST", "/Patient", "{", ""}, {"POST", "/Patient", "\x00\xff", ""}, {"POST", "/Patient", `{"resourceType":"Patient","a":1,"a":2}`, ""}, {"POST", "/Patient", `[]`, ""}, {"POST", "/Patient", strings.Repeat("[", 500), ""},
		{"POST", "/Patient", `{"resourceType":"Patient","birthDate":"x"}`, ""}, {"POST", "/Patient", "<Patient/>", "Content-Type: application/fhir+xml"}, {"POST", "/Patient", "x", "Content-Encoding: gzip"},
		{"PUT", "/Patient/1", `{"resourceType":"Patient","id":"2"}`, ""}, {"PUT", "/Patient/1", `{"resourceType":"Patient","id":"1"}`, `If-Match: W/"9"`}, {"PUT", "/Patient?name=x", `{"resourceType":"Patient"}`, ""},
		{"PATCH", "/Patient/1", `[{"op":"test","path":"/id","value":"2"}]`, "Content-Type: application/json-patch+json"}, {"PATCH", "/Patient/1", "[", "Content-Type: application/json-patch+json"},
		{"POST", "", bundle(`{"request":{"method":"PUT","url":"Patient/1"}}`), ""}, {"POST", "", bundle(`{"resource":{"resourceType":"Patient"}}`), ""}, {"TRACE", "/Patient/1", "", ""},
		{"POST", "/Patient/1/$validate", `{"resourceType":"Parameters"}`, ""}, {"DELETE", "/Patient", "", ""},
	}
	clean := func(what, method, path, body, header string, least int) {
		t.Helper()
		args := []string{"X-Request-Id: asked.1"}
		if header != "" {
			args = append(args, header)
		}
		w := send(h, method, path, body, args...)
		text := w.Body.String()
		if w.Code < least && !strings.Contains(body, `"batch"`) || gjson.Get(text, "resourceType").Str == "" {
			t.Errorf("REST-005: %s: %s %s %.40q: got %d %s, want an error of %d or more", what, method, path, body, w.Code, text, least)
		}
		if found := inside.FindString(text); found != "" {
			t.Errorf("REST-005: %s: %s %s %.40q: the body tells %q: %s", what, method, path, body, found, text)
		}
		if w.Code == 500 && !strings.Contains(text, "asked.1") {
			t.Errorf("REST-005: %s: %s %s: the body names no request: %s", what, method, path, text)
		}
	}
	for _, r := range wrongs {
		clean("wrong", r.method, r.path, r.body, r.header, 400)
	}
	for what, how := range map[string]func() error{
		"a panic":              func() error { panic("secret of a goroutine") },
		"a broken invariant":   func() error { var none []string; return errors.New(none[len(requests)]) },
		"an error of the disk": func() error { return errors.New("open /var/lib/store/000012.sst: secret: no space left on device") },
		"an error of a driver": func() error { return errors.New("(E11000) duplicate key of mongodb://user:secret@host") },
		"no store":             func() error { return errors.Join(store.ErrUnavailable, errors.New("pebble: /var/lib: secret")) },
	} {
		db.how = how
		for _, r := range requests {
			clean(what, r.method, r.path, r.body, r.header, 500)
		}
		db.how = nil
		if w := send(h, "GET", "/Patient/1", ""); w.Code != 200 {
			t.Errorf("REST-005: after %s another request gets %d %s", what, w.Code, w.Body)
		}
	}
}
