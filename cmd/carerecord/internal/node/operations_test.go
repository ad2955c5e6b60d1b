package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/consent/audit/audittest"
	"carerecord/interop/smart/printed"
)

// demoConfig returns the Config of an empty demonstration in a folder.
func demoConfig(t *testing.T, dir string) Config {
	t.Helper()
	cfg := Config{Address: Address{text: "pebble:" + dir, folder: dir}, PublicURL: "http://127.0.0.1:8080", Auth: AuthDemo, Log: slog.New(slog.DiscardHandler)}
	if err := cfg.FillFolders(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(WriteSamplePolicy(cfg.PolicyDir), cfg.markDemo()); err != nil {
		t.Fatal(err)
	}
	return cfg
}

const bundleBody = `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Organization","id":"xac01.o"},"request":{"method":"PUT","url":"Organization/xac01.o"}}]}`

// TestOperationsAreRecorded walks the table of operations on the socket: each leaves a record,
// permitted or refused, and no record has a token (AUD-101).
func TestOperationsAreRecorded(t *testing.T) {
	cfg := demoConfig(t, t.TempDir())
	n, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	h := n.operationsHandler()
	requests := map[string][]struct {
		query, body, outcome string
	}{
		"POST /token":           {{"", `{"Client":"demo-feed"}`, "permit"}, {"", `{"Client":"nobody"}`, "refuse"}, {"", `{`, "refuse"}},
		"POST /client":          {{"", `{"Verb":"list"}`, "permit"}, {"", `{"Verb":"suspend","ID":"nobody"}`, "refuse"}, {"", `{`, "refuse"}},
		"GET /keys":             {{"", "", "permit"}},
		"POST /keys":            {{"", "", "permit"}, {"", "", "refuse"}, {"?emergency=true", "", "permit"}},
		"GET /audit":            {{"", "", "permit"}},
		"GET /reindex":          {{"", "", "permit"}},
		"POST /reindex":         {{"?rate=-1", "", "permit"}, {"?rate=x", "", "refuse"}},
		"GET /explain":          {{"?search=" + url.QueryEscape("Patient?family=x"), "", "permit"}, {"?search=x/y", "", "refuse"}},
		"GET /identities":       {{"?list=duplicates", "", "permit"}, {"?list=x", "", "refuse"}},
		"POST /backup":          {{"?out=" + url.QueryEscape(t.TempDir()), "", "permit"}, {"?out=" + url.QueryEscape(cfg.PolicyDir), "", "fail"}},
		"POST /restore/confirm": {{"?from=2026-01-01T00:00:00Z", "", "refuse"}, {"?from=x", "", "refuse"}},
		"POST /load":            {{"?source=XAC01&validation=strict", bundleBody, "permit"}, {"?source=NONE&validation=strict", bundleBody, "refuse"}, {"?validation=x", bundleBody, "refuse"}},
		"/":                     {{"none", "", "refuse"}},
	}
	var last uint64
	for _, op := range n.operations() {
		if len(requests[op.pattern]) == 0 {
			t.Errorf("AUD-101: this test has no request for %s", op.pattern)
		}
		for _, c := range requests[op.pattern] {
			method, path, found := strings.Cut(op.pattern, " ")
			if !found {
				method, path = http.MethodGet, op.pattern
			}
			q := httptest.NewRequest(method, path+c.query, strings.NewReader(c.body))
			q.Header.Set(operatorHeader, "op")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, q)
			var records []audit.Record
			records, last = audittest.RecordsAfter(t, n.engine, last)
			recorded := slices.ContainsFunc(records, func(a audit.Record) bool {
				return a.Decision.Outcome == c.outcome && (audittest.OperationOf(a) == op.name || op.name == "load" && a.Interaction == "transaction")
			})
			if !recorded {
				t.Errorf("AUD-101: %s%s: got %d %.200s and the records %+v, want one of %s with the outcome %s", op.pattern, c.query, w.Code, w.Body, records, op.name, c.outcome)
			}
			if text, _ := json.Marshal(records); op.name == "token-issue" && w.Code == 200 && (strings.Contains(string(text), w.Body.String()) || !strings.Contains(string(text), `"type":"token/`)) {
				t.Errorf("AUD-101: %s: the record has the token, or lacks its id: %s", op.pattern, text)
			}
		}
	}
}

// TestAdminIsRecorded: every request below /admin has a record, known or unknown, permitted or
// refused. On a restored store an operator is refused as well (AUD-101, CON-206).
func TestAdminIsRecorded(t *testing.T) {
	cfg := demoConfig(t, t.TempDir())
	node, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	token := func(request printed.Request) string {
		t.Helper()
		token, _, err := node.smart.Printed.Issue(t.Context(), "test", request)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	operator, gp := token(printed.Request{Client: "demo-operator"}), token(printed.Request{User: "gp", Client: "demo-ehr"})
	paths := []string{"GET /admin/none", "POST /admin/reindex"}
	for pattern := range node.operatorRoutes() {
		paths = append(paths, pattern)
	}
	queries := map[string]string{"GET /admin/identities": "list=contradicted"}
	_, last := audittest.RecordsAfter(t, node.engine, 0)
	address := 0
	ask := func(pattern, query string, tokens ...string) (*httptest.ResponseRecorder, []audit.Record) {
		t.Helper()
		method, path, _ := strings.Cut(pattern, " ")
		q := httptest.NewRequest(method, path+"?"+strings.Trim(queries[pattern]+"&"+query, "&"), nil)
		address++
		q.RemoteAddr = fmt.Sprintf("192.0.2.%d:9", address)
		for _, token := range tokens {
			q.Header.Add("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		node.operatorHandler().ServeHTTP(w, q)
		var records []audit.Record
		records, last = audittest.RecordsAfter(t, node.engine, last)
		if text, _ := json.Marshal(records); strings.Contains(string(text), operator) || strings.Contains(string(text), gp) {
			t.Errorf("SMART-410: %s: a record has a token: %s", pattern, text)
		}
		return w, records
	}
	for _, restored := range []bool{false, true} {
		node.unconfirmed.Store(restored)
		for _, pattern := range paths {
			_, known := node.operatorRoutes()[pattern]
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
				{"a token in the URL", "access_token=" + operator, nil, 400, "TOKEN_LEAKED"},
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
					t.Errorf("AUD-101: restored %v: %s requests %s: got %d %s with %+v, want %d with one record", restored, c.name, pattern, w.Code, w.Body, records, status)
				}
			}
		}
	}
	node.unconfirmed.Store(false)
	for n := range 5 { // of one address within a second there is one record
		address = 200
		_, records := ask("GET /admin/reindex", "", "x")
		if len(records) > 1 || n == 0 && len(records) != 1 {
			t.Errorf("AUD-101: request %d of an address without a valid token has %d records", n+1, len(records))
		}
	}
}
