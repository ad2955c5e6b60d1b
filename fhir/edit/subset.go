package edit

import (
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/fhir/r4"
)

// subsetted is the tag of an incomplete resource (SRCH-224).
const subsetted = `{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}`

// Subset returns a resource with only those elements that keep accepts, token for token. keep is
// called for every element of the resource, and for the elements of accepted ones, except in
// contained resources; root is true for the elements of the resource itself. If elements were
// removed, the result has the tag SUBSETTED; otherwise it is body.
func Subset(body []byte, keep func(e *r4.Element, root bool) bool) []byte {
	s := &subset{keep: keep}
	obj := gjson.ParseBytes(body)
	out := s.object(r4.TypeOf(obj.Get("resourceType").Str), obj, true)
	if !s.removed {
		return body
	}
	return withSubsettedTag(out)
}

type subset struct {
	keep    func(*r4.Element, bool) bool
	removed bool
}

func (s *subset) object(t *r4.Type, obj gjson.Result, root bool) []byte {
	out := append(make([]byte, 0, len(obj.Raw)), '{')
	obj.ForEach(func(key, value gjson.Result) bool {
		if root && key.Str == "resourceType" {
			out = appendMember(out, key.Raw, []byte(value.Raw))
			return true
		}
		name := strings.TrimPrefix(key.Str, "_")
		prop, known := property(t, name)
		if !known || !s.keep(prop.Element, root) {
			s.removed = true
			return true
		}
		out = appendMember(out, key.Raw, s.value(prop, name != key.Str, value))
		return true
	})
	return append(out, '}')
}

func (s *subset) value(prop r4.Property, underscore bool, value gjson.Result) []byte {
	switch {
	case value.IsArray():
		out := []byte{'['}
		for i, item := range value.Array() {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, s.value(prop, underscore, item)...)
		}
		return append(out, ']')
	case !value.IsObject(), underscore, prop.Of == nil, prop.Type == "Resource", prop.Type == "Extension":
		return []byte(value.Raw)
	}
	return s.object(prop.Of, value, false)
}

// withSubsettedTag returns a body with the tag subsetted, and with a meta if it has none.
func withSubsettedTag(body []byte) []byte {
	at := func(i int, text string) []byte {
		return append(append(append(make([]byte, 0, len(body)+len(text)), body[:i]...), text...), body[i:]...)
	}
	if tags := gjson.GetBytes(body, "meta.tag"); tags.IsArray() {
		return at(tags.Index+len(tags.Raw)-1, ","+subsetted)
	}
	if meta := gjson.GetBytes(body, "meta"); meta.IsObject() {
		comma := ","
		if len(meta.Raw) == 2 {
			comma = ""
		}
		return at(meta.Index+len(meta.Raw)-1, comma+`"tag":[`+subsetted+`]`)
	}
	return at(len(body)-1, `,"meta":{"tag":[`+subsetted+`]}`)
}
