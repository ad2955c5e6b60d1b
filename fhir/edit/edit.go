// Package edit changes resources as bytes, by the types of their elements. It keeps every unchanged
// token. The types come from the tables of fhir/r4, also in contained resources, extensions and
// choices.
package edit

import (
	"bytes"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/fhir/r4"
)

// walker copies one resource without some of its elements.
type walker struct {
	// removeType reports whether values of a FHIR type are removed, nil for none. The type is empty
	// for a property that R4 does not define.
	removeType func(fhirType string) bool
	// removePaths are the elements to remove, by path; nil for none.
	removePaths map[string]bool
	// hidden are the references to remove; nil for none.
	hidden  *hiddenLinks
	changed bool
}

// copyResource copies a resource. It returns false if the whole resource has to be removed.
func (w *walker) copyResource(obj gjson.Result) ([]byte, bool) {
	typ := obj.Get("resourceType").Str
	if w.hidden != nil {
		return w.copyWithoutReferences(typ, obj)
	}
	return w.copyObject(r4.TypeOf(typ), typ, obj)
}

// copyObject copies an object. It returns false if the object has to be removed, because a mandatory
// element or every element was. path is the path of the object from the type of its resource.
func (w *walker) copyObject(t *r4.Type, path string, obj gjson.Result) ([]byte, bool) {
	out := make([]byte, 0, len(obj.Raw))
	out = append(out, '{')
	removed := map[string]bool(nil)
	ok := w.hidden == nil || !w.hidden.isHiddenEntry(t, obj)
	obj.ForEach(func(key, value gjson.Result) bool {
		name := key.String()
		if name == "resourceType" {
			out = appendMember(out, key.Raw, []byte(value.Raw))
			return true
		}
		base := strings.TrimPrefix(name, "_")
		if base != name && removed[base] {
			w.changed = true
			return true
		}
		prop, known := property(t, base)
		raw, kept := []byte(nil), false
		if w.hidden != nil && known {
			value = w.withoutHiddenItems(t, prop, obj, value)
		}
		if at := w.pathOf(path, prop, known); value.Exists() && !w.removePaths[at] {
			raw, kept = w.copyValue(prop, at, known, base != name, value)
		}
		if kept {
			out = appendMember(out, key.Raw, raw)
			return true
		}
		w.changed = true
		if removed == nil {
			removed = map[string]bool{}
		}
		removed[base] = true
		if known && base == name && (prop.Element.Min > 0 || w.needsElement(t, prop.Element.Name)) {
			ok = false
		}
		return true
	})
	out = append(out, '}')
	if removed != nil && (len(out) == 2 || t != nil && violatesInvariant(t.Name, out)) {
		return nil, false
	}
	return out, ok
}

// needsElement reports whether an object is invalid or meaningless without an element: an entry of a
// Bundle without its resource, a parameter without its value.
func (w *walker) needsElement(t *r4.Type, element string) bool {
	switch t.Name {
	case "Bundle.entry":
		return element == "resource"
	case "Parameters.parameter":
		return element == "value" || element == "resource" || element == "part"
	}
	return w.hidden != nil && slices.Contains(targetElements[t.Name], element)
}

// violatesInvariant reports whether an object that lost an element violates an invariant: an Extension
// without a value (ext-1), a section of a Composition without content (cmp-1).
func violatesInvariant(typ string, object []byte) bool {
	switch typ {
	case "Extension":
		return isEmptyExtension(object)
	case "Composition.section":
		r := gjson.ParseBytes(object)
		return !r.Get("text").Exists() && !r.Get("entry").Exists() && !r.Get("section").Exists()
	}
	return false
}

// isEmptyExtension reports whether an Extension has neither a value nor extensions, which ext-1 forbids.
func isEmptyExtension(ext []byte) bool {
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

func appendMember(out []byte, key string, raw []byte) []byte {
	if len(out) > 1 {
		out = append(out, ',')
	}
	out = append(out, key...)
	out = append(out, ':')
	return append(out, raw...)
}

// copyValue copies the value of a property, an array item by item. underscore: the property is the
// one with the id and extensions of a primitive. It returns false if nothing of the value remains.
func (w *walker) copyValue(prop r4.Property, path string, known, underscore bool, value gjson.Result) ([]byte, bool) {
	if !value.IsArray() {
		return w.copyItem(prop, path, known, underscore, value)
	}
	out := []byte{'['}
	items, kept, left := 0, 0, false
	value.ForEach(func(_, item gjson.Result) bool {
		raw, ok := w.copyItem(prop, path, known, underscore, item)
		items++
		if !ok {
			w.changed = true
			if !underscore {
				return true
			}
			raw = []byte("null") // keeps the positions of the paired values
		} else if underscore && item.Type == gjson.Null {
			ok = false
		}
		if kept > 0 {
			out = append(out, ',')
		}
		out = append(out, raw...)
		kept++
		left = left || ok
		return true
	})
	if !left && items > 0 {
		return nil, false
	}
	return append(out, ']'), true
}

func (w *walker) copyItem(prop r4.Property, path string, known, underscore bool, value gjson.Result) ([]byte, bool) {
	typ := ""
	if known {
		typ = prop.Type
	}
	if underscore { // the id and extensions of a primitive
		typ = "Element"
	}
	if w.removeType != nil && w.removeType(typ) || w.hidden != nil && !underscore && w.hidden.removes(typ, value) {
		return nil, false
	}
	if !value.IsObject() {
		return []byte(value.Raw), true
	}
	of := prop.Of
	switch {
	case underscore:
		of = r4.TypeOf("Element")
	case (of == nil || of.Class == r4.Abstract) && value.Get("resourceType").Exists():
		if w.removeType != nil && w.removeType(value.Get("resourceType").Str) {
			return nil, false
		}
		return w.copyResource(value)
	}
	return w.copyObject(of, path, value)
}

// pathOf returns the path of a property of the object at a path. It is empty if w removes no paths.
func (w *walker) pathOf(path string, prop r4.Property, known bool) string {
	if w.removePaths == nil || !known {
		return ""
	}
	name := strings.TrimSuffix(prop.Element.Path, "[x]")
	return path + name[strings.LastIndexByte(name, '.'):]
}

// RemoveTypes removes every element whose FHIR type remove accepts. remove is called with "" for a
// property that R4 does not define, and with the type of each embedded resource, which is removed
// whole. Removed items leave no gap in an array, except null in the arrays of the ids and extensions
// of primitives. Empty parents are removed, and so is the parent of a removed mandatory element
// (CON-1202). It returns the body and whether anything was removed; nil, true if the whole resource
// has to be removed.
func RemoveTypes(body []byte, remove func(fhirType string) bool) ([]byte, bool) {
	w := &walker{removeType: remove}
	return w.run(body)
}

// RemovePaths is RemoveTypes for the elements at paths, each from the type of a resource
// ("Observation.component.code"), a choice by its name without a type ("Observation.value"). The
// paths of a contained resource begin with its own type. An element is removed with its extensions.
func RemovePaths(body []byte, paths map[string]bool) ([]byte, bool) {
	w := &walker{removePaths: paths}
	return w.run(body)
}

func (w *walker) run(body []byte) ([]byte, bool) {
	out, ok := w.copyResource(gjson.ParseBytes(body))
	switch {
	case !ok:
		return nil, true
	case !w.changed:
		return body, false
	}
	return out, true
}

func quoteJSON(s string) []byte {
	if strings.IndexFunc(s, func(r rune) bool { return r < 0x20 || r == '"' || r == '\\' || r == 0x7f }) < 0 {
		return append(append([]byte{'"'}, s...), '"')
	}
	return appendJSON(nil, s)
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
