package law_test

import (
	"fmt"
	"slices"
	"strings"
)

const nhsSystem = "https://fhir.nhs.uk/Id/nhs-number"

// object returns the JSON object of the members that are not empty.
func object(members ...string) string {
	return "{" + strings.Join(slices.DeleteFunc(members, func(m string) bool { return m == "" }), ",") + "}"
}

func (g *generator) maybe(percent int, member string) string {
	if g.chance(percent) {
		return member
	}
	return ""
}

func (g *generator) date() string {
	return fmt.Sprintf("20%02d-%02d-%02dT10:00:00Z", 18+g.IntN(5), 1+g.IntN(3), 1+g.IntN(3))
}

// aPatient draws a reference to a patient: a literal in one of several forms, an NHS number, or both. The Patient
// is live, or not yet written, or never written.
func (g *generator) aPatient() string {
	id := g.patients[g.IntN(len(g.patients))]
	switch g.IntN(24) {
	case 0:
		return `{"reference":"Patient/nobody"}`
	case 1, 5:
		return `{"identifier":` + nhsIdentifier(g.numbers[id]) + `}`
	case 6:
		return `{` + g.maybe(40, `"reference":"https://elsewhere.test/fhir/Patient/y",`) + `"identifier":` + nhsIdentifier(g.number(70)) + `}`
	case 7, 8:
		number := g.numbers[id]
		if g.chance(40) {
			number = g.number(80)
		}
		return `{"reference":"Patient/` + id + `","identifier":` + nhsIdentifier(number) + `}`
	case 2:
		return `{"reference":"` + spellAddress("Patient/"+id, g.nextSpelling()) + `"}`
	case 3:
		return `{"reference":"Patient/` + id + `/_history/1","display":"x"}`
	case 4:
		return `{"display":"somebody"}`
	}
	return `{"reference":"Patient/` + id + `"}`
}

// aRow draws a reference to a row of one of the types, or to an id that does not exist.
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

// aPerformer draws a reference to a performer, asserter or informant. A patient in it is a mention.
func (g *generator) aPerformer() string {
	if g.chance(40) {
		return g.aPatient()
	}
	return g.aRow("Practitioner")
}

// containedPatient returns, with the given chance in percent, a contained Patient with the id c and the
// member param that refers to it, else the member other. The contained Patient is part of the row, so the
// patients to which it refers may hide the row.
func (g *generator) containedPatient(percent int, param, other string) string {
	in := g.containedDraws
	in.patients = g.patients
	if !in.chance(percent) {
		return other
	}
	g = in
	return `"contained":[` + object(`"resourceType":"Patient","id":"c"`, g.meta(30), `"name":[{"family":"`+pick(g, "Ely", "Fox", "Gray")+`"}]`,
		g.maybe(80, `"gender":"`+pick(g, "female", "male")+`"`), g.maybe(30, `"link":[{"other":`+g.aPatient()+`,"type":"seealso"}]`)) + `],` + strings.Replace(param, "%", `{"reference":"#c"}`, 1)
}

// quantity draws a Quantity in one of two units or in an unknown unit.
func (g *generator) quantity() string {
	unit := pick(g, "mg", "mg", "mg", "ug", "(score)")
	value := g.IntN(5)
	if unit == "ug" {
		value *= 1000
	}
	return fmt.Sprintf(`{"value":%d.5,"unit":"mg","system":"http://unitsofmeasure.org","code":"%s"}`, value, unit)
}

// encounterExtension returns the extension encounter-associatedEncounter, which adds a row to an encounter.
func (g *generator) encounterExtension() string {
	return `"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/encounter-associatedEncounter","valueReference":` + g.aRow("Encounter") + `}]`
}

// maybeEncounterExtension returns encounterExtension for few rows, or for most rows of a world that only source
// systems query.
func (g *generator) maybeEncounterExtension() string {
	if g.onlySourceSystems {
		return g.maybe(60, g.encounterExtension())
	}
	return g.maybe(8, g.encounterExtension())
}

func coding(system, code string) string {
	return `{"coding":[{"system":"` + system + `","code":"` + code + `"}]}`
}
