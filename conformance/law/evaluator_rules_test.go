package law_test

import (
	"bytes"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/consent/consenttest"
)

// hasTrait reports whether a version has a trait.
func (v *version) hasTrait(t consenttest.Trait) bool {
	if t.Type != "" && t.Type != v.Ref.Type {
		return false
	}
	switch t.Param {
	case "":
		return true
	case "_tag":
		meta, _ := v.decoded["meta"].(map[string]any)
		return hasCode(meta["tag"], t.Value)
	case "code":
		return hasCode(v.decoded["code"], t.Value)
	}
	return v.decoded[t.Param] == t.Value
}

// hiddenByRules reports whether a rule hides a version, or its patient has no record.
func (e *evaluator) hiddenByRules(v *version) bool {
	if left, named := e.decision.Permissions[v.Ref.Type]; named && left == "" || e.requester.sourceSystem {
		return named && !e.requester.sourceSystem
	}
	return e.hiddenByDecision(v)
}

// hiddenByDecision reports whether the decision hides a version, whatever permissions it leaves.
func (e *evaluator) hiddenByDecision(v *version) bool {
	owners, _ := e.owners(v)
	if slices.ContainsFunc(e.allOwners(v), func(p string) bool { return slices.Contains(e.decision.NoRecord, p) }) {
		return true
	}
	return slices.ContainsFunc(e.decision.Rules, func(r consenttest.Rule) bool {
		return r.Hide && (r.Patient == "" || slices.Contains(owners, r.Patient)) && v.hasTrait(r.Trait)
	})
}

// cutByRules removes the elements that rules cut from the body of a version. Rules apply that match the version
// or the newest version.
func (e *evaluator) cutByRules(v *version, body []byte) []byte {
	if e.requester.sourceSystem {
		return body
	}
	for _, judged := range []*version{v, e.newest[v.Ref.String()]} {
		owners, _ := e.owners(judged)
		for _, r := range e.decision.Rules {
			if r.Patient == "" || !slices.Contains(owners, r.Patient) || !judged.hasTrait(r.Trait) {
				continue
			}
			for _, path := range r.Cut {
				body = withoutElement(gjson.ParseBytes(body), path)
			}
		}
	}
	return body
}

// withoutElement removes the element at a path from a resource and its contained resources, where these are of
// the type with which the path begins.
func withoutElement(r gjson.Result, path string) []byte {
	names := strings.Split(path, ".")
	body := []byte(r.Raw)
	if r.Get("resourceType").Str == names[0] {
		body, _ = withoutPath(r, names[1:])
	}
	for _, c := range gjson.GetBytes(body, "contained").Array() {
		was := c.Raw
		if left := withoutElement(c, path); string(left) != was {
			body = bytes.Replace(body, []byte(was), left, 1)
		}
	}
	return body
}

// withoutPath removes the element at a path of names from a value. It returns false if nothing is left.
func withoutPath(v gjson.Result, path []string) ([]byte, bool) {
	if v.IsArray() {
		return itemsLeft(v, func(item gjson.Result) ([]byte, bool) { return withoutPath(item, path) })
	}
	if !v.IsObject() {
		return []byte(v.Raw), true
	}
	out := []byte{'{'}
	v.ForEach(func(key, value gjson.Result) bool {
		raw, left := []byte(value.Raw), true
		if key.Str == path[0] || path[0] == "value" && strings.HasPrefix(key.Str, "value") {
			if left = len(path) > 1; left {
				raw, left = withoutPath(value, path[1:])
			}
		}
		if left {
			if len(out) > 1 {
				out = append(out, ',')
			}
			out = append(append(append(out, key.Raw...), ':'), raw...)
		}
		return true
	})
	return append(out, '}'), len(out) > 1
}
