// Package xml converts resources in FHIR XML to FHIR JSON (xml.html, json.html).
//
// The tables of fhir/r4 define whether an element repeats, has a number as its value, or contains
// a resource. Order is that of the document. Decimals keep their text, and narrative keeps its
// bytes. Comments and processing instructions outside of narrative are dropped, as the format
// allows.
package xml

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"

	"carerecord/fhir"
	"carerecord/fhir/r4"
)

const namespace = "http://hl7.org/fhir"

// JSON reads a resource in XML and returns it in JSON. The error is a *fhir.Error with status
// 400 and the path of the element. The result still has to be validated.
func JSON(body []byte) (out []byte, err error) {
	dec := xml.NewDecoder(bytes.NewReader(body))
	dec.Entity = xml.HTMLEntity // narrative may have them
	r := &reader{dec: dec, src: body}
	defer func() {
		switch e := recover().(type) {
		case nil:
		case *fhir.Error:
			out, err = nil, e
		default:
			panic(e)
		}
	}()
	start, ok := r.next()
	if !ok {
		r.fail("", "The body has no element.")
	}
	out = r.resource(start, string(fhir.AppendElement(nil, start.Name.Local)), 1)
	if _, more := r.next(); more {
		r.fail("", "The body continues after the end of the resource.")
	}
	return out, nil
}

// reader reads one document. A fault panics with a *fhir.Error, which JSON recovers.
type reader struct {
	dec *xml.Decoder
	src []byte
}

func (r *reader) fail(path, text string) {
	e := fhir.Fault(400, "structure", "%s", text)
	e.Issues[0].Expression = path
	panic(e)
}

// next returns the next start element, or false at the end of its parent or of the document.
func (r *reader) next() (xml.StartElement, bool) {
	for {
		tok, err := r.dec.Token()
		switch {
		case errors.Is(err, io.EOF):
			return xml.StartElement{}, false
		case err != nil:
			r.fail("", "The body is not well-formed XML: "+err.Error()+".")
		}
		switch t := tok.(type) {
		case xml.StartElement:
			return t, true
		case xml.EndElement:
			return xml.StartElement{}, false
		case xml.Directive:
			r.fail("", "FHIR XML allows no document type declaration.")
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				r.fail("", "Text is not allowed here: only elements are.")
			}
		}
	}
}

func (r *reader) resource(start xml.StartElement, path string, depth int) []byte {
	name := start.Name.Local
	if start.Name.Space != namespace {
		r.fail(path, "The resource is not in the namespace "+namespace+".")
	}
	if !r4.IsResource(name) {
		r.fail(path, "There is no resource type "+name+".")
	}
	v := r.value(r4.Property{Type: name, Of: r4.TypeOf(name)}, start, path, depth)
	out := append([]byte(`{"resourceType":"`), name...)
	out = append(out, '"')
	if len(v.twin) > 2 {
		out = append(out, ',')
		out = append(out, v.twin[1:len(v.twin)-1]...)
	}
	return append(out, '}')
}

// value is the content of one XML element: a primitive as JSON, and an object. The object of a
// complex type is its value; that of a primitive has its id and extensions.
type value struct{ plain, twin []byte }

func (r *reader) value(p r4.Property, start xml.StartElement, path string, depth int) value {
	if depth > fhir.MaxDepth {
		r.fail(path, "The resource is nested deeper than "+strconv.Itoa(fhir.MaxDepth)+" levels.")
	}
	o := object{}
	v := value{}
	primitive := p.Of == nil || p.Of.Class == r4.Primitive
	for _, a := range start.Attr {
		switch name := a.Name.Local; {
		case a.Name.Space != "" || name == "xmlns":
		case name == "id" || name == "url" && p.Type == "Extension":
			o.add(name, value{plain: text(a.Value)}, false)
		case name == "value" && primitive:
			v.plain = r.scalar(p.Type, a.Value, path)
		default:
			r.fail(path, "The attribute "+name+" is not allowed here.")
		}
	}
	of := p.Of
	if primitive {
		of = r4.TypeOf("Element")
	}
	for child, ok := r.next(); ok; child, ok = r.next() {
		r.member(&o, of, child, path, depth)
	}
	v.twin = o.bytes()
	return v
}

// member reads a child element into an object.
func (r *reader) member(o *object, of *r4.Type, child xml.StartElement, path string, depth int) {
	name := child.Name.Local
	p, ok := r4.Property{}, false
	if of != nil {
		p, ok = of.Property(name)
	}
	below := string(fhir.AppendElement([]byte(path), name))
	switch {
	case !ok:
		r.fail(below, "The element is not known.")
	case p.Type == "xhtml":
		from := bytes.LastIndexByte(r.src[:r.dec.InputOffset()], '<')
		if err := r.dec.Skip(); err != nil {
			r.fail(below, "The narrative is not well-formed XML.")
		}
		o.add(name, value{plain: text(string(r.src[from:r.dec.InputOffset()]))}, false)
	case p.Of != nil && p.Of.Class == r4.Abstract && p.Type == "Resource":
		inner, found := r.next()
		if !found {
			r.fail(below, "The element contains no resource.")
		}
		o.add(name, value{twin: r.resource(inner, below, depth+2)}, p.Element.Max != 1)
		if _, more := r.next(); more {
			r.fail(below, "The element contains more than one resource.")
		}
	default:
		v := r.value(p, child, below, depth+1)
		o.addTyped(name, v, p, p.Element.Max != 1)
	}
}

// scalar writes the value of a primitive as JSON.
func (r *reader) scalar(typ, s, path string) []byte {
	switch typ {
	case "boolean":
		if s == "true" || s == "false" {
			return []byte(s)
		}
	case "integer", "positiveInt", "unsignedInt", "decimal":
		if s = strings.TrimSpace(s); numeric(s) {
			return []byte(s)
		}
	default:
		return text(s)
	}
	r.fail(path, "The value is not of type "+typ+".")
	return nil
}

// text writes a string as JSON without escaping markup.
func text(s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic("xml: a string that JSON cannot hold: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'})
}
