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

// subjects are the people whom a version is about.
type subjects struct {
	owners   []string // person keys, sorted
	patients []string // ids of the Patients through whom it is about these people
	names    []string // other names: ids of missing and deleted Patients, numbers, ties, addresses on other servers
	resolved bool     // all people are known; true for a type without owners
}

// all returns the owners and the other names.
func (s subjects) all() []string { return slices.Concat(s.owners, s.names) }

// add adds the subjects of a reference or of another document.
func (s *subjects) add(of subjects) {
	s.owners, s.patients, s.names = append(s.owners, of.owners...), append(s.patients, of.patients...), append(s.names, of.names...)
	s.resolved = s.resolved && of.resolved
}

// owners returns the owners of a version, and whether all people whom it is about are known.
func (e *evaluator) owners(v *version) (owners []string, resolved bool) {
	s := e.subjects(v)
	return s.owners, s.resolved
}

// subjects returns the people whom a version is about.
func (e *evaluator) subjects(v *version) subjects {
	s, known := e.subjectsOf[v]
	if !known {
		s = e.subjectsFrom(v, nil)
		slices.Sort(s.owners)
		s.owners = slices.Compact(s.owners)
		e.subjectsOf[v] = s
	}
	return s
}

func (e *evaluator) subjectsFrom(v *version, visited []*version) subjects {
	if slices.Contains(visited, v) {
		return subjects{}
	}
	visited = append(slices.Clone(visited), v)
	paths, hasOwners := ownerElements[v.Ref.Type]
	switch {
	case v.Ref.Type == "Patient":
		key, contradicted := e.personOf(v)
		s := subjects{owners: []string{key}, patients: []string{v.Ref.ID}, resolved: !contradicted}
		if !e.live(v.Ref.String()) {
			s.names = slices.Collect(maps.Keys(e.numbers[v.Ref.ID]))
		}
		return s
	case v.Ref.Type == "Binary":
		return e.subjectsOfBinary(v, visited)
	case embeds(v.Ref.Type):
		return e.embeddedSubjects(v)
	case !hasOwners:
		return subjects{resolved: true}
	}
	s, named := subjects{resolved: true}, 0
	for _, path := range paths {
		for _, reference := range valuesAt(v.decoded, path) {
			if of, counts := e.subjectsOfReference(v, reference, visited); counts {
				named++
				s.add(of)
			}
			if url := remoteReference(reference); url != "" {
				s.names = append(s.names, "url:"+url)
			}
		}
	}
	s.resolved = s.resolved && named > 0
	return s
}

// subjectsOfReference resolves one reference in an owner element. counts is false if the reference cannot be to a
// patient.
func (e *evaluator) subjectsOfReference(v *version, reference any, visited []*version) (s subjects, counts bool) {
	typ, id := localTarget(reference)
	_, hasOwners := ownerElements[typ]
	switch {
	case typ == "Patient":
		s = e.ownerByID(id)
		m, _ := reference.(map[string]any)
		if number := numberName(numberIn(m)); validNumber(number) { // IDN-111, 114
			s.names = append(s.names, number)
			p := e.newest["Patient/"+id]
			s.resolved = s.resolved && (!e.region.traces(v.Source) || p.Source != v.Source || slices.Contains(p.validNumbers(), number))
		}
		return s, true
	case v.Ref.Type == "Appointment" && typ != "":
		return s, false
	case hasOwners:
		from := e.newest[typ+"/"+id]
		if from == nil {
			return s, true
		}
		s = e.subjectsFrom(from, visited)
		s.resolved = s.resolved && !from.Deleted()
		return s, true
	case typ != "":
		return s, false
	}
	if number := numberOf(reference); number != "" {
		return e.ownerByNumber(v, number), true
	}
	return s, false // a display alone refers to no patient
}

// ownerByID resolves an owner by the id of a Patient (IDN-110).
func (e *evaluator) ownerByID(id string) subjects {
	p := e.newest["Patient/"+id]
	switch {
	case p == nil:
		return subjects{names: []string{id}}
	case p.Deleted():
		return subjects{names: append(slices.Collect(maps.Keys(e.numbers[id])), id)}
	}
	key, contradicted := e.personOf(p)
	return subjects{owners: []string{key}, patients: []string{id}, resolved: !contradicted}
}

// ownerByNumber resolves an owner by an NHS number in a document of a source (IDN-110).
func (e *evaluator) ownerByNumber(v *version, number string) subjects {
	name := numberName(number)
	if proved := v.Ref.Type == "Consent" && v.Source == "" && !e.region.literal; validNumber(name) && (proved || e.region.traces(v.Source)) {
		return subjects{owners: []string{name}, resolved: true}
	}
	return subjects{names: []string{name}}
}

// noteNumbers adds the NHS numbers and the ties of a version of a Patient to numbers.
func (e *evaluator) noteNumbers(v *version) {
	id := v.Ref.ID
	if e.numbers[id] == nil {
		e.numbers[id] = map[string]bool{}
	}
	if v.Source == e.region.index { // it may withdraw its links
		maps.DeleteFunc(e.numbers[id], func(name string, _ bool) bool { return strings.HasPrefix(name, tie) })
	}
	for _, name := range v.ties() {
		e.numbers[id][name] = true
	}
	for _, identifier := range valuesAt(v.decoded, "identifier") {
		if m, _ := identifier.(map[string]any); m["system"] == nhsSystem {
			number, _ := m["value"].(string)
			e.numbers[id][numberName(number)] = true
		}
	}
}

// allOwners returns the owners of a version, and its other names.
func (e *evaluator) allOwners(v *version) []string { return e.subjects(v).all() }

// restrictedAtDeletion reports whether an owner of a version is a Patient who was restricted when deleted.
func (e *evaluator) restrictedAtDeletion(v *version) bool {
	return slices.ContainsFunc(e.subjects(v).names, func(name string) bool {
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

// bears reports whether a version is of a Patient with a number, by its name, in any use.
func (v *version) bears(name string) bool {
	return v.Ref.Type == "Patient" && slices.ContainsFunc(valuesAt(v.decoded, "identifier"), func(identifier any) bool {
		m, _ := identifier.(map[string]any)
		value, _ := m["value"].(string)
		return m["system"] == nhsSystem && numberName(value) == name
	})
}

// numberName returns the name of an NHS number, the same for every spelling.
func numberName(number string) string { return "nhs:" + strings.ReplaceAll(number, " ", "") }

// mentions returns the patients to whom a version refers, by literal reference or NHS number, without its
// owners. They need not be live (CON-407).
func (e *evaluator) mentions(v *version) []string {
	s := e.subjects(v)
	without := slices.Concat(s.owners, s.patients, v.embeddedNames())
	for _, path := range ownerElements[v.Ref.Type] {
		for _, reference := range valuesAt(v.decoded, path) {
			without = append(without, patientOf(reference), numberName(numberOf(reference)))
		}
	}
	var out []string
	add := func(name string) {
		if !slices.Contains(without, name) {
			out = append(out, name)
		}
	}
	var walk func(any)
	walk = func(value any) {
		switch value := value.(type) {
		case map[string]any:
			if id := patientOf(value); id != "" {
				add(id)
			}
			if number := numberIn(value); number != "" && !v.bears(numberName(number)) {
				add(numberName(number))
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
		for _, name := range e.mentions(attacher) {
			add(name)
		}
	}
	return out
}
