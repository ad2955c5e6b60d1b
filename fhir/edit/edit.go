// Package edit changes resources as bytes, by the types of their elements:
// what is not touched stays token for token. It walks the tables of fhir/r4, so
// it steps into contained resources, extensions and choices alike.
package edit

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/fhir/r4"
)

// action is what a visitor wants done with a value.
type action byte

const (
	walk    action = iota // keep it, look inside
	drop                  // take it out
	replace               // put other bytes in its place
)

// visitor decides about one value of a property. typ is the FHIR type of the
// value, empty where the tables know no such property.
type visitor func(w *walker, owner *r4.Type, typ string, value gjson.Result) (action, []byte)

// walker goes through one resource.
type walker struct {
	visit   visitor
	path    []string // names and [n], for places
	changed bool
}

// place is the simple FHIRPath of the value that is being visited.
func (w *walker) place() string { return strings.Join(w.path, "") }

// resource walks a resource; false where nothing may be left of it.
func (w *walker) resource(obj gjson.Result) ([]byte, bool) {
	t := r4.TypeOf(obj.Get("resourceType").Str)
	return w.object(t, obj)
}

// object walks the members of an object. It is false where a mandatory element
// went, or everything did: then the object has to go too.
func (w *walker) object(t *r4.Type, obj gjson.Result) ([]byte, bool) {
	out := make([]byte, 0, len(obj.Raw))
	out = append(out, '{')
	lost := map[string]bool(nil)
	ok := true
	obj.ForEach(func(key, value gjson.Result) bool {
		name := key.String()
		if name == "resourceType" {
			out = member(out, key.Raw, []byte(value.Raw))
			return true
		}
		base := strings.TrimPrefix(name, "_")
		if base != name && lost[base] {
			w.changed = true
			return true
		}
		prop, known := property(t, base)
		w.path = append(w.path, "."+name)
		raw, kept := w.value(t, prop, known, base != name, value)
		w.path = w.path[:len(w.path)-1]
		if kept {
			out = member(out, key.Raw, raw)
			return true
		}
		w.changed = true
		if lost == nil {
			lost = map[string]bool{}
		}
		lost[base] = true
		if known && prop.Element.Min > 0 && base == name {
			ok = false
		}
		return true
	})
	out = append(out, '}')
	if lost != nil && (len(out) == 2 || t != nil && t.Name == "Extension" && bare(out)) {
		return nil, false
	}
	return out, ok
}

// bare reports whether an Extension holds neither a value nor extensions, which
// ext-1 forbids.
func bare(ext []byte) bool {
	found := false
	gjson.ParseBytes(ext).ForEach(func(key, _ gjson.Result) bool {
		k := strings.TrimPrefix(key.Str, "_")
		found = k == "extension" || strings.HasPrefix(k, "value")
		return !found
	})
	return !found
}

func property(t *r4.Type, name string) (r4.Property, bool) {
	if t == nil {
		return r4.Property{}, false
	}
	return t.Property(name)
}

func member(out []byte, key string, raw []byte) []byte {
	if len(out) > 1 {
		out = append(out, ',')
	}
	out = append(out, key...)
	out = append(out, ':')
	return append(out, raw...)
}

// value walks one property, an array item by item; false where nothing is left.
func (w *walker) value(owner *r4.Type, prop r4.Property, known, twin bool, value gjson.Result) ([]byte, bool) {
	if !value.IsArray() {
		return w.one(owner, prop, known, twin, value)
	}
	out := []byte{'['}
	items, kept := 0, 0
	value.ForEach(func(_, item gjson.Result) bool {
		w.path = append(w.path, "["+strconv.Itoa(items)+"]")
		raw, ok := w.one(owner, prop, known, twin, item)
		w.path = w.path[:len(w.path)-1]
		items++
		if !ok {
			w.changed = true
			return true
		}
		if kept > 0 {
			out = append(out, ',')
		}
		out = append(out, raw...)
		kept++
		return true
	})
	if kept == 0 && items > 0 {
		return nil, false
	}
	return append(out, ']'), true
}

func (w *walker) one(owner *r4.Type, prop r4.Property, known, twin bool, value gjson.Result) ([]byte, bool) {
	typ := ""
	if known {
		typ = prop.Type
	}
	if twin { // the id and extensions of a primitive
		typ = "Element"
	}
	act, raw := w.visit(w, owner, typ, value)
	switch act {
	case drop:
		return nil, false
	case replace:
		w.changed = true
		return raw, true
	}
	if !value.IsObject() {
		return []byte(value.Raw), true
	}
	of := prop.Of
	switch {
	case twin:
		of = r4.TypeOf("Element")
	case value.Get("resourceType").Exists() && (of == nil || of.Class == r4.Abstract):
		return w.resource(value)
	}
	return w.object(of, value)
}

// Cut takes out every element whose FHIR type doomed names; it is asked with ""
// for a property that R4 does not know. Arrays close up, empty parents go too,
// and where a mandatory element would go, its parent goes (CON-1202). It
// returns the body and whether anything went; nil, true where nothing of the
// resource may be left.
func Cut(body []byte, doomed func(fhirType string) bool) ([]byte, bool) {
	w := &walker{visit: func(_ *walker, _ *r4.Type, typ string, _ gjson.Result) (action, []byte) {
		if doomed(typ) {
			return drop, nil
		}
		return walk, nil
	}}
	out, ok := w.resource(gjson.ParseBytes(body))
	switch {
	case !ok:
		return nil, true
	case !w.changed:
		return body, false
	}
	return out, true
}

// Link is a value that names something: Place is where it stands, Reference
// says that it is a Reference.reference, else it is a uri, url, oid or uuid, or
// an href or src of narrative.
type Link struct {
	Place     string
	Value     string
	Reference bool
}

// Links gives every link of a resource to f and puts what it returns in its
// place (REST-228). Canonical elements and other text are no links.
func Links(body []byte, f func(Link) string) []byte {
	w := &walker{visit: func(w *walker, owner *r4.Type, typ string, value gjson.Result) (action, []byte) {
		l := Link{}
		switch typ {
		case "uri", "url", "oid", "uuid":
		case "string":
			if owner == nil || owner.Name != "Reference" || w.path[len(w.path)-1] != ".reference" {
				return walk, nil
			}
			l.Reference = true
		case "xhtml":
			return narrative(value, f)
		default:
			return walk, nil
		}
		if value.Type != gjson.String {
			return walk, nil
		}
		l.Value, l.Place = value.Str, w.place()
		if now := f(l); now != l.Value {
			return replace, quote(now)
		}
		return walk, nil
	}}
	w.path = []string{gjson.GetBytes(body, "resourceType").Str}
	out, _ := w.resource(gjson.ParseBytes(body))
	if !w.changed {
		return body
	}
	return out
}

func quote(s string) []byte {
	if strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r == '"' || r == '\\' || r == 0x7f }) < 0 {
		return append(append([]byte{'"'}, s...), '"')
	}
	return appendJSON(nil, s)
}

// narrative rewrites the href and src attributes of a div.
func narrative(value gjson.Result, f func(Link) string) (action, []byte) {
	text, changed := value.Str, false
	for _, attr := range []string{`href="`, `src="`, `href='`, `src='`} {
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
			now := f(Link{Place: "text.div", Value: after[:end]})
			changed = changed || now != after[:end]
			b.WriteString(now)
			rest = after[end:]
		}
		text = b.String()
	}
	if !changed {
		return walk, nil
	}
	return replace, quote(text)
}

func appendJSON(out []byte, s string) []byte {
	var b bytes.Buffer
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20:
			b.WriteString(`\u00`)
			b.WriteByte("0123456789abcdef"[r>>4])
			b.WriteByte("0123456789abcdef"[r&15])
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return append(out, b.Bytes()...)
}
