package node

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"carerecord/conformance/validate"
	signing "carerecord/interop/smart/keys"
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

// TestMissingKeys: the error says first that the keys of an earlier server must be copied back, since a new key would make sealed queries
// unreadable. Then it has a command that makes all keys of a new store.
func TestMissingKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "an operator's keys")
	_, err := loadKeys(dir, false)
	if err == nil {
		t.Fatal("got no error")
	}
	back, fresh := strings.Index(err.Error(), "copy its keys back"), strings.Index(err.Error(), "/dev/urandom")
	if back < 0 || fresh < back || !strings.Contains(err.Error(), "page.key") || !strings.Contains(err.Error(), "audit.key") {
		t.Errorf("got %q, want it to say first that keys are copied back, then how to make both", err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("got the folder %s, %v, want none made", dir, err)
	}
	if _, err := loadKeys(filepath.Join(t.TempDir(), "new"), true); err != nil {
		t.Errorf("keys that may be created: %v", err)
	}
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("skipped: the command of the error needs openssl")
	}
	text := err.Error()
	command := func() {
		t.Helper()
		if out, err := exec.Command("sh", "-c", text[strings.LastIndex(text, "\n"):]).CombinedOutput(); err != nil {
			t.Fatalf("the command of the error %q: %v\n%s", text, err, out)
		}
	}
	command()
	made, err := loadKeys(dir, false)
	if err != nil {
		t.Errorf("after the command: %v", err)
	}
	sign, err := os.ReadFile(filepath.Join(dir, "signing.pem"))
	if err != nil {
		t.Error(err)
	}
	if out, err := exec.Command("sh", "-c", text[strings.LastIndex(text, "\n"):]).CombinedOutput(); err == nil {
		t.Errorf("the command once more does not fail: %s", out)
	}
	again, err := loadKeys(dir, false)
	if signedBy, errSign := os.ReadFile(filepath.Join(dir, "signing.pem")); err != nil || errSign != nil || !reflect.DeepEqual(again, made) || !bytes.Equal(sign, signedBy) {
		t.Errorf("the command once more changes keys: %v, %v", err, errSign)
	}
	if _, err := signing.Load(dir, false, time.Now); err != nil {
		t.Errorf("after the command: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "audit.key")); err != nil {
		t.Fatal(err)
	}
	if _, err = loadKeys(dir, false); err == nil {
		t.Fatal("got no error without one key")
	}
	text = err.Error()
	command()
	if again, err = loadKeys(dir, false); err != nil || !bytes.Equal(again.page, made.page) || bytes.Equal(again.audit, made.audit) {
		t.Errorf("after the command for one key the others are the same: got %v, %v, then %v", made, again, err)
	}
}
