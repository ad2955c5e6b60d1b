package law_test

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
)

// embedded has the people in the resources that a body embeds: the entries of a Bundle, the parameters of
// Parameters, and the payload of a Binary. Each Patient that is embedded or referred to is an owner (CON-406).
type embedded struct {
	resources  []map[string]any // at any depth
	ids        []string         // of Patients of this server, sorted
	numbers    []string         // NHS numbers without blanks, sorted
	unresolved bool             // an owner cannot be determined
}

// embeds reports whether documents of a type have the people in embedded resources as owners.
func embeds(typ string) bool { return typ == "Bundle" || typ == "Parameters" }

// embeddedIn reads a body. It returns nil if the body embeds nothing.
func embeddedIn(m map[string]any) *embedded {
	typ, _ := m["resourceType"].(string)
	e := &embedded{}
	switch payload := payloadOf(m); {
	case embeds(typ):
		e.members(m, nil)
	case payload != nil:
		e.resource(payload, "", nil)
	default:
		return nil
	}
	slices.Sort(e.ids)
	slices.Sort(e.numbers)
	e.ids, e.numbers = slices.Compact(e.ids), slices.Compact(e.numbers)
	return e
}

// payloadOf returns the resource in the data of a Binary, or nil.
func payloadOf(m map[string]any) map[string]any {
	data, _ := m["data"].(string)
	raw, err := base64.StdEncoding.DecodeString(data)
	var inner map[string]any
	if m["resourceType"] != "Binary" || err != nil || json.Unmarshal(raw, &inner) != nil {
		return nil
	}
	return inner
}

// members collects the people in the entries of a Bundle, or in parameters and their parts. known are the
// addresses of the entries of the enclosing Bundles.
func (e *embedded) members(m map[string]any, known []string) {
	for _, entry := range valuesAt(m, "entry") {
		full, _ := entry.(map[string]any)["fullUrl"].(string)
		known = append(known, full)
	}
	for _, entry := range valuesAt(m, "entry") {
		entry := entry.(map[string]any)
		full, _ := entry["fullUrl"].(string)
		e.resource(entry["resource"].(map[string]any), full, known)
	}
	for _, parameter := range append(valuesAt(m, "parameter"), valuesAt(m, "part")...) {
		parameter := parameter.(map[string]any)
		if inner, ok := parameter["resource"].(map[string]any); ok {
			e.resource(inner, "", known)
		}
		if reference, ok := parameter["valueReference"].(map[string]any); ok {
			e.reference(reference, known)
		}
		e.members(map[string]any{"part": parameter["part"]}, known)
	}
}

// resource collects the people in one embedded resource with an address.
func (e *embedded) resource(m map[string]any, address string, known []string) {
	e.resources = append(e.resources, m)
	typ := m["resourceType"].(string)
	paths, hasOwners := ownerElements[typ]
	switch {
	case embeds(typ):
		e.members(m, known)
		return
	case typ == "Patient":
		if id := patientOf(map[string]any{"reference": address}); id != "" {
			e.ids = append(e.ids, id)
		} else if !e.addNumbers(valuesAt(m, "identifier")) {
			e.unresolved = true
		}
	case hasOwners:
		somebody := false
		for _, path := range paths {
			for _, reference := range valuesAt(m, path) {
				r, _ := reference.(map[string]any)
				somebody = somebody || r["reference"] != nil || r["identifier"] != nil
			}
		}
		e.unresolved = e.unresolved || !somebody
	}
	for _, inner := range valuesAt(m, "contained") {
		e.resource(inner.(map[string]any), "", known)
	}
	for name, value := range m {
		if name != "contained" && name != "identifier" {
			e.walk(value, known)
		}
	}
}

// addNumbers adds the NHS numbers of identifiers, and reports whether there are any.
func (e *embedded) addNumbers(identifiers []any) bool {
	found := false
	for _, identifier := range identifiers {
		if number := numberIn(map[string]any{"identifier": identifier}); number != "" {
			e.numbers, found = append(e.numbers, strings.ReplaceAll(number, " ", "")), true
		}
	}
	return found
}

// walk collects the people in all references in a value.
func (e *embedded) walk(value any, known []string) {
	switch value := value.(type) {
	case map[string]any:
		if value["reference"] != nil || value["identifier"] != nil {
			e.reference(value, known)
		}
		for _, inner := range value {
			e.walk(inner, known)
		}
	case []any:
		for _, inner := range value {
			e.walk(inner, known)
		}
	}
}

// reference collects the person of one reference. Contained resources and entries are collected by themselves.
func (e *embedded) reference(reference map[string]any, known []string) {
	literal, _ := reference["reference"].(string)
	typ, id := localTarget(reference)
	switch {
	case strings.HasPrefix(literal, "#"), slices.Contains(known, literal) && literal != "":
	case typ == "Patient" && !slices.Contains(known, base+"/Patient/"+id):
		e.ids = append(e.ids, id)
	case typ != "":
	case !e.addNumbers(valuesAt(reference, "identifier")) && literal != "":
		e.unresolved = true
	}
}

// embeddedSubjects returns the people whom the embedded resources of a version are about.
func (e *evaluator) embeddedSubjects(v *version) subjects {
	if v.embedded == nil {
		return subjects{resolved: true}
	}
	s := subjects{resolved: !v.embedded.unresolved}
	for _, id := range v.embedded.ids {
		s.add(e.ownerByID(id))
	}
	for _, number := range v.embedded.numbers {
		s.add(e.ownerByNumber(v, number))
	}
	s.resolved = s.resolved && (len(s.owners) > 0 || !embeds(v.Ref.Type))
	return s
}

// embeddedNames returns the ids and number names of all people in the embedded resources of a version.
func (v *version) embeddedNames() []string {
	if v.embedded == nil {
		return nil
	}
	out := slices.Clone(v.embedded.ids)
	for _, number := range v.embedded.numbers {
		out = append(out, numberName(number))
	}
	return out
}
