package patch

import (
	"bytes"
	"slices"

	"carerecord/fhir"
	"carerecord/fhir/edit"
)

// Patch is a document that was read and checked. It is immutable: any number of
// goroutines may apply it.
type Patch struct {
	ops     []operation
	reads   bool
	illegal string // code of an issue for a result that no resource may have
}

// operation is one step of a patch.
type operation interface {
	// apply changes the document, or says why it cannot.
	apply(d *doc) *fhir.Error
	// place is where the operation stands in the patch document.
	place() string
}

// Reads reports whether the outcome tells what is stored: by a test operation,
// or by a condition in a path (SMART-288).
func (p Patch) Reads() bool { return p.reads }

// Illegal makes the error for a result that validation refused: 422, invariant
// for a JSON Patch (REST-163) and processing for a FHIRPath Patch (REST-169).
// Warnings are left out; nil where nothing else is there.
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

// Apply returns the body after all operations, or an error and nothing. body is
// what fhir.Parse accepted, and so is what is returned. A patch that changes
// nothing returns body itself.
func (p Patch) Apply(body []byte) ([]byte, error) {
	root, err := edit.Tree(body)
	if err != nil {
		return nil, fhir.Fault(400, "structure", "What is to be patched is not legal JSON.")
	}
	d := newDoc(root)
	for _, op := range p.ops {
		if err := op.apply(d); err != nil {
			return nil, err
		}
		d.watch.look(d.root, op.place())
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

// doc is what is being patched.
type doc struct {
	root    *edit.Node
	watch   watch
	changed bool
	marks   map[*edit.Node]mark // of the resources in it that an operation changed
	copied  int                 // bytes that operations added from the document itself
	text    []byte              // the document as bytes, for expressions; nil when out of date
	written int                 // bytes that were written for expressions
}

func newDoc(root *edit.Node) *doc {
	return &doc{root: root, watch: newWatch(root), marks: map[*edit.Node]mark{}}
}

// mark says what happened to a resource.
type mark struct {
	data bool   // something that narrative may tell
	text bool   // narrative itself
	at   string // place of the first operation on data
}

// touch notes a change at the end of a path: nodes are those on the way, the
// outermost first, and names the members that lead on from each, empty for items.
func (d *doc) touch(nodes []*edit.Node, names []string, place string) {
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
				m.data, m.at = true, place
			}
		}
		d.marks[n] = m
	}
}

// narrative drops or defends the text of changed resources.
func (d *doc) narrative(n *edit.Node) *fhir.Error {
	if m := d.marks[n]; m.data && !m.text && n.Get("text") != nil {
		if n.Get("text").Get("status").String() != "generated" {
			e := fhir.Fault(422, "business-rule", "The narrative of the resource was not generated, and the patch would leave it as it is: replace the text along with the data.")
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

// at sets the place of an error in the patch document.
func at(e *fhir.Error, place string) *fhir.Error {
	e.Issues = slices.Clone(e.Issues)
	for i := range e.Issues {
		e.Issues[i].Expression = place
	}
	return e
}
