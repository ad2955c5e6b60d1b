package synth

import (
	"strconv"
	"time"
)

// care writes what community, mental-health and social care wrote.
func (g *generator) care(p *person) {
	for i := range p.has {
		d := &p.has[i]
		if d.mental > 0 && p.rng.IntN(100) < d.mental {
			g.minds(p, d)
		}
	}
	dementia := p.suffers("52448006")
	frail := p.band == veryOld && p.chance(450) || p.band == old && p.chance(80) || dementia
	if frail {
		g.district(p)
	}
	if frail && p.chance(500) || p.band == middle && p.chance(8) {
		g.assessed(p)
	}
}

func (p *person) suffers(code string) bool {
	for _, d := range p.has {
		if d.code.code == code {
			return true
		}
	}
	return false
}

// episode writes an episode of care that is still open, or ended with life.
func (f *feed) episode(p *person, since int) {
	end, status := time.Time{}, "active"
	if p.last > 1 {
		end, status = p.back(p.last), "finished"
	}
	f.open("EpisodeOfCare").str("status", status).about("patient", p).link("managingOrganization", f.ref).period("period", p.back(since), end).close()
}

// minds is an episode with the mental-health trust.
func (g *generator) minds(p *person, d *diagnosis) {
	f := g.mental
	since := p.someday(min(d.since, 1500), p.last)
	f.episode(p, since)
	label := d.label
	if label == "" && p.chance(800) {
		label = "MH" // the trust restricts what it writes of some
	}
	p.eachYear(since, func(from, to int) {
		for i := range 3 {
			v := f.encounter(p, "AMB", "ambulatory", g.known.followUp, p.someday(from, to), 50, label)
			if i == 0 {
				g.document(f, p, g.known.clinicalLetter, v, label)
			} else if p.chance(500) {
				f.open("Procedure").label(label).raw(`,"status":"completed"`).concept("code", g.known.talking).about("subject", p).within(v).date("performedDateTime", v.at).close()
			}
		}
	})
	g.plan(f, p, "Recovery and staying well", g.known.plan, since, d.ref, label)
}

// district is care at home by nurses.
func (g *generator) district(p *person) {
	f := g.community
	since := p.someday(900, p.last)
	f.episode(p, since)
	p.eachYear(since, func(from, to int) {
		for range 2 + p.rng.IntN(7) {
			v := f.encounter(p, "HH", "home health", g.known.followUp, p.someday(from, to), 30, "")
			g.pressure(f, p, v)
			if p.chance(400) {
				f.open("Procedure").raw(`,"status":"completed"`).concept("code", g.known.wound).about("subject", p).within(v).date("performedDateTime", v.at).close()
			}
		}
	})
	title, kind := "Support at home", g.known.plan
	switch {
	case p.suffers("84114007"):
		title, kind = "Living with heart failure", g.known.heartPlan
	case p.suffers("13645005"):
		title, kind = "Breathing well", g.known.lungPlan
	case p.suffers("44054006"):
		title, kind = "Diabetes", g.known.diabetesPlan
	case p.suffers("363406005"):
		title, kind = "Cancer care", g.known.cancerPlan
	}
	g.plan(f, p, title, kind, since, "", "")
}

// assessed is an assessment by social care, and what follows.
func (g *generator) assessed(p *person) {
	f := g.social
	since := p.someday(1200, p.last)
	f.episode(p, since)
	v := f.encounter(p, "HH", "home health", g.known.checkUp, since, 90, "")
	g.document(f, p, g.known.report, v, "")
	f.open("Flag").raw(`,"status":"active","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/flag-category","code":"admin","display":"Administrative"}]}],`+
		`"code":{"text":"Key safe at the door"}`).about("subject", p).period("period", v.at, time.Time{}).link("author", f.ref).close()
	g.plan(f, p, "Care and support plan", g.known.plan, since, "", "")
}

// plan writes a care plan with its team and its goals.
func (g *generator) plan(f *feed, p *person, title string, kind code, since int, about, label string) {
	at := p.back(since)
	home := g.practices[p.home.practice]
	f.open("CareTeam").label(label).raw(`,"status":"active"`).str("name", title).about("subject", p).period("period", at, time.Time{}).raw(`,"participant":[{"member":{"reference":"`).raw(f.someone(p)).
		raw(`"}},{"member":{"reference":"`).raw(home.someone(p)).raw(`"}}],"managingOrganization":[{"reference":"`).raw(f.ref).raw(`"}]`)
	team := f.close()
	var goals [2]string
	for i, text := range [...]string{"Stay at home and see family every week", "Know whom to call when things get worse"} {
		goals[i] = f.open("Goal").label(label).raw(`,"lifecycleStatus":"active","description":{"text":"`).raw(text).raw(`"}`).about("subject", p).date("startDate", at).close()
	}
	f.open("CarePlan").label(label).raw(`,"status":"active","intent":"plan","category":[`).raw(kind.json).raw(`]`).str("title", title).about("subject", p).period("period", at, time.Time{}).
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
	f.raw(`]`).close()
}
