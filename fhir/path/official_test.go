package path_test

import (
	"bufio"
	"encoding/xml"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"carerecord/conformance/testfiles"
	"carerecord/fhir/path"
	fhirxml "carerecord/fhir/xml"
)

const exclusions = "testdata/exclusions.txt"

type officialCase struct {
	Name       string `xml:"name,attr"`
	Input      string `xml:"inputfile,attr"`
	Predicate  bool   `xml:"predicate,attr"`
	Ordered    string `xml:"ordered,attr"`
	Expression struct {
		Invalid string `xml:"invalid,attr"`
		Text    string `xml:",chardata"`
	} `xml:"expression"`
	Output []struct {
		Type string `xml:"type,attr"`
		Text string `xml:",chardata"`
	} `xml:"output"`
}

// TestOfficialFHIRPath runs the official cases. An excluded case has a reason in the file of exclusions
// and fails the test if it passes.
func TestOfficialFHIRPath(t *testing.T) {
	body := testfiles.Case(t, "fhirpath/tests-fhir-r4.xml")
	var suite struct {
		Groups []struct {
			Name  string         `xml:"name,attr"`
			Tests []officialCase `xml:"test"`
		} `xml:"group"`
	}
	if err := xml.Unmarshal(body, &suite); err != nil {
		t.Fatal(err)
	}
	excluded := readExclusions(t)
	docs := map[string]*path.Doc{"": nil}
	ran, passed := 0, 0
	for _, g := range suite.Groups {
		for i, c := range g.Tests {
			if _, ok := docs[c.Input]; !ok {
				docs[c.Input] = readInput(t, c.Input)
			}
			ran++
			key := fmt.Sprintf("%s/%d/%s", g.Name, i+1, c.Name)
			fault := c.run(docs[c.Input])
			reason, out := excluded[key]
			delete(excluded, key)
			switch {
			case fault == "" && out:
				t.Errorf("%s is excluded (%s) and passes: take it off the list", key, reason)
			case fault == "":
				passed++
			case !out:
				t.Errorf("%s: %s\n\t%s", key, strings.TrimSpace(c.Expression.Text), fault)
			}
		}
	}
	for key := range excluded {
		t.Errorf("%s is excluded, but there is no such case", key)
	}
	if ran < 935 {
		t.Errorf("only %d cases ran", ran)
	}
	t.Logf("%d official cases of FHIRPath: %d pass, %d are excluded with a reason", ran, passed, ran-passed)
}

// run returns why the case failed, or "".
func (c officialCase) run(d *path.Doc) string {
	p, err := path.Full(c.Expression.Text)
	var got []path.Item
	if err == nil {
		got, err = p.Run(d, path.Env{Now: time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)})
	}
	switch {
	case c.Expression.Invalid != "" && err == nil:
		return fmt.Sprintf("got %v, want a %s error", got, c.Expression.Invalid)
	case c.Expression.Invalid != "":
		if class, _ := path.ClassOf(err); class == path.Unsupported {
			return "refused as not supported: " + err.Error()
		}
		return ""
	case err != nil:
		return err.Error()
	}
	if c.Predicate {
		if want := c.Output[0].Text == "true"; (len(got) > 0) != want {
			return fmt.Sprintf("got %v, want %v", got, want)
		}
		return ""
	}
	if len(got) != len(c.Output) {
		return fmt.Sprintf("got %d values %v, want %d", len(got), got, len(c.Output))
	}
	used := make([]bool, len(got))
	for i, want := range c.Output {
		found := -1
		for j := range got {
			if !used[j] && (c.Ordered == "false" || i == j) && sameOutput(got[j], want.Type, want.Text) {
				found = j
				break
			}
		}
		if found < 0 {
			return fmt.Sprintf("value %d: got %v (%s), want %s %s", i, got, got[i].TypeName(), want.Type, want.Text)
		}
		used[found] = true
	}
	return ""
}

func sameOutput(it path.Item, typ, text string) bool {
	name := it.TypeName()
	if s, ok := strings.CutPrefix(name, "System."); ok {
		name = s
		if s != "Quantity" {
			name = strings.ToLower(s[:1]) + s[1:]
		}
	}
	if typ != "" && name != typ {
		return false
	}
	return strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(text), "@"), "T") == it.String()
}

func readInput(t *testing.T, name string) *path.Doc {
	t.Helper()
	body := testfiles.Case(t, name)
	if strings.HasSuffix(name, ".xml") {
		var err error
		if body, err = fhirxml.JSON(body); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	d, err := path.Parse(body)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return d
}

// readExclusions reads lines of the name of a case, a tab and the reason.
func readExclusions(t *testing.T) map[string]string {
	t.Helper()
	file, err := os.Open(exclusions)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	out := map[string]string{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := lines.Text()
		if line == "" || line[0] == '#' {
			continue
		}
		key, reason, ok := strings.Cut(line, "\t")
		if !ok || reason == "" {
			t.Fatalf("%s gives no reason", key)
		}
		out[key] = reason
	}
	return out
}
