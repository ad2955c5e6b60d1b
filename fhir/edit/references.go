package edit

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/fhir"
	"carerecord/fhir/payload"
	"carerecord/fhir/r4"
)

// targetElements lists, by the path of an element, those of its elements that refer to the resource
// that it describes. If one of these is removed, the whole element is, because the rest may repeat
// the resource (CON-1206).
var targetElements = map[string][]string{
	"Appointment.participant":             {"actor"},
	"AuditEvent":                          {"entity"},
	"AuditEvent.entity":                   {"what"},
	"CarePlan.activity":                   {"reference"},
	"CareTeam.participant":                {"member"},
	"Claim.related":                       {"claim"},
	"Claim.supportingInfo":                {"value"},
	"ClinicalImpression.finding":          {"itemReference"},
	"ClinicalImpression.investigation":    {"item"},
	"Composition.attester":                {"party"},
	"Composition.event":                   {"detail"},
	"Condition.evidence":                  {"detail"},
	"DetectedIssue.evidence":              {"detail"},
	"Encounter.participant":               {"individual"},
	"ExplanationOfBenefit.related":        {"claim"},
	"ExplanationOfBenefit.supportingInfo": {"value"},
	"Immunization.reaction":               {"detail"},
	"QuestionnaireResponse.item.answer":   {"value"},
	"RequestGroup.action":                 {"resource"},
	"SupplyDelivery.suppliedItem":         {"item"},
}

// RemoveReferences removes everything that refers to a hidden resource of this server (CON-1201):
// References, Attachments by their url, canonicals and other addresses, base64 and narrative with a
// reference to one, and entries of a Bundle with one. hidden is called with references without
// versions; base is the public FHIR base. Removed items leave no gap in an array, and empty parents
// are removed. If a mandatory element is removed, its nearest optional parent is too (CON-1202), and
// so is an element that only describes a removed target (CON-1206). A contained resource without a
// remaining reference is removed, and so are references to a removed one (CON-1204). If anything is
// removed, the narrative is too, because it may repeat it.
//
// It returns the body and whether anything was removed; nil, true if the whole resource has to be
// removed. References that have only an identifier are kept.
func RemoveReferences(body []byte, hidden func(fhir.Ref) bool, base string) (out []byte, changed bool) {
	w := &walker{hidden: &hiddenLinks{hidden: hidden, base: base}}
	return w.run(body)
}

// References returns the resources of this server to which a body refers, distinct and without
// versions. RemoveReferences calls hidden with the same references.
func References(body []byte, base string) []fhir.Ref {
	var refs []fhir.Ref
	seen := map[fhir.Ref]bool{}
	l := &hiddenLinks{base: base, hidden: func(r fhir.Ref) bool {
		if !seen[r] {
			seen[r] = true
			refs = append(refs, r)
		}
		return false
	}}
	w := &walker{hidden: l}
	w.run(body)
	return refs
}

// hiddenLinks are the links that RemoveReferences removes.
type hiddenLinks struct {
	hidden           func(fhir.Ref) bool
	base             string
	removedFragments map[string]bool // removed contained resources, by "#" and id
	payloadDepth     int             // how many payloads contain the body
}

// isHidden reports whether an address refers to a hidden resource.
func (l *hiddenLinks) isHidden(address string) bool {
	if address == "" {
		return false
	}
	if address[0] == '#' {
		return l.removedFragments[address]
	}
	address, _, _ = strings.Cut(address, "#")
	address, _, _ = strings.Cut(address, "|")
	ref, ok := fhir.ParseRef(l.base, address)
	return ok && r4.IsResource(ref.Type) && l.hidden(fhir.Ref{Type: ref.Type, ID: ref.ID})
}

// removes reports whether a value that is not a list is removed.
func (l *hiddenLinks) removes(typ string, value gjson.Result) bool {
	switch typ {
	case "Reference":
		return l.isHidden(value.Get("reference").Str)
	case "Attachment":
		return l.isHidden(value.Get("url").Str) || l.payloadHasHidden(value.Get("data").Str)
	case "canonical", "uri", "url", "oid", "uuid":
		return l.isHidden(value.Str) || l.dataURLHasHidden(value.Str)
	case "base64Binary":
		return l.payloadHasHidden(value.Str)
	case "Narrative":
		return l.narrativeHasHidden(value.Get("div").Str)
	}
	return false
}

// narrativeHasHidden reports whether narrative has a link to a hidden resource.
func (l *hiddenLinks) narrativeHasHidden(div string) bool {
	found := false
	linker := &linkReader{f: func(link Link) string {
		found = found || l.isHidden(link.Value)
		return link.Value
	}}
	linker.rewriteNarrative(0, div)
	return found
}

// payloadHasHidden reports whether base64 contains a resource with a reference to a hidden one.
func (l *hiddenLinks) payloadHasHidden(data string) bool {
	if data == "" || l.payloadDepth == payload.MaxDepth {
		return false
	}
	bodies, _ := payload.Read("", data)
	return slices.ContainsFunc(bodies, func(body []byte) bool {
		w := &walker{hidden: &hiddenLinks{hidden: l.hidden, base: l.base, payloadDepth: l.payloadDepth + 1}}
		_, changed := w.run(body)
		return changed
	})
}

func (l *hiddenLinks) dataURLHasHidden(url string) bool {
	_, data, ok := payload.DataURL(url)
	return ok && l.payloadHasHidden(data)
}

// isHiddenEntry reports whether an object is an entry of a Bundle with the address of a hidden resource,
// in its fullUrl, request or response.
func (l *hiddenLinks) isHiddenEntry(t *r4.Type, obj gjson.Result) bool {
	return t != nil && t.Name == "Bundle.entry" &&
		(l.isHidden(obj.Get("fullUrl").Str) || l.isHidden(obj.Get("request.url").Str) || l.isHidden(obj.Get("response.location").Str))
}

// withoutHiddenItems returns the value of a property without the parts whose removal depends on
// another property: the ids and extensions of removed addresses in a list, and the quantity of a Group
// that loses members.
func (w *walker) withoutHiddenItems(t *r4.Type, prop r4.Property, obj, value gjson.Result) gjson.Result {
	l := w.hidden
	switch prop.Type {
	case "canonical", "uri", "url", "oid", "uuid":
		if !value.IsArray() {
			return value
		}
		list := obj.Get(prop.Name)
		if !list.IsArray() {
			return value
		}
		out, any := []byte{'['}, false
		items := list.Array()
		for i, item := range value.Array() {
			if i < len(items) && l.removes(prop.Type, items[i]) {
				any = true
				continue
			}
			if len(out) > 1 {
				out = append(out, ',')
			}
			out = append(out, item.Raw...)
		}
		switch {
		case !any:
			return value
		case len(out) == 1:
			return gjson.Result{}
		}
		w.changed = true
		return gjson.ParseBytes(append(out, ']'))
	case "unsignedInt":
		if t.Name == "Group" && prop.Name == "quantity" && slices.ContainsFunc(obj.Get("member").Array(), func(m gjson.Result) bool {
			return l.removes("Reference", m.Get("entity"))
		}) {
			return gjson.Result{}
		}
	}
	return value
}

// maxRounds is the greatest number of passes over a resource. A removal may orphan contained resources,
// and references to a removed one may remain; each needs another pass. After the last one the whole
// resource is removed.
const maxRounds = 16

// copyWithoutReferences copies a resource without its references to hidden resources.
func (w *walker) copyWithoutReferences(typ string, obj gjson.Result) ([]byte, bool) {
	t, outer, fragments := r4.TypeOf(typ), w.changed, w.hidden.removedFragments
	hasContained := obj.Get("contained").Exists()
	if hasContained {
		w.hidden.removedFragments = map[string]bool{}
	}
	defer func() { w.changed, w.hidden.removedFragments = w.changed || outer, fragments }()
	w.changed = false
	out, ok := w.copyObject(t, typ, obj)
	for round := 1; ok && w.changed && hasContained; round++ {
		out = withoutOrphans(obj, out)
		if !w.hidden.noteRemoved(obj, out) {
			break
		}
		if round == maxRounds {
			return nil, false
		}
		out, ok = w.copyObject(t, typ, gjson.ParseBytes(out))
	}
	if ok && w.changed && typ != "Bundle" && typ != "Parameters" {
		text := &walker{removeType: func(typ string) bool { return typ == "Narrative" }}
		out, ok = text.copyObject(t, typ, gjson.ParseBytes(out))
	}
	return out, ok
}

// noteRemoved records the contained resources that out no longer has, and reports whether it recorded a
// new one.
func (l *hiddenLinks) noteRemoved(was gjson.Result, out []byte) bool {
	more, left := false, containedIDs(gjson.ParseBytes(out))
	for id := range containedIDs(was) {
		if !left[id] && !l.removedFragments[id] {
			l.removedFragments[id], more = true, true
		}
	}
	return more
}

// containedIDs returns "#" and the id of each contained resource.
func containedIDs(obj gjson.Result) map[string]bool {
	ids := map[string]bool{}
	for _, c := range obj.Get("contained").Array() {
		if id := c.Get("id").Str; id != "" {
			ids["#"+id] = true
		}
	}
	return ids
}

// withoutOrphans removes the contained resources that were referenced in was and are no longer
// reachable from the resource in out, directly or through others.
func withoutOrphans(was gjson.Result, out []byte) []byte {
	tree, err := Tree(out)
	list := tree.Get("contained")
	if err != nil || list == nil {
		return out
	}
	byID := map[string]*Node{}
	for _, c := range list.Items {
		byID["#"+c.Get("id").String()] = c
	}
	rest := tree.Clone()
	rest.Remove(rest.Find("contained"))
	reached := map[string]bool{}
	open := fragmentsOf(rest.Append(nil))
	for len(open) > 0 {
		next := map[string]bool{}
		for id := range open {
			if c := byID[id]; c != nil && !reached[id] {
				reached[id] = true
				maps.Copy(next, fragmentsOf(c.Append(nil)))
			}
		}
		open = next
	}
	before := fragmentsOf([]byte(was.Raw))
	kept := slices.DeleteFunc(slices.Clone(list.Items), func(c *Node) bool {
		id := "#" + c.Get("id").String()
		return before[id] && !reached[id]
	})
	switch len(kept) {
	case len(list.Items):
		return out
	case 0:
		tree.Remove(tree.Find("contained"))
	default:
		list.Items = kept
	}
	return tree.Append(make([]byte, 0, len(out)))
}

// fragmentsOf returns the references of a body to contained resources.
func fragmentsOf(body []byte) map[string]bool {
	found := map[string]bool{}
	if !bytes.Contains(body, []byte(`"#`)) {
		return found
	}
	Links(body, func(l Link) string {
		if strings.HasPrefix(l.Value, "#") {
			found[l.Value] = true
		}
		return l.Value
	})
	return found
}
