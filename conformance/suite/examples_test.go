package suite

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/fhir"
	"carerecord/fhir/r4/r4test"
)

// definitionTypes are the types of the resources that define the standard. Other resources of the package are
// instances.
var definitionTypes = []string{"StructureDefinition", "SearchParameter", "ValueSet", "CodeSystem", "OperationDefinition", "ConceptMap", "CompartmentDefinition"}

// TestExamplesReadBack: the files of the example package are stored and read back token for token, except id and
// meta (REST-092): all files on the embedded engine, only the instances on MongoDB. Files that
// conformance/validate lists as invalid are refused.
func TestExamplesReadBack(t *testing.T) {
	refused := exclusions(t)
	engines(t, func(t *testing.T, s *server) {
		s.start("--auth", "off")
		n := 0
		began := time.Now()
		examples(t, func(name string, body []byte) {
			typ := gjson.GetBytes(body, "resourceType").Str
			if s.onMongo() && slices.Contains(definitionTypes, typ) {
				return
			}
			n++
			readBack(t, s, name, typ, body, refused[name])
		})
		whole := 5296 // all files of the package except ten large Bundles
		if s.onMongo() {
			whole = 730
		}
		if n != whole {
			t.Errorf("%d files were sent, want %d", n, whole)
		}
		t.Logf("%d files in %.0f s", n, time.Since(began).Seconds())
	})
}

func (s *server) onMongo() bool { return strings.HasPrefix(s.store, "mongodb://") }

func readBack(t *testing.T, s *server, name, typ string, body []byte, refused bool) {
	t.Helper()
	id := gjson.GetBytes(body, "id").Str
	path, method := typ+"/"+id, "PUT"
	if id == "" {
		path, method = typ, "POST"
	}
	r := s.do("", method, path, string(body))
	if refused {
		if r.status < 400 || r.status >= 500 {
			t.Errorf("%s is invalid, and is answered %d", name, r.status)
		}
		return
	}
	if r.status != 201 && r.status != 200 {
		t.Errorf("%s: got %d %.300s", name, r.status, r.body)
		return
	}
	sent, err := fhir.Parse(body)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	got := s.get("", typ+"/"+gjson.Get(r.body, "id").Str, "Accept: application/fhir+json") // otherwise a Binary is returned as content
	at, err := time.Parse(fhir.InstantFormat, got.get("meta.lastUpdated").Str)
	if err != nil {
		t.Errorf("%s: %v in %.200s", name, err, got.body)
		return
	}
	want := string(fhir.Stamp(sent.Body, got.get("id").Str, uint64(got.get("meta.versionId").Int()), at))
	if got.body != want {
		t.Errorf("REST-092: %s came back changed:\ngot  %.2000s\nwant %.2000s", name, got.body, want)
	}
}

// exclusions returns the names of the files that are invalid.
func exclusions(t *testing.T) map[string]bool {
	text, err := os.ReadFile("../../conformance/validate/testdata/standard.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if name, _, ok := strings.Cut(line, "\t"); ok {
			out[name] = true
		}
	}
	return out
}

// examples calls f for every file of the package, except the ten large Bundles that repeat its definitions.
func examples(t *testing.T, f func(name string, body []byte)) {
	for file := range r4test.Files(t) {
		name := file.Name
		if !strings.HasSuffix(name, ".json") || name == "package.json" || name == ".index.json" || file.Size > 8<<20 || strings.HasPrefix(name, "Bundle-") && file.Size > 1<<20 {
			continue
		}
		f(name, file.Body())
	}
}
