package patch_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"carerecord/fhir"
	"carerecord/fhir/patch"
	"carerecord/fhir/path"
)

const odd = `{"resourceType":"Observation","id":"o","meta":{"security":[{"system":"s","code":"R"}],"tag":[{"code":"t"}]},"status":"final",` +
	`"code":{"text":"caf\u00e9 \/"},"valueQuantity":{"value":1.00,"unit":"x"},"referenceRange":[{"low":{"value":1e3}},{"high":{"value":0.010}}],"note":[{"text":"a"},{"text":"b"}]}`

// outcome writes a result or an error on one line: "422 processing $this[0].path".
func outcome(body []byte, err error) string {
	if err == nil {
		return string(body)
	}
	e, ok := fhir.AsError(err)
	if !ok {
		return err.Error()
	}
	var b strings.Builder
	fmt.Fprint(&b, e.Status)
	for _, issue := range e.Issues {
		fmt.Fprintf(&b, " %s %s", issue.Code, issue.Expression)
		if _, err := path.Full(issue.Expression); issue.Expression != "" && err != nil { // REST-003
			fmt.Fprintf(&b, " (%v)", err)
		}
	}
	return b.String()
}

func jsonPatch(body, document string) string {
	p, err := patch.JSON([]byte(document))
	if err != nil {
		return outcome(nil, err)
	}
	return outcome(p.Apply([]byte(body)))
}

func TestJSONPatch(t *testing.T) {
	with := func(old, now string) string { return strings.Replace(odd, old, now, 1) }
	for _, c := range []struct{ name, patch, want string }{
		{"REST-160 nothing to do", `[]`, odd},
		{"REST-090 REST-160 untouched numbers keep their text", `[{"op":"replace","path":"/status","value":"amended"}]`, with(`"final"`, `"amended"`)},
		{"REST-090 so do those beside what is touched", `[{"op":"replace","path":"/valueQuantity/unit","value":"y"},{"op":"remove","path":"/referenceRange/1"}]`,
			strings.Replace(with(`"unit":"x"`, `"unit":"y"`), `,{"high":{"value":0.010}}`, ``, 1)},
		{"REST-090 and those that the patch brings", `[{"op":"replace","path":"/valueQuantity/value","value":2.50e-1}]`, with(`1.00`, `2.50e-1`)},
		{"add before an entry", `[{"op":"add","path":"/note/0","value":{"text":"c"}}]`, with(`[{"text":"a"}`, `[{"text":"c"},{"text":"a"}`)},
		{"add at the end", `[{"op":"add","path":"/note/-","value":{"text":"c"}}]`, with(`{"text":"b"}`, `{"text":"b"},{"text":"c"}`)},
		{"add replaces a member", `[{"op":"add","path":"/status","value":"amended"}]`, with(`"final"`, `"amended"`)},
		{"add a member", `[{"op":"add","path":"/valueQuantity/code","value":"y"}]`, with(`"unit":"x"`, `"unit":"x","code":"y"`)},
		{"move", `[{"op":"move","from":"/note/0","path":"/note/1"}]`, with(`{"text":"a"},{"text":"b"}`, `{"text":"b"},{"text":"a"}`)},
		{"move to itself", `[{"op":"move","from":"/note/0","path":"/note/0"}]`, odd},
		{"copy", `[{"op":"copy","from":"/note/0","path":"/note/-"}]`, with(`{"text":"b"}`, `{"text":"b"},{"text":"a"}`)},
		{"in order", `[{"op":"add","path":"/note/-","value":{"text":"c"}},{"op":"remove","path":"/note/2/text"},{"op":"add","path":"/note/2/text","value":"d"}]`, with(`{"text":"b"}`, `{"text":"b"},{"text":"d"}`)},
		{"test: numbers by value", `[{"op":"test","path":"/valueQuantity","value":{"unit":"x","value":1}},{"op":"test","path":"/referenceRange/0/low/value","value":1000.0},{"op":"test","path":"/referenceRange/1/high/value","value":1e-2}]`, odd},
		{"test: strings by character", `[{"op":"test","path":"/code/text","value":"café /"}]`, odd},
		{"REST-164 test fails", `[{"op":"replace","path":"/note/0/text","value":"z"},{"op":"test","path":"/status","value":"amended"}]`, `422 processing $this[1]`},
		{"test: a string is no number", `[{"op":"test","path":"/valueQuantity/value","value":"1.00"}]`, `422 processing $this[0]`},
		{"test: arrays in order", `[{"op":"test","path":"/note","value":[{"text":"b"},{"text":"a"}]}]`, `422 processing $this[0]`},
		{"test of what is not there", `[{"op":"test","path":"/note/7","value":1}]`, `422 processing $this[0].path`},
		{"REST-164 missing path", `[{"op":"replace","path":"/subject","value":{"reference":"Patient/1"}}]`, `422 processing $this[0].path`},
		{"REST-164 missing parent", `[{"op":"add","path":"/subject/reference","value":"Patient/1"}]`, `422 processing $this[0].path`},
		{"REST-164 missing from", `[{"op":"copy","from":"/subject","path":"/focus"}]`, `422 processing $this[0].from`},
		{"REST-164 bad index", `[{"op":"add","path":"/note/3","value":{"text":"c"}}]`, `422 processing $this[0].path`},
		{"REST-164 index with a zero before it", `[{"op":"remove","path":"/note/01"}]`, `422 processing $this[0].path`},
		{"REST-164 negative index", `[{"op":"remove","path":"/note/-1"}]`, `422 processing $this[0].path`},
		{"remove behind the end", `[{"op":"remove","path":"/note/-"}]`, `422 processing $this[0].path`},
		{"into a string", `[{"op":"add","path":"/status/x","value":1}]`, `422 processing $this[0].path`},
		{"REST-164 not JSON", `[{"op":"remove","path":"/note/0"`, `400 structure `},
		{"REST-164 a member twice", `[{"op":"remove","path":"/note","path":"/status"}]`, `400 structure `},
		{"REST-164 no array", `{"op":"remove","path":"/note"}`, `400 structure `},
		{"REST-164 all faults", `[{"op":"delete","path":"/note"},7,{"op":"add","path":"note"},{"op":"copy","path":"/a~2"},{"op":"move","from":"/note","path":"/note/0"}]`,
			`400 structure $this[0].op structure $this[1] structure $this[2].value structure $this[2].path structure $this[3].from structure $this[3].path structure $this[4].path`},
		{"REST-163 id", `[{"op":"test","path":"/id","value":"o"},{"op":"replace","path":"/id","value":"p"}]`, `400 invalid $this[1]`},
		{"REST-163 id taken away", `[{"op":"remove","path":"/id"}]`, `400 invalid $this[0]`},
		{"REST-163 id moved away and back", `[{"op":"move","from":"/id","path":"/x"},{"op":"move","from":"/x","path":"/id"}]`, `ok`},
		{"REST-163 resourceType", `[{"op":"replace","path":"/resourceType","value":"Patient"}]`, `400 invalid $this[0]`},
		{"REST-163 everything", `[{"op":"replace","path":"","value":{"resourceType":"Observation"}}]`, `400 invalid $this[0]`},
		{"nothing left", `[{"op":"remove","path":""}]`, `422 processing $this[0].path`},
		{"REST-163 an empty array", `[{"op":"remove","path":"/note/0"},{"op":"remove","path":"/note/0"}]`, `422 invariant Observation.note`},
		{"REST-163 null", `[{"op":"add","path":"/subject","value":null}]`, `422 invariant Observation.subject`},
		{"REST-104 a label", `[{"op":"remove","path":"/meta/security/0"}]`, `422 business-rule $this[0]`},
		{"REST-104 a tag", `[{"op":"replace","path":"/status","value":"amended"},{"op":"remove","path":"/meta/tag"}]`, `422 business-rule $this[1]`},
		{"REST-104 all of meta", `[{"op":"remove","path":"/meta"}]`, `422 business-rule $this[0]`},
		{"REST-104 a code of a label", `[{"op":"replace","path":"/meta/security/0/code","value":"N"}]`, `422 business-rule $this[0]`},
		{"REST-104 one more label is fine", `[{"op":"add","path":"/meta/security/0","value":{"code":"N"}}]`, with(`"security":[`, `"security":[{"code":"N"},`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := jsonPatch(odd, c.patch)
			if c.want == "ok" && !strings.HasPrefix(got, "4") {
				return
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.patch, diff)
			}
		})
	}
}

func TestNarrative(t *testing.T) {
	body := func(status string) string {
		return `{"resourceType":"Patient","text":{"status":"` + status + `","div":"<div>x</div>"},"contained":[{"resourceType":"Practitioner","id":"a","text":{"status":"generated","div":"<div>y</div>"}}],"gender":"male"}`
	}
	gender := `{"op":"replace","path":"/gender","value":"female"}`
	for _, c := range []struct{ name, body, patch, want string }{
		{"REST-170 generated narrative goes", body("generated"), `[` + gender + `]`,
			`{"resourceType":"Patient","contained":[{"resourceType":"Practitioner","id":"a","text":{"status":"generated","div":"<div>y</div>"}}],"gender":"female"}`},
		{"REST-170 other narrative stands in the way", body("additional"), `[{"op":"test","path":"/gender","value":"male"},` + gender + `]`, `422 business-rule $this[1]`},
		{"REST-170 unless the patch brings its own", body("additional"), `[` + gender + `,{"op":"replace","path":"/text/div","value":"<div>z</div>"}]`,
			strings.NewReplacer("male", "female", "<div>x", "<div>z").Replace(body("additional"))},
		{"no change, no loss", body("generated"), `[{"op":"replace","path":"/gender","value":"male"}]`, body("generated")},
		{"meta is not told", body("additional"), `[{"op":"add","path":"/meta","value":{"tag":[{"code":"t"}]}}]`, strings.Replace(body("additional"), `"male"`, `"male","meta":{"tag":[{"code":"t"}]}`, 1)},
		{"a resource within", body("generated"), `[{"op":"add","path":"/contained/0/active","value":true}]`,
			`{"resourceType":"Patient","contained":[{"resourceType":"Practitioner","id":"a","active":true}],"gender":"male"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, jsonPatch(c.body, c.patch)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.patch, diff)
			}
		})
	}
}

func TestReads(t *testing.T) {
	for document, want := range map[string]bool{
		`[{"op":"add","path":"/a","value":1}]`: false, `[{"op":"copy","from":"/a","path":"/b"}]`: false,
		`[{"op":"remove","path":"/a"},{"op":"test","path":"/a","value":1}]`: true,
	} {
		p, err := patch.JSON([]byte(document))
		if err != nil {
			t.Fatal(err)
		}
		if p.Reads() != want {
			t.Errorf("SMART-288: %s: got %v, want %v", document, p.Reads(), want)
		}
	}
}

func TestJSONPatchBounds(t *testing.T) {
	double := strings.Repeat(`{"op":"copy","from":"/note","path":"/note/-"},`, 20)
	if got := jsonPatch(odd, `[`+double[:len(double)-1]+`]`); !strings.HasPrefix(got, "422 too-costly $this[") {
		t.Errorf("twenty doublings: got %.80s, want too-costly", got)
	}
	deep := strings.Repeat(`{"a":`, fhir.MaxDepth) + `1` + strings.Repeat(`}`, fhir.MaxDepth)
	if got := jsonPatch(odd, `[{"op":"add","path":"/x","value":`+deep+`}]`); got != "422 processing $this[0].path" {
		t.Errorf("a deep value: got %.80s", got)
	}
	many := strings.Repeat(`{"op":"remove","path":"/x"},`, patch.MaxOperations+1)
	if got := jsonPatch(odd, `[`+many[:len(many)-1]+`]`); got != "400 too-costly " {
		t.Errorf("many operations: got %.80s", got)
	}
}

// TestJSONPatchLaws: adding and taking away again leaves every token as it was,
// and a test with the value that is there holds.
func TestJSONPatchLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := `{"resourceType":"Basic","x":` + value(t, 3) + `,"y":` + value(t, 3) + `}`
		for _, c := range []string{
			`[{"op":"copy","from":"/x","path":"/new"},{"op":"test","path":"/new","value":` + body[strings.Index(body, `"x":`)+4:strings.LastIndex(body, `,"y":`)] + `},{"op":"remove","path":"/new"}]`,
			`[{"op":"move","from":"/y","path":"/new"},{"op":"move","from":"/new","path":"/y"}]`,
			`[{"op":"copy","from":"","path":"/new"},{"op":"replace","path":"/x","value":[true]},{"op":"copy","from":"/new/x","path":"/x"},{"op":"remove","path":"/new"}]`,
		} {
			if got := jsonPatch(body, c); got != body {
				t.Fatalf("%s\n%s\ngot %s", body, c, got)
			}
		}
	})
}

// value draws a JSON value that FHIR could hold, with numbers in odd spellings.
func value(t *rapid.T, depth int) string {
	kind := rapid.IntRange(0, 4).Draw(t, "kind")
	if depth == 0 {
		kind %= 3
	}
	switch kind {
	case 0:
		return rapid.SampledFrom([]string{"1.00", "1e3", "-0.0", "12345678901234567890.1", "2E-2"}).Draw(t, "number")
	case 1:
		return rapid.SampledFrom([]string{`"a"`, `"é"`, `"\""`, `"\\"`}).Draw(t, "text")
	case 2:
		return rapid.SampledFrom([]string{"true", "false"}).Draw(t, "word")
	case 3:
		parts := []string{}
		for i := range rapid.IntRange(1, 3).Draw(t, "members") {
			parts = append(parts, fmt.Sprintf(`"%c":%s`, 'c'-i, value(t, depth-1)))
		}
		return "{" + strings.Join(parts, ",") + "}"
	default:
		parts := []string{}
		for range rapid.IntRange(1, 3).Draw(t, "items") {
			v := value(t, depth-1)
			if v[0] == '[' {
				v = `{"z":` + v + `}`
			}
			parts = append(parts, v)
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`[{"op":"copy","from":"/note","path":"/note/-"},{"op":"move","from":"/a","path":"/b~1"},{"op":"test","path":"/status","value":1.0e2}]`))
	f.Fuzz(func(t *testing.T, document []byte) {
		p, err := patch.JSON(document)
		if err == nil {
			_, err = p.Apply([]byte(odd))
		}
		if _, ok := fhir.AsError(err); err != nil && !ok {
			t.Errorf("%v is no fhir.Error", err)
		}
	})
}
