package synth

import (
	"slices"
	"strconv"
	"strings"
)

// reportsByNumber reports whether the source names patients by NHS number alone in the reports that
// other sources ordered. The laboratory of one trust does.
func (w *sourceWriter) reportsByNumber() bool {
	return w.ownPatients && w.organisation.ODS == "XAC02"
}

// lettersByNumber reports whether the source names patients by NHS number alone in its letters. The
// mental-health trust does, which is untraced.
func (w *sourceWriter) lettersByNumber() bool {
	return w.ownPatients && w.organisation.Kind == "mental-health"
}

// patientOf returns the reference to the Patient to which rows of the source refer. If it is a Patient
// of the source, writePatients writes it.
func (w *sourceWriter) patientOf(p *person) string {
	if !w.ownPatients {
		return p.ref
	}
	w.knowsPatient = true
	return "Patient/" + w.patientID(p)
}

// patientID returns the id of the Patient of the source for a person.
func (w *sourceWriter) patientID(p *person) string {
	return w.organisation.IDPrefix + "r" + strconv.Itoa(p.number)
}

// writeIdentityCare writes care that only the shape PatientPerSource has.
func (g *generator) writeIdentityCare(p *person) {
	if p.identity.newborn {
		g.writeBirth(p)
	}
	if p.identity.complexCare {
		g.writeComplexCare(p)
	}
}

// writePatients writes the Patients of the patient index, and puts the Patient of each other source
// that knows the person at the head of its first bundle.
func (g *generator) writePatients(p *person) {
	if p.identity.superseded != "" {
		p.identity.oldNumberFrom = g.oldNumberSource(p)
	}
	truth := Truth{Person: p.number, Numbers: []string{p.nhs}}
	if p.identity.superseded != "" {
		truth.Numbers = append(truth.Numbers, p.identity.superseded)
	}
	g.writeIndexPatients(p, &truth)
	for i, w := range g.sources {
		if !w.knowsPatient {
			continue
		}
		s := g.drawPatient(w, i, p)
		w.endBundle()
		w.sourcePatient(g, p, &s)
		entry := append(slices.Clone(w.buf[len(bundleHead):]), ',')
		w.finished[0] = slices.Insert(w.finished[0], len(bundleHead), entry...)
		w.pending = 0
		truth.Patients = append(truth.Patients, TruePatient{Source: w.organisation.ODS, ID: w.patientID(p), State: s.state, Reason: s.reason, Number: s.nhs})
	}
	if g.cfg.Truth != nil {
		g.cfg.Truth(truth)
	}
}

// oldNumberSource returns the source that still uses the superseded number: a traced one that is not
// the registered practice, if there is one.
func (g *generator) oldNumberSource(p *person) *sourceWriter {
	home := g.practices[p.home.practice]
	for _, w := range slices.Backward(g.sources) {
		if w.knowsPatient && w != home && g.weights.traced(w.organisation.ODS) {
			return w
		}
	}
	return home
}

// sourcePatient writes the Patient of a source.
func (w *sourceWriter) sourcePatient(g *generator, p *person, s *sourcePatient) {
	w.beginNamed("Patient", strings.TrimPrefix(w.patientID(p), w.organisation.IDPrefix))
	home := g.practices[p.home.practice]
	if w == home {
		w.ethnicity(p)
	}
	w.raw(`,"identifier":[`)
	if s.nhs != "" {
		w.nhsIdentifier(s.nhs, s.verification, "").raw(",")
	}
	if s.replaced != "" {
		w.nhsIdentifier(s.replaced, "", "old").raw(",")
	}
	w.raw(`{"use":"secondary","system":"https://`).raw(strings.ToLower(w.organisation.ODS)).raw(`.example/local-number","value":"`).raw(s.local).raw(`"}],"active":`)
	w.raw(strconv.FormatBool(w.organisation.Kind != "gp" || w == home))
	if p.identity.newborn && s.reason == NoNumber {
		mother := p.home.people[0]
		w.raw(`,"name":[{"use":"temp","text":"Baby of `).raw(mother.given).raw(" ").raw(mother.family).raw(`"}]`)
	} else {
		w.names(s)
	}
	if s.telephone {
		w.telecom(p.home)
	}
	w.raw(`,"gender":"`).raw(p.gender()).raw(`"`).str("birthDate", s.birthDate)
	if !p.died.IsZero() && (w == home || w.organisation.Kind == "acute") {
		w.instant("deceasedDateTime", p.died)
	}
	w.address(s.address)
	if w == home {
		w.registeredPractice(home)
	}
	w.link("managingOrganization", w.ref).endResource()
}

// names writes the names of a Patient.
func (w *sourceWriter) names(s *sourcePatient) {
	w.raw(`,"name":[{"use":"official"`).str("family", s.family).raw(`,"given":["`).raw(s.given)
	if s.middle != "" {
		w.raw(`","`).raw(s.middle)
	}
	w.raw(`"]}`)
	if s.maiden != "" {
		w.raw(`,{"use":"maiden"`).str("family", s.maiden).raw(`}`)
	}
	w.raw(`]`)
}

// nhsIdentifier writes an Identifier with an NHS number. The verification status and the use can be
// empty.
func (w *sourceWriter) nhsIdentifier(number, verification, use string) *sourceWriter {
	w.raw("{")
	if verification != "" {
		w.raw(`"extension":[{"url":"` + verificationURL + `","valueCodeableConcept":{"coding":[{"system":"` + verificationSystem + `","code":"`).raw(verification).raw(`"}]}}],`)
	}
	if use != "" {
		w.raw(`"use":"`).raw(use).raw(`",`)
	}
	return w.raw(`"system":"` + nhsNumberSystem + `","value":"`).raw(number).raw(`"}`)
}

// ethnicity writes the UK Core extension with the ethnic category.
func (w *sourceWriter) ethnicity(p *person) *sourceWriter {
	return w.raw(`,"extension":[{"url":"https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-EthnicCategory","valueCodeableConcept":` +
		`{"coding":[{"system":"https://fhir.hl7.org.uk/CodeSystem/UKCore-EthnicCategoryEngland","code":"`).raw(p.ethnicity).raw(`"}]}}]`)
}

// telecom writes the telephone number of a household.
func (w *sourceWriter) telecom(h *household) *sourceWriter {
	return w.raw(`,"telecom":[{"system":"phone","value":"01632 960`).raw(pad(h.phone)[3:]).raw(`","use":"home"}]`)
}

// address writes the address of a Patient.
func (w *sourceWriter) address(a address) *sourceWriter {
	return w.raw(`,"address":[{"use":"home","line":["`).raw(a.line).raw(`"]`).str("city", a.town).str("postalCode", a.postcode).raw(`}]`)
}

// registeredPractice writes the general practitioner of a Patient.
func (w *sourceWriter) registeredPractice(practice *sourceWriter) *sourceWriter {
	return w.raw(`,"generalPractitioner":[{"reference":"`).raw(practice.ref).
		raw(`","identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"`).raw(practice.organisation.ODS).raw(`"}}]`)
}
