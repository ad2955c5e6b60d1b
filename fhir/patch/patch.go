package patch

import (
	"bytes"
	"slices"

	"carerecord/fhir"
	"carerecord/fhir/edit"
)

// Patch is a checked patch document. It is immutable and safe for concurrent use.
type Patch struct {
	ops     []operation
	reads   bool
	illegal string // code of the issues for an invalid result
}

// operation is one operation of a patch.
type operation interface {
	// apply changes the document, or returns the reason why it cannot.
	apply(d *doc) *fhir.Error
	// location returns the position of the operation in the patch document.
	location() string
}

// Reads reports whether the outcome discloses stored values: by a test operation, or by a
// condition in a path (SMART-288).
func (p Patch) Reads() bool { return p.reads }

// Illegal makes the error for the issues of a result that failed validation: 422, invariant for a
// JSON Patch (REST-163) and processing for a FHIRPath Patch (REST-169). Warnings are omitted. It
// returns nil if there are only warnings.
func (p Patch) Illegal(issues []fhir.Issue) error {
	var found []fhir.Issue
	for _, issue := range issues {
		if issue.Severity != "warning" {
			issue.Code = p.illegal
			found = append(found, issue)
		}
	}
	if len(found) == 0 {
		return nil
	}
	return &fhir.Error{Status: 422, Issues: found[:min(len(found), fhir.MaxIssues)]}
}

// Apply returns the body after all operations, or an error. body is one that fhir.Parse accepted,
// and so is the result. A patch that changes nothing returns body itself.
func (p Patch) Apply(body []byte) ([]byte, error) {
	root, err := edit.Tree(body)
	if err != nil {
		return nil, fhir.Fault(400, "structure", "The resource to patch is not valid JSON.")
	}
	d := newDoc(root)
	for _, op := range p.ops {
		if err := op.apply(d); err != nil {
			return nil, err
		}
		d.watch.look(d.root, op.location())
	}
	if err := d.watch.verdict(); err != nil {
		return nil, err
	}
	if !d.changed {
		return body, nil
	}
	out := d.root.Append(make([]byte, 0, len(body)+256))
	if bytes.Equal(out, body) {
		return body, nil
	}
	if err := d.narrative(d.root); err != nil {
		return nil, err
	}
	r, err := fhir.Parse(d.root.Append(out[:0]))
	if e, ok := fhir.AsError(err); ok {
		return nil, p.Illegal(e.Issues)
	}
	return r.Body, err
}

// doc is the document that is being patched.
type doc struct {
	root    *edit.Node
	watch   watch
	changed bool
	marks   map[*edit.Node]mark // of the embedded resources that an operation changed
	copied  int                 // bytes that operations added from the document itself
	text    []byte              // the document as bytes, for expressions; nil when out of date
	written int                 // bytes that were written for expressions
}

func newDoc(root *edit.Node) *doc {
	return &doc{root: root, watch: newWatch(root), marks: map[*edit.Node]mark{}}
}

// mark records which parts of a resource were changed.
type mark struct {
	data bool   // an element that narrative may repeat
	text bool   // narrative itself
	at   string // position of the first operation on data
}

// touch records a change at the end of a path. nodes are the nodes on it, the outermost first,
// and names the member names of the steps, empty for items.
func (d *doc) touch(nodes []*edit.Node, names []string, location string) {
	d.changed, d.text = true, nil
	for i, n := range nodes {
		if n.Find("resourceType") < 0 {
			continue
		}
		m := d.marks[n]
		switch names[i] {
		case "meta", "_id":
			continue
		case "text", "_text":
			m.text = true
		default:
			if !m.data {
				m.data, m.at = true, location
			}
		}
		d.marks[n] = m
	}
}

// narrative removes generated narrative of changed resources, or returns an error for any other
// narrative.
func (d *doc) narrative(n *edit.Node) *fhir.Error {
	if m := d.marks[n]; m.data && !m.text && n.Get("text") != nil {
		if n.Get("text").Get("status").String() != "generated" {
			e := fhir.Fault(422, "business-rule", "The narrative of the resource was not generated, and the patch does not change it: replace the text together with the data.")
			return at(e, m.at)
		}
		n.Remove(n.Find("text"))
	}
	for _, item := range n.Items {
		if err := d.narrative(item); err != nil {
			return err
		}
	}
	return nil
}

// at sets the Expression of an error.
func at(e *fhir.Error, location string) *fhir.Error {
	e.Issues = slices.Clone(e.Issues)
	for i := range e.Issues {
		e.Issues[i].Expression = location
	}
	return e
}
