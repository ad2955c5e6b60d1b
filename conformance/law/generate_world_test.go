package law_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// rowTypes are the resource types of a world in addition to Patient.
var rowTypes = []string{"Observation", "Condition", "Encounter", "MedicationRequest", "AllergyIntolerance", "DocumentReference",
	"Appointment", "List", "Provenance", "Consent", "Organization", "Practitioner", "Medication", "Binary", "ValueSet",
	"Group", "CareTeam", "RiskAssessment", "Location", "CodeSystem", "Bundle"}

// write is one write of a world: a request of a source system.
type write struct {
	by string // ODS code of a source system
	question
}

// generator draws random worlds and questions. The ids in them exist, existed, or never exist.
type generator struct {
	*rand.Rand
	patients          []string // ids
	region            region
	numbers           map[string]string   // NHS numbers by patient id; the Patient need not have it
	births            map[string]string   // birth dates by NHS number
	rows              map[string][]string // ids by type
	sources           map[string]string   // ODS code by Type/id
	lastBodies        map[string]string   // the last body by Type/id
	deletedRows       []string            // Type/id of documents that were deleted
	containedDraws    *generator          // a second source of random numbers, for contained resources and rare questions: they do not change the other draws
	rowsMade          int
	spellingsUsed     int  // number of spelled addresses
	onlySourceSystems bool // only source systems send questions, and many rows have an encounterExtension
	overtakes         bool // writes overtake one another
}

func newGenerator(seed uint64) *generator {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 15)), numbers: map[string]string{}, births: map[string]string{}, rows: map[string][]string{}, sources: map[string]string{}, lastBodies: map[string]string{}}
	if seed%3 == 0 {
		g.region.index = patientIndex
	}
	contained := *g
	contained.Rand = rand.New(rand.NewPCG(seed, 16))
	g.containedDraws = &contained
	return g
}

// chance returns true in the given percentage of calls.
func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

// world draws the writes that make a record, in order.
func (g *generator) world() []write {
	var out []write
	late := 0
	for i := range 4 + g.IntN(6) {
		ods := pick(g, organisations[0], organisations[0], organisations[0], organisations[1], organisations[1], organisations[2])
		if g.region.index != "" && g.chance(40) {
			ods = g.region.index
		}
		id := fmt.Sprintf("%sp%d", prefix(ods), i)
		g.patients = append(g.patients, id)
		g.numbers[id] = g.number(45)
		g.sources["Patient/"+id] = ods
		if g.chance(12) {
			late++ // written after the rows that refer to it
			continue
		}
		out = append(out, g.put(ods, "Patient", id, g.patientBody(id)))
	}
	for _, unowned := range []string{"Organization", "Practitioner", "Medication", "ValueSet", "Location", "CodeSystem"} {
		for range 2 {
			out = append(out, g.newRow(unowned))
		}
	}
	for range g.IntN(4) {
		out = append(out, g.newRow("Group"))
	}
	for range 15 + g.IntN(40) {
		out = append(out, g.newRow(pick(g, "Observation", "Observation", "Observation", "Condition", "Encounter", "MedicationRequest", "AllergyIntolerance", "DocumentReference", "DocumentReference", "Binary", "Appointment", "CareTeam", "RiskAssessment")))
	}
	directives := 2 + g.IntN(3)
	if g.chance(20) { // so many documents for each person with a directive that totals are counted by complement
		directives = 1
		for range 25 {
			out = append(out, g.newRow("Observation"))
		}
	}
	for range 2 + g.IntN(5) {
		out = append(out, g.newRow(pick(g, "List", "List", "Provenance", "ValueSet")))
	}
	for range 1 + g.IntN(5) {
		out = append(out, g.newRow("Bundle"))
	}
	for range directives {
		out = append(out, g.newRow("Consent"))
	}
	for range g.IntN(4) {
		out = append(out, g.newRow("Provenance"))
	}
	for _, id := range g.patients {
		if _, written := g.lastBodies["Patient/"+id]; !written {
			if g.overtakes {
				out = append(out, g.inheritingList(id)...)
			}
			out = append(out, g.put(g.sources["Patient/"+id], "Patient", id, g.patientBody(id)))
		}
	}
	for range g.IntN(20) {
		out = append(out, g.updateOrDelete())
	}
	if g.chance(10) {
		out = append(out, g.deletionsAbout()...)
	}
	return out
}

// rowsAbout returns the ids of the rows of a type that name a Patient.
func (g *generator) rowsAbout(typ, patient string) []string {
	return slices.DeleteFunc(slices.Clone(g.rows[typ]), func(id string) bool {
		return !strings.Contains(g.lastBodies[typ+"/"+id], `Patient/`+patient+`"`)
	})
}

// inheritingList writes a List that inherits its owners from a row about a Patient, if there is such a row.
func (g *generator) inheritingList(patient string) []write {
	ids := g.rowsAbout("Observation", patient)
	if len(ids) == 0 {
		return nil
	}
	w := g.newRow("List")
	typ, id, _ := strings.Cut(strings.TrimPrefix(w.path, "/"), "/")
	return []write{g.put(w.by, typ, id, object(`"resourceType":"List","id":"`+id+`"`, `"status":"current","mode":"working"`, `"entry":[{"item":{"reference":"Observation/`+pick(g, ids...)+`"}}]`))}
}

// deletionsAbout deletes rows about a Patient and then that Patient. The Patient decides who may see the
// tombstones of the rows.
func (g *generator) deletionsAbout() []write {
	patient := pick(g, g.patients...)
	var out []write
	for _, typ := range []string{"Observation", "Condition"} {
		if ids := g.rowsAbout(typ, patient); len(ids) > 0 {
			out = append(out, g.deletion(typ, pick(g, ids...)))
		}
	}
	return append(out, g.deletion("Patient", patient))
}

// deletion returns the write that deletes a row.
func (g *generator) deletion(typ, id string) write {
	g.deletedRows = append(g.deletedRows, typ+"/"+id)
	return write{by: g.sources[typ+"/"+id], question: question{method: "DELETE", path: "/" + typ + "/" + id}}
}

// number draws an NHS number. In taken percent of calls it is the number of a Patient of the world. A few new numbers
// have a wrong check digit.
func (g *generator) number(taken int) string {
	if len(g.numbers) > 0 && g.chance(taken) {
		of := slices.Sorted(maps.Keys(g.numbers))
		return g.numbers[of[g.IntN(len(of))]]
	}
	number := validFrom(999_000_000 + g.IntN(999_000))
	if g.chance(5) {
		return number[:9] + string('0'+(number[9]-'0'+1)%10)
	}
	return number
}

// validFrom returns the first valid NHS number whose first nine digits are at least from.
func validFrom(from int) string {
	for ; ; from++ {
		for digit := range 10 {
			if number := fmt.Sprintf("%09d%d", from, digit); validNumber(numberName(number)) {
				return number
			}
		}
	}
}

// updateOrDelete draws an update or a deletion of a document. The document may be a deleted one.
func (g *generator) updateOrDelete() write {
	typ := pick(g, "Observation", "Observation", "Condition", "Encounter", "Patient", "Patient", "Patient", "Consent", "MedicationRequest", "List", "Provenance", "Appointment", "DocumentReference", "DocumentReference", "Binary", "ValueSet", "Group", "CareTeam", "Bundle")
	ids := g.rows[typ]
	if typ == "Patient" {
		ids = g.patients
	}
	if len(ids) == 0 {
		return g.newRow("Observation")
	}
	id := ids[g.IntN(len(ids))]
	ods := g.sources[typ+"/"+id]
	switch {
	case typ == "Consent":
		body := strings.Replace(g.lastBodies[typ+"/"+id], `"status":"active"`, `"status":"inactive"`, 1)
		return g.put(ods, typ, id, body)
	case g.chance(30):
		return g.deletion(typ, id)
	case typ == "Patient":
		if g.chance(20) {
			g.numbers[id] = g.number(50) // rows with the old number still have this Patient as owner
		}
		return g.put(ods, typ, id, g.patientBody(id))
	}
	return g.put(ods, typ, id, g.body(typ, id, ods))
}

func (g *generator) put(ods, typ, id, body string) write {
	g.lastBodies[typ+"/"+id] = body
	g.sources[typ+"/"+id] = ods
	return write{by: ods, question: question{method: "PUT", path: "/" + typ + "/" + id, body: body}}
}

// newRow returns the write of a new row.
func (g *generator) newRow(typ string) write {
	ods := organisations[g.IntN(len(organisations))]
	g.rowsMade++
	id := fmt.Sprintf("%s%s%d", prefix(ods), strings.ToLower(typ[:2]), g.rowsMade)
	w := g.put(ods, typ, id, g.body(typ, id, ods))
	g.rows[typ] = append(g.rows[typ], id)
	return w
}
