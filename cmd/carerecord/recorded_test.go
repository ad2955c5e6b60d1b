package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/interop/smart"
	"carerecord/store"
)

// demo makes the settings of an empty demonstration in a folder.
func demo(t *testing.T, dir string) settings {
	t.Helper()
	s := settings{place: place{address: "pebble:" + dir, folder: dir}, publicURL: "http://record.test", demo: true, log: slog.New(slog.DiscardHandler)}
	if err := s.folders(); err != nil {
		t.Fatal(err)
	}
	if err := demoPolicy(s.policyDir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.policyDir, demoMark), []byte(s.publicURL), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// recordsOf are the records of a trail behind a position.
func recordsOf(t *testing.T, e store.Engine, from uint64) (out []audit.Record, last uint64) {
	t.Helper()
	last = from
	for stored, err := range e.Records(context.Background(), from+1) {
		if err != nil {
			t.Fatal(err)
		}
		var r audit.Record
		if err := json.Unmarshal(stored.Payload, &r); err != nil {
			t.Fatal(err)
		}
		out, last = append(out, r), stored.Pos
	}
	return out, last
}

// told is the operation that a record tells of.
func told(r audit.Record) string {
	if r.Interaction == audit.OperationRefused {
		return r.Type
	}
	return r.Interaction
}

const loaded = `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Organization","id":"xac01.o"},"request":{"method":"PUT","url":"Organization/xac01.o"}}]}`

// TestOperationsAreRecorded walks the table of what an operator may ask on the socket: each
// leaves a record, done or refused, and none of them a token (AUD-101).
func TestOperationsAreRecorded(t *testing.T) {
	s := demo(t, t.TempDir())
	r, err := openRecord(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	h := r.operator(s)
	asked := map[string][]struct {
		query, body, outcome string
	}{
		"POST /token":           {{"", `{"Client":"demo-feed"}`, "permit"}, {"", `{"Client":"nobody"}`, "refuse"}, {"", `{`, "refuse"}},
		"GET /audit":            {{"", "", "permit"}},
		"GET /reindex":          {{"", "", "permit"}},
		"POST /reindex":         {{"?rate=-1", "", "permit"}, {"?rate=x", "", "refuse"}},
		"GET /explain":          {{"?search=" + url.QueryEscape("Patient?family=x"), "", "permit"}, {"?search=x/y", "", "refuse"}},
		"POST /backup":          {{"?out=" + url.QueryEscape(t.TempDir()), "", "permit"}, {"?out=" + url.QueryEscape(s.policyDir), "", "fail"}},
		"POST /restore/confirm": {{"?from=2026-01-01T00:00:00Z", "", "refuse"}, {"?from=x", "", "refuse"}},
		"POST /load":            {{"?source=XAC01&validation=strict", loaded, "permit"}, {"?source=NONE&validation=strict", loaded, "refuse"}, {"?validation=x", loaded, "refuse"}},
		"/":                     {{"none", "", "refuse"}},
	}
	var last uint64
	for _, op := range r.operations(s) {
		if len(asked[op.pattern]) == 0 {
			t.Errorf("AUD-101: no request of this test asks %s", op.pattern)
		}
		for _, c := range asked[op.pattern] {
			method, path, found := strings.Cut(op.pattern, " ")
			if !found {
				method, path = http.MethodGet, op.pattern
			}
			q := httptest.NewRequest(method, path+c.query, strings.NewReader(c.body))
			q.Header.Set(operatorHeader, "op")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, q)
			var records []audit.Record
			records, last = recordsOf(t, r.engine, last)
			recorded := slices.ContainsFunc(records, func(a audit.Record) bool {
				return a.Decision.Outcome == c.outcome && (told(a) == op.name || op.name == "load" && a.Interaction == "transaction")
			})
			if !recorded {
				t.Errorf("AUD-101: %s%s: got %d %.200s and the records %+v, want one of %s that says %s", op.pattern, c.query, w.Code, w.Body, records, op.name, c.outcome)
			}
			if text, _ := json.Marshal(records); op.name == "token-issue" && w.Code == 200 && (strings.Contains(string(text), w.Body.String()) || !strings.Contains(string(text), `"type":"token/`)) {
				t.Errorf("AUD-101: %s: the record holds the token or not its id: %s", op.pattern, text)
			}
		}
	}
}

// TestAdminIsRecorded: every request below /admin has a record, known or not, and every
// refused one; on a restored store an operator is refused like everybody (AUD-101, CON-206).
func TestAdminIsRecorded(t *testing.T) {
	s := demo(t, t.TempDir())
	r, err := openRecord(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	token := func(spec smart.Spec) string {
		t.Helper()
		token, err := r.tokens.Issue(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	operator, gp := token(smart.Spec{Client: "demo-operator"}), token(smart.Spec{User: "gp", Client: "demo-ehr"})
	paths := []string{"GET /admin/none", "POST /admin/reindex"}
	for pattern := range r.adminRoutes() {
		paths = append(paths, pattern)
	}
	var last uint64
	address := 0
	ask := func(pattern, query string, tokens ...string) (*httptest.ResponseRecorder, []audit.Record) {
		t.Helper()
		method, path, _ := strings.Cut(pattern, " ")
		q := httptest.NewRequest(method, path+query, nil)
		address++
		q.RemoteAddr = fmt.Sprintf("192.0.2.%d:9", address)
		for _, token := range tokens {
			q.Header.Add("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		r.admin().ServeHTTP(w, q)
		var records []audit.Record
		records, last = recordsOf(t, r.engine, last)
		if text, _ := json.Marshal(records); strings.Contains(string(text), operator) || strings.Contains(string(text), gp) {
			t.Errorf("SMART-410: %s: a record holds a token: %s", pattern, text)
		}
		return w, records
	}
	for _, restored := range []bool{false, true} {
		r.unconfirmed.Store(restored)
		for _, pattern := range paths {
			_, known := r.adminRoutes()[pattern]
			for _, c := range []struct {
				name    string
				query   string
				tokens  []string
				refused int
				reason  string
			}{
				{"operator", "", []string{operator}, 0, ""},
				{"gp", "", []string{gp}, 403, consent.ScopeNotGranted},
				{"nobody", "", nil, 401, ""},
				{"an unknown token", "", []string{"x"}, 401, ""},
				{"two headers", "", []string{operator, operator}, 401, "TOKEN_LEAKED"},
				{"a token in the URL", "?access_token=" + operator, nil, 400, "TOKEN_LEAKED"},
			} {
				w, records := ask(pattern, c.query, c.tokens...)
				status := c.refused
				switch {
				case restored && (status == 0 || status == 403):
					status = 503
				case status != 0:
				case known:
					status = 200
				case strings.HasPrefix(pattern, "POST"):
					status = 405
				default:
					status = 404
				}
				if w.Code != status || len(records) != 1 || records[0].Status != status || (c.refused != 0 || restored) && records[0].Decision.Outcome == "permit" ||
					c.reason != "" && !(restored && c.refused == 403) && records[0].Decision.Reason != c.reason {
					t.Errorf("AUD-101: restored %v: %s asks %s: got %d %s with %+v, want %d with one record", restored, c.name, pattern, w.Code, w.Body, records, status)
				}
			}
		}
	}
	r.unconfirmed.Store(false)
	for n := range 5 { // of one address within a second there is one record
		address = 200
		_, records := ask("GET /admin/reindex", "", "x")
		if len(records) > 1 || n == 0 && len(records) != 1 {
			t.Errorf("AUD-101: request %d of an address without a valid token has %d records", n+1, len(records))
		}
	}
}

// command is one run of a command of the command line.
type command struct {
	name   string
	exempt string // why it leaves no record
	store  string // folder; empty for that of the test
	args   []string
	fails  bool
	leaves string // interaction
}

// TestCommandsAreRecorded walks the table of commands: each that opens a store leaves a
// record in its trail (AUD-101).
func TestCommandsAreRecorded(t *testing.T) {
	dir, restored := t.TempDir(), t.TempDir()
	store := "pebble:" + dir
	demo(t, dir)
	demo(t, restored)
	file := filepath.Join(t.TempDir(), "bundle.json")
	if err := os.WriteFile(file, []byte(loaded), 0o600); err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(t.TempDir(), "backup")
	commands := []command{
		{name: "load", args: []string{"--source", "XAC01", file}, leaves: "transaction"},
		{name: "token", args: []string{"--client", "demo-feed"}, leaves: "token-issue"},
		{name: "token", args: []string{"--client", "nobody"}, fails: true, leaves: "token-issue"},
		{name: "audit verify", leaves: "audit-verify"},
		{name: "verify", leaves: "verify"},
		{name: "reindex", leaves: "reindex"},
		{name: "reindex", args: []string{"--status"}, leaves: "reindex-status"},
		{name: "explain", args: []string{"Patient?family=x"}, leaves: "explain"},
		{name: "backup", args: []string{"--out", backup}, leaves: "backup"},
		{name: "restore", store: restored, args: []string{backup}, leaves: "restore"},
		{name: "restore", args: []string{backup}, fails: true, leaves: "restore"}, // not empty
		{name: "restore", store: restored, args: []string{"--confirm-from", "2999-01-01T00:00:00Z"}, fails: true, leaves: "confirm-restore"},
		{name: "restore", store: restored, args: []string{"--confirm-from", "2026-01-01T00:00:00Z"}, leaves: "confirm-restore"},
		{name: "serve", exempt: "each request has a record: TestEveryRouteIsRecorded, TestOperationsAreRecorded, TestAdminIsRecorded"},
		{name: "health", exempt: "it opens no store"},
		{name: "synth", exempt: "it opens no store"},
		{name: "bench", exempt: "it makes stores of its own"},
	}
	parser, err := newParser(t.Context(), &cli{})
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range parser.Model.Leaves(false) {
		if name := strings.TrimPrefix(leaf.Path(), "carerecord "); !slices.ContainsFunc(commands, func(c command) bool { return name == c.name }) {
			t.Errorf("AUD-101: this test runs no command %q", name)
		}
	}
	last := map[string]uint64{}
	for _, c := range commands {
		if c.exempt != "" {
			continue
		}
		at, folder := store, dir
		if c.store != "" {
			at, folder = "pebble:"+c.store, c.store
		}
		err := run(t.Context(), append(append(strings.Fields(c.name), "--store", at), c.args...))
		if (err != nil) != c.fails {
			t.Errorf("carerecord %s %v: got %v", c.name, c.args, err)
		}
		e, err := place{folder: folder}.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		records, pos := recordsOf(t, e, last[folder])
		last[folder] = pos
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		outcome := map[bool]string{false: "permit", true: "refuse"}[c.fails]
		if !slices.ContainsFunc(records, func(r audit.Record) bool { return told(r) == c.leaves && r.Decision.Outcome == outcome }) {
			t.Errorf("AUD-101: carerecord %s %v: got the records %+v, want one of %s that says %s", c.name, c.args, records, c.leaves, outcome)
		}
		for _, r := range records {
			if r.Recorded.Before(time.Now().Add(-time.Hour)) && c.name != "restore" {
				t.Errorf("AUD-105: carerecord %s: recorded at %s", c.name, r.Recorded)
			}
		}
	}
}
