package main

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"carerecord/cmd/carerecord/internal/node"
	"carerecord/consent/audit"
	"carerecord/consent/audit/audittest"
	"carerecord/store/pebble"
)

// commandCase is one run of a command of the command line.
type commandCase struct {
	name   string
	exempt string // why it leaves no record
	store  string // folder; empty for that of the test
	args   []string
	fails  bool
	record string // interaction
}

const organizationBundle = `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Organization","id":"xac01.o"},"request":{"method":"PUT","url":"Organization/xac01.o"}}]}`

// makeDemo makes an empty demonstration in a folder.
func makeDemo(t *testing.T, dir string) {
	t.Helper()
	address, err := node.ParseAddress("pebble:" + dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg := node.Config{Address: address, PublicURL: "http://127.0.0.1:8080", Auth: node.AuthDemo, Log: slog.New(slog.DiscardHandler)}
	if err := cfg.FillFolders(); err != nil {
		t.Fatal(err)
	}
	n, err := node.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "policy", "demo"), []byte(cfg.PublicURL), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestCommandsAreRecorded walks the table of commands: each that opens a store leaves a
// record in its audit trail (AUD-101).
func TestCommandsAreRecorded(t *testing.T) {
	dir, restored := t.TempDir(), t.TempDir()
	store := "pebble:" + dir
	makeDemo(t, dir)
	if err := os.CopyFS(filepath.Join(restored, "policy"), os.DirFS(filepath.Join(dir, "policy"))); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "bundle.json")
	if err := os.WriteFile(file, []byte(organizationBundle), 0o600); err != nil {
		t.Fatal(err)
	}
	const registration = `{"name":"Other","kind":"public","redirectURIs":["https://app.example/back"],"audience":["patient"],"purposes":["PATRQT"],"scopes":"patient/*.rs"}`
	client, exported := filepath.Join(t.TempDir(), "client.json"), filepath.Join(t.TempDir(), "clients.json")
	if err := errors.Join(os.WriteFile(client, []byte(registration), 0o600), os.WriteFile(exported, []byte(`{"clients":[{"id":"app-abcdefghijklmnopqrstuvwxyz",`+registration[1:]+`]}`), 0o600)); err != nil {
		t.Fatal(err)
	}
	backup := filepath.Join(t.TempDir(), "backup")
	commands := []commandCase{
		{name: "load", args: []string{"--source", "XAC01", file}, record: "transaction"},
		{name: "token", args: []string{"--client", "demo-feed"}, record: "token-issue"},
		{name: "token", args: []string{"--client", "nobody"}, fails: true, record: "token-issue"},
		{name: "client add", args: []string{"--name", "App", "--kind", "public", "--redirect", "https://app.example/back", "--audience", "patient", "--purpose", "PATRQT", "--scopes", "patient/*.rs"}, record: "client"},
		{name: "client add", args: []string{"--name", "App", "--kind", "none"}, fails: true, record: "client"},
		{name: "client list", record: "client"},
		{name: "client export", record: "client"},
		{name: "client show", args: []string{"demo-app"}, record: "client"},
		{name: "client change", args: []string{"demo-app", client}, record: "client"},
		{name: "client approve", args: []string{"demo-app", "0"}, fails: true, record: "client"},
		{name: "client suspend", args: []string{"demo-app"}, record: "client"},
		{name: "client resume", args: []string{"demo-app"}, record: "client"},
		{name: "client rotate-secret", args: []string{"demo-ehr"}, record: "client"},
		{name: "client set-keys", args: []string{"demo-app", "--url", "https://app.example/keys"}, fails: true, record: "client"},
		{name: "client revoke-tokens", args: []string{"demo-app"}, record: "client"},
		{name: "client approvals", record: "client"},
		{name: "client withdraw", args: []string{"demo-ehr", "--organisation", "XAC01"}, fails: true, record: "client"},
		{name: "client end-grants", args: []string{"--user", "gp"}, record: "client"},
		{name: "client import", args: []string{exported}, record: "client"},
		{name: "keys list", record: "signing-keys-list"},
		{name: "keys rotate", record: "signing-keys-rotate"},
		{name: "keys rotate", fails: true, record: "signing-keys-rotate"}, // one waits
		{name: "keys rotate", args: []string{"--emergency"}, record: "signing-keys-rotate"},
		{name: "audit verify", record: "audit-verify"},
		{name: "verify", record: "verify"},
		{name: "reindex", record: "reindex"},
		{name: "reindex", args: []string{"--status"}, record: "reindex-status"},
		{name: "explain", args: []string{"Patient?family=x"}, record: "explain"},
		{name: "identity contradicted", record: "identity-list"},
		{name: "identity differing", record: "identity-list"},
		{name: "identity duplicates", record: "identity-list"},
		{name: "backup", args: []string{"--out", backup}, record: "backup"},
		{name: "restore", store: restored, args: []string{backup}, record: "restore"},
		{name: "restore", args: []string{backup}, fails: true, record: "restore"}, // not empty
		{name: "restore", store: restored, args: []string{"--confirm-from", "2999-01-01T00:00:00Z"}, fails: true, record: "confirm-restore"},
		{name: "restore", store: restored, args: []string{"--confirm-from", "2026-01-01T00:00:00Z"}, record: "confirm-restore"},
		{name: "serve", exempt: "each request has a record: TestEveryRouteIsRecorded, TestOperationsAreRecorded, TestAdminIsRecorded"},
		{name: "health", exempt: "it opens no store"},
		{name: "synth", exempt: "it opens no store"},
		{name: "bench", exempt: "it makes stores of its own"},
		{name: "help", exempt: "it opens no store"},
	}
	parser, err := newParser(t.Context(), &cli{})
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range parser.Model.Leaves(false) {
		if name := strings.TrimPrefix(leaf.Path(), "carerecord "); !slices.ContainsFunc(commands, func(c commandCase) bool { return name == c.name }) {
			t.Errorf("AUD-101: this test does not run the command %q", name)
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
		err := run(t.Context(), append(append(strings.Fields(c.name), "--store", at), c.args...), io.Discard, io.Discard)
		if (err != nil) != c.fails {
			t.Errorf("carerecord %s %v: got %v", c.name, c.args, err)
		}
		e, err := pebble.Open(pebble.Config{Dir: filepath.Join(folder, "db"), Clock: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		records, pos := audittest.RecordsAfter(t, e, last[folder])
		last[folder] = pos
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		outcome := map[bool]string{false: "permit", true: "refuse"}[c.fails]
		if !slices.ContainsFunc(records, func(r audit.Record) bool {
			return audittest.OperationOf(r) == c.record && r.Decision.Outcome == outcome
		}) {
			t.Errorf("AUD-101: carerecord %s %v: got the records %+v, want one of %s with the outcome %s", c.name, c.args, records, c.record, outcome)
		}
		for _, r := range records {
			if r.Recorded.Before(time.Now().Add(-time.Hour)) && c.name != "restore" {
				t.Errorf("AUD-105: carerecord %s: recorded at %s", c.name, r.Recorded)
			}
		}
	}
}
