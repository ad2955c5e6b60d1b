package search

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"carerecord/fhir"
)

// Param is one parameter of a query string: Name as written, Modifier after the first colon, and the
// value, percent-decoded once.
type Param struct{ Name, Modifier, Value string }

// String returns the parameter as part of a query string.
func (p Param) String() string {
	name := p.Name
	if p.Modifier != "" {
		name += ":" + p.Modifier
	}
	return escape(name) + "=" + escape(p.Value)
}

// escape percent-encodes the characters that would end or split a parameter. Commas, colons, slashes
// and pipes stay readable.
func escape(s string) string {
	return strings.NewReplacer("%2C", ",", "%3A", ":", "%2F", "/", "%7C", "|", "%24", "$").Replace(url.QueryEscape(s))
}

// MaxParams is how many parameters a query may have (LIM-001).
const MaxParams = 200

// ParseQuery parses a query string, keeping order and repeats. A semicolon is not a separator (REST-017).
func ParseQuery(raw string) ([]Param, error) {
	var out []Param
	for raw != "" {
		var part string
		part, raw, _ = strings.Cut(raw, "&")
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		n, err := decode(name)
		if err != nil {
			return nil, err
		}
		v, err := decode(value)
		if err != nil {
			return nil, err
		}
		base, modifier, _ := strings.Cut(n, ":")
		out = append(out, Param{Name: base, Modifier: modifier, Value: v})
		if len(out) > MaxParams {
			return nil, fhir.Fault(400, "too-costly", "The query has more than %d parameters.", MaxParams)
		}
	}
	return out, nil
}

func decode(s string) (string, error) {
	d, err := url.QueryUnescape(s)
	if err != nil {
		return "", fhir.Fault(400, "value", "The query string has a broken percent sequence in %q.", s)
	}
	if !utf8.ValidString(d) {
		return "", fhir.Fault(400, "value", "The query string is not valid UTF-8.")
	}
	return d, nil
}

func encode(params []Param) string {
	parts := make([]string, len(params))
	for i, p := range params {
		parts[i] = p.String()
	}
	return strings.Join(parts, "&")
}
