package index_test

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"carerecord/conformance/testfiles"
	"carerecord/fhir/index"
	"carerecord/fhir/path"
	"carerecord/fhir/r4"
	"carerecord/fhir/r4/r4test"
	"carerecord/store"
)

// example is a resource of a corpus.
type example struct {
	name, typ, id string
	body          []byte
}

// examples reads the examples of the standard.
func examples(t testing.TB) []example {
	t.Helper()
	var list []example
	for f := range r4test.Files(t) {
		typ, _, _ := strings.Cut(f.Name, "-")
		// Definitions are thousands and much alike; every sixteenth will do.
		if !r4.IsResource(typ) || typ == "Bundle" || conformance(typ) && len(f.Name)%16 != 0 {
			continue
		}
		list = append(list, resource(t, f.Name, f.Body()))
	}
	return list
}

func conformance(typ string) bool {
	return slices.Contains([]string{"CodeSystem", "ValueSet", "StructureDefinition", "SearchParameter", "ConceptMap"}, typ)
}

func resource(t testing.TB, name string, body []byte) example {
	t.Helper()
	var r struct{ ResourceType, ID string }
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return example{name, r.ResourceType, r.ID, body}
}

// bundles reads the resources of a few bundles.
func bundles(t testing.TB, files int) []example {
	t.Helper()
	names := testfiles.Shared(t, testfiles.Synthea+"/*.json.gz")
	var list []example
	for _, name := range names[:min(files, len(names))] {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		unzipped, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		var bundle struct {
			Entry []struct{ Resource json.RawMessage }
		}
		if err := json.NewDecoder(unzipped).Decode(&bundle); err != nil {
			t.Fatal(err)
		}
		f.Close()
		for _, e := range bundle.Entry {
			list = append(list, resource(t, filepath.Base(name), e.Resource))
		}
	}
	return list
}

func TestExamplesOfTheStandard(t *testing.T) { findItself(t, examples(t)) }

func TestSampleBundles(t *testing.T) { findItself(t, bundles(t, 4)) }

// findItself asks for every value that a parameter finds in a resource, and the
// resource must be found; so must it be by :missing=false, and not by the
// complement of what finds it (SRCH-017, SRCH-019, SRCH-047).
func findItself(t *testing.T, list []example) {
	x := newIndexer(t)
	asked := map[index.Kind]int{}
	for _, e := range list {
		row, err := x.Index(e.typ, e.id, now, e.body)
		if err != nil {
			t.Errorf("%s: %v", e.name, err)
			continue
		}
		if !slices.IsSorted(row.Keys) || len(slices.Compact(slices.Clone(row.Keys))) != len(row.Keys) {
			t.Errorf("%s: keys are not sorted and distinct", e.name)
		}
		doc, err := path.Parse(e.body)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range x.Params(e.typ) {
			for _, q := range queriesFor(e, p, doc) {
				asked[p.Kind]++
				pred, err := x.Predicate(index.Query{Type: e.typ, Name: p.Code, Modifier: q.modifier, Values: []string{q.value}})
				if err != nil {
					t.Errorf("%s: %s:%s=%s: %v", e.name, p.Code, q.modifier, q.value, err)
					continue
				}
				if !store.Match(pred, row.Keys) {
					t.Errorf("%s: not found by %s:%s=%s", e.name, p.Code, q.modifier, q.value)
				}
				if missed := unproposed(pred, row.Keys); missed != nil {
					t.Errorf("%s: %s:%s=%s proposes nothing: %+v", e.name, p.Code, q.modifier, q.value, missed)
				}
			}
		}
	}
	t.Logf("%d resources, queries by kind: %v", len(list), asked)
}

type ask struct{ modifier, value string }

var escaper = strings.NewReplacer(`\`, `\\`, ",", `\,`, "$", `\$`, "|", `\|`)

// queriesFor makes queries that must find an example, from the values that the
// parameter's expression yields.
func queriesFor(e example, p index.Param, doc *path.Doc) []ask {
	if p.Code == "_lastUpdated" || p.Code == "_id" {
		return nil
	}
	expr, err := path.Compile(r4.LookupSearchParam(e.typ, p.Code).Expression)
	if err != nil {
		return nil
	}
	if expr, err = expr.For(e.typ); err != nil {
		return nil
	}
	var list []ask
	for _, v := range expr.Eval(doc, nil) {
		found := valueQueries(v, p.Kind)
		if len(found) > 0 {
			found = append(found, ask{"missing", "false"})
		}
		list = append(list, found...)
	}
	return list
}

func valueQueries(v path.Value, kind index.Kind) []ask {
	text := escaper.Replace(v.Text())
	coding := func(c path.Value, name string) []ask {
		system, code := escaper.Replace(c.GetText("system")), escaper.Replace(c.GetText(name))
		if code == "" {
			return nil
		}
		return []ask{{"", code}, {"", system + "|" + code}}
	}
	switch string(kind) + " " + v.Type {
	case "token CodeableConcept":
		var list []ask
		for c := range v.All("coding") {
			list = append(list, coding(c, "code")...)
		}
		return list
	case "token Coding":
		return coding(v, "code")
	case "token Identifier":
		return coding(v, "value")
	case "token code", "token boolean", "token id", "uri uri", "uri url", "uri canonical", "reference canonical", "reference uri":
		return []ask{{"", strings.ReplaceAll(text, `\|`, "|")}}
	case "string string", "string markdown":
		if strings.ContainsFunc(v.Text(), func(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' }) {
			return []ask{{"", text}, {"exact", text}, {"contains", text}}
		}
	case "string HumanName":
		if family := v.GetText("family"); family != "" {
			return []ask{{"", family}, {"exact", family}}
		}
	case "date date", "date dateTime":
		return []ask{{"", text}, {"", "ge" + text}, {"", "le" + text}, {"", text[:4]}}
	case "date Period":
		if start := v.GetText("start"); start != "" {
			return []ask{{"", "ge" + start}, {"", "gt0002"}}
		}
	case "quantity Quantity":
		if value := v.GetText("value"); value != "" && v.GetText("comparator") == "" {
			list := []ask{{"", value}}
			system, code, unit := escaper.Replace(v.GetText("system")), escaper.Replace(v.GetText("code")), escaper.Replace(v.GetText("unit"))
			if system != "" && code != "" {
				list = append(list, ask{"", value + "|" + system + "|" + code}, ask{"", "ge" + value + "|" + system + "|" + code}, ask{"", value + "|" + system + "|"}, ask{"", value + "||" + code})
			}
			if unit != "" {
				list = append(list, ask{"", value + "||" + unit})
			}
			return list
		}
	case "reference Reference":
		if r := v.GetText("reference"); r != "" && r[0] != '#' {
			return []ask{{"", escaper.Replace(r)}}
		}
	}
	return nil
}
