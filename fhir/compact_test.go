package fhir

import (
	"bytes"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// careful parses as Parse does where compact is in doubt.
func careful(body []byte) ([]byte, error) {
	p := parser{dec: jsontext.NewDecoder(bytes.NewBuffer(body)), src: body}
	p.run()
	if len(p.issues) > 0 {
		return nil, &Error{Status: 400, Issues: p.issues}
	}
	return p.kept, nil
}

// checkCompact holds compact against the parser: what it accepts the parser
// accepts, apart from what the resource says of itself, with the same bytes.
func checkCompact(t *testing.T, body []byte) (accepted bool) {
	t.Helper()
	got, ok := compact(body)
	if !ok {
		return false
	}
	if _, err := careful(body); err != nil {
		e, _ := AsError(err)
		for _, issue := range e.Issues {
			if !strings.HasPrefix(issue.Text, "resourceType") && !strings.HasPrefix(issue.Text, "The resource has no resourceType") &&
				!strings.HasPrefix(issue.Text, "id is not") && !strings.HasPrefix(issue.Text, "meta is not") {
				t.Fatalf("compact accepts %q, the parser says %v", body, e.Issues)
			}
		}
	}
	want := jsontext.Value(bytes.Clone(body))
	if err := want.Compact(); err != nil || string(got) != string(want) {
		t.Fatalf("compact made\n%s of\n%s, want\n%s (%v)", got, body, want, err)
	}
	return true
}

func TestCompact(t *testing.T) {
	for _, c := range []struct {
		name, body string
		accepts    bool
	}{
		{"white space goes, tokens stay", " {\n\t\"resourceType\" : \"Patient\" , \"x\":[ 1.00 , -0.5e+10,true,false , null,\"a \\\" b\\n\" ] }\r\n", true},
		{"REST-080 a property twice", `{"a":1,"a":2}`, false},
		{"the same name in two objects", `{"a":{"b":1},"c":{"b":1},"d":[{"b":1},{"b":1}]}`, true},
		{"an escaped name may be a property twice", `{"a":1,"\u0061":2}`, false},
		{"REST-083 null in an object", `{"a":null}`, false},
		{"REST-083 an empty object", `{"a":{}}`, false},
		{"REST-083 an empty array", `{"a":[]}`, false},
		{"REST-083 an empty string", `{"a":""}`, false},
		{"an empty name", `{"":1}`, false},
		{"an array in an array", `{"a":[[1]]}`, false},
		{"a leading zero", `{"a":01}`, false},
		{"a fraction without digits", `{"a":1.}`, false},
		{"an exponent without digits", `{"a":1e}`, false},
		{"a plus sign", `{"a":+1}`, false},
		{"a comma too many", `{"a":1,}`, false},
		{"a comma too many in an array", `{"a":[1,]}`, false},
		{"a control character", "{\"a\":\"\x01\"}", false},
		{"REST-081 bad UTF-8", "{\"a\":\"\xff\"}", false},
		{"REST-081 U+0000 is left to the parser", `{"a":"\u0000"}`, false},
		{"an unknown escape", `{"a":"\x"}`, false},
		{"a long number", `{"a":` + strings.Repeat("1", 301) + `}`, false},
		{"no end", `{"a":"b`, false},
		{"an escape at the end", `{"a":"b\`, false},
		{"more behind the end", `{"a":1} 2`, false},
		{"not an object", `[1]`, false},
		{"nothing", ``, false},
		{"the deepest", strings.Repeat(`{"a":`, MaxDepth) + `1` + strings.Repeat(`}`, MaxDepth), true},
		{"REST-093 deeper", strings.Repeat(`{"a":`, MaxDepth+1) + `1` + strings.Repeat(`}`, MaxDepth+1), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := checkCompact(t, []byte(c.body)); got != c.accepts {
				t.Errorf("got %v, want %v", got, c.accepts)
			}
		})
	}
}

func FuzzCompact(f *testing.F) {
	for _, s := range []string{`{"resourceType":"Patient","id":"1","x":[1,2.50,{"a":"b\\\"c"}],"y":true}`, "{ \"a\" :\t[ null , \"\\u00e4\" ] }", `{"a":{"a":{"a":-0.0e-1}}}`,
		`{"a":1,"b":1,"a":1}`, `{"a":"\ud800"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) { checkCompact(t, body) })
}
