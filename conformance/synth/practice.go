package synth

import (
	"strconv"
	"time"
)

// practiceOf returns the practice at which a patient was registered so many days before now.
func (g *generator) practiceOf(p *person, days int) *sourceWriter {
	if days > p.movedDay && p.movedDay > 0 {
		return g.practices[p.home.formerPractice]
	}
	return g.practices[p.home.practice]
}

// writePracticeCare writes the resources of the practices.
func (g *generator) writePracticeCare(p *person) {
	g.writeRegistration(p)
	w := g.practices[p.home.practice]
	allergy := g.codes.noAllergy
	if p.chance(140) {
		allergy = pick(p.rng, g.codes.allergies)
	}
	w.beginResource("AllergyIntolerance").raw(`,"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical","code":"active"}]},`+
		`"verificationStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-verification","code":"confirmed"}]}`).
		concept("code", allergy).patientRef("patient", p).date("recordedDate", p.openingTime(p.dayBetween(p.firstDay, p.lastDay))).endResource()
	g.vaccinate(p)
	for i := range p.illnesses {
		g.chronicCare(p, &p.illnesses[i])
	}
	rate := [bands]int{2100, 2300, 3600, 5000, 6200}[p.band]
	p.eachYear(p.firstDay, func(from, to int) {
		for range p.countOf(rate) {
			g.consultation(p, p.dayBetween(from, to))
		}
	})
	if p.female && p.band == young && p.chance(25) {
		v := w.encounter(p, "AMB", "ambulatory", g.codes.problem, p.dayBetween(p.firstDay, p.lastDay), 20, "SEX")
		w.beginResource("Procedure").label("SEX").raw(`,"status":"completed"`).concept("code", g.codes.termination).patientRef("subject", p).inEncounter(v).date("performedDateTime", v.at).endResource()
	}
	if p.band != child && p.chance(6) {
		w.beginResource("Flag").label("SDV").raw(`,"status":"active","code":{"text":"Domestic abuse: speak to the patient alone"}`).patientRef("subject", p).
			period("period", p.openingTime(p.dayBetween(1500, p.lastDay)), time.Time{}).link("author", w.ref).endResource()
	}
}

// writeRegistration writes the Patient of the shape OnePatient, an EpisodeOfCare for each practice, and
// a parent of a child.
func (g *generator) writeRegistration(p *person) {
	w, h := g.practices[p.home.practice], p.home
	p.ethnicity = string("AAAAAAAABCDFGHJKLMNPRSZ"[p.rng.IntN(23)])
	if p.lastDay > 1 {
		p.died = p.openingTime(p.lastDay)
	}
	if g.cfg.Shape == OnePatient {
		w.onePatient(p)
	}
	joined, end, status := p.firstDay, time.Time{}, "active"
	if p.lastDay > 1 {
		end, status = p.openingTime(p.lastDay), "finished"
	}
	if p.movedDay > 0 {
		was := g.practices[h.formerPractice]
		was.beginResource("EpisodeOfCare").raw(`,"status":"finished"`).patientRef("patient", p).link("managingOrganization", was.ref).period("period", p.openingTime(joined), p.openingTime(p.movedDay)).endResource()
		joined = p.movedDay
	}
	w.beginResource("EpisodeOfCare").str("status", status).patientRef("patient", p).link("managingOrganization", w.ref).period("period", p.openingTime(joined), end).endResource()
	if parent := h.people[0]; p.band == child && parent != p {
		w.beginResource("RelatedPerson").raw(`,"identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"`).raw(parent.nhs).raw(`"}],"active":true`).patientRef("patient", p).
			raw(`,"relationship":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-RoleCode","code":"MTH","display":"mother"}]}],"name":[{"family":"`).raw(parent.family).
			raw(`","given":["`).raw(parent.given).raw(`"]}]`).endResource()
	}
}

// onePatient writes the Patient of the shape OnePatient, as the registered practice.
func (w *sourceWriter) onePatient(p *person) {
	w.beginNamed("Patient", "r"+strconv.Itoa(p.number)).ethnicity(p).raw(`,"identifier":[`).nhsIdentifier(p.nhs, "01", "").
		raw(`],"active":true,"name":[{"use":"official"`).str("family", p.family).raw(`,"given":["`).raw(p.given).raw(`"]}]`).telecom(p.home).raw(`,"gender":"`).raw(p.gender()).raw(`"`).date("birthDate", p.born)
	if !p.died.IsZero() {
		w.instant("deceasedDateTime", p.died)
	}
	w.address(p.home.address).registeredPractice(w).link("managingOrganization", w.ref).endResource()
}

func (p *person) gender() string {
	if p.female {
		return "female"
	}
	return "male"
}

// chronicCare writes a chronic illness: the Condition, its medicines, and the yearly reviews with
// their blood tests.
func (g *generator) chronicCare(p *person, d *diagnosis) {
	w := g.practiceOf(p, d.since)
	d.ref = g.condition(w, p, d.code, visit{at: p.openingTime(d.since)}, -1, d.label)
	for _, drug := range d.drugs {
		p.eachYear(d.since, func(from, to int) {
			status := "completed"
			if to == p.lastDay && p.lastDay == 1 {
				status = "active"
			}
			g.prescribe(g.practiceOf(p, from), p, drug, status, p.openingTime(p.dayBetween(from, to)), visit{}, d.ref)
		})
	}
	p.eachYear(d.since, func(from, to int) {
		for i := range d.visits {
			day := p.dayBetween(from, to)
			at := g.practiceOf(p, day)
			v := at.encounter(p, "AMB", "ambulatory", g.codes.checkUp, day, 20, d.label)
			g.review(at, p, v, i == 0)
		}
		for _, kind := range d.panels {
			if p.chance(700) {
				day := p.dayBetween(from, to)
				g.report(g.homeTrust(p), g.practiceOf(p, day), p, kind, visit{at: p.openingTime(day), days: day})
			}
		}
	})
}

// review writes the measurements of a review. Only a full review has more than the blood pressure.
func (g *generator) review(w *sourceWriter, p *person, v visit, full bool) {
	g.bloodPressure(w, p, v)
	if !full {
		return
	}
	w.observation(p, "vital-signs", g.bedside.weight, p.drawValue(g.bedside.weight), v)
	w.observation(p, "vital-signs", g.bedside.bodyMassIndex, p.drawValue(g.bedside.bodyMassIndex), v)
	status := []code{g.codes.neverSmoked, g.codes.neverSmoked, g.codes.formerSmoker, g.codes.smoker}[p.rng.IntN(4)]
	w.beginObservation(p, "social-history", g.codes.smoking, v).concept("valueCodeableConcept", status).endResource()
}

// condition writes a Condition that ends after duration days. A duration of -1 makes it chronic.
func (g *generator) condition(w *sourceWriter, p *person, c code, v visit, duration int, label string) string {
	status, category := "active", "problem-list-item"
	if duration >= 0 {
		status, category = "resolved", "encounter-diagnosis"
	}
	w.beginResource("Condition").label(label).raw(`,"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"`).raw(status).
		raw(`"}]},"verificationStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-ver-status","code":"confirmed"}]},"category":[{"coding":[`+
			`{"system":"http://terminology.hl7.org/CodeSystem/condition-category","code":"`).raw(category).raw(`"}]}]`).
		concept("code", c).patientRef("subject", p).inEncounter(v).date("onsetDateTime", v.at)
	if duration >= 0 {
		w.date("abatementDateTime", p.openingTime(max(p.lastDay, v.days-duration)))
	}
	return w.date("recordedDate", v.at).link("recorder", w.anyStaff(p)).endResource()
}

// prescribe writes a MedicationRequest. Without a visit it refers to a Medication of the source, else
// it has the code of the medicine.
func (g *generator) prescribe(w *sourceWriter, p *person, drug int, status string, at time.Time, v visit, reason string) {
	w.beginResource("MedicationRequest").str("status", status).raw(`,"intent":"order"`)
	if v.ref == "" {
		w.link("medicationReference", "Medication/"+w.organisation.IDPrefix+"med"+strconv.Itoa(drug))
	} else {
		w.concept("medicationCodeableConcept", g.formulary[drug].code)
	}
	w.patientRef("subject", p).inEncounter(v).instant("authoredOn", at).link("requester", w.anyStaff(p))
	if reason != "" {
		w.raw(`,"reasonReference":[{"reference":"`).raw(reason).raw(`"}]`)
	}
	w.raw(`,"dosageInstruction":[{"text":"`).raw(g.formulary[drug].dose).raw(`"}]`).endResource()
}
