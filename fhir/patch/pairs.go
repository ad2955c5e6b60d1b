package patch

import (
	"slices"
	"strings"

	"carerecord/fhir/edit"
	"carerecord/fhir/r4"
)

// pair is one value of a property, and the id and extensions of a primitive from the property
// with an underscore; nil for a missing one.
type pair struct{ plain, twin *edit.Node }

// pairs reads the values of a property.
func pairs(holder *edit.Node, name string) []pair {
	var out []pair
	for i, n := range []*edit.Node{holder.Get(name), holder.Get("_" + name)} {
		if n == nil {
			continue
		}
		items := []*edit.Node{n}
		if n.Kind == '[' {
			items = n.Items
		}
		for j, item := range items {
			if j == len(out) {
				out = append(out, pair{})
			}
			switch {
			case item.Kind == 'n':
			case i == 0:
				out[j].plain = item
			default:
				out[j].twin = item
			}
		}
	}
	return out
}

// put writes the values of a property, null where a value lacks one of the two members. A member
// without any value is removed.
func put(holder *edit.Node, m made, list []pair) {
	name, repeats := m.property.Name, m.property.Element.Max != 1
	list = slices.DeleteFunc(list, func(p pair) bool { return p.plain == nil && p.twin == nil })
	for i, member := range []string{name, "_" + name} {
		var items []*edit.Node
		any := false
		for _, p := range list {
			n := p.plain
			if i == 1 {
				n = p.twin
			}
			if any = any || n != nil; n == nil {
				n = &edit.Node{Kind: 'n', Raw: []byte("null")}
			}
			items = append(items, n)
		}
		switch at := holder.Find(member); {
		case !any && at >= 0:
			holder.Remove(at)
		case !any:
		case repeats:
			holder.Set(member, &edit.Node{Kind: '[', Items: items})
		default:
			holder.Set(member, items[0])
		}
	}
}

// hasElement reports whether an object has a value for an element in any of its properties.
func hasElement(holder *edit.Node, e *r4.Element) bool {
	return slices.ContainsFunc(e.Properties, func(p r4.Property) bool {
		return holder.Find(p.Name) >= 0 || holder.Find("_"+p.Name) >= 0
	})
}

// closeUp removes empty objects and arrays. The arrays of a primitive and of its extensions stay
// parallel.
func closeUp(n *edit.Node) {
	for _, item := range n.Items {
		closeUp(item)
	}
	if n.Kind == '[' {
		n.Items = slices.DeleteFunc(n.Items, func(item *edit.Node) bool { return item.Kind == '{' && len(item.Items) == 0 })
		return
	}
	for i := 0; n.Kind == '{' && i < len(n.Names); {
		item := n.Items[i]
		empty := (item.Kind == '{' || item.Kind == '[') && len(item.Items) == 0
		if item.Kind == '[' {
			empty = !slices.ContainsFunc(item.Items, func(it *edit.Node) bool { return it.Kind != 'n' })
		}
		if empty {
			n.Remove(i)
		} else {
			i++
		}
	}
}

// closeTwins removes entries of a primitive that have neither a value nor an id or extensions,
// from both arrays.
func closeTwins(n *edit.Node) {
	for _, item := range n.Items {
		closeTwins(item)
	}
	if n.Kind != '{' {
		return
	}
	for _, name := range slices.Clone(n.Names) {
		base, twin := strings.CutPrefix(name, "_")
		list := n.Get(name)
		if !twin || list == nil || list.Kind != '[' {
			continue
		}
		all := pairs(n, base)
		for i := range all {
			if t := all[i].twin; t != nil && t.Kind == '{' && len(t.Items) == 0 {
				all[i].twin = nil
			}
		}
		put(n, made{property: r4.Property{Name: base, Element: &r4.Element{Max: r4.Many}}}, all)
	}
}
