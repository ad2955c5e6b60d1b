package main

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
)

// TestExplainTellsNoCounts: where not everybody may know what is there, nothing is
// counted and nothing timed.
func TestExplainTellsNoCounts(t *testing.T) {
	dir := t.TempDir()
	s := settings{place: place{address: "pebble:" + dir, folder: dir}, keysDir: filepath.Join(dir, "keys"), publicURL: "http://record.test", unguarded: true, log: slog.New(slog.DiscardHandler)}
	r, err := openRecord(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	for _, open := range []bool{true, false} {
		s.unguarded = open
		text, err := r.explain(t.Context(), s, "op", "Patient?family=fox")
		if err != nil {
			t.Fatal(err)
		}
		for _, told := range []string{"first page", "documents]"} {
			if strings.Contains(text, told) != (open && (told == "first page" || strings.Contains(text, "walk "))) {
				t.Errorf("served to everybody: %v; %q is told: %v\n%s", open, told, !open, text)
			}
		}
		if !strings.Contains(text, "Patient.family a") {
			t.Errorf("the key is not told:\n%s", text)
		}
	}
}
