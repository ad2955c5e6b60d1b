package edit

import (
	"slices"
	"strings"

	"carerecord/fhir/r4"
)

// Restore adds the removed elements to a body whose writer could not see them (CON-1306). cut is
// the result of RemoveTypes for stored, and written is cut with the changes of its reader. The result
// is written with every element of stored that is not in cut:
//
//   - a single element, after the member that it followed;
//   - an entry of an array, after the entry that it followed, or at the end in the old order if
//     that entry was deleted;
//   - the same within objects that the writer kept: members of the same name, and entries that
//     match: unchanged ones at any position, then those with the same id, then those that changed
//     at their position.
//
// Elements within a deleted object are deleted too. If the writer set a hidden element, the stored
// value wins: a writer who does not see a single element cannot replace it or set another type of its
// choice. Lists get both values, and so do backbone elements and elements with only hidden extensions.
//
// Every other token of written is kept. RemoveTypes of the result is written, and Restore(stored, cut,
// cut) is stored. The three bodies must be resources of one type that fhir.Parse accepted; otherwise
// Restore returns written.
func Restore(stored, cut, written []byte) []byte {
	s, err1 := Tree(stored)
	c, err2 := Tree(cut)
	w, err3 := Tree(written)
	if err1 != nil || err2 != nil || err3 != nil || s.Kind != '{' || c.Kind != '{' || w.Kind != '{' {
		return written
	}
	t := r4.TypeOf(s.Get("resourceType").String())
	return restoreObject(t, s, c, w).Append(make([]byte, 0, len(stored)+len(written)))
}

// In this file and restore_list.go s is a stored value, c the value that is left of it in cut, and w
// the written one.

// restoreObject returns w with the members that s has and c has not. t is nil for a type that R4
// does not define.
func restoreObject(t *r4.Type, s, c, w *Node) *Node {
	out := &Node{Kind: '{', Names: slices.Clone(w.Names), Items: slices.Clone(w.Items)}
	lists := map[string]map[string]*Node{} // restored lists of primitives, by name without _
	anchor := -1                           // position of the member that precedes it in s
	for i, name := range s.Names {
		base := strings.TrimPrefix(name, "_")
		p, _ := property(t, base)
		if name != base {
			p = r4.Property{Name: name, Type: "Element", Element: p.Element, Of: r4.TypeOf("Element")}
		}
		var now *Node
		if isPrimitiveList(s.Get(base)) || isPrimitiveList(s.Get("_"+base)) || isUnderscoreList(name, s.Items[i]) {
			if lists[base] == nil {
				lists[base] = restorePrimitives(base, s, c, w)
				for n, list := range lists[base] {
					if at := out.Find(n); at >= 0 {
						out.Items[at] = list
					}
				}
			}
			now = lists[base][name]
		} else if name == base || w.Get(base) != nil || w.Get(name) != nil || c.Get(base) == nil {
			now = restoreMember(p, s.Items[i], c.Get(name), w.Get(name))
		} // else the writer deleted the primitive with these extensions
		at := out.Find(name)
		switch {
		case now != nil && at >= 0:
			out.Items[at] = now
		case now != nil:
			anchor = dropOtherChoices(p, name, out, anchor)
			at = anchor + 1
			out.Insert(at, name, now)
		}
		if at >= 0 {
			anchor = at
		}
	}
	return out
}

// restoreMember returns the restored value of a member, nil if the writer deleted it.
func restoreMember(p r4.Property, s, c, w *Node) *Node {
	switch {
	case c == nil && w == nil:
		return s
	case c != nil && w == nil:
		return nil
	case c != nil:
		return restoreValue(p, s, c, w)
	case s.Kind == '[' && w.Kind == '[':
		return restoreArray(p, s, &Node{Kind: '['}, w)
	case s.Kind == '{' && w.Kind == '{' && (p.Of != nil && p.Of.Class == r4.Backbone || hasOnlyExtensions(s)):
		return restoreObject(p.Of, s, &Node{Kind: '{'}, w)
	}
	return s
}

func restoreValue(p r4.Property, s, c, w *Node) *Node {
	switch {
	case s.Kind == '{' && c.Kind == '{' && w.Kind == '{':
		of := p.Of
		if name := s.Get("resourceType").String(); name != "" {
			if of = r4.TypeOf(name); !sameEntry(c, w) {
				return w
			}
		}
		return restoreObject(of, s, c, w)
	case s.Kind == '[' && c.Kind == '[' && w.Kind == '[':
		return restoreArray(p, s, c, w)
	}
	return w
}

func hasOnlyExtensions(n *Node) bool {
	return !slices.ContainsFunc(n.Names, func(name string) bool {
		return name != "id" && name != "extension" && name != "modifierExtension"
	})
}

// dropOtherChoices removes the other types of a choice before one of them is restored, and returns
// the new position of the anchor.
func dropOtherChoices(p r4.Property, name string, out *Node, anchor int) int {
	if p.Element == nil || !p.Element.Choice {
		return anchor
	}
	for _, other := range p.Element.Properties {
		for _, n := range []string{other.Name, "_" + other.Name} {
			at := out.Find(n)
			if at < 0 || other.Name == strings.TrimPrefix(name, "_") {
				continue
			}
			if out.Remove(at); at <= anchor {
				anchor--
			}
		}
	}
	return anchor
}
