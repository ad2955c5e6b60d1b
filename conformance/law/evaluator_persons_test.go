package law_test

// The persons of Patients, for the evaluator (identity.md, sections 2 and 5).

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// region is the identity policy of a world (IDN-101).
type region struct {
	index   string // ODS code of the patient index; empty for a region without one
	literal bool   // there is no identity policy
}

// traces reports whether the NHS numbers of a source are traced.
func (r region) traces(ods string) bool {
	return slices.Contains(traced, ods) || ods != "" && ods == r.index
}

// validNumber reports whether a name is that of an NHS number with the right check digit (IDN-102).
func validNumber(name string) bool {
	digits, ok := strings.CutPrefix(name, "nhs:")
	if !ok || len(digits) != 10 || strings.Trim(digits, digits[:1]) == "" {
		return false
	}
	sum := 0
	for i, digit := range digits {
		if digit < '0' || digit > '9' {
			return false
		}
		sum += int(digit-'0') * (10 - i) // the check digit counts once
	}
	return sum%11 == 0
}

// personOf returns the person key of a version of a Patient: its NHS number if it is joined, else its id. A
// contradicted Patient is a person of its own (IDN-102 to 105).
func (e *evaluator) personOf(v *version) (key string, contradicted bool) {
	numbers := e.countingNumbers(v)
	switch {
	case len(numbers) == 0:
		return v.Ref.ID, false
	case e.region.index == "" || v.Source == e.region.index:
		if len(numbers) > 1 {
			return v.Ref.ID, true
		}
		return numbers[0], false
	}
	number := e.lastOf(numbers)
	if number == "" {
		return v.Ref.ID, true
	}
	if p := e.indexPatient(number, v.Ref.ID); p != nil && !sameBirthDate(p, v) {
		return v.Ref.ID, true
	}
	return number, false
}

// lastOf returns the one of some numbers that supersedes all others, directly or through others of them (IDN-105).
func (e *evaluator) lastOf(numbers []string) string {
	found := ""
	for _, last := range numbers {
		reached := map[string]bool{last: true}
		for range numbers {
			for _, old := range numbers {
				reached[old] = reached[old] || slices.ContainsFunc(numbers, func(by string) bool { return reached[by] && e.supersedes(by, old) })
			}
		}
		if !slices.ContainsFunc(numbers, func(number string) bool { return !reached[number] }) {
			if found != "" {
				return "" // a circle
			}
			found = last
		}
	}
	return found
}

// supersedes reports whether the patient index says that a number supersedes another one (IDN-134).
func (e *evaluator) supersedes(current, old string) bool {
	if current == old || e.region.index == "" {
		return false
	}
	for _, p := range e.newest {
		for _, q := range e.newest {
			if e.aliasNumber(p) == current && e.aliasNumber(q) == old && (p.linksTo("replaces", q) || q.linksTo("replaced-by", p)) {
				return true
			}
		}
	}
	return false
}

// aliasNumber returns the number of a live Patient of the patient index without labels; empty for others.
func (e *evaluator) aliasNumber(v *version) string {
	if v.Ref.Type != "Patient" || v.Deleted() || v.Source != e.region.index || !v.ordinary() {
		return ""
	}
	if numbers := e.countingNumbers(v); len(numbers) == 1 {
		return numbers[0]
	}
	return ""
}

// linksTo reports whether a version of a Patient has a link of a type to another one.
func (v *version) linksTo(typ string, to *version) bool {
	return slices.ContainsFunc(valuesAt(v.decoded, "link"), func(value any) bool {
		link, _ := value.(map[string]any)
		return link["type"] == typ && patientOf(link["other"]) == to.Ref.ID
	})
}

// survivor returns the surviving number of a person key (IDN-134). A number that several supersede, or that supersedes itself
// through others, survives.
func (e *evaluator) survivor(person string) string {
	if s, known := e.survivors[person]; known {
		return s
	}
	s, visited := person, map[string]bool{person: true}
	for {
		var next []string
		for _, v := range e.newest {
			if number := e.aliasNumber(v); number != "" && e.supersedes(number, s) && !slices.Contains(next, number) {
				next = append(next, number)
			}
		}
		if len(next) != 1 {
			break
		}
		if s = next[0]; visited[s] {
			s = person
			break
		}
		visited[s] = true
	}
	e.survivors[person] = s
	return s
}

// samePerson reports whether two person keys act as one.
func (e *evaluator) samePerson(a, b string) bool { return e.survivor(a) == e.survivor(b) }

// countingNumbers returns the names of the NHS numbers of a version of a Patient that count, each once.
func (e *evaluator) countingNumbers(v *version) []string {
	var out []string
	for _, value := range valuesAt(v.decoded, "identifier") {
		identifier, _ := value.(map[string]any)
		number, _ := identifier["value"].(string)
		name := numberName(number)
		if identifier["system"] != nhsSystem || !validNumber(name) || !e.region.traces(v.Source) || identifier["use"] == "old" || !inPeriod(identifier["period"], v.written) {
			continue
		}
		if status := identifier["extension"]; v.Source != e.region.index && status != nil && !hasCode(status, "01") {
			continue
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// validNumbers returns the names of the valid NHS numbers of a version of a Patient that are not marked as old.
func (v *version) validNumbers() []string {
	var out []string
	for _, value := range valuesAt(v.decoded, "identifier") {
		identifier, _ := value.(map[string]any)
		number, _ := identifier["value"].(string)
		if name := numberName(number); identifier["system"] == nhsSystem && validNumber(name) && identifier["use"] != "old" {
			out = append(out, name)
		}
	}
	return out
}

// inPeriod reports whether a Period of dates contains an instant.
func inPeriod(value any, at time.Time) bool {
	period, _ := value.(map[string]any)
	first, _ := period["start"].(string)
	last, _ := period["end"].(string)
	day := at.Format(time.DateOnly)
	return (first == "" || first[:min(len(first), 10)] <= day) && (last == "" || day[:len(last)] <= last)
}

// indexPatient returns the joined Patient of the patient index with a number and another id, nil for none.
func (e *evaluator) indexPatient(number, id string) *version {
	var found *version
	for _, p := range e.newest {
		if p.Ref.Type != "Patient" || p.Deleted() || p.Source != e.region.index || p.Ref.ID == id || found != nil && found.Ref.ID < p.Ref.ID {
			continue
		}
		if key, _ := e.personOf(p); key == number {
			found = p
		}
	}
	return found
}

// sameBirthDate reports whether two Patients may have the same birth date. A year or a month agrees with the dates
// in it (IDN-104).
func sameBirthDate(a, b *version) bool {
	x, _ := a.decoded["birthDate"].(string)
	y, _ := b.decoded["birthDate"].(string)
	n := min(len(x), len(y))
	return x[:n] == y[:n]
}

// livePerson returns the person key of a live Patient by id, and whether there is one.
func (e *evaluator) livePerson(id string) (key string, ok bool) {
	if !e.live("Patient/" + id) {
		return "", false
	}
	key, _ = e.personOf(e.newest["Patient/"+id])
	return key, true
}

// patientsOf returns the live Patients of a person, by one of the keys that act as one.
func (e *evaluator) patientsOf(person string) []*version {
	var out []*version
	for _, v := range e.newest {
		if v.Ref.Type != "Patient" {
			continue
		}
		if key, live := e.livePerson(v.Ref.ID); live && e.samePerson(key, person) {
			out = append(out, v)
		}
	}
	return out
}

// unknownPerson reports whether a person key is a number that no joined Patient has (IDN-110).
func (e *evaluator) unknownPerson(person string) bool {
	return strings.HasPrefix(person, "nhs:") && len(e.patientsOf(person)) == 0
}

// statements are the directives and restrictions in force for a person, by a name.
type statements struct{ optedOut, denied, restricted bool }

// inForce returns the statements that cover a name: those that name it, one of the Patients that it may mean, or
// another Patient that has or had one of the NHS numbers of these. What covers a Patient covers those that its source
// merged with it (IDN-130).
func (e *evaluator) inForce(name string) statements {
	if s, known := e.inForceOf[name]; known {
		return s
	}
	var s statements
	add := func(name string) {
		of := e.statements[name]
		s = statements{s.optedOut || of.optedOut, s.denied || of.denied, s.restricted || of.restricted}
	}
	add(name)
	patients := []string{name}
	if strings.HasPrefix(name, "nhs:") || strings.HasPrefix(name, tie) {
		patients = e.bearersOf(name)
	}
	for _, patient := range e.withTied(patients) {
		add(patient)
		if strings.Contains(name, ":") && !validNumber(name) && !strings.HasPrefix(name, tie) || !e.remembered(patient) {
			continue
		}
		for number := range e.numbers[patient] {
			add(number)
			if validNumber(number) {
				for _, same := range e.withTied(e.bearersOf(number)) {
					add(same)
				}
			}
		}
	}
	e.inForceOf[name] = s
	return s
}

// withTied returns some Patients with all that are tied to them, directly or through others.
func (e *evaluator) withTied(patients []string) []string {
	for i := 0; i < len(patients); i++ {
		for _, tied := range e.tiedTo(patients[i]) {
			if !slices.Contains(patients, tied) {
				patients = append(patients, tied)
			}
		}
	}
	return patients
}

// tiedTo returns the ids of the Patients that a link of type replaces or replaced-by ties to a Patient of the same source,
// in either direction, or to the same third one.
func (e *evaluator) tiedTo(id string) []string {
	if !e.remembered(id) {
		return nil
	}
	var out []string
	for name := range e.numbers[id] {
		if strings.HasPrefix(name, tie) {
			out = append(out, e.bearersOf(name)...)
		}
	}
	if p := e.newest["Patient/"+id]; e.region.index != "" && p != nil && p.Source == e.region.index {
		// A number that is superseded to protect somebody says nothing about another one (IDN-134).
		protected := func(id string) bool { return e.statements[id].restricted }
		out = slices.DeleteFunc(out, func(other string) bool { return protected(id) || protected(other) })
	}
	return out
}

// noteMerged adds to the numbers and ties of each Patient those of the Patients that its source merged with it, by any version of
// its links and directly or through others, also of deleted ones.
func (e *evaluator) noteMerged() {
	own := map[string]map[string]bool{}
	for id, names := range e.numbers {
		own[id] = maps.Clone(names)
	}
	for id := range own {
		source := e.sourceOfPatient(id)
		if source == e.region.index && source != "" {
			continue
		}
		visited := map[string]bool{id: true}
		for queue := []string{id}; len(queue) > 0; queue = queue[1:] {
			for name := range own[queue[0]] {
				e.numbers[id][name] = true
				other, tied := strings.CutPrefix(name, tie+source+":")
				if tied && !visited[other] && e.sourceOfPatient(other) == source {
					visited[other] = true
					queue = append(queue, other)
				}
			}
		}
	}
}

func (e *evaluator) sourceOfPatient(id string) string {
	if p := e.newest["Patient/"+id]; p != nil {
		return p.Source
	}
	return ""
}

// tie begins the names of ties; the source and the id of a Patient follow.
const tie = "tied:"

// ties returns the names that tie a version of a Patient to others of its source: its own, and those that its links name.
func (v *version) ties() []string {
	out := []string{tie + v.Source + ":" + v.Ref.ID}
	for _, value := range valuesAt(v.decoded, "link") {
		link, _ := value.(map[string]any)
		if id := patientOf(link["other"]); id != "" && (link["type"] == "replaces" || link["type"] == "replaced-by") {
			out = append(out, tie+v.Source+":"+id)
		}
	}
	return out
}

// bearersOf returns the ids of the Patients that have or had a number or a tie.
func (e *evaluator) bearersOf(number string) []string {
	var out []string
	for id, numbers := range e.numbers {
		if numbers[number] && e.remembered(id) {
			out = append(out, id)
		}
	}
	return out
}

// remembered reports whether the numbers of a Patient extend a statement: those of a deleted Patient do only if a
// directive names it.
func (e *evaluator) remembered(id string) bool {
	return e.live("Patient/"+id) || e.statements[id] != statements{}
}

func (e *evaluator) optedOut(name string) bool   { return e.inForce(name).optedOut }
func (e *evaluator) denied(name string) bool     { return e.inForce(name).denied }
func (e *evaluator) restricted(name string) bool { return e.inForce(name).restricted }

// registerStatement registers a Consent in force (CON-501, 601, 641) or a Patient with a restriction. A sensitivity
// label has the same effect (CON-703).
func (e *evaluator) registerStatement(v *version) {
	var s statements
	var names []string
	switch {
	case v.Deleted():
	case v.Ref.Type == "Patient":
		s.restricted, names = !v.ordinary(), []string{v.Ref.ID}
	case v.Ref.Type == "Consent":
		kind := consentKindOf(v.decoded)
		s.optedOut, s.denied, names = kind == optOut, kind == otherDirective, consentPatients(v.decoded)
	}
	if s == (statements{}) {
		return
	}
	for _, name := range names {
		of := e.statements[name]
		e.statements[name] = statements{s.optedOut || of.optedOut, s.denied || of.denied, s.restricted || of.restricted}
	}
}

// namedPerson returns the person key of the patient in a question, or the empty string. A contradicted Patient of
// another source is absent.
func (e *evaluator) namedPerson(q question) string {
	var named []*version
	for _, v := range e.newest {
		if v.Ref.Type != "Patient" || v.Deleted() {
			continue
		}
		if _, contradicted := e.personOf(v); contradicted && v.Source != e.requester.organisation {
			continue
		}
		if q.patientNumber != "" && v.hasIdentifier(q.patientNumber) || q.patientNumber == "" && v.Ref.ID == q.patientID {
			named = append(named, v)
		}
	}
	if name := numberName(q.patientNumber); q.patientNumber != "" {
		if validNumber(name) && !e.region.literal {
			named = those(named, func(v *version) bool { key, _ := e.personOf(v); return e.samePerson(key, name) })
		}
		if e.requester.staff {
			named = those(named, e.shownAtFirst)
		}
	}
	person := ""
	if q.patientNumber == "" && len(named) == 1 { // by its id, a hidden Patient of a visible person is absent
		if key, _ := e.personOf(named[0]); e.requester.staff && !e.recordHidden(key) && !e.visibleToStaff(named[0]) {
			return ""
		}
	}
	for n, v := range named {
		key, _ := e.personOf(v)
		if n > 0 && !e.samePerson(key, person) {
			return ""
		}
		person = key
	}
	return person
}

// shownAtFirst reports whether staff see a Patient, as far as a Decider has not spoken.
func (e *evaluator) shownAtFirst(v *version) bool {
	decided := e.decision.NoRecord
	e.decision.NoRecord = nil
	defer func() { e.decision.NoRecord = decided }()
	return e.visibleToStaff(v)
}

// those returns the versions that a function reports, or all if it reports none.
func those(versions []*version, is func(*version) bool) []*version {
	some := slices.DeleteFunc(slices.Clone(versions), func(v *version) bool { return !is(v) })
	if len(some) == 0 {
		return versions
	}
	return some
}

// hasIdentifier reports whether a version of a Patient has an NHS number as it is spelt.
func (v *version) hasIdentifier(number string) bool {
	return slices.ContainsFunc(valuesAt(v.decoded, "identifier"), func(identifier any) bool {
		m, _ := identifier.(map[string]any)
		return m["system"] == nhsSystem && m["value"] == number
	})
}
