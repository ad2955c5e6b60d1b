package patch

import (
	"fmt"
	"strconv"
	"strings"

	"carerecord/conformance/validate"
	"carerecord/fhir"
	"carerecord/fhir/edit"
	"carerecord/fhir/path"
	"carerecord/fhir/r4"
)

// MaxPathOperations is the greatest number of operations of a FHIRPath Patch. Each of them reads
// the document again.
const MaxPathOperations = 1000

// FHIRPath reads a FHIRPath Patch, Parameters in FHIR JSON (fhirpatch.html). The error is 400
// structure with every fault of the document, 422 processing for a path with resolve() or an
// unsupported one, or 400 too-costly for more than MaxPathOperations.
func FHIRPath(parameters []byte) (Patch, error) {
	r, err := fhir.Parse(parameters)
	if e, ok := fhir.AsError(err); ok {
		return Patch{}, malformed(e.Issues)
	}
	if r.Type != "Parameters" {
		return Patch{}, fhir.Fault(400, "structure", "A FHIRPath Patch is a Parameters resource, not a %s.", r.Type)
	}
	if issues := validate.Envelope(r.Body, validate.Strict); len(issues) > 0 {
		return Patch{}, malformed(issues)
	}
	root, err := edit.Tree(r.Body)
	if err != nil {
		return Patch{}, fhir.Fault(400, "structure", "The patch is not valid JSON.")
	}
	list := root.Get("parameter")
	if list == nil {
		return Patch{illegal: "processing"}, nil
	}
	if len(list.Items) > MaxPathOperations {
		return Patch{}, fhir.Fault(400, "too-costly", "A patch has at most %d operations.", MaxPathOperations)
	}
	return operations(list)
}

func malformed(issues []fhir.Issue) error {
	e := &fhir.Error{Status: 400}
	for _, issue := range issues {
		issue.Code = "structure"
		e.Issues = append(e.Issues, issue)
	}
	return e
}

func operations(list *edit.Node) (Patch, error) {
	p := Patch{illegal: "processing"}
	var faults []fhir.Issue
	for i, item := range list.Items {
		o := pathOperation{at: "Parameters.parameter[" + strconv.Itoa(i) + "]"}
		if err := o.read(item); err != nil {
			if err.Status == 422 {
				return Patch{}, at(err, o.at)
			}
			faults = append(faults, at(err, o.at).Issues...)
			continue
		}
		p.ops = append(p.ops, o)
		p.reads = p.reads || !o.path.Plain()
	}
	if len(faults) > 0 {
		return Patch{}, &fhir.Error{Status: 400, Issues: faults[:min(len(faults), fhir.MaxIssues)]}
	}
	return p, nil
}

// read reads one operation. Parts that the standard does not define are ignored.
func (o *pathOperation) read(item *edit.Node) *fhir.Error {
	if item.Get("name").String() != "operation" {
		return fhir.Fault(400, "structure", "A parameter of a patch must have the name operation.")
	}
	parts := map[string]*edit.Node{}
	if list := item.Get("part"); list != nil {
		for _, part := range list.Items {
			name := part.Get("name").String()
			if parts[name] != nil {
				return fhir.Fault(400, "structure", "The part %s is repeated.", fhir.Quoted(name))
			}
			parts[name] = part
		}
	}
	o.op = parts["type"].Get("valueCode").String()
	if o.op == "" {
		o.op = parts["type"].Get("valueString").String()
	}
	needs, ok := map[string]string{"add": "name value", "insert": "index value", "delete": "", "replace": "value", "move": "source destination"}[o.op]
	if !ok {
		return fhir.Fault(400, "structure", "The type of an operation is one of add, insert, delete, replace and move.")
	}
	o.name, o.value = parts["name"].Get("valueString").String(), parts["value"]
	for _, need := range strings.Fields(needs) {
		if err := o.need(need, parts[need]); err != nil {
			return err
		}
	}
	return o.program(parts["path"].Get("valueString").String())
}

// need checks that a part is present, and reads a position.
func (o *pathOperation) need(name string, part *edit.Node) *fhir.Error {
	switch name {
	case "value":
		if part == nil {
			return fhir.Fault(400, "structure", "%s needs a value.", o.op)
		}
	case "name":
		if o.name == "" {
			return fhir.Fault(400, "structure", "%s needs a name, a valueString.", o.op)
		}
	default:
		n := part.Get("valueInteger")
		if n == nil {
			return fhir.Fault(400, "structure", "%s needs a part %s, a valueInteger.", o.op, name)
		}
		i, err := strconv.Atoi(string(n.Raw))
		if err != nil {
			return fhir.Fault(400, "structure", "%s is not an integer.", name)
		}
		if name == "source" {
			o.from = i
		} else {
			o.to = i
		}
	}
	return nil
}

func (o *pathOperation) program(source string) *fhir.Error {
	if source == "" {
		return fhir.Fault(400, "structure", "%s needs a path, a valueString.", o.op)
	}
	p, err := path.Full(source)
	if class, ok := path.ClassOf(err); ok {
		status := 400
		if class == path.Unsupported {
			return fhir.Fault(422, "processing", "%s", sentence(err))
		}
		return fhir.Fault(status, "structure", "%s", sentence(err))
	}
	if p.Calls("resolve") {
		return fhir.Fault(422, "processing", "The paths of a patch cannot use resolve(): a patch changes one resource.")
	}
	o.path = p
	if o.op == "insert" || o.op == "move" {
		base, name, ok := p.Split()
		if !ok {
			return fhir.Fault(400, "structure", "The path of %s must end in the name of a list.", o.op)
		}
		o.base, o.name = base, name
	}
	return nil
}

func sentence(err error) string {
	return fmt.Sprintf("The path cannot be followed: %s.", strings.TrimPrefix(err.Error(), "FHIRPath: "))
}

// made is a value in the form of a property: plain, and the id and extensions of a primitive; nil
// for none.
type made struct {
	property    r4.Property
	plain, twin *edit.Node
}

// build reads the value of a part for an element: a value[x], a resource, or parts for a type
// that has no value[x] (REST-169).
func build(e *r4.Element, part *edit.Node) (made, *fhir.Error) {
	wrong := func(what string) *fhir.Error {
		var types []string
		for _, p := range e.Properties {
			types = append(types, p.Type)
		}
		return fhir.Fault(422, "processing", "%s takes a %s, but the value is %s.", e.Name, strings.Join(types, " or "), what)
	}
	if res := part.Get("resource"); res != nil {
		if p := e.Properties[0]; p.Type == "Resource" {
			return made{p, res, nil}, nil
		}
		return made{}, wrong("a resource")
	}
	if parts := part.Get("part"); parts != nil {
		return assemble(e, parts, wrong)
	}
	m, typ := made{}, ""
	for i, name := range part.Names {
		p, ok := r4.TypeOf("Parameters.parameter").Property(strings.TrimPrefix(name, "_"))
		if !ok || p.Element.Name != "value" {
			continue
		}
		if typ = p.Type; strings.HasPrefix(name, "_") {
			m.twin = part.Items[i]
		} else {
			m.plain = part.Items[i]
		}
	}
	if typ == "" {
		return made{}, wrong("missing")
	}
	for _, p := range e.Properties {
		if p.Type == typ || p.Type == "xhtml" && typ == "string" {
			m.property = p
			return m, nil
		}
	}
	return made{}, wrong("a " + typ)
}

// assemble makes an object of parts.
func assemble(e *r4.Element, parts *edit.Node, wrong func(string) *fhir.Error) (made, *fhir.Error) {
	p := e.Properties[0]
	if len(e.Properties) > 1 || p.Of == nil || p.Of.Class == r4.Primitive || p.Type == "Resource" {
		return made{}, wrong("a list of parts")
	}
	obj := &edit.Node{Kind: '{'}
	for _, part := range parts.Items {
		name := part.Get("name").String()
		sub := p.Of.Element(name)
		if sub == nil {
			return made{}, fhir.Fault(422, "processing", "%s has no element %s.", p.Type, fhir.Quoted(name))
		}
		m, err := build(sub, part)
		if err != nil {
			return made{}, err
		}
		if hasElement(obj, sub) && sub.Max == 1 {
			return made{}, fhir.Fault(422, "processing", "%s does not repeat.", sub.Name)
		}
		put(obj, m, append(pairs(obj, m.property.Name), pair{m.plain, m.twin}))
	}
	return made{p, obj, nil}, nil
}
