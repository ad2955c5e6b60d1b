package patch

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"carerecord/conformance/testfiles"
	"carerecord/fhir"
	"carerecord/fhir/edit"
	fhirxml "carerecord/fhir/xml"
)

// TestOfficialJSONPatch runs the cases of RFC 6902's appendix on the operations
// themselves: their documents are no resources.
func TestOfficialJSONPatch(t *testing.T) {
	var list []struct {
		Comment, Error       string
		Doc, Patch, Expected json.RawMessage
	}
	if err := json.Unmarshal(testfiles.Case(t, "patch/json-patch-tests.json"), &list); err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		t.Run(c.Comment, func(t *testing.T) {
			root, err := edit.Tree(c.Doc)
			if err != nil {
				t.Fatal(err)
			}
			p, err := JSON(c.Patch)
			if err != nil {
				t.Fatal(err)
			}
			d := newDoc(root)
			for _, op := range p.ops {
				if e := op.apply(d); e != nil {
					if c.Error == "" {
						t.Errorf("%v", e)
					}
					return
				}
			}
			if c.Error != "" {
				t.Fatalf("got %s, want an error: %s", d.root.Append(nil), c.Error)
			}
			want, err := edit.Tree(c.Expected)
			if err != nil {
				t.Fatal(err)
			}
			if !edit.SameJSON(d.root, want) {
				t.Errorf("got  %s\nwant %s", d.root.Append(nil), want.Append(nil))
			}
		})
	}
	if len(list) < 16 {
		t.Errorf("only %d cases ran", len(list))
	}
	t.Logf("%d official cases of JSON Patch, none left out", len(list))
}

// TestOfficialFHIRPathPatch runs the cases of the standard; none is left out.
func TestOfficialFHIRPathPatch(t *testing.T) {
	type inner struct {
		XML []byte `xml:",innerxml"`
	}
	var suite struct {
		Cases []struct {
			Name   string  `xml:"name,attr"`
			Input  inner   `xml:"input"`
			Diff   inner   `xml:"diff"`
			Output *inner  `xml:"output"`
			Error  *string `xml:"error"`
		} `xml:"case"`
	}
	if err := xml.Unmarshal(testfiles.Case(t, "patch/fhir-patch-tests.xml"), &suite); err != nil {
		t.Fatal(err)
	}
	read := func(t *testing.T, x []byte) []byte {
		body, err := fhirxml.JSON(x)
		if err != nil {
			t.Fatalf("%v\n%s", err, x)
		}
		return body
	}
	for _, c := range suite.Cases {
		t.Run(c.Name, func(t *testing.T) {
			p, err := FHIRPath(read(t, c.Diff.XML))
			if err != nil {
				t.Fatal(err)
			}
			body, err := p.Apply(read(t, c.Input.XML))
			if c.Error != nil {
				if err == nil {
					t.Errorf("got %s, want an error", body)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := edit.Tree(body)
			if err != nil {
				t.Fatal(err)
			}
			want, err := edit.Tree(read(t, c.Output.XML))
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range []*edit.Node{got, want} { // white space and entities in narrative are free
				if text := n.Get("text"); text != nil {
					text.Set("div", edit.Text(strings.Join(strings.Fields(html.UnescapeString(text.Get("div").String())), "")))
				}
			}
			if !edit.SameJSON(got, want) {
				t.Errorf("got  %s\nwant %s", got.Append(nil), want.Append(nil))
			}
		})
	}
	if len(suite.Cases) < 33 {
		t.Errorf("only %d cases ran", len(suite.Cases))
	}
	t.Logf("%d official cases of FHIRPath Patch, none left out", len(suite.Cases))
}

// TestOfficialExamplesStay: what a patch adds and takes away again leaves every
// token of the official resources as it was (REST-090, 160).
func TestOfficialExamplesStay(t *testing.T) {
	part := `{"name":"operation","part":[{"name":"type","valueCode":"%s"},{"name":"path","valueString":"%s"}%s]}`
	added := fmt.Sprintf(part, "add", "Resource", `,{"name":"name","valueString":"implicitRules"},{"name":"value","valueUri":"u"}`)
	byPath, err := FHIRPath([]byte(`{"resourceType":"Parameters","parameter":[` + added + `,` + fmt.Sprintf(part, "delete", "Resource.implicitRules", "") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	byPointer, err := JSON([]byte(`[{"op":"add","path":"/implicitRules","value":"u"},{"op":"remove","path":"/implicitRules"}]`))
	if err != nil {
		t.Fatal(err)
	}
	files := testfiles.Cases(t, "examples/*.json")
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := fhir.Parse(body)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for name, p := range map[string]Patch{"FHIRPath Patch": byPath, "JSON Patch": byPointer} {
			if got, err := p.Apply(r.Body); err != nil || string(got) != string(r.Body) {
				t.Errorf("%s: %s: %v\ngot  %.300s\nwant %.300s", filepath.Base(file), name, err, got, r.Body)
			}
		}
	}
	t.Logf("%d official examples", len(files))
}
