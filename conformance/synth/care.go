package synth

import (
	"strconv"
	"time"
)

// otherCare writes the resources of community, mental-health and social care.
func (g *generator) otherCare(p *person) {
	for i := range p.illnesses {
		d := &p.illnesses[i]
		if d.mentalHealthShare > 0 && p.rng.IntN(100) < d.mentalHealthShare {
			g.mentalHealthCare(p, d)
		}
	}
	dementia := p.hasIllness("52448006")
	frail := p.band == veryOld && p.chance(450) || p.band == old && p.chance(80) || dementia
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

// episode writes an EpisodeOfCare, which is open while the patient lives.
func (f *sourceWriter) episode(p *person, since int) {
	end, status := time.Time{}, "active"
	if p.lastDay > 1 {
		end, status = p.morning(p.lastDay), "finished"
	}
	f.beginResource("EpisodeOfCare").str("status", status).patientRef("patient", p).link("managingOrganization", f.ref).period("period", p.morning(since), end).endResource()
}

// mentalHealthCare writes an episode with the mental-health trust.
func (g *generator) mentalHealthCare(p *person, d *diagnosis) {
	f := g.mental
	since := p.dayBetween(min(d.since, 1500), p.lastDay)
	f.episode(p, since)
	label := d.label
	if label == "" && p.chance(800) {
		label = "MH" // the trust labels its resources about some patients
	}
	p.eachYear(since, func(from, to int) {
		for i := range 3 {
			v := f.encounter(p, "AMB", "ambulatory", g.known.followUp, p.dayBetween(from, to), 50, label)
			if i == 0 {
				g.document(f, p, g.known.clinicalLetter, v, label)
			} else if p.chance(500) {
				f.beginResource("Procedure").label(label).raw(`,"status":"completed"`).concept("code", g.known.talking).patientRef("subject", p).inEncounter(v).date("performedDateTime", v.at).endResource()
			}
		}
	})
	g.carePlan(f, p, "Recovery and staying well", g.known.plan, since, d.ref, label)
}

// districtNursing writes care at home by nurses.
func (g *generator) districtNursing(p *person) {
	f := g.community
	since := p.dayBetween(900, p.lastDay)
	f.episode(p, since)
	p.eachYear(since, func(from, to int) {
		for range 2 + p.rng.IntN(7) {
			v := f.encounter(p, "HH", "home health", g.known.followUp, p.dayBetween(from, to), 30, "")
			g.bloodPressure(f, p, v)
			if p.chance(400) {
				f.beginResource("Procedure").raw(`,"status":"completed"`).concept("code", g.known.wound).patientRef("subject", p).inEncounter(v).date("performedDateTime", v.at).endResource()
			}
		}
	})
	title, kind := "Support at home", g.known.plan
	switch {
	case p.hasIllness("84114007"):
		title, kind = "Living with heart failure", g.known.heartPlan
	case p.hasIllness("13645005"):
		title, kind = "Breathing well", g.known.lungPlan
	case p.hasIllness("44054006"):
		title, kind = "Diabetes", g.known.diabetesPlan
	case p.hasIllness("363406005"):
		title, kind = "Cancer care", g.known.cancerPlan
	}
	g.carePlan(f, p, title, kind, since, "", "")
}

// socialCare writes an assessment by social care and the care plan after it.
func (g *generator) socialCare(p *person) {
	f := g.social
	since := p.dayBetween(1200, p.lastDay)
	f.episode(p, since)
	v := f.encounter(p, "HH", "home health", g.known.checkUp, since, 90, "")
	g.document(f, p, g.known.report, v, "")
	f.beginResource("Flag").raw(`,"status":"active","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/flag-category","code":"admin","display":"Administrative"}]}],`+
		`"code":{"text":"Key safe at the door"}`).patientRef("subject", p).period("period", v.at, time.Time{}).link("author", f.ref).endResource()
	g.carePlan(f, p, "Care and support plan", g.known.plan, since, "", "")
}

// carePlan writes a care plan with its team and its goals.
func (g *generator) carePlan(f *sourceWriter, p *person, title string, kind code, since int, about, label string) {
	at := p.morning(since)
	home := g.practices[p.home.practice]
	f.beginResource("CareTeam").label(label).raw(`,"status":"active"`).str("name", title).patientRef("subject", p).period("period", at, time.Time{}).raw(`,"participant":[{"member":{"reference":"`).raw(f.anyStaff(p)).
		raw(`"}},{"member":{"reference":"`).raw(home.anyStaff(p)).raw(`"}}],"managingOrganization":[{"reference":"`).raw(f.ref).raw(`"}]`)
	team := f.endResource()
	var goals [2]string
	for i, text := range [...]string{"Stay at home and see family every week", "Know whom to call when things get worse"} {
		goals[i] = f.beginResource("Goal").label(label).raw(`,"lifecycleStatus":"active","description":{"text":"`).raw(text).raw(`"}`).patientRef("subject", p).date("startDate", at).endResource()
	}
	f.beginResource("CarePlan").label(label).raw(`,"status":"active","intent":"plan","category":[`).raw(kind.json).raw(`]`).str("title", title).patientRef("subject", p).period("period", at, time.Time{}).
		instant("created", at).link("author", f.ref).raw(`,"careTeam":[{"reference":"`).raw(team).raw(`"}]`)
	if about != "" {
		f.raw(`,"addresses":[{"reference":"`).raw(about).raw(`"}]`)
	}
	f.raw(`,"goal":[{"reference":"`).raw(goals[0]).raw(`"},{"reference":"`).raw(goals[1]).raw(`"}],"activity":[`)
	for i := range 2 + p.rng.IntN(3) {
		if i > 0 {
			f.raw(",")
		}
		f.raw(`{"detail":{"status":"in-progress","description":"`).raw([...]string{"Visit", "Call", "Review of medicines", "Help with meals", "Exercise"}[i]).raw(` `).raw(strconv.Itoa(1 + p.rng.IntN(6))).raw(` times a month"}}`)
	}
	f.raw(`]`).endResource()
}
