package patch

import (
	"carerecord/fhir"
	"carerecord/fhir/edit"
)

// watch records which operation changed an id, a type, a label or a tag.
type watch struct {
	id, resourceType string
	labels           map[label]bool

	// Positions of the operations that broke a rule; empty if none did.
	idAt, typeAt, labelAt string
}

// label is a tag or security label: identity is system and code (REST-101).
type label struct {
	list string
	fhir.Coding
}

func newWatch(root *edit.Node) watch {
	return watch{id: root.Get("id").String(), resourceType: root.Get("resourceType").String(), labels: labels(root)}
}

func labels(root *edit.Node) map[label]bool {
	all := map[label]bool{}
	for _, list := range []string{"security", "tag"} {
		codings := root.Get("meta").Get(list)
		if codings == nil {
			continue
		}
		for _, c := range codings.Items {
			all[label{list, fhir.Coding{System: c.Get("system").String(), Code: c.Get("code").String()}}] = true
		}
	}
	return all
}

// look is called after every operation with its position.
func (w *watch) look(root *edit.Node, location string) {
	note := func(amiss bool, since *string) {
		switch {
		case !amiss:
			*since = ""
		case *since == "":
			*since = location
		}
	}
	note(root.Get("id").String() != w.id, &w.idAt)
	note(root.Get("resourceType").String() != w.resourceType, &w.typeAt)
	if len(w.labels) == 0 {
		return
	}
	now := labels(root)
	lost := false
	for l := range w.labels {
		lost = lost || !now[l]
	}
	note(lost, &w.labelAt)
}

// verdict returns the error for a rule that is broken in the end.
func (w *watch) verdict() *fhir.Error {
	switch {
	case w.typeAt != "":
		return at(fhir.Fault(400, "invalid", "A patch cannot change the type of a resource."), w.typeAt)
	case w.idAt != "":
		return at(fhir.Fault(400, "invalid", "A patch cannot change the id of a resource."), w.idAt)
	case w.labelAt != "":
		return at(fhir.Fault(422, "business-rule", "A patch cannot remove security labels or tags. Use $meta-delete, which needs the permission."), w.labelAt)
	}
	return nil
}
