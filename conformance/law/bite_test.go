package law_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"carerecord/conformance/law/brokenguard"
)

// added are sources with which the packages of edited files are built: each has the
// function broken, and what the edits need beside it.
var added = map[string]string{"consent": "consent.go", "consent/policy": "policy.go", "fhir/index": "index.go", "fhir/rest": "rest.go", "fhir/search": "search.go"}

// TestBites builds one test binary with all broken guards in it, and demands of each
// that the law is found broken within 10,000 cases where it is chosen (CON-1507).
func TestBites(t *testing.T) {
	if raced {
		t.Log("the broken guards run without the race detector")
		return
	}
	binary := brokenBinary(t)
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		out, err := runBroken(t, binary, "", "TestReading$|TestRules$|TestTraces$|TestTracesByRules$|TestFeeds$", "300")
		if err != nil {
			t.Errorf("the law is broken where no guard is: %v\n%.2000s", err, out)
		}
	})
	for _, b := range brokenGuards() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel() // a run uses one processor
			began := time.Now()
			out, err := runBroken(t, binary, b.name, b.run, "10000")
			if err == nil || !strings.Contains(out, "LAW BROKEN") {
				t.Errorf("CON-1507: %s: the law was not found broken: %v\n%.2000s", b.says, err, out)
			}
			t.Logf("%s: caught in %.1f s: %s", b.says, time.Since(began).Seconds(), place(out))
		})
	}
}

// runBroken runs tests of the binary with a broken guard, or with none.
func runBroken(t *testing.T, binary, guard, tests, cases string) (string, error) {
	c := exec.CommandContext(t.Context(), binary, "-test.run", tests, "-test.timeout", "10m")
	c.Env = append(os.Environ(), brokenguard.Variable+"="+guard, "CARERECORD_LAW_CASES="+cases, "CARERECORD_SOAK=", "CARERECORD_LAW_SEED=")
	out, err := c.CombinedOutput()
	return string(out), err
}

// place is the sentence with which a test ended.
func place(out string) string {
	_, found, _ := strings.Cut(out, "LAW BROKEN")
	line, _, _ := strings.Cut(found, "\n")
	return line
}

// brokenBinary builds the tests of this package over the sources with all edits.
func brokenBinary(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	binary := filepath.Join(t.TempDir(), "law.test")
	c := exec.Command("go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-tags", "brokenguards", "-overlay", overlayOf(t, root), "-o", binary, "./conformance/law")
	c.Dir = root
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build the broken guards: %v\n%.4000s", err, out)
	}
	t.Logf("%d broken guards compiled in %.0f s", len(brokenGuards()), time.Since(began).Seconds())
	return binary
}

// overlayOf writes the edited files, and the table that tells the compiler to take them,
// and the sources that are added, in place of the real ones.
func overlayOf(t *testing.T, root string) string {
	t.Helper()
	dir := t.TempDir()
	replace := map[string]string{}
	for pkg, file := range added {
		replace[filepath.Join(root, pkg, "brokenguard.go")] = filepath.Join(root, "conformance/law/testdata/brokenguards", file)
	}
	for name, text := range edited(t, root) {
		file := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(root, name)] = file
	}
	table, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, table, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// edited returns the texts of all files with all edits, by file.
func edited(t *testing.T, root string) map[string]string {
	t.Helper()
	text, names := map[string]string{}, map[string]bool{}
	for _, b := range brokenGuards() {
		if names[b.name] {
			t.Fatalf("two broken guards are named %s", b.name)
		}
		names[b.name] = true
		for _, e := range b.edit {
			if text[e.file] == "" {
				raw, err := os.ReadFile(filepath.Join(root, e.file))
				if err != nil {
					t.Fatal(err)
				}
				text[e.file] = string(raw)
			}
			if n := strings.Count(text[e.file], e.old); n != 1 {
				t.Fatalf("%s: %s holds %d times what is to be broken:\n%s", b.name, e.file, n, e.old)
			}
			if !strings.Contains(e.new, `broken("`+b.name+`")`) {
				t.Fatalf("an edit of %s is not chosen by its name:\n%s", b.name, e.new)
			}
			text[e.file] = strings.Replace(text[e.file], e.old, e.new, 1)
		}
	}
	return text
}
