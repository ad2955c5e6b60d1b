package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/tidwall/gjson"

	"carerecord/conformance/wait"
	"carerecord/store/pebble"
)

// TestSMART051: every verb of carerecord client works on a store at rest and on a served one, as text and as JSON, and a secret is
// printed by rotate-secret alone (SMART-051, 058, 402).
func TestSMART051(t *testing.T) {
	for _, served := range []bool{false, true} {
		t.Run(map[bool]string{false: "at rest", true: "served"}[served], func(t *testing.T) {
			dir := t.TempDir()
			makeDemo(t, dir)
			if served {
				serveDemo(t, dir)
			}
			runVerbs(t, dir)
		})
	}
}

// serveDemo serves a demonstration without loading the region, until the test ends.
func serveDemo(t *testing.T, dir string) {
	t.Helper()
	e, err := pebble.Open(pebble.Config{Dir: filepath.Join(dir, "db"), Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(e.Insert(t.Context(), "demo/loaded", []byte("1"), time.Time{}), e.Close()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { // ends with stop
		done <- run(ctx, []string{"serve", "--demo", "--store", "pebble:" + dir, "--listen", "127.0.0.1:0"}, io.Discard, io.Discard)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	if !wait.Until(func() bool {
		c, err := net.Dial("unix", filepath.Join(dir, "carerecord.sock"))
		return err == nil && c.Close() == nil
	}) {
		t.Fatal("the server takes no commands")
	}
}

// publicKeys returns a JWK set of a new key.
func publicKeys(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k"}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// runVerbs runs every verb on the store of a folder.
func runVerbs(t *testing.T, dir string) {
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// client runs a verb and returns what it prints.
	client := func(args ...string) string {
		t.Helper()
		var out bytes.Buffer
		if err := run(t.Context(), append([]string{"client", args[0], "--store", "pebble:" + dir}, args[1:]...), &out, io.Discard); err != nil {
			t.Fatalf("client %v: %v", args, err)
		}
		return out.String()
	}
	wantText := func(what, got string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(got, part) {
				t.Errorf("%s: got %q, want it to have %q", what, got, part)
			}
		}
	}
	// approve approves what a text answer says.
	approve := func(answer string) (id string) {
		t.Helper()
		_, words, _ := strings.Cut(answer, "client approve ")
		named := strings.Fields(words)
		if len(named) != 2 {
			t.Fatalf("the answer names no approval: %s", answer)
		}
		wantText("approve", client("approve", named[0], named[1]), named[0]+"  active")
		return named[0]
	}
	added := client("add", "--name", "My app", "--kind", "confidential-symmetric", "--redirect", "https://app.example/back", "--audience", "patient", "--purpose", "PATRQT", "--scopes", "patient/*.rs")
	wantText("add", added, "pending", "confidential-symmetric", "My app", "patient/*.rs")
	id := approve(added)
	asJSON := client("add", "--json", "--name", "Backend", "--kind", "backend", "--organisation", "XAC02", "--purpose", "TREAT", "--scopes", "system/*.rs", "--keys-file", file("keys.json", publicKeys(t)))
	backend := gjson.Get(asJSON, "clients.0.id").Str
	wantText("add --json", client("approve", "--json", backend, gjson.Get(asJSON, "digest").Str), `"status": "active"`)

	staff := gjson.Get(client("add", "--json", "--name", "Chart", "--kind", "public", "--redirect", "https://app.example/back", "--launch-url", "https://app.example/launch", "--audience", "clinician", "--purpose", "TREAT", "--scopes", "user/*.rs",
		"--review", "2099-01-01", "--intent", "reconcile-medications", "--intent", "order", "--no-patient-choice", "--contact", "help desk", "--terms-url", "https://app.example/terms", "--privacy-url", "https://app.example/privacy"), "clients.0.id").Str
	for member, want := range map[string]string{"intents": `["reconcile-medications","order"]`, "noPatientChoice": "true", "contact": `"help desk"`, "termsURL": `"https://app.example/terms"`,
		"privacyURL": `"https://app.example/privacy"`, "offline": "false"} {
		if got := gjson.Get(client("show", staff), "@ugly|"+member).Raw; got != want {
			t.Errorf("show of an app for staff: %s is %s, want %s", member, got, want)
		}
	}

	shown := client("show", id)
	if gjson.Get(shown, "name").Str != "My app" || gjson.Get(shown, "approved.0.by").Str == "" {
		t.Errorf("show: got %s", shown)
	}
	wantText("list", client("list"), id, backend, "demo-app")
	if got := gjson.Get(client("list", "--json"), "clients.#").Int(); got < 5 {
		t.Errorf("list --json: got %d clients", got)
	}
	changed := client("change", id, file("client.json", `{"name":"My app","kind":"confidential-symmetric","redirectURIs":["https://app.example/other"],"audience":["patient"],"purposes":["PATRQT"],"scopes":"patient/*.rs"}`))
	wantText("change", client("show", id), "https://app.example/back")
	// SMART-066: who approves reads the digest beside what is proposed, and a wrong digest does not get the right one.
	proposal := gjson.Get(client("show", id), "proposed")
	if digest := proposal.Get("digest").Str; len(digest) != 64 || !strings.Contains(changed, digest) || proposal.Get("with.status").Str != "pending" {
		t.Errorf("SMART-066: show of what is proposed: got %s, want the digest of %s", proposal.Raw, changed)
	}
	if err := run(t.Context(), []string{"client", "approve", id, "none", "--store", "pebble:" + dir}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "read it again with client show") || strings.Contains(err.Error(), proposal.Get("digest").Str) {
		t.Errorf("SMART-066: a wrong digest: got %v", err)
	}
	approve(changed)
	wantText("change, approved", client("show", id), "https://app.example/other")

	// SMART-067: the image is proposed with the rest, and what is stored is a PNG of the server's own.
	picture := file("logo.gif", "GIF87a\x01\x00\x01\x00\x80\x00\x00\xff\x00\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;")
	approve(client("change", id, file("client.json", client("show", id)), "--logo", picture))
	if got := client("show", id); !strings.HasPrefix(gjson.Get(got, "logo").Str, "iVBORw0KGgo") || len(gjson.Get(got, "logoDigest").Str) != 64 {
		t.Errorf("SMART-055: show of a client with a logo: got %s", got)
	}
	if got := client("list", "--json"); gjson.Get(got, `clients.#(id=="`+id+`").logo`).Exists() || gjson.Get(got, `clients.#(id=="`+id+`").logoDigest`).Str == "" {
		t.Errorf("SMART-055: list --json: got %s", got)
	}
	added = client("add", "--name", "Drawn", "--kind", "public", "--redirect", "https://app.example/back", "--audience", "patient", "--purpose", "PATRQT", "--scopes", "patient/*.rs", "--logo", picture)
	drawn := approve(added)
	wantText("add --logo", client("show", drawn), `"logo": "iVBORw0KGgo`)
	svg := []string{"client", "add", "--store", "pebble:" + dir, "--name", "Drawn", "--kind", "public", "--redirect", "https://app.example/back", "--audience", "patient", "--purpose", "PATRQT", "--scopes", "patient/*.rs", "--logo", file("logo.svg", "<svg/>")}
	if err := run(t.Context(), svg, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "PNG, JPEG or GIF") {
		t.Errorf("SMART-067: add with an SVG: got %v", err)
	}

	wrong := []string{"client", "add", "--store", "pebble:" + dir, "--name", "Drawn", "--kind", "public", "--redirect", "http://a.example/", "--audience", "patient", "--purpose", "FUN"}
	for _, text := range []string{"refused: --redirect[0]: must be https", "\n--scopes: at least one is required", "\n--purpose[0]: is no purpose"} {
		if err := run(t.Context(), wrong, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("add with mistakes: got %q, want it to have %q", err, text)
		}
	}

	secret := strings.TrimSpace(client("rotate-secret", id))
	if !strings.HasPrefix(secret, "cr_") || strings.ContainsAny(secret, " \n") {
		t.Errorf("rotate-secret: got %q", secret)
	}
	if got := gjson.Get(client("rotate-secret", "--json", id), "secret").Str; got == "" || got == secret {
		t.Errorf("rotate-secret --json: got %q", got)
	}
	approve(client("set-keys", backend, "--url", "https://backend.example/keys")) // SMART-058: instead of inline keys
	if got := client("show", backend); gjson.Get(got, "keysURL").Str != "https://backend.example/keys" || gjson.Get(got, "keys").Exists() {
		t.Errorf("SMART-058: set-keys --url: got %s", got)
	}
	// SMART-220: approving needs an administrator who has signed in.
	wantText("approvals", client("approvals", "--organisation", "XAC01")+client("approvals", "--json"), "{}")
	if err := run(t.Context(), []string{"client", "withdraw", staff, "--store", "pebble:" + dir, "--organisation", "XAC01"}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "has not approved") {
		t.Errorf("SMART-220: a withdrawal of nothing: got %v", err)
	}
	wantText("suspend", client("suspend", id), id+"  suspended")
	wantText("resume", client("resume", id), id+"  active")
	wantText("revoke-tokens", client("revoke-tokens", id), id+"  active")
	for _, of := range [][]string{{"--user", "gp"}, {"--organisation", "XAC02"}, {"--everybody"}} {
		client(append([]string{"end-grants"}, of...)...) // SMART-402
	}
	if err := run(t.Context(), []string{"client", "end-grants", "--store", "pebble:" + dir, "--grant", "none"}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "no such grant") {
		t.Errorf("SMART-402: the end of an unknown grant: got %v", err)
	}
	exported := client("export")
	if gjson.Get(exported, `clients.#(id=="`+drawn+`").logo`).Str == "" {
		t.Errorf("export has no logo: %s", exported)
	}
	if gjson.Get(exported, `clients.#(id=="`+id+`").secrets`).Exists() || strings.Contains(exported, secret) {
		t.Errorf("export has secrets: %s", exported)
	}
	other := t.TempDir()
	makeDemo(t, other)
	dir = other
	// Clients of the policy folder, and those that were imported before, are left out.
	wantText("import", client("import", file("clients.json", exported)), id+"  pending", backend+"  pending", "left out, registered already or not by this command: demo-ehr")
	wantText("import once more", client("import", file("clients.json", exported)), "left out, registered already or not by this command: "+id)
}
