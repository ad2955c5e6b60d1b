package edit

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/fhir"
	"carerecord/fhir/r4"
)

// Link is a value that refers to something: a Reference.reference, a uri, url, oid or uuid, or an
// href or src of narrative.
type Link struct {
	Value     string
	Reference bool // it is a Reference.reference

	at *linker
}

// FHIRPath returns the element of the link as a simple FHIRPath. It must be called while the link
// is visited.
func (l Link) FHIRPath() string {
	path := []byte(l.at.root)
	for _, s := range l.at.path {
		if s.name == nil {
			path = append(path, "["+strconv.Itoa(s.item)+"]"...)
		} else {
			path = fhir.AppendElement(path, string(s.name))
		}
	}
	return string(path)
}

// Links calls f for every link of a resource that fhir.Parse accepted, and replaces the link by
// the result (REST-228). Canonicals and other text are not links. If nothing changes it returns
// body itself.
func Links(body []byte, f func(Link) string) []byte {
	l := &linker{src: body, f: f, path: make([]segment, 0, 16), root: gjson.GetBytes(body, "resourceType").Str}
	l.next()
	l.object(r4.TypeOf(l.root))
	if l.out == nil {
		return body
	}
	return append(l.out, body[l.done:]...)
}

// linker reads a resource once, from its first byte to its last. The bytes must be valid JSON.
type linker struct {
	src  []byte
	i    int // next byte
	f    func(Link) string
	root string
	path []segment
	out  []byte // the output up to done; nil while nothing changed
	done int
}

// segment is a member's name, or the number of an item.
type segment struct {
	name []byte
	item int
}

func (l *linker) push(s segment) { l.path = append(l.path, s) }
func (l *linker) pop()           { l.path = l.path[:len(l.path)-1] }

// next skips white space and returns the next byte.
func (l *linker) next() byte {
	for l.i < len(l.src) {
		switch c := l.src[l.i]; c {
		case ' ', '\t', '\n', '\r':
			l.i++
		default:
			return c
		}
	}
	return 0
}

// text reads a string and returns it with its quotes.
func (l *linker) text() []byte {
	from := l.i
	for l.i++; l.i < len(l.src); l.i++ {
		switch l.src[l.i] {
		case '\\':
			l.i++
		case '"':
			l.i++
			return l.src[from:l.i]
		}
	}
	return l.src[from:]
}

// plain returns the value of a string in quotes.
func plain(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') >= 0 {
		return []byte(gjson.ParseBytes(quoted).Str)
	}
	return quoted[1 : len(quoted)-1]
}

// object reads an object of a type, which is nil for one that R4 does not know.
func (l *linker) object(t *r4.Type) {
	l.i++
	for l.next() == '"' {
		quoted := l.text()
		l.next()
		l.i++ // the colon
		name := plain(quoted)
		base := bytes.TrimPrefix(name, []byte("_"))
		prop, known := property(t, string(base))
		l.push(segment{name: name})
		if len(base) < len(name) { // the id and extensions of a primitive
			prop, known = r4.Property{Type: "Element", Of: r4.TypeOf("Element")}, true
		}
		l.value(t, prop, known)
		l.pop()
		if l.next() == ',' {
			l.i++
		}
	}
	l.i++
}

// value reads the value of a property, an array item by item.
func (l *linker) value(owner *r4.Type, prop r4.Property, known bool) {
	switch l.next() {
	case '{':
		of := prop.Of
		if of == nil || of.Class == r4.Abstract && prop.Type != "Element" {
			if t := gjson.GetBytes(l.src[l.i:], "resourceType"); t.Exists() {
				of = r4.TypeOf(t.Str)
			}
		}
		l.object(of)
	case '[':
		l.i++
		for n := 0; l.next() != ']' && l.i < len(l.src); n++ {
			l.push(segment{item: n})
			l.value(owner, prop, known)
			l.pop()
			if l.next() == ',' {
				l.i++
			}
		}
		l.i++
	case '"':
		from := l.i
		quoted := l.text()
		if known {
			l.link(owner, prop.Type, from, quoted)
		}
	default:
		for l.i < len(l.src) && !bytes.ContainsRune([]byte(",]} \t\n\r"), rune(l.src[l.i])) {
			l.i++
		}
	}
}

// link visits a string if it is a link.
func (l *linker) link(owner *r4.Type, typ string, from int, quoted []byte) {
	it := Link{at: l}
	switch typ {
	case "uri", "url", "oid", "uuid":
	case "string":
		if owner == nil || owner.Name != "Reference" || string(l.path[len(l.path)-1].name) != "reference" {
			return
		}
		it.Reference = true
	case "xhtml":
		l.narrative(from, string(plain(quoted)))
		return
	default:
		return
	}
	it.Value = string(plain(quoted))
	if now := l.f(it); now != it.Value {
		l.replace(from, now)
	}
}

// replace replaces the string that begins at from and ends at the current position.
func (l *linker) replace(from int, now string) {
	l.out = append(l.out, l.src[l.done:from]...)
	l.out = append(l.out, quote(now)...)
	l.done = l.i
}

// narrative rewrites the href and src attributes of a div.
func (l *linker) narrative(from int, text string) {
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
			now := l.f(Link{Value: after[:end], at: l})
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
