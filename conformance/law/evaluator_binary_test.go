package law_test

import (
	"encoding/json"
	"slices"
	"strings"
)

// attachersOf returns the documents that decide whether a version of a Binary is visible (SMART-257): the
// target of its securityContext, or else the current documents of its source that attach it. complete is
// false if there is none, or if one is missing.
func (e *evaluator) attachersOf(v *version) (found []*version, complete bool) {
	if context, governed := v.decoded["securityContext"]; governed {
		typ, id := localTarget(context)
		attacher := e.newest[typ+"/"+id]
		if _, hasOwners := ownerElements[typ]; attacher == nil || !hasOwners && typ != "Patient" {
			return nil, false
		}
		return []*version{attacher}, !attacher.Deleted()
	}
	for _, d := range e.newest {
		if d.Deleted() || d.Source != v.Source {
			continue
		}
		if attachesAddress(d.decoded, v.Ref.String()) {
			found = append(found, d)
		}
	}
	return found, len(found) > 0
}

// binaryVisible reports whether the attachers of a version of a Binary permit showing it: there is none, or a
// live one is visible and of a type that the scopes permit reading (SMART-257). It returns true for other types.
func (e *evaluator) binaryVisible(v *version) bool {
	if v.Ref.Type != "Binary" || e.requester.sourceSystem && !slices.ContainsFunc(e.requester.scopes, scope.constrained) {
		return true
	}
	defer e.ofBothLetters()() // of the attachers
	none := true
	for _, attacher := range v.attachers {
		if attacher.Deleted() {
			continue
		}
		if none = false; e.readable(attacher.Ref.Type) && e.versionVisible(attacher) && e.inScope(attacher) && e.attaches(attacher, v) {
			return true
		}
	}
	return none
}

// attaches reports whether an attacher refers to the Binary after rules have cut elements. The target of a
// securityContext need not refer to it.
func (e *evaluator) attaches(attacher, v *version) bool {
	if v.decoded["securityContext"] != nil {
		return true
	}
	body, _ := e.cutByLabels(attacher, attacher.Body)
	var left map[string]any
	if err := json.Unmarshal(e.cutByRules(attacher, body), &left); err != nil {
		panic(err)
	}
	return attachesAddress(left, v.Ref.String())
}

// attachesAddress reports whether an Attachment of a document has an address.
func attachesAddress(document map[string]any, address string) bool {
	for _, content := range valuesAt(document, "content") {
		m, _ := content.(map[string]any)
		attachment, _ := m["attachment"].(map[string]any)
		if url, _ := attachment["url"].(string); strings.TrimPrefix(url, base+"/") == address {
			return true
		}
	}
	return false
}

// readable reports whether both scopes and decision permit reading or searching a type.
func (e *evaluator) readable(typ string) bool {
	left, named := e.decision.Permissions[typ]
	return e.requester.hasScope(typ, "r") && (!named || strings.Contains(left, "r")) || e.requester.hasScope(typ, "s") && (!named || strings.Contains(left, "s"))
}

// subjectsOfBinary returns the people whom the attachers of a Binary and its payload are about.
func (e *evaluator) subjectsOfBinary(v *version, visited []*version) subjects {
	s := subjects{resolved: v.attachersComplete}
	for _, attacher := range v.attachers {
		if attacher.Ref.Type == "Patient" {
			s.add(e.ownerByID(attacher.Ref.ID))
			continue
		}
		of := e.subjectsFrom(attacher, visited)
		of.resolved = of.resolved && !attacher.Deleted()
		s.add(of)
	}
	s.add(e.embeddedSubjects(v))
	return s
}
