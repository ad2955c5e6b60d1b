package patch

import (
	"slices"

	"carerecord/fhir"
	"carerecord/fhir/edit"
)

// jsonOperation is one operation of RFC 6902.
type jsonOperation struct {
	at         string
	op         string
	path, from pointer
	value      *edit.Node // of the document; it is cloned before it is used
}

func (o jsonOperation) location() string { return o.at }

func (o jsonOperation) apply(d *doc) *fhir.Error {
	switch o.op {
	case "add":
		return d.add(o, o.value.Clone())
	case "remove":
		_, err := d.remove(o.path, o)
		return err
	case "replace":
		return d.replace(o)
	case "test":
		n, err := d.read(o.path, o.at+".path")
		if err == nil && !edit.SameJSON(n, o.value) {
			err = at(fhir.Fault(422, "processing", "The value differs from that of the test: nothing was changed."), o.at)
		}
		return err
	case "copy":
		n, err := d.read(o.from, o.at+".from")
		if err != nil {
			return err
		}
		_, size := n.Size()
		if d.copied += size; d.copied > maxCopied {
			return at(fhir.Fault(422, "too-costly", "The patch copies more than %d bytes.", maxCopied), o.at)
		}
		return d.add(o, n.Clone())
	default: // move
		n, err := d.read(o.from, o.at+".from")
		if err != nil {
			return err
		}
		if slices.Equal(o.from, o.path) {
			return nil
		}
		if _, err := d.remove(o.from, o); err != nil {
			return err
		}
		return d.add(o, n)
	}
}

// maxCopied bounds the bytes that copy operations add, because each may double the document. It
// is the resource size of LIM-001.
const maxCopied = 10 << 20

// read returns the node at a pointer.
func (d *doc) read(p pointer, field string) (*edit.Node, *fhir.Error) {
	if len(p) == 0 {
		return d.root, nil
	}
	t, err := d.follow(p, field)
	if err != nil {
		return nil, err
	}
	if !t.found {
		return nil, missing(p, field)
	}
	return t.node(), nil
}

// add adds a member to an object, inserts before an entry of an array, or replaces a member or
// the whole document (section 4.1).
func (d *doc) add(o jsonOperation, value *edit.Node) *fhir.Error {
	if levels, _ := value.Size(); levels+len(o.path) > fhir.MaxDepth+1 {
		return at(fhir.Fault(422, "processing", "The result would be nested deeper than %d levels.", fhir.MaxDepth), o.at+".path")
	}
	if len(o.path) == 0 {
		return d.replaceAll(value)
	}
	t, err := d.follow(o.path, o.at+".path")
	if err != nil {
		return err
	}
	d.touch(t.nodes, t.names, o.at)
	if holder := t.holder(); holder.Kind == '{' && t.found {
		holder.Items[t.at] = value
	} else {
		holder.Insert(t.at, o.path[len(o.path)-1], value)
	}
	return nil
}

func (d *doc) remove(p pointer, o jsonOperation) (*edit.Node, *fhir.Error) {
	field := o.at + ".path"
	if o.op == "move" {
		field = o.at + ".from"
	}
	if len(p) == 0 {
		return nil, at(fhir.Fault(422, "processing", "A patch does not remove the resource."), field)
	}
	t, err := d.follow(p, field)
	if err != nil {
		return nil, err
	}
	if !t.found {
		return nil, missing(p, field)
	}
	n := t.node()
	d.touch(t.nodes, t.names, o.at)
	t.holder().Remove(t.at)
	return n, nil
}

// replace replaces an existing value (section 4.3).
func (d *doc) replace(o jsonOperation) *fhir.Error {
	if len(o.path) == 0 {
		return d.replaceAll(o.value.Clone())
	}
	t, err := d.follow(o.path, o.at+".path")
	if err != nil {
		return err
	}
	if !t.found {
		return missing(o.path, o.at+".path")
	}
	if levels, _ := o.value.Size(); levels+len(o.path) > fhir.MaxDepth+1 {
		return at(fhir.Fault(422, "processing", "The result would be nested deeper than %d levels.", fhir.MaxDepth), o.at+".path")
	}
	d.touch(t.nodes, t.names, o.at)
	t.holder().Items[t.at] = o.value.Clone()
	return nil
}

// replaceAll replaces the whole document, narrative included.
func (d *doc) replaceAll(value *edit.Node) *fhir.Error {
	d.root, d.changed, d.text = value, true, nil
	return nil
}
