// Package suite tests the built program from outside, and checks rules about the sources: imports, names and
// requirement numbers.
package suite

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "carerecord"

// importRule lists the packages that a package must not import.
type importRule struct {
	of  string   // package path below the module; "a/..." includes packages below it
	not []string // the forbidden packages, in the same form; other modules by their full paths
	why string
}

func importRules() []importRule {
	drivers := []string{"go.mongodb.org/mongo-driver/v2/...", "github.com/cockroachdb/pebble/v2/..."}
	engines := []string{"store/pebble/...", "store/mongo/..."}
	above := []string{"consent/...", "fhir/search/...", "fhir/rest", "interop/...", "conformance/...", "cmd/..."}
	// fhir/patch validates the Parameters of a patch.
	aboveValidation := append(slices.DeleteFunc(slices.Clone(above), func(p string) bool { return p == "conformance/..." }), "conformance/capability", "conformance/synth")
	return []importRule{
		{"fhir", append([]string{"fhir/...", "store/..."}, above...), "fhir is the vocabulary and imports no other package of the module"},
		{"fhir/r4", append([]string{"store/...", "fhir/path", "fhir/index"}, above...), "tables are below the packages that use them"},
		{"fhir/path", append([]string{"store/...", "fhir/index"}, above...), "FHIRPath does not depend on keys"},
		{"fhir/ucum", append([]string{"store/...", "fhir/r4", "fhir/path", "fhir/index"}, above...), "units do not depend on resources"},
		{"fhir/term", append([]string{"store/...", "fhir/path", "fhir/index"}, above...), "terminology does not depend on keys and finds resources through its arguments"},
		{"fhir/edit", append([]string{"store/...", "fhir/index"}, above...), "edits do not depend on keys"},
		{"fhir/cors", append([]string{"fhir", "fhir/...", "store/..."}, above...), "origins do not depend on resources or clients"},
		{"fhir/xml", append([]string{"store/...", "fhir/path", "fhir/edit", "fhir/index", "fhir/patch"}, above...), "formats depend on bodies, not on keys"},
		{"fhir/payload", append([]string{"store/...", "fhir/path", "fhir/edit", "fhir/index", "fhir/patch"}, above...), "payloads depend on bodies, not on keys"},
		{"fhir/patch", append([]string{"store/...", "fhir/index"}, aboveValidation...), "patches depend on bodies, not on keys"},
		{"conformance/validate", append([]string{"store/...", "fhir/path", "fhir/edit", "fhir/index"}, above...), "validation depends on the tables only"},
		{"conformance/capability", append(append([]string{"store/...", "consent/...", "fhir/rest", "fhir/search/...", "interop/...", "cmd/..."}, drivers...), engines...), "the statement describes routes and parameters that are passed in"},
		{"fhir/index", above, "keys are below the guard"},
		{"store", append([]string{"fhir/..."}, append(drivers, above...)...), "the contract of a store depends on neither FHIR nor a driver"},
		{"store/...", append([]string{"fhir/..."}, above...), "engines do not depend on FHIR"},
		{"consent/policy", []string{"store/...", "fhir/index", "consent", "consent/facts"}, "policy depends on bodies, not on keys"},
		{"consent/facts", []string{"consent", "consent/register", "consent/backlog", "consent/definitions", "consent/reindex", "consent/audit"}, "facts depend on other documents, not on decisions"},
		{"consent/register", []string{"consent", "consent/backlog", "consent/definitions", "consent/reindex", "consent/audit"}, "the register depends on facts, not on decisions"},
		{"consent/backlog", []string{"consent", "consent/register", "consent/definitions", "consent/reindex", "consent/audit"}, "the backlog depends on facts, not on decisions"},
		{"consent/definitions", []string{"consent", "consent/facts", "consent/register", "consent/backlog", "consent/reindex", "consent/audit"}, "definitions depend on the indexer, not on decisions"},
		{"consent", []string{"consent/reindex", "consent/worklist", "consent/audit"}, "the guard is below the packages that use it"},
		{"consent/...", append(append([]string{"fhir/search/...", "fhir/rest", "interop/...", "cmd/..."}, drivers...), engines...), "consent is below search and does not depend on an engine"},
		{"fhir/search/...", append([]string{"fhir/rest", "interop/...", "cmd/..."}, append(drivers, engines...)...), "search runs on a View"},
		{"fhir/search/join", []string{"fhir/search"}, "joins do not depend on query strings"},
		{"fhir/search", []string{"fhir/search/compartment"}, "compartment uses search"},
		{"fhir/rest", append([]string{"interop/...", "cmd/..."}, append(drivers, engines...)...), "rest runs on a View"},
		{"cmd/internal/bench", append(append([]string{"consent/...", "fhir/...", "store/...", "interop/smart/...", "cmd/carerecord/..."}, drivers...), engines...), "bench measures a server through HTTP"},
		{"cmd/carerecord", append([]string{"consent", "fhir/rest", "fhir/search/...", "fhir/index"}, drivers...), "the command has flags; the server is in cmd/carerecord/internal/node"},
		{"cmd/carerecord/internal/telemetry", append(append([]string{"consent/...", "interop/...", "cmd/carerecord/internal/node"}, drivers...), engines...), "telemetry wraps a server and an engine"},
		{"conformance/synth", append(append([]string{"store/...", "consent/...", "fhir/rest", "fhir/search/...", "interop/...", "cmd/..."}, drivers...), engines...), "synth generates resources and does not depend on a server"},
		{"interop/...", append([]string{"fhir/rest", "cmd/..."}, append(drivers, engines...)...), "interop is above consent and below the server"},
	}
}

func TestImports(t *testing.T) {
	for pkg, imports := range packages(t, false) {
		for _, r := range importRules() {
			if !under(pkg, r.of) {
				continue
			}
			for _, imp := range imports {
				for _, not := range r.not {
					if under(imp, not) && !under(not, r.of) && imp != pkg {
						t.Errorf("%s imports %s: %s", pkg, imp, r.why)
					}
				}
			}
		}
	}
}

// TestImportsOfEngines: only cmd imports an engine, outside of tests.
func TestImportsOfEngines(t *testing.T) {
	for pkg, imports := range packages(t, false) {
		if under(pkg, "cmd/...") || under(pkg, "store/...") {
			continue
		}
		for _, imp := range imports {
			if under(imp, "store/pebble/...") || under(imp, "store/mongo/...") {
				t.Errorf("%s imports the engine %s: only cmd may", pkg, imp)
			}
		}
	}
}

// TestImportsOfTheStore: search, rest and interop access the store through Views and ports. They do not use
// store.Store.
func TestImportsOfTheStore(t *testing.T) {
	walk(t, func(pkg, file string) {
		if strings.HasSuffix(file, "_test.go") || !under(pkg, "fhir/search/...") && !under(pkg, "fhir/rest") && !under(pkg, "interop/...") {
			return
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"store.Store", "store.Snapshot", "store.Batch"} {
			if strings.Contains(string(text), name) {
				t.Errorf("%s uses %s instead of a consent.View", file, name)
			}
		}
	})
}

// TestImportsOfTheProgram: the program imports no test support.
func TestImportsOfTheProgram(t *testing.T) {
	support := []string{"consent/consenttest", "consent/audit/audittest", "conformance/servertest", "conformance/testfiles", "conformance/wait", "store/storetest", "store/mongo/mongotest"}
	for pkg, imports := range packages(t, false) {
		for _, imp := range imports {
			if slices.Contains(support, imp) {
				t.Errorf("%s imports %s, which is for tests", pkg, imp)
			}
		}
	}
}

// TestImportsHaveNoUtil: no package has a name that would fit any content.
func TestImportsHaveNoUtil(t *testing.T) {
	for pkg := range packages(t, true) {
		switch filepath.Base(pkg) {
		case "util", "utils", "common", "helpers", "types", "base", "manager":
			t.Errorf("the name of package %s would fit any content", pkg)
		}
	}
}

// under reports whether a package matches a pattern of an importRule.
// TestArchitectureTable: docs/architecture.md lists every package, and each imports only packages of its own row or of
// rows above. Imports of tests are not checked.
func TestArchitectureTable(t *testing.T) {
	text, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| Package | Purpose |")
	table, _, _ = strings.Cut(table, "## ")
	rows := map[string]int{}
	for i, line := range strings.Split(table, "\n") {
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for _, name := range strings.Split(cells[1], ",") {
				rows[strings.Trim(name, " `")] = i
			}
		}
	}
	imports := packages(t, false)
	for pkg := range packages(t, true) {
		if strings.Contains(pkg, "testdata") {
			continue
		}
		if rows[pkg] == 0 {
			t.Errorf("%s is not in the table of packages", pkg)
		}
		for _, imp := range imports[pkg] {
			if row := rows[imp]; row > rows[pkg] {
				t.Errorf("%s imports %s, which is below it in the table of packages", pkg, imp)
			}
		}
	}
}

func under(pkg, pattern string) bool {
	if root, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == root || strings.HasPrefix(pkg, root+"/")
	}
	return pkg == pattern
}

// packages returns the imports of each package: paths below the module, or full paths of other modules.
func packages(t *testing.T, tests bool) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	walk(t, func(pkg, file string) {
		if !tests && (strings.HasSuffix(file, "_test.go") || strings.HasSuffix(pkg, "test")) {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, imp := range f.Imports {
			path, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			out[pkg] = append(out[pkg], strings.TrimPrefix(path, module+"/"))
		}
	})
	return out
}

func walk(t *testing.T, f func(pkg, file string)) {
	t.Helper()
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != root && d.Name() != "..") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			pkg, err := filepath.Rel(root, filepath.Dir(path))
			if err != nil {
				return err
			}
			f(filepath.ToSlash(pkg), path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
