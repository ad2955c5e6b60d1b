package validate_test

import (
	"compress/gzip"
	"hash/crc32"
	"io"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"carerecord/conformance/testfiles"
	"carerecord/conformance/validate"
	"carerecord/fhir"
	"carerecord/fhir/r4/r4test"
)

// definitionBundles are the Bundles that repeat definitions of which the package has single files.
var definitionBundles = []string{"Bundle-conceptmaps.json", "Bundle-dataelements.json", "Bundle-extensions.json", "Bundle-profiles-others.json",
	"Bundle-resources.json", "Bundle-searchParams.json", "Bundle-types.json", "Bundle-v2-valuesets.json", "Bundle-v3-valuesets.json",
	"Bundle-valueset-expansions.json", "Bundle-valuesets.json"}

// eachJSON calls f for every resource file of a package.
func eachJSON(files iter.Seq[r4test.File], f func(name string, body []byte)) {
	for file := range files {
		if strings.HasSuffix(file.Name, ".json") && file.Name != "package.json" && file.Name != ".index.json" {
			f(file.Name, file.Body())
		}
	}
}

// corpus tests files against a list of exclusions.
type corpus struct {
	t        *testing.T
	excluded map[string]string // reason by name of the file
	files    int
	failed   map[string]bool
}

// newCorpus reads the exclusions in testdata/NAME.txt: lines of a file, a tab and the rule that it breaks.
func newCorpus(t *testing.T, name string) *corpus {
	t.Helper()
	c := &corpus{t: t, excluded: map[string]string{}, failed: map[string]bool{}}
	text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		file, reason, _ := strings.Cut(line, "\t")
		if reason == "" || c.excluded[file] != "" {
			t.Fatalf("%s: the exclusion %q has no reason, or is repeated", name, file)
		}
		c.excluded[file] = reason
	}
	return c
}

// check parses and validates one resource as a write does.
func (c *corpus) check(name string, body []byte) {
	if raceDetector && c.excluded[name] == "" && crc32.ChecksumIEEE([]byte(name))%20 > 0 {
		return // one of twenty files is enough to find races
	}
	c.files++
	issues := issuesOf(body)
	if len(issues) == 0 {
		return
	}
	c.failed[name] = true
	for _, issue := range issues {
		if fault := pathFault(issue); fault != "" {
			c.t.Errorf("%s: %s", name, fault)
		}
	}
	if c.excluded[name] != "" {
		return
	}
	for i, issue := range issues {
		if i == 5 {
			break
		}
		c.t.Errorf("%s: got %s at %s: %s", name, issue.Code, issue.Expression, issue.Text)
	}
}

// end fails for every exclusion that passes.
func (c *corpus) end() {
	for _, name := range slices.Sorted(maps.Keys(c.excluded)) {
		if !c.failed[name] {
			c.t.Errorf("%s is excluded (%s) but is valid or absent", name, c.excluded[name])
		}
	}
	c.t.Logf("%d files read, %d of them excluded", c.files, len(c.excluded))
}

// issuesOf returns all issues that a write reports for a body.
func issuesOf(body []byte) []fhir.Issue {
	r, err := fhir.Parse(body)
	if e, ok := fhir.AsError(err); ok {
		return e.Issues
	}
	return validate.Resource(r.Body, validate.Strict)
}

// TestExamplesOfTheStandard: every distinct file of the standard's package is accepted, or excluded
// for a named rule.
func TestExamplesOfTheStandard(t *testing.T) {
	c := newCorpus(t, "standard")
	eachJSON(r4test.Files(t), func(name string, body []byte) {
		if !slices.Contains(definitionBundles, name) {
			c.check(name, body)
		}
	})
	c.end()
}

// TestSampleBundles: every bundle of the synthetic patients is accepted.
func TestSampleBundles(t *testing.T) {
	names := testfiles.Shared(t, testfiles.Synthea+"/*.json.gz")
	c := newCorpus(t, "synthea")
	for _, name := range names {
		body := gunzip(t, name)
		c.check(filepath.Base(name), body)
	}
	c.end()
}

func gunzip(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// TestUKExamples: the same for the examples and definitions of UK Core and GP Connect.
func TestUKExamples(t *testing.T) {
	c := newCorpus(t, "uk")
	names := append(testfiles.Shared(t, testfiles.UK+"/*.tar.gz"), testfiles.Shared(t, testfiles.UK+"/*/*.tar.gz")...)
	for _, name := range names {
		eachJSON(r4test.Packed(t, name), c.check)
	}
	c.end()
}

// TestLenientExamples: the same for single files outside the packages.
func TestLenientExamples(t *testing.T) {
	c := newCorpus(t, "loose")
	check := func(folder, file string) {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if gjson.GetBytes(body, "resourceType").Exists() {
			c.check(folder+"/"+filepath.Base(file), body)
		}
	}
	for _, file := range testfiles.Cases(t, "examples/*.json") {
		check("examples", file)
	}
	for _, file := range testfiles.Shared(t, testfiles.Consent+"/*/*.json") {
		check("consent/"+filepath.Base(filepath.Dir(file)), file)
	}
	c.end()
}
