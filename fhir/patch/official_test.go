package patch

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"carerecord/fhir/edit"
)

const cases = "../../../shared/spec/fhir-test-cases/r4/patch"

// official reads a file of official cases; the test is skipped where it is not.
func official(t *testing.T, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(cases, name))
	if err != nil {
		t.Skipf("%v: not here, so none of the official cases ran", err)
	}
	return body
}

// TestOfficialJSONPatch runs the cases of RFC 6902's appendix on the operations
// themselves: their documents are no resources.
func TestOfficialJSONPatch(t *testing.T) {
	var list []struct {
		Comment, Error       string
		Doc, Patch, Expected json.RawMessage
	}
	if err := json.Unmarshal(official(t, "json-patch-tests.json"), &list); err != nil {
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
			if !edit.Same(d.root, want) {
				t.Errorf("got  %s\nwant %s", d.root.Append(nil), want.Append(nil))
			}
		})
	}
	if len(list) < 16 {
		t.Errorf("only %d cases ran", len(list))
	}
	t.Logf("%d official cases of JSON Patch, none left out", len(list))
}
