package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"carerecord/conformance/validate"
)

// TestMarksAreOfASource: a bundle that was loaded for one organisation is not skipped when it is
// loaded for another, and an unknown organisation is refused although the mark is stored.
func TestMarksAreOfASource(t *testing.T) {
	n, err := Open(t.Context(), demoConfig(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	const body = `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Organization","name":"O"},"request":{"method":"POST","url":"Organization"}}]}`
	for _, c := range []struct {
		source  string
		skipped bool
		failed  string
	}{
		{"XAC01", false, ""},
		{"XAC01", true, ""},
		{"XGP01", false, ""},
		{"XGP01", true, ""},
		{"NONE", false, "NONE"},
	} {
		out := n.loadBundle(t.Context(), c.source, "mark", []byte(body), validate.Strict)
		if out.Skipped != c.skipped || (out.Failed != "") != (c.failed != "") || !strings.Contains(out.Failed, c.failed) || len(out.Refused) > 0 {
			t.Errorf("source %s: got %+v, want skipped %v, failed %q", c.source, out, c.skipped, c.failed)
		}
	}
}

// TestMissingKeys: the error says first that the keys of an earlier server must be copied back.
// A new key would make sealed queries unreadable.
func TestMissingKeys(t *testing.T) {
	dir := t.TempDir()
	_, err := loadKeys(dir, false)
	if err == nil {
		t.Fatal("got no error")
	}
	back, fresh := strings.Index(err.Error(), "copy its keys back"), strings.Index(err.Error(), "/dev/urandom")
	if back < 0 || fresh < back || !strings.Contains(err.Error(), "page.key") || !strings.Contains(err.Error(), "audit.key") {
		t.Errorf("got %q, want it to say first that keys are copied back, then how to make both", err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("got the files %v, %v, want none made", files, err)
	}
	if _, err := loadKeys(filepath.Join(dir, "new"), true); err != nil {
		t.Errorf("keys that may be created: %v", err)
	}
}
