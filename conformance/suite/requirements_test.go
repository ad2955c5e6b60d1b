package suite

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const requirements = "../../docs/requirements"

// TestRequirementsHaveTests compares the requirement texts, the numbers that tests name and
// docs/requirements/not-built.txt. A requirement of priority P0 or P1 is either named by a test
// or in the list, and every number exists. One that is built in part is in the list with what is missing, and tests of what is
// built may name it.
func TestRequirementsHaveTests(t *testing.T) {
	priority, named, list := readRequirements(t), namedByTests(t), readNotBuilt(t)
	var required, covered int
	for _, id := range slices.Sorted(maps.Keys(priority)) {
		if priority[id] == "P2" {
			continue
		}
		required++
		switch listed := slices.Contains(list.all, id); {
		case named[id] != "" && !listed:
			covered++
		case !listed:
			t.Errorf("no test names %s (%s), and not-built.txt does not list it", id, priority[id])
		}
	}
	for _, id := range slices.Sorted(maps.Keys(named)) {
		if priority[id] == "" {
			t.Errorf("%s names %s, which does not exist", named[id], id)
		}
	}
	seen := map[string]bool{}
	for _, id := range list.all {
		switch {
		case priority[id] == "":
			t.Errorf("not-built.txt lists %s, which does not exist", id)
		case named[id] != "" && !slices.Contains(list.inPart, id):
			t.Errorf("not-built.txt lists %s, which %s names: it leaves the list, or says what is missing (in part: …)", id, named[id])
		case seen[id]:
			t.Errorf("not-built.txt lists %s twice", id)
		}
		seen[id] = true
	}
	t.Logf("requirements of P0 and P1: %d, built whole, with a test: %d, in part: %d, not built: %d. Built, without a test: %d %s",
		required, covered, len(list.inPart), len(list.all)-len(list.inPart)-len(list.untested), len(list.untested), strings.Join(list.untested, " "))
}

// row matches a requirement in a text: a row of a table, or an item "- **CON-201 [P0]** ".
var row = regexp.MustCompile(`(?m)^(?:\| ([A-Z]+-T?\d+) \| (P\d) |- \*\*([A-Z]+-\d+) \[(P\d)\]\*\* )`)

// readRequirements returns the priority of each requirement by its number.
func readRequirements(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(requirements + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	priority := map[string]string{}
	for _, file := range files {
		for _, m := range row.FindAllStringSubmatch(readText(t, file), -1) {
			id := m[1] + m[3]
			if priority[id] != "" {
				t.Errorf("%s: %s is defined twice", file, id)
			}
			priority[id] = m[2] + m[4]
		}
	}
	for _, family := range []string{"REST", "LIM", "VIS", "OPER", "SRCH", "CON", "AUD", "IDN", "SMART"} {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(priority)), func(id string) bool { return strings.HasPrefix(id, family+"-") }) {
			t.Errorf("%s has no requirement %s", requirements, family)
		}
	}
	return priority
}

// notBuilt is docs/requirements/not-built.txt: all numbers, those that are built in part, and those under the last heading.
type notBuilt struct{ all, inPart, untested []string }

// readNotBuilt reads lines that begin with a number. Lines that begin with # are headings and remarks.
func readNotBuilt(t *testing.T) (list notBuilt) {
	t.Helper()
	untested := false
	for n, line := range strings.Split(readText(t, requirements+"/not-built.txt"), "\n") {
		id, _, _ := strings.Cut(line, " ")
		switch {
		case line == "# Built, without a test":
			untested = true
		case line == "" || strings.HasPrefix(line, "#"):
		case !slices.Equal(numbersIn(id), []string{id}):
			t.Errorf("not-built.txt:%d does not begin with one number: %s", n+1, line)
		default:
			list.all = append(list.all, id)
			if missing, ok := strings.CutPrefix(line, id+" in part: "); ok && missing != "" {
				list.inPart = append(list.inPart, id)
			}
			if untested {
				list.untested = append(list.untested, id)
			}
		}
	}
	return list
}

// namedByTests returns a file for each number that a test names.
func namedByTests(t *testing.T) map[string]string {
	t.Helper()
	named := map[string]string{}
	for _, file := range testFiles(t) {
		for _, id := range numbersIn(readText(t, file)) {
			named[id] = file
		}
	}
	return named
}

// testFiles returns the test files, except this one, which has numbers as examples.
func testFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." && d.Name() != "." {
			return filepath.SkipDir
		}
		if d.Name() == "requirements_test.go" {
			return nil
		}
		if strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/testdata/") && strings.HasSuffix(path, ".txt") || strings.Contains(path, "/storetest/") && strings.HasSuffix(path, ".go") {
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func readText(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

var (
	numbers = regexp.MustCompile(`\b(REST|LIM|VIS|OPER|SRCH|CON|AUD|IDN|SMART)-(T\d{2}|\d{3,4})\b((?:(?:, and |, | to | and |/)\d{3,4}\b)*)`)
	further = regexp.MustCompile(`(, and |, | to | and |/)(\d{3,4})`)
)

// numbersIn returns the numbers in a text, for example "REST-050, 146 to 152 and 187". Of a range it returns only
// the first number, since a test need not cover the whole range.
func numbersIn(text string) []string {
	var out []string
	for _, m := range numbers.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1]+"-"+m[2])
		for _, f := range further.FindAllStringSubmatch(m[3], -1) {
			if f[1] != " to " {
				out = append(out, m[1]+"-"+f[2])
			}
		}
	}
	return out
}

func TestNumbersInTests(t *testing.T) {
	for text, want := range map[string][]string{
		"REST-050, 146 to 152 and 187": {"REST-050", "REST-146", "REST-187"},
		"CON-1510: not CON-151":        {"CON-1510", "CON-151"},
		"CON-1501, 1502, and 601":      {"CON-1501", "CON-1502", "CON-601"},
		"SMART-T05/REST-002":           {"SMART-T05", "REST-002"},
		"CON-15101 and ICON-151":       nil,
	} {
		if diff := cmp.Diff(want, numbersIn(text)); diff != "" {
			t.Errorf("%s: -want +got\n%s", text, diff)
		}
	}
}
