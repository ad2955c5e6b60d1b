// Package testfiles finds the test data that this repository does not contain: the folder
// ../shared next to a checkout, and the packages in .cache that make fetches from registries.
//
// A test whose data is missing is skipped. It is then listed in the file that the environment
// variable CARERECORD_SKIPPED_FILE names; scripts/test.sh prints that list last.
package testfiles

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Folders below ../shared.
const (
	Synthea = "data/synthea/bundles" // one bundle a file, NAME.json.gz
	UK      = "data/uk"              // examples of UK Core and GP Connect, NAME.tar.gz
	Consent = "data/consent"         // examples of Consent, NAME.json
)

// cached is the folder of the official cases that make fetches, below the root of the module. The
// Makefile names it too.
const cached = ".cache/fhir-test-cases/org/hl7/fhir/testcases/r4"

// Shared returns the files below ../shared that match a pattern of filepath.Glob. It skips the
// test if there is none.
func Shared(tb testing.TB, pattern string) []string {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(Root(tb), "..", "shared", pattern))
	if err != nil {
		tb.Fatal(err)
	}
	if len(files) == 0 {
		Skip(tb, "../shared/"+pattern)
	}
	return files
}

// Cases returns the files that match a pattern of filepath.Glob below the folder r4 of the FHIR test
// cases of HL7. It reads ../shared, or .cache if that folder is missing. It skips the test if there is none.
func Cases(tb testing.TB, pattern string) []string {
	tb.Helper()
	root := Root(tb)
	for _, dir := range []string{"../shared/spec/fhir-test-cases/r4", cached} {
		files, err := filepath.Glob(filepath.Join(root, dir, pattern))
		if err != nil {
			tb.Fatal(err)
		}
		if len(files) > 0 {
			return files
		}
	}
	Skip(tb, "../shared/spec/fhir-test-cases/r4/"+pattern)
	return nil
}

// Case reads one file of the FHIR test cases, as Cases finds it.
func Case(tb testing.TB, name string) []byte {
	tb.Helper()
	body, err := os.ReadFile(Cases(tb, name)[0])
	if err != nil {
		tb.Fatal(err)
	}
	return body
}

// Skip skips a test because data is missing, and lists it for scripts/test.sh.
func Skip(tb testing.TB, missing string) {
	tb.Helper()
	if name := os.Getenv("CARERECORD_SKIPPED_FILE"); name != "" {
		if err := list(name, Root(tb), tb.Name(), missing); err != nil {
			tb.Errorf("list a skipped test: %v", err)
		}
	}
	tb.Skipf("skipped: %s is missing", missing)
}

// list appends a line to the file of skipped tests.
func list(name, root, test, missing string) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	pkg, err := filepath.Rel(root, dir)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(f, "%s %s: %s\n", filepath.ToSlash(pkg), test, missing); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// Root returns the folder of go.mod, at or above the folder that the test runs in.
func Root(tb testing.TB) string {
	tb.Helper()
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if filepath.Dir(dir) == dir {
			tb.Fatal("the test runs outside of the module")
		}
		dir = filepath.Dir(dir)
	}
}
