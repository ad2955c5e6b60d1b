package node

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/printed"
	"carerecord/store/backup"
)

// withToken makes a demonstration with a registered client and a token that works, and closes it.
func withToken(t *testing.T, cfg Config) (client clients.Client, token string) {
	t.Helper()
	n, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	added, err := n.smart.Clients.Add(t.Context(), "ann", clients.Client{Name: "App", Kind: clients.Public, Audience: []string{clients.ForClinicians}, RedirectURIs: []string{"https://app.example/back"}, Scopes: "user/*.rs", Purposes: []string{"TREAT"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.smart.Clients.Approve(t.Context(), "bob", added.ID, added.Digest()); err != nil {
		t.Fatal(err)
	}
	if token, _, err = n.smart.Printed.Issue(t.Context(), "test", printed.Request{User: "consultant", Client: added.ID}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.smart.Grants.Resolve(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"session/x", "smart/back/x"} {
		if err := n.engine.Insert(t.Context(), key, []byte("{}"), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	exported, err := n.registry(t.Context(), "ann", ClientRequest{Verb: "export"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range exported.Clients {
		if c.ID == added.ID {
			client = *c
		}
	}
	return client, token
}

// TestSMART499: a restored store knows none of the tokens of before, neither from a backup of ours nor from a copy by other tools. Registered
// clients come back by export and import, under their ids.
func TestSMART499(t *testing.T) {
	from := demoConfig(t, t.TempDir())
	client, token := withToken(t, from)
	dir := filepath.Join(t.TempDir(), "backup")
	if _, err := Backup(t.Context(), from, dir); err != nil {
		t.Fatal(err)
	}
	b, err := backup.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	to := demoConfig(t, t.TempDir())
	if err := os.CopyFS(to.KeysDir, os.DirFS(from.KeysDir)); err != nil {
		t.Fatal(err)
	}
	if err := Restore(t.Context(), to, b); err != nil {
		t.Fatal(err)
	}
	n, err := Open(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if _, err := n.smart.Grants.Resolve(t.Context(), token); !errors.Is(err, grants.ErrInactive) {
		t.Errorf("SMART-499: a token of before the restore: got %v", err)
	}
	if _, err := n.smart.Clients.Get(t.Context(), client.ID); !errors.Is(err, clients.ErrUnknown) {
		t.Errorf("a backup has the client: %v", err)
	}
	answer, err := n.registry(t.Context(), "ann", ClientRequest{Verb: "import", Import: []clients.Client{client}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.smart.Clients.Approve(t.Context(), "bob", client.ID, answer.Clients[0].Digest()); err != nil {
		t.Fatal(err)
	}
	if c, err := n.smart.Clients.Serving(t.Context(), client.ID); err != nil || c.Name != "App" {
		t.Errorf("SMART-499: the imported client: got %+v, %v", c, err)
	}
	if _, err := n.smart.Grants.Resolve(t.Context(), token); !errors.Is(err, grants.ErrInactive) {
		t.Errorf("SMART-499: a token of before the restore, once its client is back: got %v", err)
	}
}

// TestSMART499Copied: in a store that other tools copied, whose State has tokens and sessions, all of them end.
func TestSMART499Copied(t *testing.T) {
	cfg := demoConfig(t, t.TempDir())
	client, token := withToken(t, cfg)
	if err := MarkRestored(t.Context(), cfg, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	n, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if _, err := n.smart.Grants.Resolve(t.Context(), token); !errors.Is(err, grants.ErrInactive) {
		t.Errorf("SMART-499: a token of a copied store: got %v", err)
	}
	for _, prefix := range []string{"session/", "smart/back/"} {
		for v, err := range n.engine.Values(t.Context(), prefix) {
			t.Errorf("SMART-499: a copied store has %s, %v", v.Key, err)
		}
	}
	fresh, _, err := n.smart.Printed.Issue(t.Context(), "test", printed.Request{User: "consultant", Client: client.ID})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.smart.Grants.Resolve(t.Context(), fresh); err != nil {
		t.Errorf("SMART-499: a new token: got %v", err)
	}
}
