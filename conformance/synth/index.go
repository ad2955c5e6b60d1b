package synth

import (
	"strconv"
)

// writeIndexOrganisation writes the Organization of the patient index.
func (w *sourceWriter) writeIndexOrganisation() {
	o := w.organisation
	w.beginNamed("Organization", "org").raw(`,"identifier":[{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"`).raw(o.ODS).raw(`"}],"active":true`).str("name", o.Name).endResource()
}

// writeIndexPatients writes one Patient of the patient index for each NHS number of a person. The
// Patient of a superseded number has a link to the Patient of the current one.
func (g *generator) writeIndexPatients(p *person, truth *Truth) {
	id := "r" + strconv.Itoa(p.number)
	current := g.writeIndexPatient(p, id, p.nhs, "")
	truth.Patients = append(truth.Patients, indexTruth(g.index, id, p.nhs))
	if old := p.identity.superseded; old != "" {
		g.writeIndexPatient(p, id+"-superseded", old, current)
		truth.Patients = append(truth.Patients, indexTruth(g.index, id+"-superseded", old))
	}
}

func indexTruth(w *sourceWriter, id, number string) TruePatient {
	return TruePatient{Source: w.organisation.ODS, ID: w.organisation.IDPrefix + id, State: Joined, Number: number}
}

// writeIndexPatient writes one Patient of the patient index. replacedBy is the reference to the
// Patient that replaces it, or empty.
func (g *generator) writeIndexPatient(p *person, id, number, replacedBy string) (ref string) {
	w := g.index
	w.beginNamed("Patient", id).raw(`,"identifier":[`).nhsIdentifier(number, "01", "").raw(`],"active":`).raw(strconv.FormatBool(replacedBy == ""))
	w.names(&sourcePatient{family: p.family, given: p.given, middle: p.identity.middle})
	w.telecom(p.home).raw(`,"gender":"`).raw(p.gender()).raw(`"`).date("birthDate", p.born)
	if !p.died.IsZero() {
		w.instant("deceasedDateTime", p.died)
	}
	w.address(p.home.address).registeredPractice(g.practices[p.home.practice]).link("managingOrganization", w.ref)
	if replacedBy != "" {
		w.raw(`,"link":[{"other":{"reference":"`).raw(replacedBy).raw(`"},"type":"replaced-by"}]`)
	}
	return w.endResource()
}
