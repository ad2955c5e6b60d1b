package law_test

import "slices"

const (
	narrative = `"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">told</div>"}`
	note      = `"note":[{"text":"told in confidence"}]`
)

// meta draws a meta with a source, profiles, labels and tags, or the empty string. labelled is the percentage of labels.
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
	if g.onlySourceSystems && g.chance(40) { // a second Patient with the same number, which may be of another source
		number = g.numbers[pick(g, g.patients...)]
	}
	link := g.maybe(8, `"link":[{"other":`+g.aPatient()+`,"type":"`+pick(g, "seealso", "replaces", "replaced-by")+`"}]`)
	if others := g.patientsOfIndex(id); len(others) > 0 && g.chance(70) { // IDN-134
		link = `"link":[{"other":{"reference":"Patient/` + pick(g, others...) + `"},"type":"` + pick(g, "replaces", "replaced-by") + `"}]`
	}
	practice := `"generalPractitioner":[{"identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"XGP01"}}]`
	return object(`"resourceType":"Patient","id":"`+id+`"`, g.meta(12), g.maybe(50, narrative),
		g.maybe(20, `"extension":[{"url":"http://e","value`+pick(g, "String", "Markdown")+`":"x"}]`),
		g.patientIdentifiers(number), g.maybe(50, `"active":true`),
		`"name":[{"family":"`+pick(g, "Ely", "Fox", "Gray")+`","given":["`+pick(g, "Ann", "Ben")+`"]}]`,
		g.maybe(70, `"gender":"`+pick(g, "female", "male")+`"`), g.maybe(80, `"birthDate":"`+g.birthDate(number)+`"`),
		g.maybe(20, `"photo":[{"title":"x"}]`), g.maybe(90, practice), link)
}

// patientsOfIndex returns the ids of the other Patients of the patient index, if a Patient is of it too.
func (g *generator) patientsOfIndex(id string) []string {
	if g.region.index == "" || g.sources["Patient/"+id] != g.region.index {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(g.patients), func(other string) bool {
		return other == id || g.sources["Patient/"+other] != g.region.index
	})
}

// body draws the body of a row.
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
	return g.rareBody(typ, with, subject)
}

// rareBody draws the body of a row of a rare type.
func (g *generator) rareBody(typ string, with func(...string) string, subject string) string {
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
