package edit

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/fhir"
	"carerecord/fhir/r4"
)

// Link is the value of a Reference.reference, of a uri, url, oid or uuid, or of an href or src of
// narrative.
type Link struct {
	Value     string
	Reference bool // the value of a Reference.reference

	reader *linkReader
}

// FHIRPath returns the element of the link as a simple FHIRPath. It must be called within the
// function that Links calls for the link.
func (l Link) FHIRPath() string {
	path := []byte(l.reader.root)
	for _, s := range l.reader.path {
		if s.name == nil {
			path = append(path, "["+strconv.Itoa(s.item)+"]"...)
		} else {
			path = fhir.AppendElement(path, string(s.name))
		}
	}
	return string(path)
}

// Links calls f for every link of a resource that fhir.Parse accepted, and replaces the link by
// the result (REST-228). Canonicals and other text are not links. It returns body itself if no link
// changes.
func Links(body []byte, f func(Link) string) []byte {
	l := &linkReader{src: body, f: f, path: make([]segment, 0, 16), root: gjson.GetBytes(body, "resourceType").Str}
	l.peekToken()
	l.readObject(r4.TypeOf(l.root))
	if l.out == nil {
		return body
	}
	return append(l.out, body[l.copied:]...)
}

// linkReader reads a resource once, from its first byte to its last. The bytes must be valid JSON.
type linkReader struct {
	src    []byte
	pos    int // next byte
	f      func(Link) string
	root   string
	path   []segment
	out    []byte // the output for src[:copied]; nil while nothing changed
	copied int
}

// segment is the name of a member, or the index of an item.
type segment struct {
	name []byte
	item int
}

func (l *linkReader) push(s segment) { l.path = append(l.path, s) }
func (l *linkReader) pop()           { l.path = l.path[:len(l.path)-1] }

// peekToken skips white space and returns the next byte.
func (l *linkReader) peekToken() byte {
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; c {
		case ' ', '\t', '\n', '\r':
			l.pos++
		default:
			return c
		}
	}
	return 0
}

// readString reads a string and returns it with its quotes.
func (l *linkReader) readString() []byte {
	from := l.pos
	for l.pos++; l.pos < len(l.src); l.pos++ {
		switch l.src[l.pos] {
		case '\\':
			l.pos++
		case '"':
			l.pos++
			return l.src[from:l.pos]
		}
	}
	return l.src[from:]
}

// unquote returns the value of a string in quotes.
func unquote(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') >= 0 {
		return []byte(gjson.ParseBytes(quoted).Str)
	}
	return quoted[1 : len(quoted)-1]
}

// readObject reads an object. t is nil for a type that R4 does not define.
func (l *linkReader) readObject(t *r4.Type) {
	l.pos++
	for l.peekToken() == '"' {
		quoted := l.readString()
		l.peekToken()
		l.pos++ // the colon
		name := unquote(quoted)
		base := bytes.TrimPrefix(name, []byte("_"))
		prop, known := property(t, string(base))
		l.push(segment{name: name})
		if len(base) < len(name) { // the id and extensions of a primitive
			prop, known = r4.Property{Type: "Element", Of: r4.TypeOf("Element")}, true
		}
		l.readValue(t, prop, known)
		l.pop()
		if l.peekToken() == ',' {
			l.pos++
		}
	}
	l.pos++
}

// readValue reads the value of a property, an array item by item.
func (l *linkReader) readValue(owner *r4.Type, prop r4.Property, known bool) {
	switch l.peekToken() {
	case '{':
		of := prop.Of
		if of == nil || of.Class == r4.Abstract && prop.Type != "Element" {
			if t := gjson.GetBytes(l.src[l.pos:], "resourceType"); t.Exists() {
				of = r4.TypeOf(t.Str)
			}
		}
		l.readObject(of)
	case '[':
		l.pos++
		for n := 0; l.peekToken() != ']' && l.pos < len(l.src); n++ {
			l.push(segment{item: n})
			l.readValue(owner, prop, known)
			l.pop()
			if l.peekToken() == ',' {
				l.pos++
			}
		}
		l.pos++
	case '"':
		from := l.pos
		quoted := l.readString()
		if known {
			l.visitString(owner, prop.Type, from, quoted)
		}
	default:
		for l.pos < len(l.src) && !bytes.ContainsRune([]byte(",]} \t\n\r"), rune(l.src[l.pos])) {
			l.pos++
		}
	}
}

// visitString calls f for a string if it is a link. The string begins at from and ends at pos.
func (l *linkReader) visitString(owner *r4.Type, typ string, from int, quoted []byte) {
	it := Link{reader: l}
	switch typ {
	case "uri", "url", "oid", "uuid":
	case "string":
		if owner == nil || owner.Name != "Reference" || string(l.path[len(l.path)-1].name) != "reference" {
			return
		}
		it.Reference = true
	case "xhtml":
		l.rewriteNarrative(from, string(unquote(quoted)))
		return
	default:
		return
	}
	it.Value = string(unquote(quoted))
	if now := l.f(it); now != it.Value {
		l.replace(from, now)
	}
}

// replace replaces the string that begins at from and ends at the current position.
func (l *linkReader) replace(from int, now string) {
	l.out = append(l.out, l.src[l.copied:from]...)
	l.out = append(l.out, quoteJSON(now)...)
	l.copied = l.pos
}

// rewriteNarrative rewrites the href and src attributes of a div.
func (l *linkReader) rewriteNarrative(from int, text string) {
	changed := false
	for _, attr := range []string{`href="`, `src="`, `href='`, `src='`} {
		if !strings.Contains(text, attr) {
			continue
		}
		var b strings.Builder
		rest := text
		for {
			before, after, found := strings.Cut(rest, attr)
			b.WriteString(before)
			if !found {
				break
			}
			b.WriteString(attr)
			end := strings.IndexByte(after, attr[len(attr)-1])
			if end < 0 {
				b.WriteString(after)
				break
			}
			now := l.f(Link{Value: after[:end], reader: l})
			changed = changed || now != after[:end]
			b.WriteString(now)
			rest = after[end:]
		}
		text = b.String()
	}
	if changed {
		l.replace(from, text)
	}
}
