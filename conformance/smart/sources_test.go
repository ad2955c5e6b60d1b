package smart

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sourcesOf calls f with each Go file below a folder that is no test.
func sourcesOf(t *testing.T, dir string, f func(path, text string)) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		files++
		f(path, string(text))
		return err
	})
	if err != nil || files < 10 {
		t.Fatalf("%s: %d files, %v", dir, files, err)
	}
}

// TestOneClock: no code of the authorization server, of its pages or of its tokens reads the clock of the system: lifetimes and
// comparisons use the clock that it was given (SMART-008).
func TestOneClock(t *testing.T) {
	for _, dir := range []string{"../../interop/smart", "../../interop/pages"} {
		sourcesOf(t, dir, func(path, text string) {
			for _, call := range []string{"time.Now", "time.Since(", "time.Until(", "time.After(", "time.NewTimer(", "time.NewTicker("} {
				if strings.Contains(text, call) {
					t.Errorf("SMART-008: %s has %s", path, call)
				}
			}
		})
	}
}

// TestNoUnverifiedTokens: no code skips the verification of a token, and none makes an unsigned one, so there is no such path to share
// (SMART-424). The expiry of ID tokens is checked by our own code, with the skew of SMART-188.
func TestNoUnverifiedTokens(t *testing.T) {
	for _, dir := range []string{"../../interop", "../../cmd"} {
		sourcesOf(t, dir, func(path, text string) {
			for _, name := range []string{"InsecureSkipSignatureCheck", "SkipIssuerCheck", "SkipClientIDCheck", "InsecureIssuerURLContext", "InsecureSkipVerify", "jose.NONE", "SignNone", "UnsafeClaimsWithoutVerification"} {
				if strings.Contains(text, name) {
					t.Errorf("SMART-424: %s has %s", path, name)
				}
			}
		})
	}
}
