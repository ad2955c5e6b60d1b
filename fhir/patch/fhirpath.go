package patch

import (
	"slices"
	"strings"

	"carerecord/fhir"
	"carerecord/fhir/edit"
	"carerecord/fhir/path"
	"carerecord/fhir/r4"
)

// pathOperation is one operation of a FHIRPath Patch.
type pathOperation struct {
	at       string
	op       string
	path     *path.Program
	base     *path.Program // of insert and move: the parent of the list
	name     string        // of the element that is added, or of the list
	value    *edit.Node    // the part that holds it
	from, to int
}

func (o pathOperation) location() string { return o.at }

func (o pathOperation) apply(d *doc) *fhir.Error {
	err := o.run(d)
	if err != nil {
		return at(err, o.at)
	}
	return nil
}

func (o pathOperation) run(d *doc) *fhir.Error {
	switch o.op {
	case "add":
		return o.add(d)
	case "insert", "move":
		return o.inList(d)
	}
	found, err := d.evaluate(o.path)
	switch {
	case err != nil:
		return err
	case len(found) == 0 && o.op == "delete":
		return nil
	}
	it, err := single(found)
	if err != nil {
		return err
	}
	if way, _ := it.Path(); len(way) == 0 {
		return fhir.Fault(422, "processing", "A patch does not %s the resource itself.", o.op)
	}
	if o.op == "delete" {
		return o.change(d, it, nil)
	}
	m, err := build(it.Element, o.value)
	if err != nil {
		return err
	}
	return o.change(d, it, &m)
}

// maxWritten bounds the bytes that all operations of a patch together write for the evaluation of
// paths.
const maxWritten = 256 << 20

// evaluate runs a path on the current document.
func (d *doc) evaluate(p *path.Program) ([]path.Item, *fhir.Error) {
	if d.text == nil {
		d.text = d.root.Append(nil)
	}
	if d.written += len(d.text); d.written > maxWritten {
		return nil, fhir.Fault(422, "too-costly", "The patch has too many operations for a resource of this size.")
	}
	read, err := path.Parse(d.text)
	if err != nil {
		return nil, fhir.Fault(422, "processing", "The result cannot be parsed.")
	}
	out, err := p.Run(read, path.Env{})
	if class, ok := path.ClassOf(err); ok {
		code := "processing"
		if class == path.Costly {
			code = "too-costly"
		}
		return nil, fhir.Fault(422, code, "%s", sentence(err))
	}
	return out, nil
}

// single returns the one element that a path found.
func single(found []path.Item) (path.Item, *fhir.Error) {
	switch len(found) {
	case 0:
		return path.Item{}, fhir.Fault(422, "processing", "The path finds no element.")
	case 1:
	default:
		return path.Item{}, fhir.Fault(422, "processing", "The path finds %d elements: it must find one.", len(found))
	}
	if _, ok := found[0].Path(); !ok {
		return path.Item{}, fhir.Fault(422, "processing", "The path finds a value that is not an element of the resource.")
	}
	return found[0], nil
}

// walk follows a path and returns the nodes on it, and the member name of each step. Missing
// objects for the id and extensions of a primitive are added.
func (d *doc) walk(way []path.PathElement) (nodes []*edit.Node, names []string) {
	n := d.root
	for _, s := range way {
		next := n.Get(s.Name)
		if next == nil { // the twin of a primitive that has none yet
			next = &edit.Node{Kind: '{'}
			if s.Index >= 0 {
				next.Kind = '['
			}
			n.Set(s.Name, next)
		}
		nodes, names = append(nodes, n), append(names, s.Name)
		if n = next; s.Index < 0 {
			continue
		}
		for side := nodes[len(nodes)-1].Get(strings.TrimPrefix(s.Name, "_")); len(n.Items) <= s.Index || side != nil && len(n.Items) < len(side.Items); {
			n.Items = append(n.Items, &edit.Node{Kind: 'n', Raw: []byte("null")})
		}
		if n.Items[s.Index].Kind == 'n' {
			n.Items[s.Index] = &edit.Node{Kind: '{'}
		}
		nodes, names = append(nodes, n), append(names, "")
		n = n.Items[s.Index]
	}
	return append(nodes, n), names
}

// holder returns the object that has the members of an element, its type, and the path to it.
func (d *doc) holder(it path.Item) (nodes []*edit.Node, names []string, of *r4.Type) {
	way, _ := it.Path()
	of = r4.TypeOf(it.Type)
	if of == nil || of.Class == r4.Primitive {
		of = r4.TypeOf("Element")
		way[len(way)-1].Name = "_" + strings.TrimPrefix(way[len(way)-1].Name, "_")
	}
	nodes, names = d.walk(way)
	return nodes, names, of
}

// add adds an element to the one that the path finds (REST-167).
func (o pathOperation) add(d *doc) *fhir.Error {
	found, err := d.evaluate(o.path)
	if err != nil {
		return err
	}
	it, err := single(found)
	if err != nil {
		return err
	}
	nodes, names, of := d.holder(it)
	holder := nodes[len(nodes)-1]
	e := of.Element(o.name)
	if e == nil || len(e.Properties) == 0 {
		return fhir.Fault(422, "processing", "%s has no element %s.", it.Type, fhir.Quoted(o.name))
	}
	if e.Max == 1 && hasElement(holder, e) {
		return fhir.Fault(422, "processing", "%s has a value already: use replace.", o.name)
	}
	m, err := build(e, o.value)
	if err != nil {
		return err
	}
	d.touch(nodes, append(names, m.property.Name), o.at)
	m = m.clone()
	put(holder, m, append(pairs(holder, m.property.Name), pair{m.plain, m.twin}))
	return nil
}

// inList inserts into a list, or moves an entry of one.
func (o pathOperation) inList(d *doc) *fhir.Error {
	found, err := d.evaluate(o.base)
	if err != nil {
		return err
	}
	it, err := single(found)
	if err != nil {
		return err
	}
	nodes, names, of := d.holder(it)
	holder := nodes[len(nodes)-1]
	e := of.Element(o.name)
	if e == nil || e.Max == 1 || len(e.Properties) != 1 {
		return fhir.Fault(422, "processing", "%s has no list %s.", it.Type, fhir.Quoted(o.name))
	}
	list := pairs(holder, e.Properties[0].Name)
	m := made{property: e.Properties[0]}
	if o.op == "insert" {
		if o.to < 0 || o.to > len(list) {
			return fhir.Fault(422, "processing", "The list has %d entries: index must be from 0 to that number.", len(list))
		}
		if m, err = build(e, o.value); err != nil {
			return err
		}
		m = m.clone()
		list = slices.Insert(list, o.to, pair{m.plain, m.twin})
	} else {
		if o.from < 0 || o.from >= len(list) || o.to < 0 || o.to >= len(list) {
			return fhir.Fault(422, "processing", "The list has %d entries: source and destination must be positions of entries.", len(list))
		}
		moved := list[o.from]
		list = slices.Insert(slices.Delete(list, o.from, o.from+1), o.to, moved)
	}
	d.touch(nodes, append(names, m.property.Name), o.at)
	put(holder, m, list)
	return nil
}

func (m made) clone() made {
	if m.plain != nil {
		m.plain = m.plain.Clone()
	}
	if m.twin != nil {
		m.twin = m.twin.Clone()
	}
	return m
}

// change replaces an element by a value, or removes it if the value is nil.
func (o pathOperation) change(d *doc, it path.Item, now *made) *fhir.Error {
	way, _ := it.Path()
	last := way[len(way)-1]
	nodes, names := d.walk(way[:len(way)-1])
	holder := nodes[len(nodes)-1]
	d.touch(nodes, append(names, last.Name), o.at)
	old := made{property: r4.Property{Name: last.Name, Element: it.Element}}
	list, i := pairs(holder, last.Name), max(0, last.Index)
	if now == nil {
		put(holder, old, slices.Delete(list, i, i+1))
		closeTwins(d.root)
		closeUp(d.root)
		return nil
	}
	m := now.clone()
	if m.property.Name != last.Name { // another type of the choice
		if at := holder.Find(last.Name); at >= 0 {
			holder.Names[at] = m.property.Name
		}
		if at := holder.Find("_" + last.Name); at >= 0 {
			holder.Names[at] = "_" + m.property.Name
		}
	}
	list[i] = pair{m.plain, m.twin}
	put(holder, m, list)
	return nil
}
