package patch

import (
	"strconv"

	"carerecord/fhir"
	"carerecord/fhir/edit"
)

// MaxOperations is the greatest number of operations of a JSON Patch.
const MaxOperations = 10_000

// JSON reads a JSON Patch. The error is 400 structure with every fault of the document, or 400
// too-costly for more than MaxOperations.
func JSON(document []byte) (Patch, error) {
	list, err := edit.Tree(document)
	switch {
	case err != nil:
		return Patch{}, fhir.Fault(400, "structure", "The patch is not valid JSON.")
	case list.Kind != '[':
		return Patch{}, fhir.Fault(400, "structure", "A JSON Patch is an array of operations.")
	case len(list.Items) > MaxOperations:
		return Patch{}, fhir.Fault(400, "too-costly", "A patch has at most %d operations.", MaxOperations)
	}
	p := Patch{illegal: "invariant"}
	r := jsonReader{}
	for i, item := range list.Items {
		r.location = "$this[" + strconv.Itoa(i) + "]"
		op := r.operation(item)
		p.ops = append(p.ops, op)
		p.reads = p.reads || op.op == "test"
	}
	if len(r.issues) > 0 {
		return Patch{}, &fhir.Error{Status: 400, Issues: r.issues[:min(len(r.issues), fhir.MaxIssues)]}
	}
	return p, nil
}

// jsonReader collects the faults of a document.
type jsonReader struct {
	location string
	issues   []fhir.Issue
}

func (r *jsonReader) fault(field, text string) {
	r.issues = append(r.issues, fhir.Issue{Code: "structure", Text: text, Expression: r.location + field})
}

// operation reads one operation. Members that RFC 6902 does not define are ignored (section 4).
func (r *jsonReader) operation(item *edit.Node) jsonOperation {
	o := jsonOperation{at: r.location}
	if item.Kind != '{' {
		r.fault("", "An operation is an object.")
		return o
	}
	o.op = item.Get("op").String()
	switch o.op {
	case "add", "replace", "test":
		if o.value = item.Get("value"); o.value == nil {
			r.fault(".value", "The operation needs a value.")
		}
	case "move", "copy":
		o.from = r.pointer(item, "from")
	case "remove":
	default:
		r.fault(".op", "op is one of add, remove, replace, move, copy and test.")
		return o
	}
	o.path = r.pointer(item, "path")
	if o.op == "move" && o.from.begins(o.path) {
		r.fault(".path", "A value cannot be moved into itself.")
	}
	return o
}

func (r *jsonReader) pointer(item *edit.Node, name string) pointer {
	n := item.Get(name)
	if n == nil || n.Kind != '"' {
		r.fault("."+name, "The operation needs a "+name+", a string that is a JSON Pointer.")
		return nil
	}
	p, ok := parsePointer(n.String())
	if !ok {
		r.fault("."+name, "A JSON Pointer is empty or begins with a slash, and contains ~ only in ~0 and ~1.")
	}
	return p
}
