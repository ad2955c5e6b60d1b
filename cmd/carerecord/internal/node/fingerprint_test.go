package node

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"carerecord/consent/audit"
	"carerecord/consent/audit/audittest"
)

// TestOtherKeys: a store is not opened with other keys than before, unless an operator accepts them, which has an audit record. What the
// store keeps of the keys has nothing of them.
func TestOtherKeys(t *testing.T) {
	cfg := demoConfig(t, t.TempDir())
	open := func() error {
		t.Helper()
		n, err := Open(t.Context(), cfg)
		if err != nil {
			return err
		}
		defer n.Close()
		kept, err := n.engine.Lookup(t.Context(), fingerprintsKey)
		if err != nil {
			t.Error(err)
		}
		for _, name := range []string{pageKey, auditKey, digestKey} {
			key, err := os.ReadFile(filepath.Join(cfg.KeysDir, name))
			if err != nil || bytes.Contains(kept, key) || !bytes.Contains(kept, []byte(name)) {
				t.Errorf("SMART-387: %s: %v, the store keeps %q", name, err, kept)
			}
		}
		records, _ := audittest.RecordsAfter(t, n.engine, 0)
		if got := slices.ContainsFunc(records, func(r audit.Record) bool { return r.Interaction == "new-keys" }); got != cfg.NewKeys {
			t.Errorf("a record of new keys: got %t, want %t", got, cfg.NewKeys)
		}
		return nil
	}
	for range 2 {
		if err := open(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(cfg.KeysDir, auditKey), bytes.Repeat([]byte("x"), 32), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(); err == nil || !strings.Contains(err.Error(), "copy its keys back") || !strings.Contains(err.Error(), auditKey) || strings.Contains(err.Error(), pageKey) {
		t.Errorf("another key: got %v, want a refusal that names it", err)
	}
	cfg.NewKeys = true
	for range 2 {
		if err := open(); err != nil {
			t.Errorf("another key that is accepted: %v", err)
		}
	}
}
