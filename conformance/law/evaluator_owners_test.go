package law_test

// The owners and mentions of a version, for the evaluator (evaluator_test.go).

import (
	"maps"
	"slices"
	"strings"
)

// ownerElements are the elements that refer to the owners of a document (CON-406), by type.
var ownerElements = map[string][]string{
	"Observation": {"subject"}, "Condition": {"subject"}, "Encounter": {"subject"}, "MedicationRequest": {"subject"},
	"DocumentReference": {"subject"}, "AllergyIntolerance": {"patient"}, "Consent": {"patient"},
	"Binary": {"securityContext"}, "List": {"subject", "entry.item"}, "Provenance": {"target"}, "Appointment": {"participant.actor"},
	"Group": {"member.entity"}, "CareTeam": {"subject"}, "RiskAssessment": {"subject"},
}

// valuesAt returns the values at a path of at most two names.
func valuesAt(m map[string]any, path string) []any {
	var out []any
	name, rest, deeper := strings.Cut(path, ".")
	list, isList := m[name].([]any)
	if !isList && m[name] != nil {
		list = []any{m[name]}
	}
	for _, v := range list {
		if inner, ok := v.(map[string]any); deeper && ok {
			out = append(out, valuesAt(inner, rest)...)
		} else if !deeper {
			out = append(out, v)
		}
	}
	return out
}

// owners returns the owners of a version, and whether all of them are known and live. A version of a type
// without owners is resolved.
func (e *evaluator) owners(v *version) (owners []string, resolved bool) {
	if v.Ref.Type == "Patient" {
		return []string{v.Ref.ID}, true
	}
	if v.Ref.Type == "Binary" {
		return e.ownersOfBinary(v)
	}
	if embeds(v.Ref.Type) {
		owners, resolved = e.embeddedOwners(v)
		slices.Sort(owners)
		return slices.Compact(owners), resolved
	}
	paths, ok := ownerElements[v.Ref.Type]
	if !ok {
		return nil, true
	}
	named, resolved := 0, true
	for _, path := range paths {
		for _, reference := range valuesAt(v.decoded, path) {
			ids, counts, known := e.ownerOf(v.Ref.Type, reference)
			if counts {
				named++
				owners, resolved = append(owners, ids...), resolved && known
			}
		}
	}
	slices.Sort(owners)
	return slices.Compact(owners), resolved && named > 0
}

// ownerOf resolves one reference in an owner element. counts is false if the reference cannot be to a
// patient.
func (e *evaluator) ownerOf(of string, reference any) (ids []string, counts, known bool) {
	typ, id := localTarget(reference)
	_, hasOwners := ownerElements[typ]
	switch {
	case typ == "Patient":
		if !e.live("Patient/" + id) {
			return nil, true, false
		}
		return []string{id}, true, true
	case of == "Appointment" && typ != "":
		return nil, false, false
	case hasOwners:
		v := e.newest[typ+"/"+id]
		if v == nil {
			return nil, true, false
		}
		ids, known = e.owners(v)
		return ids, true, known && !v.Deleted()
	case typ != "":
		return nil, false, false
	}
	if number := numberOf(reference); number != "" {
		ids = e.patientsWithNumber(number)
		if len(ids) != 1 {
			return nil, true, false
		}
		return ids, true, true
	}
	return nil, false, false // a display alone refers to no patient
}

// noteNumbers adds the NHS numbers of a version of a Patient to numbers.
func (e *evaluator) noteNumbers(id string, body map[string]any) {
	if e.numbers[id] == nil {
		e.numbers[id] = map[string]bool{}
	}
	for _, identifier := range valuesAt(body, "identifier") {
		if m, _ := identifier.(map[string]any); m["system"] == nhsSystem {
			number, _ := m["value"].(string)
			e.numbers[id][numberName(number)] = true
		}
	}
}

// ownersByOtherNames returns the names of owners other than ids of live Patients: ids of missing and deleted
// Patients, the numbers of deleted ones, numbers in references, and addresses on other servers.
func (e *evaluator) ownersByOtherNames(v *version) []string { return e.ownersByOtherNamesFrom(v, nil) }

func (e *evaluator) ownersByOtherNamesFrom(v *version, visited []string) []string {
	switch {
	case slices.Contains(visited, v.Ref.String()):
		return nil
	case v.Ref.Type == "Patient" && !e.live(v.Ref.String()):
		return slices.Collect(maps.Keys(e.numbers[v.Ref.ID]))
	case v.Ref.Type == "Patient":
		return nil
	}
	visited = append(slices.Clone(visited), v.Ref.String())
	out := e.embeddedOwnersByOtherNames(v)
	for _, attacher := range v.attachers {
		if attacher.Ref.Type != "Patient" {
			out = append(out, e.ownersByOtherNamesFrom(attacher, visited)...)
		}
	}
	for _, path := range ownerElements[v.Ref.Type] {
		for _, reference := range valuesAt(v.decoded, path) {
			typ, id := localTarget(reference)
			_, hasOwners := ownerElements[typ]
			if url := remoteReference(reference); url != "" {
				out = append(out, "url:"+url)
			}
			switch number := numberOf(reference); {
			case typ == "Patient" && !e.live("Patient/"+id):
				out = append(out, id)
				if e.newest["Patient/"+id] != nil {
					for name := range e.numbers[id] {
						out = append(out, name)
					}
				}
			case hasOwners && e.newest[typ+"/"+id] != nil && v.Ref.Type != "Appointment":
				out = append(out, e.ownersByOtherNamesFrom(e.newest[typ+"/"+id], visited)...)
			case typ == "" && number != "":
				out = append(out, numberName(number))
			}
		}
	}
	return out
}

// allOwners returns the owners of a version, ids and other names.
func (e *evaluator) allOwners(v *version) []string {
	owners, _ := e.owners(v)
	return append(e.ownersByOtherNames(v), owners...)
}

// restrictedAtDeletion reports whether an owner of a version is a Patient who was restricted when deleted.
func (e *evaluator) restrictedAtDeletion(v *version) bool {
	return slices.ContainsFunc(e.ownersByOtherNames(v), func(name string) bool {
		p := e.newest["Patient/"+name]
		return p != nil && p.Deleted() && !p.ordinary()
	})
}

// remoteReference returns a literal reference to another server, or the empty string.
func remoteReference(reference any) string {
	m, _ := reference.(map[string]any)
	if text, _ := m["reference"].(string); strings.HasPrefix(canonicalAddress(text), "http") {
		return text
	}
	return ""
}

// numberOf returns the NHS number, as written, in a Reference without a literal.
func numberOf(reference any) string {
	m, _ := reference.(map[string]any)
	if typ, _ := localTarget(reference); typ != "" {
		return ""
	}
	return numberIn(m)
}

func numberIn(m map[string]any) string {
	id, _ := m["identifier"].(map[string]any)
	if id["system"] == nhsSystem {
		number, _ := id["value"].(string)
		return number
	}
	return ""
}

// hasNumber reports whether a version is of a Patient with a number.
func (v *version) hasNumber(number string) bool {
	return v.Ref.Type == "Patient" && slices.ContainsFunc(valuesAt(v.decoded, "identifier"), func(identifier any) bool {
		m, _ := identifier.(map[string]any)
		value, _ := m["value"].(string)
		return m["system"] == nhsSystem && numberName(value) == numberName(number)
	})
}

// numberName returns the name of an NHS number, the same for every spelling.
func numberName(number string) string { return "nhs:" + strings.ReplaceAll(number, " ", "") }

// patientsWithNumber returns the ids of the live Patients with an NHS number.
func (e *evaluator) patientsWithNumber(number string) []string {
	number = strings.ReplaceAll(number, " ", "")
	var out []string
	for _, v := range e.newest {
		if v.Ref.Type != "Patient" || v.Deleted() {
			continue
		}
		for _, id := range valuesAt(v.decoded, "identifier") {
			if m := id.(map[string]any); m["system"] == nhsSystem && m["value"] == number {
				out = append(out, v.Ref.ID)
			}
		}
	}
	return out
}

// mentions returns the patients to which a version refers, by literal reference or NHS number, without its
// owners. They need not be live (CON-407).
func (e *evaluator) mentions(v *version) []string {
	owners, _ := e.owners(v)
	whose := owners
	owners = append(owners, v.embeddedNames()...)
	for _, path := range ownerElements[v.Ref.Type] {
		for _, reference := range valuesAt(v.decoded, path) {
			owners = append(owners, patientOf(reference), numberName(numberOf(reference)))
		}
	}
	var out []string
	var walk func(any)
	walk = func(value any) {
		switch value := value.(type) {
		case map[string]any:
			id := patientOf(value)
			if number := numberIn(value); id == "" && number != "" && !v.hasNumber(number) {
				switch ids := e.patientsWithNumber(number); {
				case len(ids) == 1:
					id = ids[0]
				case !slices.ContainsFunc(ids, func(p string) bool { return slices.Contains(whose, p) }):
					id = numberName(number) // no Patient has it, or several that are not owners
				}
			}
			if id != "" && !slices.Contains(owners, id) {
				out = append(out, id)
			}
			if id, _ := value["id"].(string); value["resourceType"] == "Patient" && (len(id) < 2) { // contained or embedded: it mentions every Patient with its numbers
				for _, identifier := range valuesAt(value, "identifier") {
					walk(map[string]any{"identifier": identifier})
				}
			}
			for _, inner := range value {
				walk(inner)
			}
		case []any:
			for _, inner := range value {
				walk(inner)
			}
		}
	}
	walk(v.decoded)
	walk(payloadOf(v.decoded))
	for _, attacher := range v.attachers {
		for _, p := range e.mentions(attacher) {
			if !slices.Contains(owners, p) {
				out = append(out, p)
			}
		}
	}
	return out
}
