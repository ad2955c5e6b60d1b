package law_test

import (
	"encoding/json"
	"slices"
	"strings"
)

// attachersOf returns the documents on which the visibility of a version of a Binary depends (SMART-257): the
// target of its securityContext, or else the documents of its source that attach it today. complete is false
// if there are none, or one is missing.
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

// binaryVisible reports whether a version is no Binary, or a live attacher is visible and of a type that the
// scopes permit reading, or it has no attacher (SMART-257).
func (e *evaluator) binaryVisible(v *version) bool {
	if v.Ref.Type != "Binary" || e.requester.sourceSystem {
		return true
	}
	none := true
	for _, attacher := range v.attachers {
		if attacher.Deleted() {
			continue
		}
		if none = false; e.readable(attacher.Ref.Type) && e.showsVersion(attacher) && e.attaches(attacher, v) {
			return true
		}
	}
	return none
}

// attaches reports whether an attacher still names the Binary after rules have cut it. The target of a
// securityContext need not.
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

// attachesAddress reports whether a document attaches an address.
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

// readable reports whether scopes and rules leave a permission to read or search a type.
func (e *evaluator) readable(typ string) bool {
	left, named := e.decision.Permissions[typ]
	return e.requester.hasScope(typ, "r") && (!named || strings.Contains(left, "r")) || e.requester.hasScope(typ, "s") && (!named || strings.Contains(left, "s"))
}

// ownersOfBinary returns the owners of all attachers.
func (e *evaluator) ownersOfBinary(v *version) (owners []string, resolved bool) {
	resolved = v.attachersComplete
	for _, attacher := range v.attachers {
		if attacher.Ref.Type == "Patient" && attacher.Deleted() {
			resolved = false
			continue
		}
		ids, known := e.owners(attacher)
		owners, resolved = append(owners, ids...), resolved && known
	}
	ids, known := e.embeddedOwners(v)
	owners, resolved = append(owners, ids...), resolved && known
	slices.Sort(owners)
	return slices.Compact(owners), resolved
}

// binary is the body of a Binary, with or without a securityContext.
func (g *generator) binary(head string) string {
	context := ""
	switch g.IntN(6) {
	case 0:
		context = `"securityContext":{"reference":"Patient/` + g.patients[g.IntN(len(g.patients))] + `"}`
	case 1:
		context = `"securityContext":` + g.aRow("DocumentReference", "Observation", "Consent")
	}
	return object(head, g.meta(10), `"contentType":"`+pick(g, "text/plain", "application/pdf")+`"`, context, `"data":"`+g.payload()+`"`)
}

// attachment is of a document: a title, or the address of a Binary that is there,
// or will be.
func (g *generator) attachment() string {
	if g.chance(30) {
		return `{"title":"x"}`
	}
	return `{"title":"x","url":"` + pick(g, "", base+"/") + "Binary/" + g.anID("Binary") + `"}` // rules cut the address alone
}

// binaryRead draws a read of a Binary, as its content or as FHIR.
func (g *generator) binaryRead() question {
	q := question{method: pick(g, "GET", "GET", "HEAD"), path: "/Binary/" + g.anID("Binary")}
	if g.chance(25) {
		q.path += "/_history/1"
	}
	if g.chance(50) {
		q.header = []string{"Accept", pick(g, "application/fhir+json", "text/plain", "application/pdf, */*;q=0.1")}
	}
	return q
}
