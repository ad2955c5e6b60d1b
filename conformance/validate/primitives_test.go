package validate_test

import (
	"strings"
	"testing"

	"carerecord/conformance/validate"
)

// TestPrimitives: each primitive type accepts its valid values and refuses others (REST-086,
// datatypes.html). Values are JSON.
func TestPrimitives(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for _, c := range []struct {
		typ       string
		good, bad []string
	}{
		{"Boolean", []string{`true`, `false`}, nil},
		{"Integer", []string{`0`, `-1`, `2147483647`, `-2147483648`}, []string{`2147483648`, `-2147483649`, `1.0`, `1e3`, `-0`, `99999999999999999999`}},
		{"PositiveInt", []string{`1`, `2147483647`}, []string{`0`, `-1`, `2147483648`, `1.5`}},
		{"UnsignedInt", []string{`0`, `1`}, []string{`-1`, `4294967296`, `1e0`}},
		{"Decimal", []string{`0`, `-0`, `1.00`, `0.010`, `1e3`, `1E-22`, `123456789012345678901234567890.5`}, nil},
		{"String", []string{`"x"`, `" x "`, `" "`, `"a\nb\r\tc"`, `"é\u00e9😀"`, `"` + long + `"`}, []string{`"a\u0001b"`, `"\b"`, `"\f"`, `"` + long + `x"`}},
		{"Markdown", []string{`"# x\n"`}, []string{`"\u001f"`}},
		{"Uri", []string{`"urn:oid:1.2"`, `"x"`, `"http://a/b?c#d"`, `"urn:uuid:X"`}, []string{`"a b"`, `" a"`, `"a\n"`, `"a\u0001"`}},
		{"Url", []string{`"http://a"`, `"mailto:a@b"`}, []string{`"http://a b"`}},
		{"Canonical", []string{`"http://a|1.0"`, `"#x"`}, []string{`"http://a |1"`}},
		{"Code", []string{`"a"`, `"a b"`, `"1.2-x/y"`, `"é"`}, []string{`" a"`, `"a "`, `"a  b"`, `" "`, `"a\u0001b"`}},
		{"Id", []string{`"a"`, `"A-1.b"`, `"` + long[:64] + `"`}, []string{`"a b"`, `"a_b"`, `"` + long[:65] + `"`, `"é"`}},
		{"Oid", []string{`"urn:oid:1.2.3"`, `"urn:oid:2.16.840.1.113883"`, `"urn:oid:0.0"`}, []string{`"1.2.3"`, `"urn:oid:3.1"`, `"urn:oid:1"`, `"urn:oid:1.02"`, `"urn:oid:1..2"`, `"urn:oid:1.2."`, `"urn:oid:1.a"`}},
		{"Uuid", []string{`"urn:uuid:c757873d-ec9a-4326-a141-556f43239520"`}, []string{`"c757873d-ec9a-4326-a141-556f43239520"`, `"urn:uuid:C757873D-ec9a-4326-a141-556f43239520"`, `"urn:uuid:c757873dec9a4326a141556f43239520"`, `"urn:uuid:c757873d-ec9a-4326-a141-556f4323952g"`}},
		{"Base64Binary", []string{`"AQID"`, `"AQ=="`, `"AQI="`, `"AQ ID\nBA=="`}, []string{`"AQI"`, `"A==="`, `"AQ=I"`, `"AQ_D"`, `" "`, `"===="`}},
		{"Date", []string{`"2024"`, `"2024-12"`, `"2024-02-29"`, `"2000-02-29"`, `"0001-01-01"`}, []string{`"2023-02-29"`, `"1900-02-29"`, `"2024-13"`, `"2024-00"`, `"2024-04-31"`, `"2024-01-00"`, `"2024-1-1"`, `"24"`, `"0000"`, `"2024-01-01T10:00:00Z"`, `"2024/01/01"`, `"20240101"`, `"2024-"`, `"2024-01-"`}},
		{"DateTime", []string{`"2024"`, `"2024-12"`, `"2024-12-31"`, `"2024-12-31T23:59:59Z"`, `"2024-12-31T23:59:60Z"`, `"2024-12-31T00:00:00.123456789+14:00"`, `"2024-12-31T00:00:00-09:30"`},
			[]string{`"2024-12-31T10:00:00"`, `"2024-12-31T10:00Z"`, `"2024-12-31T24:00:00Z"`, `"2024-12-31T10:60:00Z"`, `"2024-12-31T10:00:61Z"`, `"2024-12-31T10:00:00.Z"`, `"2024-12-31T10:00:00+14:30"`, `"2024-12-31T10:00:00+0100"`, `"2024-12-31T10:00:00+01"`, `"2023-02-29T10:00:00Z"`, `"2024-12-31 10:00:00Z"`, `"2024-12-31T10:00:00Zx"`, `"2024-12T10:00:00Z"`, `"2024-12-31T10:00:00z"`}},
		{"Instant", []string{`"2024-12-31T23:59:59Z"`, `"2024-12-31T23:59:59.999+01:00"`}, []string{`"2024"`, `"2024-12-31"`, `"2024-12-31T23:59:59"`, `"2024-12-31T23:59Z"`, `"2024-02-30T00:00:00Z"`}},
		{"Time", []string{`"00:00:00"`, `"23:59:59"`, `"12:00:00.5"`}, []string{`"24:00:00"`, `"12:00"`, `"12:00:00Z"`, `"12:60:00"`, `"1:00:00"`, `"12:00:00."`}},
	} {
		check := func(value, want string) {
			body := `{"resourceType":"Patient","extension":[{"url":"a","value` + c.typ + `":` + value + `}]}`
			if got := strings.Join(issueLines(validate.Resource([]byte(body), validate.Strict)), "\n"); got != want {
				t.Errorf("%s %.80s: got %q, want %q", c.typ, value, got, want)
			}
		}
		for _, value := range c.good {
			check(value, "")
		}
		for _, value := range c.bad {
			check(value, "value Patient.extension[0].value")
		}
		check(`[]`, "structure Patient.extension[0].value\nstructure Patient.extension[0].value")
		check(`{"a":1}`, "structure Patient.extension[0].value")
		check(`null`, "structure Patient.extension[0].value")
		if c.typ == "Boolean" || strings.HasSuffix(c.typ, "Int") || c.typ == "Integer" || c.typ == "Decimal" {
			check(`"1"`, "structure Patient.extension[0].value")
		} else {
			check(`1`, "structure Patient.extension[0].value")
			check(`true`, "structure Patient.extension[0].value")
			check(`""`, "structure Patient.extension[0].value")
		}
	}
}

// TestNarrative: a div of a Narrative has only the allowed content (narrative.html).
func TestNarrative(t *testing.T) {
	const open = `<div xmlns="http://www.w3.org/1999/xhtml">`
	for _, c := range []struct{ name, div, want string }{
		{"text", open + `x</div>`, ""},
		{"an image", open + `<img src="#a" alt="x"/></div>`, ""},
		{"a table", open + `<table border="1"><tr><td colspan='2' style="color:red">x</td></tr></table></div>`, ""},
		{"comment, blanks around", "\n<!-- c -->" + open + `x<!-- <p> --></div > `, ""},
		{"link", open + `<a href="http://a/?b&amp;c" name="d">x</a></div>`, ""},
		{"txt-1 script", open + `<script>x</script></div>`, "invariant"},
		{"txt-1 form", open + `<form>x</form></div>`, "invariant"},
		{"txt-1 iframe", open + `<iframe src="http://a"/></div>`, "invariant"},
		{"txt-1 event", open + `<p onclick="x()">x</p></div>`, "invariant"},
		{"txt-1 javascript address", open + `<a href=" java&#115;cript:x()">x</a></div>`, "invariant"},
		{"txt-1 upper case", open + `<P>x</P></div>`, "invariant"},
		{"txt-2 nothing", open + ` <p/> </div>`, "invariant"},
		{"not a div", `<p xmlns="http://www.w3.org/1999/xhtml">x</p>`, "value"},
		{"no namespace", `<div>x</div>`, "value"},
		{"other namespace", `<div xmlns="http://www.w3.org/2000/svg">x</div>`, "value"},
		{"two divs", open + `x</div>` + open + `y</div>`, "value"},
		{"text outside", open + `x</div>y`, "value"},
		{"no markup", `x`, "value"},
		{"not closed", open + `x`, "value"},
		{"crossed", open + `<b><i>x</b></i></div>`, "value"},
		{"HTML br", open + `x<br></div>`, "value"},
		{"nbsp", open + `x&nbsp;y</div>`, "value"},
		{"bare ampersand", open + `x & y</div>`, "value"},
		{"number that is not a character", open + `x&#0;</div>`, "value"},
		{"attribute without quotes", open + `<p class=a>x</p></div>`, "value"},
		{"attribute without value", open + `<p class>x</p></div>`, "value"},
		{"repeated attribute", open + `<p class="a" class="b">x</p></div>`, "value"},
		{"less than", open + `1 < 2</div>`, "value"},
		{"doctype", `<!DOCTYPE html>` + open + `x</div>`, "value"},
		{"processing instruction", open + `<?php x ?>x</div>`, "value"},
		{"tag without end", open + `x</div`, "value"},
		{"comment without end", open + `x<!-- </div>`, "value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := `{"resourceType":"Patient","text":{"status":"generated","div":` + quote(c.div) + `}}`
			want := c.want
			if want != "" {
				want += " Patient.text.`div`"
			}
			if got := strings.Join(issueLines(validate.Resource([]byte(body), validate.Strict)), "\n"); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`"`, `\"`, "\n", `\n`).Replace(s) + `"`
}
