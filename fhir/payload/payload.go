// Package payload reads resources that another resource contains as base64: the data of a Binary
// or an Attachment, or a base64Binary in an extension or a parameter. Labels, owners and
// references of such a resource count like those of its container, so code that reads these from
// a body must read its payloads too.
//
// A payload is FHIR if it looks like FHIR, whatever its content type: JSON objects with a
// resourceType, one or one per line, or XML in the namespace of FHIR. A payload that claims to be
// FHIR, or looks like it, and cannot be parsed is unreadable. Callers must treat an unreadable
// payload as if it were about anybody.
package payload

import (
	"bytes"
	"encoding/base64"
	"strconv"
	"strings"

	"carerecord/fhir"
	"carerecord/fhir/xml"
)

// MaxDepth is how many payloads may be nested. A deeper one is unreadable.
const MaxDepth = 8

// Property reports whether a JSON property of that name may have base64: data of Binary,
// Attachment and Signature, and each choice of base64Binary.
func Property(name string) bool {
	return name == "data" || strings.HasSuffix(name, "Base64Binary")
}

// Read returns the resources in base64 text, in JSON as fhir.Parse returns it, or none for a
// payload that is not FHIR. It returns false for an unreadable one. contentType may be empty.
func Read(contentType, data string) (resources [][]byte, readable bool) {
	claims := strings.Contains(strings.ToLower(contentType), "fhir")
	if !claims && !looksPromising(data) {
		return nil, true
	}
	raw, ok := decode(data)
	if !ok {
		return nil, false
	}
	text := trimmed(raw)
	resources, readable = parse(text)
	return resources, readable && (len(resources) > 0 || !claims)
}

// DataURL returns the content type and the base64 text of a data: URL.
func DataURL(url string) (contentType, data string, ok bool) {
	if len(url) < 5 || !strings.EqualFold(url[:5], "data:") {
		return "", "", false
	}
	head, data, ok := strings.Cut(url[5:], ",")
	contentType, isBase64 := strings.CutSuffix(strings.ToLower(head), ";base64")
	if !isBase64 {
		data = base64.StdEncoding.EncodeToString([]byte(data))
	}
	return contentType, data, ok
}

// looksPromising decodes only the beginning, to skip pictures and other large data.
func looksPromising(data string) bool {
	const few = 256
	raw, ok := decode(data[:min(len(data), few)])
	if !ok { // cut within a group of four, or no base64
		raw, ok = decode(data[:min(len(data), few-few%4)])
	}
	text := trimmed(raw)
	return ok && (len(text) == 0 && len(data) > few || len(text) > 0 && strings.IndexByte("{[<", text[0]) >= 0)
}

// decode reads base64 of either alphabet, with or without padding, ignoring white space.
func decode(data string) ([]byte, bool) {
	clean := strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\t', '\n', '\r', '=':
			return -1
		case '-':
			return '+'
		case '_':
			return '/'
		}
		return r
	}, data)
	if len(clean)%4 == 1 {
		return nil, false
	}
	raw, err := base64.RawStdEncoding.DecodeString(clean)
	return raw, err == nil
}

// trimmed returns text without a byte order mark and surrounding white space.
func trimmed(raw []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(raw), []byte("\ufeff")))
}

func parse(text []byte) (resources [][]byte, readable bool) {
	switch {
	case len(text) == 0:
		return nil, true
	case text[0] == '<':
		if !bytes.Contains(text, []byte(`="http://hl7.org/fhir"`)) && !bytes.Contains(text, []byte(`='http://hl7.org/fhir'`)) {
			return nil, true
		}
		body, err := xml.JSON(text)
		if err != nil {
			return nil, false
		}
		r, err := fhir.Parse(body)
		if err != nil {
			return nil, false
		}
		return [][]byte{r.Body}, true
	case text[0] != '{' && text[0] != '[', !bytes.Contains(unescaped(text), []byte(`resourceType`)):
		return nil, true
	}
	if r, err := fhir.Parse(text); err == nil {
		return [][]byte{r.Body}, true
	}
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		r, err := fhir.Parse(line)
		if err != nil {
			return nil, false
		}
		resources = append(resources, r.Body)
	}
	return resources, true
}

// unescaped replaces \u escapes of ASCII characters, so that no escape hides a name.
func unescaped(text []byte) []byte {
	if !bytes.Contains(text, []byte(`\u00`)) {
		return text
	}
	var out []byte
	for {
		before, after, found := bytes.Cut(text, []byte(`\u00`))
		out = append(out, before...)
		if !found {
			return out
		}
		if len(after) >= 2 {
			if c, err := strconv.ParseUint(string(after[:2]), 16, 8); err == nil {
				out, after = append(out, byte(c)), after[2:]
			}
		}
		text = after
	}
}
