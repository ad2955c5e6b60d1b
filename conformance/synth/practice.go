package synth

import (
	"strconv"
	"time"
)

// gp is the practice that looked after a patient on a day before now.
func (g *generator) gp(p *person, days int) *feed {
	if days > p.moved && p.moved > 0 {
		return g.practices[p.home.former]
	}
	return g.practices[p.home.practice]
}

// practice writes what the practices wrote.
func (g *generator) practice(p *person) {
	g.registration(p)
	f := g.practices[p.home.practice]
	allergy := g.known.noAllergy
	if p.chance(140) {
		allergy = pick(p.rng, g.known.allergies)
	}
	f.open("AllergyIntolerance").raw(`,"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical","code":"active"}]},`+
		`"verificationStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-verification","code":"confirmed"}]}`).
		concept("code", allergy).about("patient", p).date("recordedDate", p.back(p.someday(p.first, p.last))).close()
	g.vaccinate(p)
	for i := range p.has {
		g.lastingCare(p, &p.has[i])
	}
	rate := [bands]int{2100, 2300, 3600, 5000, 6200}[p.band]
	p.eachYear(p.first, func(from, to int) {
		for range p.times(rate) {
			g.consultation(p, p.someday(from, to))
		}
	})
	if p.woman && p.band == young && p.chance(25) {
		v := f.encounter(p, "AMB", "ambulatory", g.known.problem, p.someday(p.first, p.last), 20, "SEX")
		f.open("Procedure").label("SEX").raw(`,"status":"completed"`).concept("code", g.known.termination).about("subject", p).within(v).date("performedDateTime", v.at).close()
	}
	if p.band != child && p.chance(6) {
		f.open("Flag").label("SDV").raw(`,"status":"active","code":{"text":"Domestic abuse: speak to the patient alone"}`).about("subject", p).
			period("period", p.back(p.someday(1500, p.last)), time.Time{}).link("author", f.ref).close()
	}
}

// registration writes the Patient, its registrations with practices, and for a
// child a parent.
func (g *generator) registration(p *person) {
	f, h := g.practices[p.home.practice], p.home
	f.named("Patient", "r"+strconv.Itoa(p.n)).raw(`,"extension":[{"url":"https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-EthnicCategory","valueCodeableConcept":`+
		`{"coding":[{"system":"https://fhir.hl7.org.uk/CodeSystem/UKCore-EthnicCategoryEngland","code":"`).raw(string("AAAAAAAABCDFGHJKLMNPRSZ"[p.rng.IntN(23)])).
		raw(`"}]}}],"identifier":[{"extension":[{"url":"https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus","valueCodeableConcept":`+
			`{"coding":[{"system":"https://fhir.hl7.org.uk/CodeSystem/UKCore-NHSNumberVerificationStatusEngland","code":"01"}]}}],"system":"https://fhir.nhs.uk/Id/nhs-number","value":"`).raw(p.nhs).
		raw(`"}],"active":true,"name":[{"use":"official"`).str("family", p.family).raw(`,"given":["`).raw(p.given).raw(`"]}],"telecom":[{"system":"phone","value":"01632 960`).raw(pad(h.phone)[3:]).
		raw(`","use":"home"}],"gender":"`).raw(p.gender()).raw(`"`).date("birthDate", p.born)
	if p.last > 1 {
		f.instant("deceasedDateTime", p.back(p.last))
	}
	f.raw(`,"address":[{"use":"home","line":["`).raw(h.line).raw(`"]`).str("city", h.town).str("postalCode", h.post).raw(`}],"generalPractitioner":[{"reference":"`).raw(f.ref).
		raw(`","identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"`).raw(f.of.ODS).raw(`"}}]`).link("managingOrganization", f.ref).close()
	joined, end, status := p.first, time.Time{}, "active"
	if p.last > 1 {
		end, status = p.back(p.last), "finished"
	}
	if p.moved > 0 {
		was := g.practices[h.former]
		was.open("EpisodeOfCare").raw(`,"status":"finished"`).about("patient", p).link("managingOrganization", was.ref).period("period", p.back(joined), p.back(p.moved)).close()
		joined = p.moved
	}
	f.open("EpisodeOfCare").str("status", status).about("patient", p).link("managingOrganization", f.ref).period("period", p.back(joined), end).close()
	if parent := h.people[0]; p.band == child && parent != p {
		f.open("RelatedPerson").raw(`,"identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"`).raw(parent.nhs).raw(`"}],"active":true`).about("patient", p).
			raw(`,"relationship":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-RoleCode","code":"MTH","display":"mother"}]}],"name":[{"family":"`).raw(parent.family).
			raw(`","given":["`).raw(parent.given).raw(`"]}]`).close()
	}
}

func (p *person) gender() string {
	if p.woman {
		return "female"
	}
	return "male"
}

// lastingCare writes a lasting illness: the Condition, its medicines, and year
// by year the review with its blood tests.
func (g *generator) lastingCare(p *person, d *diagnosis) {
	f := g.gp(p, d.since)
	d.ref = g.condition(f, p, d.code, visit{at: p.back(d.since)}, -1, d.label)
	for _, drug := range d.drugs {
		p.eachYear(d.since, func(from, to int) {
			status := "completed"
			if to == p.last && p.last == 1 {
				status = "active"
			}
			g.prescribe(g.gp(p, from), p, drug, status, p.back(p.someday(from, to)), visit{}, d.ref)
		})
	}
	p.eachYear(d.since, func(from, to int) {
		for i := range d.visits {
			day := p.someday(from, to)
			at := g.gp(p, day)
			v := at.encounter(p, "AMB", "ambulatory", g.known.checkUp, day, 20, d.label)
			g.reviewed(at, p, v, i == 0)
		}
		for _, kind := range d.panels {
			if p.chance(700) {
				day := p.someday(from, to)
				g.report(g.trusts[p.home.practice%len(g.trusts)], g.gp(p, day), p, kind, visit{at: p.back(day), days: day})
			}
		}
	})
}

// reviewed writes what a yearly review measures.
func (g *generator) reviewed(f *feed, p *person, v visit, whole bool) {
	g.pressure(f, p, v)
	if !whole {
		return
	}
	f.measured(p, "vital-signs", g.bedside.weight, p.value(g.bedside.weight), v)
	f.measured(p, "vital-signs", g.bedside.mass, p.value(g.bedside.mass), v)
	status := []code{g.known.never, g.known.never, g.known.former, g.known.smoker}[p.rng.IntN(4)]
	f.observe(p, "social-history", g.known.smoking, v).concept("valueCodeableConcept", status).close()
}

// condition writes a Condition; one that passes ends after some days, one that
// lasts has -1.
func (g *generator) condition(f *feed, p *person, c code, v visit, days int, label string) string {
	status, category := "active", "problem-list-item"
	if days >= 0 {
		status, category = "resolved", "encounter-diagnosis"
	}
	f.open("Condition").label(label).raw(`,"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"`).raw(status).
		raw(`"}]},"verificationStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-ver-status","code":"confirmed"}]},"category":[{"coding":[`+
			`{"system":"http://terminology.hl7.org/CodeSystem/condition-category","code":"`).raw(category).raw(`"}]}]`).
		concept("code", c).about("subject", p).within(v).date("onsetDateTime", v.at)
	if days >= 0 {
		f.date("abatementDateTime", p.back(max(p.last, v.days-days)))
	}
	return f.date("recordedDate", v.at).link("recorder", f.someone(p)).close()
}

// prescribe writes a MedicationRequest: of the formulary for a lasting illness,
// by its code for a passing one.
func (g *generator) prescribe(f *feed, p *person, drug int, status string, at time.Time, v visit, reason string) {
	f.open("MedicationRequest").str("status", status).raw(`,"intent":"order"`)
	if v.ref == "" {
		f.link("medicationReference", "Medication/"+f.of.IDPrefix+"med"+strconv.Itoa(drug))
	} else {
		f.concept("medicationCodeableConcept", g.formulary[drug].code)
	}
	f.about("subject", p).within(v).instant("authoredOn", at).link("requester", f.someone(p))
	if reason != "" {
		f.raw(`,"reasonReference":[{"reference":"`).raw(reason).raw(`"}]`)
	}
	f.raw(`,"dosageInstruction":[{"text":"`).raw(g.formulary[drug].dose).raw(`"}]`).close()
}
