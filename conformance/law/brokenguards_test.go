package law_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"carerecord/conformance/law/brokenguard"
)

// addedSources are source files of testdata/brokenguards that are compiled into the packages with anchors, by
// package. Each has the function broken and helpers for insertions.
var addedSources = map[string]string{"consent": "consent.go", "consent/facts": "facts.go", "consent/policy": "policy.go", "consent/register": "register.go", "fhir/index": "index.go", "fhir/rest": "rest.go", "fhir/search": "search.go", "fhir/search/compartment": "compartment.go", "fhir/search/join": "join.go"}

// TestBites builds one test binary with all broken guards. It runs the binary once for each guard, and fails
// unless the law test detects it within 10,000 cases (CON-1507). If CARERECORD_BROKEN_GUARD names a
// guard, only this guard runs, and its whole output is logged.
func TestBites(t *testing.T) {
	if raceDetector {
		t.Log("the broken guards run without the race detector")
		return
	}
	chosen := os.Getenv(brokenguard.Variable)
	if chosen != "" && !slices.ContainsFunc(brokenGuards(), func(b brokenGuard) bool { return b.name == chosen }) {
		t.Fatalf("%s: no broken guard is named %q", brokenguard.Variable, chosen)
	}
	binary := brokenBinary(t)
	if chosen == "" {
		t.Run("none", func(t *testing.T) {
			t.Parallel()
			out, err := runBroken(t, binary, "", "TestReading$|TestRules$|TestTraces$|TestTracesByRules$|TestSourceSystems$", "300")
			if err != nil {
				t.Errorf("the law fails without a broken guard: %v\n%.2000s", err, out)
			}
		})
	}
	for _, b := range brokenGuards() {
		if chosen != "" && b.name != chosen {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			t.Parallel() // each run uses one processor
			began := time.Now()
			out, err := runBroken(t, binary, b.name, b.test, "10000")
			if err == nil || !strings.Contains(out, "LAW BROKEN") {
				t.Errorf("CON-1507: %s: the tests did not detect the broken guard: %v\n%.2000s", b.mistake, err, out)
			}
			t.Logf("%s: caught in %.1f s: %s", b.mistake, time.Since(began).Seconds(), failureLine(out))
			if chosen != "" {
				t.Logf("its output:\n%s", out)
			}
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

// failureLine returns the first line of the failure in the output of a run.
func failureLine(out string) string {
	_, found, _ := strings.Cut(out, "LAW BROKEN")
	line, _, _ := strings.Cut(found, "\n")
	return line
}

// brokenBinary builds the tests of this package from the sources with all insertions.
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

// overlayOf writes the files with insertions, and the overlay by which the compiler uses these and the added
// sources instead of the real files. It returns the name of the overlay.
func overlayOf(t *testing.T, root string) string {
	t.Helper()
	dir := t.TempDir()
	replace := map[string]string{}
	for pkg, file := range addedSources {
		replace[filepath.Join(root, pkg, "brokenguard.go")] = filepath.Join(root, "conformance/law/testdata/brokenguards", file)
	}
	for name, text := range insertAll(t, anchors(t, root)) {
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

// anchorFile is a source file of the program with anchors.
type anchorFile struct{ file, text string }

var anchorLine = regexp.MustCompile(`(?m)^\t*//law:([a-z-]+)$`)

// anchors returns the file of each anchor of the program.
func anchors(t *testing.T, root string) map[string]*anchorFile {
	t.Helper()
	out := map[string]*anchorFile{}
	for pkg := range addedSources {
		files, err := filepath.Glob(filepath.Join(root, pkg, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			a := &anchorFile{file: pkg + "/" + filepath.Base(file), text: string(raw)}
			for _, m := range anchorLine.FindAllStringSubmatch(a.text, -1) {
				if first := out[m[1]]; first != nil {
					t.Fatalf("the anchor %s is in %s and in %s", m[1], first.file, a.file)
				}
				out[m[1]] = a
			}
		}
	}
	return out
}

// insertAll returns the texts of all files after all insertions, by file name.
func insertAll(t *testing.T, at map[string]*anchorFile) map[string]string {
	t.Helper()
	code, names := map[string]string{}, map[string]bool{}
	for _, b := range brokenGuards() {
		if names[b.name] {
			t.Fatalf("two broken guards are named %s", b.name)
		}
		names[b.name] = true
		for _, in := range b.insertions {
			if at[in.anchor] == nil {
				t.Fatalf("%s: no source has the anchor //law:%s", b.name, in.anchor)
			}
			if !strings.Contains(in.code, `broken("`+b.name+`")`) {
				t.Fatalf("an insertion of %s does not test its name:\n%s", b.name, in.code)
			}
			code[in.anchor] += in.code + "\n"
		}
	}
	texts := map[string]string{}
	for anchor, a := range at {
		if code[anchor] == "" {
			t.Fatalf("%s: no broken guard uses the anchor //law:%s", a.file, anchor)
		}
		texts[a.file] = anchorLine.ReplaceAllStringFunc(a.text, func(line string) string {
			_, name, _ := strings.Cut(line, ":")
			return code[name]
		})
	}
	return texts
}
