package xml

import (
	"encoding/json"
	"slices"

	"carerecord/fhir/r4"
)

// object collects the members of a JSON object in the order of their first occurrence.
type object struct {
	names  []string
	values map[string]*list
}

// list has the values of one member.
type list struct {
	items     []value
	repeats   bool
	primitive bool
}

func (o *object) add(name string, v value, repeats bool) {
	l := o.list(name)
	l.items, l.repeats = append(l.items, v), repeats
	l.primitive = v.plain != nil
}

func (o *object) addTyped(name string, v value, p r4.Property, repeats bool) {
	l := o.list(name)
	l.items, l.repeats = append(l.items, v), repeats
	l.primitive = p.Of == nil || p.Of.Class == r4.Primitive
}

func (o *object) list(name string) *list {
	if o.values == nil {
		o.values = map[string]*list{}
	}
	l := o.values[name]
	if l == nil {
		l = &list{}
		o.values[name] = l
		o.names = append(o.names, name)
	}
	return l
}

// bytes writes the object; "{}" if it has no members. An element that does not repeat and occurs
// twice becomes an array, which validation refuses.
func (o *object) bytes() []byte {
	out := []byte{'{'}
	for _, name := range o.names {
		l := o.values[name]
		plain, twin := make([][]byte, len(l.items)), make([][]byte, len(l.items))
		for i, v := range l.items {
			if plain[i] = v.plain; len(v.twin) > 2 {
				twin[i] = v.twin
			}
			if !l.primitive {
				plain[i], twin[i] = v.twin, nil
			}
		}
		out = member(out, name, plain, l.repeats)
		out = member(out, "_"+name, twin, l.repeats)
	}
	return append(out, '}')
}

// member writes a member, with null for a missing item between others, and nothing
// if all are missing.
func member(out []byte, name string, items [][]byte, repeats bool) []byte {
	if !slices.ContainsFunc(items, func(b []byte) bool { return b != nil }) {
		return out
	}
	if len(out) > 1 {
		out = append(out, ',')
	}
	out = append(append(append(out, '"'), name...), '"', ':')
	repeats = repeats || len(items) > 1
	if repeats {
		out = append(out, '[')
	}
	for i, item := range items {
		if i > 0 {
			out = append(out, ',')
		}
		if item == nil {
			item = []byte("null")
		}
		out = append(out, item...)
	}
	if repeats {
		out = append(out, ']')
	}
	return out
}

// numeric reports whether s is a number of JSON.
func numeric(s string) bool {
	return s != "" && (s[0] == '-' || s[0] >= '0' && s[0] <= '9') && json.Valid([]byte(s))
}
