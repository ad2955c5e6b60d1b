package suite

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// asked are the requirements that the record and its search must meet by now,
// by family and range; those of later work are left out.
var asked = []struct {
	family   string
	from, to int
	not      []int // XML, invariants and profiles, which come later
}{
	{"REST", 1, 254, []int{37, 38, 66, 94, 95, 162, 243}},
	{"LIM", 1, 9, nil}, {"VIS", 1, 14, nil}, {"OPER", 1, 14, nil}, {"OPER", 20, 40, nil},
	{"SRCH", 1, 89, []int{38}}, {"SRCH", 100, 116, []int{109, 110}}, {"SRCH", 130, 136, nil}, {"SRCH", 140, 142, nil}, {"SRCH", 150, 158, nil}, {"SRCH", 190, 224, []int{195}}, {"SRCH", 240, 245, nil},
}

// TestRequirementsHaveTests lists the requirements of priority P0 and P1 that no
// test names. It fails where a test names a number that does not exist.
func TestRequirementsHaveTests(t *testing.T) {
	text, err := os.ReadFile("../../../shared/requirements/rest-and-search.md")
	if err != nil {
		t.Skipf("skipped: the requirements are not at hand: %v", err)
	}
	exists, wanted := map[string]bool{}, []string{}
	for _, m := range regexp.MustCompile(`(?m)^\| ([A-Z]+)-(\d+) \| (P\d) `).FindAllStringSubmatch(string(text), -1) {
		id := m[1] + "-" + m[2]
		exists[id] = true
		n, _ := strconv.Atoi(m[2])
		if m[3] != "P2" && slices.ContainsFunc(asked, func(a struct {
			family   string
			from, to int
			not      []int
		}) bool {
			return a.family == m[1] && a.from <= n && n <= a.to && !slices.Contains(a.not, n)
		}) {
			wanted = append(wanted, id)
		}
	}
	named := map[string]string{}
	for _, file := range testFiles(t) {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range numbersIn(string(raw)) {
			named[id] = file
		}
	}
	missing := slices.DeleteFunc(slices.Clone(wanted), func(id string) bool { return named[id] != "" })
	t.Logf("requirements of P0 and P1: %d, named by a test: %d. Without one: %s", len(wanted), len(wanted)-len(missing), strings.Join(missing, " "))
	for id, file := range named {
		if !exists[id] {
			t.Errorf("%s names %s, which does not exist", file, id)
		}
	}
}

func testFiles(t *testing.T) []string {
	var files []string
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." && d.Name() != "." {
			return filepath.SkipDir
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

var (
	numbers = regexp.MustCompile(`\b(REST|LIM|VIS|OPER|SRCH)-(\d{3})((?:(?:, and |, | to | and |/)\d{3}\b)*)`)
	further = regexp.MustCompile(`(, and |, | to | and |/)(\d{3})`)
)

// numbersIn reads "REST-050, 146 to 152 and 187".
func numbersIn(text string) []string {
	var out []string
	add := func(family string, n int) { out = append(out, family+"-"+pad(n)) }
	for _, m := range numbers.FindAllStringSubmatch(text, -1) {
		last, _ := strconv.Atoi(m[2])
		add(m[1], last)
		for _, f := range further.FindAllStringSubmatch(m[3], -1) {
			n, _ := strconv.Atoi(f[2])
			if f[1] == " to " {
				continue // a range says that some of them are there, not which
			}
			add(m[1], n)
			last = n
		}
	}
	return out
}

func pad(n int) string {
	s := strconv.Itoa(n)
	return strings.Repeat("0", max(0, 3-len(s))) + s
}
