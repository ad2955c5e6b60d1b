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
	s := Config{Address: Address{text: "pebble:" + dir, folder: dir}, KeysDir: filepath.Join(dir, "keys"), PublicURL: "http://record.test", Auth: AuthOff, Log: slog.New(slog.DiscardHandler)}
	r, err := Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, open := range []bool{true, false} {
		if r.cfg.Auth = AuthSMART; open {
			r.cfg.Auth = AuthOff
		}
		text, err := r.explain(t.Context(), "op", "Patient?family=fox")
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
