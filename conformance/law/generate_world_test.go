package law_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

const nhsSystem = "https://fhir.nhs.uk/Id/nhs-number"

// rowTypes are the types of a world in addition to Patient.
var rowTypes = []string{"Observation", "Condition", "Encounter", "MedicationRequest", "AllergyIntolerance", "DocumentReference",
	"Appointment", "List", "Provenance", "Consent", "Organization", "Practitioner", "Medication", "Binary", "ValueSet",
	"Group", "CareTeam", "RiskAssessment", "Location", "CodeSystem", "Bundle"}

// write is one write of a world: a question and its source system.
type write struct {
	by string // ODS code of a source system
	question
}

// generator makes random worlds and questions. The ids that it names exist, existed, or never exist.
type generator struct {
	*rand.Rand
	patients      []string            // ids
	numbers       map[string]string   // NHS numbers by patient id
	rows          map[string][]string // ids by type
	sources       map[string]string   // ODS code by Type/id
	lastBodies    map[string]string   // the last body by Type/id
	deletedRows   []string            // Type/id of documents that were deleted
	contained     *generator          // draws contained resources, so that the rest of a world does not depend on them
	rowsMade      int
	spellingsUsed int  // addresses that were written in another form
	sourceSystems bool // only source systems send questions, and rows are often tied to an encounter
	overtakes     bool // writes overtake one another
}

func newGenerator(seed uint64) *generator {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 15)), numbers: map[string]string{}, rows: map[string][]string{}, sources: map[string]string{}, lastBodies: map[string]string{}}
	contained := *g
	contained.Rand = rand.New(rand.NewPCG(seed, 16))
	g.contained = &contained
	return g
}

// chance is true in the given percentage of calls.
func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

// world returns the writes that make a record, in order.
func (g *generator) world() []write {
	var out []write
	late := 0
	for i := range 3 + g.IntN(5) {
		ods := pick(g, organisations[0], organisations[0], organisations[0], organisations[1], organisations[2])
		id := fmt.Sprintf("%sp%d", prefix(ods), i)
		g.patients = append(g.patients, id)
		g.numbers[id] = g.number(10)
		g.sources["Patient/"+id] = ods
		if g.chance(12) {
			late++ // arrives after its rows
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
	for range 2 + g.IntN(5) {
		out = append(out, g.newRow(pick(g, "List", "List", "Provenance", "ValueSet")))
	}
	for range 1 + g.IntN(5) {
		out = append(out, g.newRow("Bundle"))
	}
	for range 2 + g.IntN(3) {
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

// deletionsAbout delete rows about a Patient and then that Patient, which decides who may see the tombstones of the
// rows.
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

// deletion deletes a row.
func (g *generator) deletion(typ, id string) write {
	g.deletedRows = append(g.deletedRows, typ+"/"+id)
	return write{by: g.sources[typ+"/"+id], question: question{method: "DELETE", path: "/" + typ + "/" + id}}
}

// number returns an NHS number: with the given chance in percent one that a Patient has.
func (g *generator) number(taken int) string {
	if len(g.numbers) > 0 && g.chance(taken) {
		of := slices.Sorted(maps.Keys(g.numbers))
		return g.numbers[of[g.IntN(len(of))]]
	}
	return fmt.Sprintf("999%07d", g.IntN(10_000_000))
}

// updateOrDelete is an update or a deletion of a document, or an update of a deleted one.
func (g *generator) updateOrDelete() write {
	typ := pick(g, "Observation", "Observation", "Condition", "Encounter", "Patient", "Consent", "MedicationRequest", "List", "Provenance", "Appointment", "DocumentReference", "DocumentReference", "Binary", "ValueSet", "Group", "CareTeam", "Bundle")
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

// newRow writes a new row.
func (g *generator) newRow(typ string) write {
	ods := organisations[g.IntN(len(organisations))]
	g.rowsMade++
	id := fmt.Sprintf("%s%s%d", prefix(ods), strings.ToLower(typ[:2]), g.rowsMade)
	w := g.put(ods, typ, id, g.body(typ, id, ods))
	g.rows[typ] = append(g.rows[typ], id)
	return w
}

// object joins members, leaving out empty ones.
func object(members ...string) string {
	return "{" + strings.Join(slices.DeleteFunc(members, func(m string) bool { return m == "" }), ",") + "}"
}

func (g *generator) maybe(percent int, member string) string {
	if g.chance(percent) {
		return member
	}
	return ""
}

const (
	narrative = `"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">told</div>"}`
	note      = `"note":[{"text":"told in confidence"}]`
)

// meta has labels, tags and profiles.
func (g *generator) meta(labelled int) string {
	label := ""
	if g.chance(labelled) {
		label = `"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"` + pick(g, "R", "V", "HIV", "NOPAT", "NOPAT", "N", "MH", "r", "Hiv", "nopat", "redacted") + `"}]`
	}
	tag := g.maybe(15, `"tag":[{"system":"http://t","code":"`+pick(g, "a", "b")+`"}]`)
	profile := g.maybe(10, `"profile":["http://p/`+pick(g, "1", "2")+`"]`)
	source := g.maybe(10, `"source":"http://s/`+pick(g, "1", "1/2")+`"`)
	if m := object(source, profile, label, tag); m != "{}" {
		return `"meta":` + m
	}
	return ""
}

func (g *generator) patientBody(id string) string {
	number := g.numbers[id]
	if g.sourceSystems && g.chance(40) { // a second Patient of a number, perhaps of another source
		number = g.numbers[pick(g, g.patients...)]
	}
	practice := `"generalPractitioner":[{"identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"XGP01"}}]`
	return object(`"resourceType":"Patient","id":"`+id+`"`, g.meta(12), g.maybe(50, narrative),
		g.maybe(20, `"extension":[{"url":"http://e","value`+pick(g, "String", "Markdown")+`":"x"}]`),
		`"identifier":[`+object(g.maybe(30, `"type":{"coding":[{"system":"http://t","code":"NH"}]}`), `"system":"`+nhsSystem+`"`, `"value":"`+number+`"`)+`]`, g.maybe(50, `"active":true`),
		`"name":[{"family":"`+pick(g, "Ely", "Fox", "Gray")+`","given":["`+pick(g, "Ann", "Ben")+`"]}]`,
		g.maybe(70, `"gender":"`+pick(g, "female", "male")+`"`), g.maybe(80, `"birthDate":"`+g.date()[:10]+`"`),
		g.maybe(20, `"photo":[{"title":"x"}]`), g.maybe(90, practice),
		g.maybe(8, `"link":[{"other":`+g.aPatient()+`,"type":"seealso"}]`))
}

func (g *generator) date() string {
	return fmt.Sprintf("20%02d-%02d-%02dT10:00:00Z", 18+g.IntN(5), 1+g.IntN(3), 1+g.IntN(3))
}

// aPatient returns a reference to a patient: literal in several forms, or by number; live, not yet written,
// or never written.
func (g *generator) aPatient() string {
	id := g.patients[g.IntN(len(g.patients))]
	switch g.IntN(20) {
	case 0:
		return `{"reference":"Patient/nobody"}`
	case 1:
		return `{"identifier":{"system":"` + nhsSystem + `","value":"` + g.numbers[id] + `"}}`
	case 2:
		return `{"reference":"` + spellAddress("Patient/"+id, g.nextSpelling()) + `"}`
	case 3:
		return `{"reference":"Patient/` + id + `/_history/1","display":"x"}`
	case 4:
		return `{"display":"somebody"}`
	}
	return `{"reference":"Patient/` + id + `"}`
}

// aRow returns a reference to a row of a type, or to none.
func (g *generator) aRow(types ...string) string {
	typ := types[g.IntN(len(types))]
	if ids := g.rows[typ]; len(ids) > 0 && !g.chance(10) {
		return `{"reference":"` + typ + "/" + ids[g.IntN(len(ids))] + `"}`
	}
	return `{"reference":"` + typ + `/none"}`
}

func (g *generator) concept() string {
	return object(`"coding":[{"system":"http://c","code":"`+pick(g, "one", "two", "three")+`"}]`, g.maybe(30, `"text":"`+pick(g, "One", "Two")+`"`))
}

// aPerformer returns a reference to a performer, asserter or informant; to a patient it is a mention.
func (g *generator) aPerformer() string {
	if g.chance(40) {
		return g.aPatient()
	}
	return g.aRow("Practitioner")
}

// containedPatient returns, with the given chance in percent, a contained Patient with the id c and the
// member that refers to it; else the member other. The contained Patient is part of the row, and the patients
// that it names may hide the row.
func (g *generator) containedPatient(percent int, param, other string) string {
	in := g.contained
	in.patients = g.patients
	if !in.chance(percent) {
		return other
	}
	g = in
	return `"contained":[` + object(`"resourceType":"Patient","id":"c"`, g.meta(30), `"name":[{"family":"`+pick(g, "Ely", "Fox", "Gray")+`"}]`,
		g.maybe(80, `"gender":"`+pick(g, "female", "male")+`"`), g.maybe(30, `"link":[{"other":`+g.aPatient()+`,"type":"seealso"}]`)) + `],` + strings.Replace(param, "%", `{"reference":"#c"}`, 1)
}

// quantity returns a value in one of two units, or with an unknown unit.
func (g *generator) quantity() string {
	unit := pick(g, "mg", "mg", "mg", "ug", "(score)")
	value := g.IntN(5)
	if unit == "ug" {
		value *= 1000
	}
	return fmt.Sprintf(`{"value":%d.5,"unit":"mg","system":"http://unitsofmeasure.org","code":"%s"}`, value, unit)
}

// encounterExtension is the extension that ties a row to an encounter.
func (g *generator) encounterExtension() string {
	return `"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/encounter-associatedEncounter","valueReference":` + g.aRow("Encounter") + `}]`
}

// maybeEncounterExtension returns tie in some rows, or in most rows of a world that only source systems query.
func (g *generator) maybeEncounterExtension() string {
	if g.sourceSystems {
		return g.maybe(60, g.encounterExtension())
	}
	return g.maybe(8, g.encounterExtension())
}

// body makes a random body of a row.
func (g *generator) body(typ, id, ods string) string {
	head := `"resourceType":"` + typ + `","id":"` + id + `"`
	members := []string{head, g.meta(25), g.maybe(30, narrative)}
	subject := `"subject":` + g.aPatient()
	with := func(more ...string) string { return object(append(members, more...)...) }
	switch typ {
	case "Observation":
		if g.chance(4) {
			subject = `"subject":` + g.aRow("Group")
		}
		return with(`"status":"`+pick(g, "final", "amended")+`"`, `"code":`+g.concept(), subject, g.maybe(15, `"encounter":`+g.aRow("Encounter")),
			g.maybe(80, `"effectiveDateTime":"`+g.date()+`"`), g.containedPatient(35, `"performer":[%]`, g.maybe(15, `"performer":[`+g.aPerformer()+`]`)),
			g.maybe(60, `"valueQuantity":`+g.quantity()), g.maybe(25, `"component":[{"code":`+g.concept()+`,"valueQuantity":`+g.quantity()+`},{"code":`+g.concept()+`,"valueQuantity":`+g.quantity()+`}]`),
			g.maybe(25, note), g.maybe(20, `"hasMember":[`+g.aRow("Observation")+`]`), g.maybeEncounterExtension(),
			g.maybeMention(20, subject, `"derivedFrom":[`, `]`, "Observation"))
	case "Condition":
		return with(`"code":`+g.concept(), subject, g.maybe(60, `"onsetDateTime":"`+g.date()+`"`), g.containedPatient(30, `"asserter":%`, g.maybe(15, `"asserter":`+g.aPerformer())), g.maybe(25, note), g.maybeEncounterExtension(),
			g.maybeMention(25, subject, `"evidence":[{"code":[{"text":"told"}],"detail":[`, `]}]`, "Observation", "Condition"))
	case "Encounter":
		return with(`"status":"finished"`, `"class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"}`, subject,
			g.maybe(80, `"period":{"start":"`+g.date()+`"}`), g.maybe(40, `"serviceProvider":`+g.aRow("Organization")), g.maybeMention(40, subject, `"diagnosis":[{"condition":`, `,"rank":1}]`, "Condition"))
	case "MedicationRequest":
		return with(`"status":"active","intent":"order"`, `"medicationReference":`+g.aRow("Medication"), subject, g.maybe(60, `"authoredOn":"`+g.date()+`"`), g.maybe(15, `"requester":`+g.aPerformer()), g.maybeMention(40, subject, `"reasonReference":[`, `]`, "Condition", "Observation"))
	case "AllergyIntolerance":
		return with(`"code":`+g.concept(), `"patient":`+g.aPatient(), g.maybe(15, `"asserter":`+g.aPerformer()), g.maybe(25, note))
	case "DocumentReference":
		return with(`"status":"current"`, subject, `"content":[{"attachment":`+g.attachment()+`}]`)
	case "Binary":
		return g.binary(head)
	case "Bundle":
		return g.bundleBody(head)
	case "Appointment":
		return with(`"status":"booked"`, `"participant":[{"actor":`+g.aPatient()+`,"status":"accepted"}`+g.maybe(30, `,{"actor":`+g.aPatient()+`,"status":"accepted"}`)+g.maybe(30, `,{"actor":`+g.aRow("Practitioner")+`,"status":"accepted"}`)+`]`)
	case "List":
		return with(`"status":"current","mode":"working"`, g.maybe(60, subject), `"entry":[{"item":`+g.aRow("Observation", "Condition")+`}`+g.maybe(50, `,{"item":`+g.aRow("Observation", "Encounter")+`}`)+
			g.maybe(50, `,{"item":`+g.aRow("Observation")+`}`)+g.maybe(20, `,{"item":`+g.aRow("Observation")+`,"deleted":true}`)+`]`)
	case "Provenance":
		return with(`"target":[`+g.aRow("Observation", "Observation", "Condition", "Consent", "List")+g.maybe(30, `,`+g.aRow("Observation", "Encounter"))+`]`, `"recorded":"`+g.date()+`"`, `"agent":[{"who":`+g.aRow("Practitioner")+`}]`)
	case "Consent":
		return g.consent(head)
	case "Organization":
		return with(`"identifier":[{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"` + ods + `"}],"name":"` + pick(g, "North", "South") + `"`)
	case "Practitioner":
		return with(`"name":[{"family":"` + pick(g, "Hale", "Ives") + `"}]`)
	case "Medication":
		return with(`"code":` + g.concept())
	case "ValueSet":
		return with(`"url":"http://v/`+pick(g, "1", "2")+`","version":"`+pick(g, "1", "2")+`","status":"active"`, `"compose":{"include":[`+pick(g, `{"valueSet":["http://v/2"]}`,
			`{"system":"http://c","concept":[{"code":"one"}]}`, `{"system":"http://c","concept":[{"code":"two"},{"code":"three"}]}`, `{"system":"http://c","concept":[{"code":"three"}]}`, `{"system":"http://c"}`)+`]}`)
	}
	return g.other(typ, with, subject)
}

// other makes the body of a rare type.
func (g *generator) other(typ string, with func(...string) string, subject string) string {
	switch typ {
	case "Group":
		return with(`"type":"person","actual":true`, `"member":[{"entity":`+g.aPatient()+`}`+g.maybe(40, `,{"entity":`+g.aPatient()+`}`)+g.maybe(30, `,{"entity":`+g.aRow("Practitioner")+`}`)+`]`)
	case "CareTeam":
		return with(`"status":"active"`, subject, g.maybe(70, `"participant":[{"member":`+g.aPerformer()+`}`+g.maybe(30, `,{"member":`+g.aPerformer()+`}`)+g.maybeMention(50, subject, `,{"member":`, `}`, "CareTeam")+`]`))
	case "RiskAssessment":
		return with(`"status":"final"`, subject, `"prediction":[{"probabilityDecimal":0.`+pick(g, "2", "5", "75")+`}]`)
	case "Location":
		return with(`"name":"`+pick(g, "North", "South")+`"`, `"position":{"longitude":-0.`+pick(g, "1", "2")+`,"latitude":51.5}`)
	case "CodeSystem":
		return with(`"url":"http://c","version":"`+pick(g, "1", "2")+`","status":"active","content":"complete","hierarchyMeaning":"is-a"`,
			`"concept":[{"code":"one","concept":[{"code":"two"}`+g.maybe(50, `,{"code":"three"}`)+`]}]`)
	}
	panic("no body of " + typ)
}

// consent is a directive: an opt-out, another directive, or a refusal that the server does not understand
// (CON-641).
func (g *generator) consent(head string) string {
	scope, category, policy := coding(consentScope, "patient-privacy"), coding("http://snomed.info/sct", "416409005"), coding(actCode, "OPTOUT")
	status, provision := `"status":"`+pick(g, "active", "active", "active", "inactive")+`"`, ""
	switch g.IntN(14) {
	case 0:
		category = coding("http://loinc.org", "59284-0") // another directive
	case 1:
		scope = coding(consentScope, "treatment")
		category = coding("http://loinc.org", "59284-0")
	case 2:
		category, policy = coding(actCode, "INFA"), coding(actCode, "parental-responsibility")
	case 3:
		scope = `{"text":"privacy"}`
	case 4:
		scope = coding(consentScope, "patient-privasy")
	case 5:
		scope = coding("http://wrong", pick(g, "treatment", "adr"))
	case 6:
		status = `"_status":{"extension":[{"url":"http://s","valueCode":"active"}]}`
	case 7:
		provision = `"provision":{"type":"deny"}` // the opt-out, as most profiles write it
	case 8:
		provision = `"provision":{"type":"deny","code":[{"text":"some"}]}`
	}
	return object(head, g.meta(12), status, `"scope":`+scope, `"category":[`+category+`]`, g.consentPatient(), `"policyRule":`+policy, provision)
}

const (
	consentScope = "http://terminology.hl7.org/CodeSystem/consentscope"
	actCode      = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
)

func coding(system, code string) string {
	return `{"coding":[{"system":"` + system + `","code":"` + code + `"}]}`
}

// consentPatient names the patient of a Consent, in one of the forms that a source system may send.
func (g *generator) consentPatient() string {
	id := g.patients[g.IntN(len(g.patients))]
	number := g.numbers[id]
	spaced := number[:3] + " " + number[3:6] + " " + number[6:]
	identifier := `"identifier":{"system":"` + nhsSystem + `","value":"` + pick(g, number, spaced) + `"}`
	switch g.IntN(12) {
	case 0, 1:
		return `"patient":{` + identifier + `}`
	case 2:
		return `"patient":{"reference":"https://elsewhere.test/fhir/Patient/x",` + identifier + `}`
	case 3:
		return `"contained":[{"resourceType":"Patient","id":"p","identifier":[{"system":"` + nhsSystem + `","value":"` + number + `"}]}],"patient":{"reference":"#p"}`
	case 4:
		return `"patient":{"reference":"Patient/nobody"}`
	case 5:
		return `"patient":{"reference":"` + spellAddress("Patient/"+id+"/_history/1", g.nextSpelling()) + `","display":"x"}`
	}
	return `"patient":{"reference":"Patient/` + id + `"}`
}
