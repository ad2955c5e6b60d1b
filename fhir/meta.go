package fhir

import (
	"bytes"

	"github.com/tidwall/gjson"
)

// The lists of a Meta that operations change, each a set: profiles by their
// address, tags and labels by system and code (OPER-031).
var metaLists = []string{"profile", "security", "tag"}

// AddMeta returns the body with the members of another Meta's lists added to its own. meta is a
// Meta as JSON.
func AddMeta(body, meta []byte) []byte {
	for _, list := range metaLists {
		mine := gjson.GetBytes(body, "meta."+list)
		have := map[Coding]bool{}
		mine.ForEach(func(_, c gjson.Result) bool { have[identity(c)] = true; return true })
		var add [][]byte
		gjson.GetBytes(meta, list).ForEach(func(_, c gjson.Result) bool {
			if k := identity(c); !have[k] {
				have[k] = true
				add = append(add, []byte(c.Raw))
			}
			return true
		})
		if len(add) > 0 {
			body = extendMeta(body, list, mine, bytes.Join(add, []byte(",")))
		}
	}
	return body
}

// RemoveMeta returns the body without the members of another Meta's lists. Empty lists are
// removed.
func RemoveMeta(body, meta []byte) []byte {
	for _, list := range metaLists {
		gone := map[Coding]bool{}
		gjson.GetBytes(meta, list).ForEach(func(_, c gjson.Result) bool { gone[identity(c)] = true; return true })
		var kept [][]byte
		all := 0
		gjson.GetBytes(body, "meta."+list).ForEach(func(_, c gjson.Result) bool {
			all++
			if !gone[identity(c)] {
				kept = append(kept, []byte(c.Raw))
			}
			return true
		})
		if len(kept) < all {
			body = setMetaList(body, list, kept)
		}
	}
	return body
}

// MetaLists returns a Meta that has only the lists of the body's meta.
func MetaLists(lists map[string][]string) []byte {
	out := []byte{'{'}
	for _, list := range metaLists {
		items := lists[list]
		if len(items) == 0 {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, '"'), list...), `":[`...)
		for i, item := range items {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, item...)
		}
		out = append(out, ']')
	}
	return append(out, '}')
}

// EachMeta calls f for each member of the lists of a body's meta, unless seen has its identity
// already.
func EachMeta(body []byte, seen map[string]map[Coding]bool, f func(list, raw string)) {
	for _, list := range metaLists {
		gjson.GetBytes(body, "meta."+list).ForEach(func(_, c gjson.Result) bool {
			if seen[list] == nil {
				seen[list] = map[Coding]bool{}
			}
			if k := identity(c); !seen[list][k] {
				seen[list][k] = true
				f(list, c.Raw)
			}
			return true
		})
	}
}

// identity returns the text by which two members of a list are the same.
func identity(c gjson.Result) Coding {
	if c.Type == gjson.String {
		return Coding{Code: c.Str}
	}
	return codingOf(c)
}

// setMetaList replaces the members of a list.
func setMetaList(body []byte, list string, items [][]byte) []byte {
	var out []byte
	meta := gjson.GetBytes(body, "meta")
	out = append(out, '{')
	meta.ForEach(func(key, value gjson.Result) bool {
		raw := []byte(value.Raw)
		if key.Str == list {
			if len(items) == 0 {
				return true
			}
			raw = append(append([]byte{'['}, bytes.Join(items, []byte(","))...), ']')
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, key.Raw...), ':'), raw...)
		return true
	})
	return splice(body, meta.Index, meta.Index+len(meta.Raw), append(out, '}'))
}
