package patch

import (
	"carerecord/fhir"
	"carerecord/fhir/edit"
)

// watch looks after what a patch must leave alone, and remembers which
// operation did not.
type watch struct {
	id, resourceType string
	labels           map[label]bool

	// Places of the operations since which something is amiss, empty for all well.
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

// look is called after every operation with its place.
func (w *watch) look(root *edit.Node, place string) {
	note := func(amiss bool, since *string) {
		switch {
		case !amiss:
			*since = ""
		case *since == "":
			*since = place
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

// verdict is the error of what is amiss in the end.
func (w *watch) verdict() *fhir.Error {
	switch {
	case w.typeAt != "":
		return at(fhir.Fault(400, "invalid", "A patch does not change the type of a resource."), w.typeAt)
	case w.idAt != "":
		return at(fhir.Fault(400, "invalid", "A patch does not change the id of a resource."), w.idAt)
	case w.labelAt != "":
		return at(fhir.Fault(422, "business-rule", "A patch does not remove security labels or tags: $meta-delete does, for those who may."), w.labelAt)
	}
	return nil
}
