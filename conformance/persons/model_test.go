package persons

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestRandomRegion compares a record with a plain model of identity.md while sources write Patients, numbers, birth dates,
// rows by id and by number, deletions and refusals in any order, and the patient index supersedes numbers and withdraws that:
// who is one person (IDN-102 to 105, 134), what a row is about
// (IDN-110), what staff see (IDN-130, 132) and what a search by a Patient finds (IDN-120).
func TestRandomRegion(t *testing.T) {
	steps := modelSteps
	if n, err := strconv.Atoi(os.Getenv("CARERECORD_SOAK")); err == nil {
		steps *= n
	}
	const perRegion = 500
	for seed := range uint64(max(1, steps/perRegion)) {
		r := newRegion(t, nil, seed%2 == 0)
		m := &model{region: r, Rand: rand.New(rand.NewPCG(seed, 17)), index: seed%2 == 0, patients: map[string]*modelPatient{}, rows: map[string]modelRow{}, refusals: map[string]string{}}
		for range perRegion {
			m.step()
			if m.IntN(10) == 0 {
				m.compare()
			}
			if t.Failed() {
				t.Fatalf("seed %d, the steps so far:\n%s", seed, strings.Join(m.log, "\n"))
			}
		}
		r.caughtUp()
		r.restart()
		if m.compare(); t.Failed() {
			t.Fatalf("seed %d, after a restart", seed)
		}
	}
}

// model is the content of a record in plain maps.
type model struct {
	*region
	*rand.Rand
	index    bool
	patients map[string]*modelPatient // by id
	rows     map[string]modelRow      // by id
	refusals map[string]string        // active ones, by id: the name that each refuses for
	log      []string
}

type modelPatient struct {
	source, birthDate string
	numbers           []string        // of the current version
	ever              map[string]bool // of all versions
	deleted           bool
	link              string // of the patient index: "replaces" or "replaced-by" the other Patient of its own; empty for none
}

// modelRow is an Observation: about a Patient by id, or about a number.
type modelRow struct{ source, patient, number string }

var modelSources = []string{"XGP", "XAC", "XUN", "XPI"}

func (m *model) pick(of ...string) string { return of[m.IntN(len(of))] }

// step makes a random write.
func (m *model) step() {
	ods := m.pick(modelSources[:3]...)
	if m.index && m.IntN(5) == 0 {
		ods = "XPI"
	}
	id := fmt.Sprintf("%d", 1+m.IntN(2))
	full := strings.ToLower(ods) + "." + id
	note := func(format string, args ...any) { m.log = append(m.log, fmt.Sprintf(format, args...)) }
	switch n := m.IntN(12); {
	case n < 4:
		numbers := [][]string{nil, {number}, {number}, {second}, {number, second}}[m.IntN(5)]
		born := m.pick("", "1950", "1950-01-02", "1950-02-01")
		link := ""
		if ods == "XPI" {
			link = m.pick("", "replaces", "replaced-by")
		}
		note("Patient/%s %v %s %s", full, numbers, born, link)
		body := identifier(numbers...)
		if numbers == nil {
			body = ""
		}
		if born != "" {
			body += `,"birthDate":"` + born + `"`
		}
		if link != "" {
			body += `,"link":[{"type":"` + link + `","other":{"reference":"Patient/` + otherOfIndex(full) + `"}}]`
		}
		m.put(ods, "Patient", id, body)
		p := m.patients[full]
		if p == nil {
			p = &modelPatient{source: ods, ever: map[string]bool{}}
			m.patients[full] = p
		}
		p.numbers, p.birthDate, p.deleted, p.link = numbers, born, false, link
		for _, number := range numbers {
			p.ever[number] = true
		}
	case n == 4:
		if p := m.patients[full]; p != nil && !p.deleted {
			note("delete Patient/%s", full)
			m.delete(ods, "Patient", id)
			p.deleted = true
		}
	case n < 8:
		row := modelRow{source: ods}
		if m.IntN(3) == 0 {
			row.number = m.pick(number, second)
			m.put(ods, "Observation", id, observation("1")+byNumber(row.number))
		} else {
			row.patient = strings.ToLower(m.pick(modelSources...)) + fmt.Sprintf(".%d", 1+m.IntN(2))
			m.put(ods, "Observation", id, observation("1")+about(row.patient))
		}
		note("Observation/%s %+v", full, row)
		m.rows[full] = row
	case n < 10:
		name := m.pick(number, second)
		patient := `{"identifier":{"system":"` + nhs + `","value":"` + name + `"}}`
		if m.IntN(2) == 0 {
			name = strings.ToLower(m.pick(modelSources...)) + fmt.Sprintf(".%d", 1+m.IntN(2))
			patient = `{"reference":"Patient/` + name + `"}`
		}
		cid := fmt.Sprintf("c%d", len(m.log)) // a directive keeps its patient
		note("refuse Consent/%s.%s for %s", strings.ToLower(ods), cid, name)
		m.put(ods, "Consent", cid, directive("OPTOUT", patient, "active"))
		m.refusals[strings.ToLower(ods)+"."+cid] = name
	default:
		all := slices.Sorted(maps.Keys(m.refusals))
		if len(all) == 0 {
			return
		}
		name := m.refusals[all[0]]
		patient := `{"reference":"Patient/` + name + `"}`
		if len(name) == len(number) {
			patient = `{"identifier":{"system":"` + nhs + `","value":"` + name + `"}}`
		}
		source, cid, _ := strings.Cut(all[0], ".")
		note("end Consent/%s", all[0])
		m.put(strings.ToUpper(source), "Consent", cid, directive("OPTOUT", patient, "inactive"))
		delete(m.refusals, all[0])
	}
}

// person returns the person key of a live Patient: its number if it is joined. contradicted: only its source sees it.
func (m *model) person(id string) (key string, contradicted bool) {
	p := m.patients[id]
	if p.source == "XUN" || len(p.numbers) == 0 {
		return id, false
	}
	key = p.numbers[0]
	if len(p.numbers) > 1 {
		first, other := m.supersedes(number, second, everything), m.supersedes(second, number, everything)
		switch {
		case p.source == "XPI" || first == other:
			return id, true
		case first:
			key = number
		default:
			key = second
		}
	}
	if m.index && p.source != "XPI" {
		for _, other := range slices.Sorted(maps.Keys(m.patients)) {
			if q := m.patients[other]; q.source == "XPI" && !q.deleted && len(q.numbers) == 1 && q.numbers[0] == key {
				if !strings.HasPrefix(q.birthDate, p.birthDate) && !strings.HasPrefix(p.birthDate, q.birthDate) {
					return id, true
				}
				break // the one with the smallest id
			}
		}
	}
	return key, false
}

// otherOfIndex returns the id of the other Patient of the patient index.
func otherOfIndex(id string) string {
	if id == "xpi.1" {
		return "xpi.2"
	}
	return "xpi.1"
}

// everything is the set of all Patients.
func everything(string) bool { return true }

// supersedes reports whether Patients of the patient index in a set say that a number supersedes another one (IDN-134).
func (m *model) supersedes(current, old string, in func(id string) bool) bool {
	for _, id := range []string{"xpi.1", "xpi.2"} {
		p, q := m.patients[id], m.patients[otherOfIndex(id)]
		if p != nil && q != nil && !p.deleted && !q.deleted && slices.Equal(p.numbers, []string{current}) && slices.Equal(q.numbers, []string{old}) &&
			(p.link == "replaces" || q.link == "replaced-by") && in(id) && in(otherOfIndex(id)) {
			return true
		}
	}
	return false
}

// survivor returns the surviving number of a person key by what Patients of the patient index in a set say.
func (m *model) survivor(key string, in func(id string) bool) string {
	first, other := m.supersedes(number, second, in), m.supersedes(second, number, in)
	switch {
	case first && !other && key == second:
		return number
	case other && !first && key == number:
		return second
	}
	return key
}

// refused reports whether a refusal covers a person: by its key, by a Patient or a number of one that bore a number in
// common with it.
func (m *model) refused(key string) bool {
	direct := func(name string) bool {
		for _, n := range m.refusals {
			if n == name {
				return true
			}
		}
		return false
	}
	// A deleted Patient ties numbers as long as there is a refusal by its id.
	counts := func(id string) bool { return !m.patients[id].deleted || direct(id) }
	if direct(key) {
		return true
	}
	var bearers []string
	for id, p := range m.patients {
		tied := p.source == "XPI" && ("tied:"+id == key || p.link != "" && "tied:"+otherOfIndex(id) == key)
		if (id == key || p.ever[key] || tied) && counts(id) {
			bearers = append(bearers, id)
		}
	}
	for _, id := range bearers { // a link of the patient index holds as long as it sends it
		if p := m.patients[id]; p.source == "XPI" {
			other := otherOfIndex(id)
			if q := m.patients[other]; q != nil && (p.link != "" || q.link != "") && counts(other) && !slices.Contains(bearers, other) {
				bearers = append(bearers, other)
			}
		}
	}
	for _, id := range bearers {
		if direct(id) {
			return true
		}
		for number := range m.patients[id].ever {
			if direct(number) {
				return true
			}
			for other, q := range m.patients {
				if q.ever[number] && direct(other) {
					return true
				}
			}
		}
	}
	return false
}

// joined reports whether there is a live joined Patient of a number, or of one that acts as one with it.
func (m *model) joined(number string) bool {
	for id, p := range m.patients {
		if key, contradicted := m.person(id); !p.deleted && !contradicted && m.survivor(key, everything) == m.survivor(number, everything) {
			return true
		}
	}
	return false
}

// sees reports whether staff of an organisation see a row, and who it is about; empty for unresolved.
func (m *model) sees(ods, id string) (person string, visible bool) {
	row := m.rows[id]
	p := m.patients[row.patient]
	switch {
	case row.number != "" && row.source == "XUN": // it does not trace
	case row.number != "":
		if person = row.number; !m.joined(person) && row.source != ods {
			return person, false
		}
	case p != nil && !p.deleted:
		key, contradicted := m.person(row.patient)
		if person = key; contradicted {
			return "", row.source == ods
		}
	}
	if row.source == ods {
		return person, true
	}
	return person, person != "" && !m.refused(person)
}

// seesPatient reports whether staff of an organisation see a Patient.
func (m *model) seesPatient(ods, id string) bool {
	p := m.patients[id]
	if p == nil || p.deleted {
		return false
	}
	key, contradicted := m.person(id)
	if p.link != "" && m.mentionHidden(ods, otherOfIndex(id)) { // CON-407
		return false
	}
	if p.source == ods || contradicted {
		return p.source == ods
	}
	if !m.refused(key) {
		return true
	}
	for other, row := range m.rows { // an own row that names the Patient
		if person, _ := m.sees(ods, other); row.source == ods && row.patient == id && person == key {
			return true
		}
	}
	return false
}

// mentionHidden reports whether the mention of a Patient hides a document from staff of an organisation.
func (m *model) mentionHidden(ods, id string) bool {
	hidden := func(name string) bool {
		if !m.refused(name) {
			return false
		}
		for id, row := range m.rows { // of the own organisation
			person, _ := m.sees(ods, id)
			if p := m.patients[row.patient]; p != nil && !p.deleted {
				person, _ = m.person(row.patient) // also a contradicted one
			}
			if row.source == ods && person != "" && m.survivor(person, everything) == m.survivor(name, everything) {
				return false
			}
		}
		return true
	}
	p := m.patients[id]
	switch {
	case p == nil:
		return hidden(id)
	case !p.deleted:
		key, _ := m.person(id)
		return hidden(key)
	}
	return hidden(id) || slices.ContainsFunc(slices.Collect(maps.Keys(p.ever)), hidden) || hidden("tied:"+id) || p.link != "" && hidden("tied:"+otherOfIndex(id))
}

// compare compares what staff see with the model.
func (m *model) compare() {
	ods := m.pick("XGP", "XAC", "XUN", "XMH")
	var want []string
	for id := range m.rows {
		if _, visible := m.sees(ods, id); visible {
			want = append(want, "Observation/"+id)
		}
	}
	slices.Sort(want)
	m.same(ods, "Observation", want)
	var patients []string
	for id := range m.patients {
		visible := m.seesPatient(ods, id)
		if code, _ := m.send("staff "+ods, http.MethodGet, "Patient/"+id, ""); (code == 200) != visible {
			m.Errorf("staff of %s: GET Patient/%s: got %d, want it visible: %v", ods, id, code, visible)
		}
		if visible {
			patients = append(patients, id)
		}
	}
	slices.Sort(patients)
	seen := func(id string) bool { return slices.Contains(patients, id) }
	best := map[string]string{} // IDN-122: the index, then GP, acute; XUN is acute too
	rank := map[string]int{"XPI": 0, "XGP": 1, "XAC": 2, "XUN": 2}
	for _, id := range patients {
		key, _ := m.person(id)
		survivor := m.survivor(key, seen)
		b, known := best[survivor]
		ofBest := ""
		if known {
			ofBest, _ = m.person(b)
		}
		if !known || rank[m.patients[id].source] < rank[m.patients[b].source] || m.patients[id].source == "XPI" && key == survivor && ofBest != survivor {
			best[survivor] = id
		}
	}
	want = nil
	for _, id := range best {
		want = append(want, "Patient/"+id)
	}
	slices.Sort(want)
	m.same(ods, "Patient?_count=2", want)
	if len(patients) == 0 {
		return
	}
	of := patients[m.IntN(len(patients))]
	key, _ := m.person(of)
	key = m.survivor(key, seen)
	want = nil
	for id, row := range m.rows {
		person, visible := m.sees(ods, id)
		named := row.number != "" && person == row.number && m.survivor(person, seen) == key
		if row.patient != "" && slices.Contains(patients, row.patient) {
			other, _ := m.person(row.patient)
			named = m.survivor(other, seen) == key
		}
		if visible && named {
			want = append(want, "Observation/"+id)
		}
	}
	slices.Sort(want)
	m.same(ods, "Observation?patient="+of, want)
}

func (m *model) same(ods, path string, want []string) {
	m.Helper()
	if got := m.region.rows("staff "+ods, path, false); !slices.Equal(got, want) {
		m.Errorf("staff of %s: GET %s: got %s, want %s", ods, path, sprint(got), sprint(want))
	}
}
