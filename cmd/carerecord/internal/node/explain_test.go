package node

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
)

// TestExplainHidesCounts: unless every operator may know the counts, no documents are counted
// and no search is timed.
func TestExplainHidesCounts(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Address: Address{text: "pebble:" + dir, folder: dir}, KeysDir: filepath.Join(dir, "keys"), PublicURL: "http://record.test", Auth: AuthOff, Log: slog.New(slog.DiscardHandler)}
	n, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for _, open := range []bool{true, false} {
		if n.cfg.Auth = AuthSMART; open {
			n.cfg.Auth = AuthOff
		}
		text, err := n.explain(t.Context(), "op", "Patient?family=fox")
		if err != nil {
			t.Fatal(err)
		}
		for _, count := range []string{"first page", "documents]"} {
			if strings.Contains(text, count) != (open && (count == "first page" || strings.Contains(text, "walk "))) {
				t.Errorf("--auth off: %v; %q is shown: %v\n%s", open, count, !open, text)
			}
		}
		if !strings.Contains(text, "Patient.family a") {
			t.Errorf("the key is missing:\n%s", text)
		}
	}
}
