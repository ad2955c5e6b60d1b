package law_test

import (
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// labelHides reports whether the labels of a live document hide it from the requester: step 9 for staff, step
// 10 for patients. The labels of a Patient hide the whole record and are not considered here.
func (e *evaluator) labelHides(v *version) bool {
	if v == nil || v.Deleted() || e.requester.sourceSystem {
		return false
	}
	released := !v.labelled("NOPAT") && !slices.ContainsFunc(v.attachers, func(attacher *version) bool { return attacher.labelled("NOPAT") })
	ordinary := v.ordinary() && !e.restrictedAtDeletion(v)
	switch {
	case v.Ref.Type == "Patient":
		return false
	case v.Ref.Type == "Consent":
		return !e.requester.staff && !released && v.Source != ""
	case e.requester.staff:
		return !ordinary
	}
	return !ordinary || !released
}

// hiddenTargets returns the documents, by Type/id, that labels hide from the requester and that share an
// owner with a version or with the newest version of the same document (CON-1201).
func (e *evaluator) hiddenTargets(v *version) map[string]bool {
	about := append(e.allOwners(v), e.allOwners(e.newest[v.Ref.String()])...)
	out := map[string]bool{}
	for name, other := range e.newest {
		if e.labelHides(other) && slices.ContainsFunc(e.allOwners(other), func(p string) bool { return slices.Contains(about, p) }) {
			out[name] = true
		}
	}
	return out
}

// cutByLabels removes the references to hidden documents from the body of a version. It returns false if
// nothing of the body is left.
func (e *evaluator) cutByLabels(v *version, body []byte) ([]byte, bool) {
	hidden := e.hiddenTargets(v)
	if len(hidden) == 0 {
		return body, true
	}
	c := referenceCutter{hidden: hidden}
	out, left := c.value(v.Ref.Type, gjson.ParseBytes(body))
	if !c.cut || !left {
		return out, left
	}
	return withoutNarrative(out), true
}

// leftAfterCuts reports whether a part of a version is left after references are cut. A tombstone has the
// body of the version before.
func (e *evaluator) leftAfterCuts(v *version) bool {
	body := v.Body
	if v.Deleted() {
		body = e.bodyBefore(v)
	}
	_, left := e.cutByLabels(v, body)
	return left
}

// mandatoryMembers are the members without which an element is cut as a whole (CON-1202, CON-1206).
var mandatoryMembers = map[string][]string{
	"Provenance": {"target"}, "List.entry": {"item"}, "DocumentReference": {"content"}, "DocumentReference.content": {"attachment"},
	"Encounter.diagnosis": {"condition"}, "Condition.evidence": {"detail"}, "CareTeam.participant": {"member"},
}

// referenceCutter removes references from a body.
type referenceCutter struct {
	hidden map[string]bool
	cut    bool
}

// itemsLeft returns an array with what is left of each item, and false if nothing is left of any.
func itemsLeft(array gjson.Result, part func(item gjson.Result) (raw []byte, left bool)) ([]byte, bool) {
	out := []byte{'['}
	for _, item := range array.Array() {
		raw, left := part(item)
		if !left {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, raw...)
	}
	return append(out, ']'), len(out) > 1
}

// value returns the remaining part of a value at a path of names, and false if nothing is left.
func (c *referenceCutter) value(path string, v gjson.Result) ([]byte, bool) {
	if v.IsArray() {
		return itemsLeft(v, func(item gjson.Result) ([]byte, bool) { return c.value(path, item) })
	}
	if !v.IsObject() {
		return []byte(v.Raw), true
	}
	if c.refersToHidden(v.Get("reference").Str) || c.refersToHidden(v.Get("url").Str) {
		c.cut = true
		return nil, false
	}
	out, whole := []byte{'{'}, true
	v.ForEach(func(key, value gjson.Result) bool {
		raw, left := c.value(path+"."+key.Str, value)
		if !left {
			whole = whole && !slices.Contains(mandatoryMembers[path], key.Str)
			return true
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, key.Raw...), ':'), raw...)
		return true
	})
	out = append(out, '}')
	return out, whole && len(out) > 2 && !(strings.HasSuffix(path, ".extension") && bareExtension(out))
}

// refersToHidden reports whether an address is of a hidden document or of a version of it.
func (c *referenceCutter) refersToHidden(address string) bool {
	typ, id := localTarget(map[string]any{"reference": address})
	return typ != "" && c.hidden[typ+"/"+id]
}

// withoutNarrative returns a body without its narrative.
func withoutNarrative(body []byte) []byte {
	out := []byte{'{'}
	gjson.ParseBytes(body).ForEach(func(key, value gjson.Result) bool {
		if key.Str == "text" && value.IsObject() {
			return true
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, key.Raw...), ':'), value.Raw...)
		return true
	})
	return append(out, '}')
}
