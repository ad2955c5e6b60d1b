package synth

import (
	"strconv"
	"time"
)

// writeOtherCare writes the resources of community, mental-health and social care.
func (g *generator) writeOtherCare(p *person) {
	for i := range p.illnesses {
		d := &p.illnesses[i]
		if d.mentalHealthShare > 0 && p.rng.IntN(100) < d.mentalHealthShare {
			g.mentalHealthCare(p, d)
		}
	}
	frail := p.band == veryOld && p.chance(450) || p.band == old && p.chance(80) || p.hasIllness(dementia)
	if frail {
		g.districtNursing(p)
	}
	if frail && p.chance(500) || p.band == middle && p.chance(8) {
		g.socialCare(p)
	}
}

func (p *person) hasIllness(code string) bool {
	for _, d := range p.illnesses {
		if d.code.code == code {
			return true
		}
	}
	return false
}

// episode writes an EpisodeOfCare that ends with the death of the patient.
func (w *sourceWriter) episode(p *person, since int) {
	end, status := time.Time{}, "active"
	if p.lastDay > 1 {
		end, status = p.openingTime(p.lastDay), "finished"
	}
	w.beginResource("EpisodeOfCare").str("status", status).patientRef("patient", p).link("managingOrganization", w.ref).period("period", p.openingTime(since), end).endResource()
}

// mentalHealthCare writes an episode of the mental-health trust, with visits, letters and a care plan.
func (g *generator) mentalHealthCare(p *person, d *diagnosis) {
	w := g.mentalHealth
	since := p.dayBetween(min(d.since, 1500), p.lastDay)
	w.episode(p, since)
	label := d.label
	if label == "" && p.chance(800) {
		label = "MH" // for some patients, the trust labels all resources
	}
	p.eachYear(since, func(from, to int) {
		for i := range 3 {
			v := w.encounter(p, "AMB", "ambulatory", g.codes.followUp, p.dayBetween(from, to), 50, label)
			if i == 0 {
				g.document(w, p, g.codes.clinicalLetter, v, label)
			} else if p.chance(500) {
				w.beginResource("Procedure").label(label).raw(`,"status":"completed"`).concept("code", g.codes.talkingTherapy).patientRef("subject", p).inEncounter(v).date("performedDateTime", v.at).endResource()
			}
		}
	})
	g.carePlan(w, p, "Recovery and staying well", g.codes.plan, since, d.ref, label)
}

// districtNursing writes an episode of nursing at home, with visits and a care plan.
func (g *generator) districtNursing(p *person) {
	w := g.community
	since := p.dayBetween(900, p.lastDay)
	w.episode(p, since)
	p.eachYear(since, func(from, to int) {
		for range 2 + p.rng.IntN(7) {
			v := w.encounter(p, "HH", "home health", g.codes.followUp, p.dayBetween(from, to), 30, "")
			g.bloodPressure(w, p, v)
			if p.chance(400) {
				w.beginResource("Procedure").raw(`,"status":"completed"`).concept("code", g.codes.woundCare).patientRef("subject", p).inEncounter(v).date("performedDateTime", v.at).endResource()
			}
		}
	})
	title, kind := "Support at home", g.codes.plan
	switch {
	case p.hasIllness("84114007"):
		title, kind = "Living with heart failure", g.codes.heartPlan
	case p.hasIllness("13645005"):
		title, kind = "Breathing well", g.codes.lungPlan
	case p.hasIllness("44054006"):
		title, kind = "Diabetes", g.codes.diabetesPlan
	case p.hasIllness("363406005"):
		title, kind = "Cancer care", g.codes.cancerPlan
	}
	g.carePlan(w, p, title, kind, since, "", "")
}

// socialCare writes an assessment by social care and the care plan after it.
func (g *generator) socialCare(p *person) {
	w := g.socialCareSource
	since := p.dayBetween(1200, p.lastDay)
	w.episode(p, since)
	v := w.encounter(p, "HH", "home health", g.codes.checkUp, since, 90, "")
	g.document(w, p, g.codes.report, v, "")
	w.beginResource("Flag").raw(`,"status":"active","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/flag-category","code":"admin","display":"Administrative"}]}],`+
		`"code":{"text":"Key safe at the door"}`).patientRef("subject", p).period("period", v.at, time.Time{}).link("author", w.ref).endResource()
	g.carePlan(w, p, "Care and support plan", g.codes.plan, since, "", "")
}

// carePlan writes a CarePlan with its CareTeam and two Goals. about is the reference to a Condition, or empty.
func (g *generator) carePlan(w *sourceWriter, p *person, title string, kind code, since int, about, label string) {
	at := p.openingTime(since)
	home := g.practices[p.home.practice]
	w.beginResource("CareTeam").label(label).raw(`,"status":"active"`).str("name", title).patientRef("subject", p).period("period", at, time.Time{}).raw(`,"participant":[{"member":{"reference":"`).raw(w.anyStaff(p)).
		raw(`"}},{"member":{"reference":"`).raw(home.anyStaff(p)).raw(`"}}],"managingOrganization":[{"reference":"`).raw(w.ref).raw(`"}]`)
	team := w.endResource()
	var goals [2]string
	for i, text := range [...]string{"Stay at home and see family every week", "Know whom to call when things get worse"} {
		goals[i] = w.beginResource("Goal").label(label).raw(`,"lifecycleStatus":"active","description":{"text":"`).raw(text).raw(`"}`).patientRef("subject", p).date("startDate", at).endResource()
	}
	w.beginResource("CarePlan").label(label).raw(`,"status":"active","intent":"plan","category":[`).raw(kind.json).raw(`]`).str("title", title).patientRef("subject", p).period("period", at, time.Time{}).
		instant("created", at).link("author", w.ref).raw(`,"careTeam":[{"reference":"`).raw(team).raw(`"}]`)
	if about != "" {
		w.raw(`,"addresses":[{"reference":"`).raw(about).raw(`"}]`)
	}
	w.raw(`,"goal":[{"reference":"`).raw(goals[0]).raw(`"},{"reference":"`).raw(goals[1]).raw(`"}],"activity":[`)
	for i := range 2 + p.rng.IntN(3) {
		if i > 0 {
			w.raw(",")
		}
		w.raw(`{"detail":{"status":"in-progress","description":"`).raw([...]string{"Visit", "Call", "Review of medicines", "Help with meals", "Exercise"}[i]).raw(` `).raw(strconv.Itoa(1 + p.rng.IntN(6))).raw(` times a month"}}`)
	}
	w.raw(`]`).endResource()
}
