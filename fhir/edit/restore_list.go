package edit

import (
	"slices"
	"strings"

	"carerecord/fhir/r4"
)

// restoreArray returns w with the entries that s has and c has not.
func restoreArray(p r4.Property, s, c, w *Node) *Node {
	inCut := alignWithCut(s.Items, c.Items)
	inWritten := matchWritten(c.Items, w.Items)
	out := slices.Clone(w.Items)
	for i, j := range inCut {
		if j >= 0 && inWritten[j] >= 0 {
			out[inWritten[j]] = restoreValue(p, s.Items[i], c.Items[j], w.Items[inWritten[j]])
		}
	}
	return &Node{Kind: '[', Items: insertHidden(s.Items, inCut, inWritten, out)}
}

// insertHidden returns out with the hidden entries of s, those without a position in inCut. inWritten has the
// position in out of each entry of the cut list.
func insertHidden(s []*Node, inCut, inWritten []int, out []*Node) []*Node {
	// hiddenAfter[k] are the hidden entries after entry k-1 of out: the first element has those at the
	// front, the last one those at the end.
	hiddenAfter := make([][]*Node, len(out)+2)
	at := 0
	for i, j := range inCut {
		switch {
		case j < 0:
			hiddenAfter[at] = append(hiddenAfter[at], s[i])
		case inWritten[j] >= 0:
			at = inWritten[j] + 1
		default:
			at = len(out) + 1
		}
	}
	var all []*Node
	for k := range hiddenAfter {
		all = append(all, hiddenAfter[k]...)
		if k < len(out) {
			all = append(all, out[k])
		}
	}
	return all
}

// alignWithCut returns for each entry of s its position in c, or -1. RemoveTypes keeps the order and
// decides by content alone, so an entry of c comes from the first entry of s that it can come from.
func alignWithCut(s, c []*Node) []int {
	inCut := make([]int, len(s))
	next := 0
	for i := range s {
		inCut[i] = -1
		if next < len(c) && canBeCutOf(s[i], c[next]) {
			inCut[i] = next
			next++
		}
	}
	return inCut
}

// canBeCutOf reports whether c can be the result of RemoveTypes for s.
func canBeCutOf(s, c *Node) bool {
	if s.Kind != c.Kind {
		return false
	}
	switch s.Kind {
	case '{':
		for i, name := range c.Names {
			if v := s.Get(name); v == nil || !canBeCutOf(v, c.Items[i]) {
				return false
			}
		}
		return true
	case '[':
		if len(s.Items) == len(c.Items) {
			for i := range s.Items {
				if c.Items[i].Kind != 'n' && !canBeCutOf(s.Items[i], c.Items[i]) {
					return false
				}
			}
			return true
		}
		left := 0
		for _, j := range alignWithCut(s.Items, c.Items) {
			if j >= 0 {
				left++
			}
		}
		return left == len(c.Items)
	}
	return string(s.Raw) == string(c.Raw)
}

// matchWritten returns for each entry of c its position in w, or -1: the position of an equal entry,
// else of the entry with the same id, else of the changed entry next to the same neighbour.
func matchWritten(c, w []*Node) []int {
	inWritten, from := make([]int, len(c)), make([]int, len(w))
	for j := range inWritten {
		inWritten[j] = -1
	}
	for k := range from {
		from[k] = -1
	}
	pair := func(j, k int) { inWritten[j], from[k] = k, j }
	for _, key := range []func(*Node) string{
		func(n *Node) string { return string(n.Append(nil)) },
		func(n *Node) string { return n.Get("id").String() },
	} {
		free := map[string][]int{}
		for j := range c {
			if k := key(c[j]); inWritten[j] < 0 && k != "" {
				free[k] = append(free[k], j)
			}
		}
		for k := range w {
			if from[k] >= 0 {
				continue
			}
			if same := free[key(w[k])]; len(same) > 0 && sameEntry(c[same[0]], w[k]) {
				pair(same[0], k)
				free[key(w[k])] = same[1:]
			}
		}
	}
	pairAtPosition := func(k, j int) {
		if from[k] < 0 && j >= 0 && j < len(c) && inWritten[j] < 0 && sameEntry(c[j], w[k]) {
			pair(j, k)
		}
	}
	for k := range w {
		if k == 0 {
			pairAtPosition(k, 0)
		} else if from[k-1] >= 0 {
			pairAtPosition(k, from[k-1]+1)
		}
	}
	for k := len(w) - 1; k >= 0; k-- {
		if k == len(w)-1 {
			pairAtPosition(k, len(c)-1)
		} else if from[k+1] >= 0 {
			pairAtPosition(k, from[k+1]-1)
		}
	}
	return inWritten
}

// sameEntry reports whether two values may be one entry before and after a change: their type, id and
// url do not differ.
func sameEntry(c, w *Node) bool {
	if c.Kind != w.Kind {
		return false
	}
	for _, name := range []string{"resourceType", "id", "url"} {
		if a, b := c.Get(name), w.Get(name); a != nil && b != nil && !SameJSON(a, b) {
			return false
		}
	}
	return true
}

// isPrimitiveList reports whether a node is an array of scalars or of scalars and null.
func isPrimitiveList(n *Node) bool {
	return n != nil && n.Kind == '[' && slices.ContainsFunc(n.Items, func(i *Node) bool { return i.Kind != '{' && i.Kind != '[' })
}

// isUnderscoreList reports whether a member has the ids and extensions of a list of primitives.
func isUnderscoreList(name string, n *Node) bool {
	return strings.HasPrefix(name, "_") && n.Kind == '['
}

// restorePrimitives restores a list of primitives together with the list of their ids and
// extensions, entry by entry, and returns both by their names. RemoveTypes removes the whole list or
// parts of the extensions of an entry; RemoveReferences removes entries.
func restorePrimitives(name string, s, c, w *Node) map[string]*Node {
	underscore := "_" + name
	stored, cut, written := pairEntries(s, name), pairEntries(c, name), pairEntries(w, name)
	var out []*Node // pairs, each an array of two items
	switch {
	case len(cut) == 0 && len(stored) > 0:
		out = append(stored, written...)
	default:
		inCut, inWritten := alignWithCut(stored, cut), matchWritten(cut, written)
		out = slices.Clone(written)
		for i, j := range inCut {
			if j >= 0 && inWritten[j] >= 0 {
				k := inWritten[j]
				out[k] = &Node{Kind: '[', Items: []*Node{written[k].Items[0], restoreUnderscore(stored[i].Items[1], cut[j].Items[1], written[k].Items[1])}}
			}
		}
		out = insertHidden(stored, inCut, inWritten, out)
	}
	result := map[string]*Node{}
	for i, n := range []string{name, underscore} {
		list := &Node{Kind: '['}
		for _, e := range out {
			list.Items = append(list.Items, e.Items[i])
		}
		least := 0 // nulls up to this length are kept at the end
		if was := w.Get(n); was != nil {
			least = len(was.Items)
		} else if was := s.Get(n); was != nil && len(out) == len(stored) {
			least = len(was.Items)
		}
		for len(list.Items) > least && list.Items[len(list.Items)-1].Kind == 'n' {
			list.Items = list.Items[:len(list.Items)-1]
		}
		if slices.ContainsFunc(list.Items, func(i *Node) bool { return i.Kind != 'n' }) {
			result[n] = list
		}
	}
	return result
}

func restoreUnderscore(s, c, w *Node) *Node {
	none := &Node{Kind: '{'}
	switch {
	case s.Kind != '{':
		return w
	case w.Kind != '{' && c.Kind == '{': // deleted by the writer
		return w
	case w.Kind != '{':
		return s
	case c.Kind != '{':
		return restoreObject(r4.TypeOf("Element"), s, none, w)
	}
	return restoreObject(r4.TypeOf("Element"), s, c, w)
}

// pairEntries returns the values of a list of primitives, each in an array with its id and extensions.
func pairEntries(n *Node, name string) []*Node {
	null := &Node{Kind: 'n', Raw: []byte("null")}
	var out []*Node
	for i, member := range []string{name, "_" + name} {
		list := n.Get(member)
		if list == nil {
			continue
		}
		for j, item := range list.Items {
			if j == len(out) {
				out = append(out, &Node{Kind: '[', Items: []*Node{null, null}})
			}
			out[j].Items[i] = item
		}
	}
	return out
}
