package synth

// consultation writes an appointment at the practice: a complaint, measurements, a medicine, a
// test.
func (g *generator) consultation(p *person, day int) {
	f := g.practiceOf(p, day)
	ill := g.drawComplaint(p)
	sick := p.chance(420)
	label := ""
	if sick {
		label = ill.label
	}
	v := f.encounter(p, "AMB", "ambulatory", g.known.problem, day, 10, label)
	if sick {
		g.condition(f, p, ill.code, v, ill.days, ill.label)
		if ill.drug >= 0 && p.chance(600) {
			g.prescribe(f, p, ill.drug, "completed", v.at, v, "")
		}
		if p.chance(250) {
			f.observation(p, "vital-signs", g.bedside.warmth, p.drawValue(g.bedside.warmth), v)
		}
	}
	if p.band != child && p.chance(450) {
		g.bloodPressure(f, p, v)
	}
	if p.band != child && p.chance(150) {
		g.report(g.trusts[p.home.practice%len(g.trusts)], f, p, []int{bloodCount, kidney, liver, sugar, thyroid, inflammation}[p.rng.IntN(6)], v)
	}
	if p.chance(40) {
		g.document(f, p, g.known.clinicalLetter, v, label)
	}
}

// drawComplaint draws an acute illness by its frequency at the patient's age.
func (g *generator) drawComplaint(p *person) *acuteIllness {
	total := 0
	for i := range g.passing {
		total += g.passing[i].weight[p.band]
	}
	at := p.rng.IntN(total)
	for i := range g.passing {
		if at -= g.passing[i].weight[p.band]; at < 0 {
			return &g.passing[i]
		}
	}
	return &g.passing[0]
}

// vaccinate writes the immunisations within the time of the record.
func (g *generator) vaccinate(p *person) {
	born := int(p.now.Sub(p.born).Hours() / 24)
	give := func(c code, days int) {
		if days > p.firstDay || days < p.lastDay {
			return
		}
		f := g.practiceOf(p, days)
		at := p.morning(days)
		f.beginResource("Immunization").raw(`,"status":"completed"`).concept("vaccineCode", c).patientRef("patient", p).instant("occurrenceDateTime", at).date("recorded", at).
			raw(`,"primarySource":true,"performer":[{"actor":{"reference":"`).raw(f.anyStaff(p)).raw(`"}}]`).endResource()
	}
	for _, v := range g.childhood {
		for _, weeks := range v.weeks {
			if p.chance(920) {
				give(v.code, born-7*weeks-p.rng.IntN(30))
			}
		}
	}
	if p.age >= 65 {
		give(g.known.pneumococcal, born-65*365-p.rng.IntN(300))
		give(g.known.shingles, born-70*365-p.rng.IntN(300))
	}
	winters := []int{0, 30, 250, 780, 820}[p.band] // of 1000
	for winter := 300; winter < recordDays; winter += 365 {
		if p.chance(winters) {
			give(g.known.influenza, winter+p.rng.IntN(60))
		}
		if winter < 2000 && p.chance([]int{0, 350, 550, 850, 850}[p.band]) {
			give(g.known.corona, winter+p.rng.IntN(120))
		}
	}
}

// hospital writes the resources of the acute trusts.
func (g *generator) hospital(p *person) {
	f := g.trusts[p.home.practice%len(g.trusts)]
	if p.chance(120) {
		f = pick(p.rng, g.trusts)
	}
	clinics := [bands]int{250, 350, 800, 1500, 1600}[p.band]
	emergencies := [bands]int{220, 180, 200, 300, 500}[p.band]
	stays := [bands]int{30, 60, 80, 170, 290}[p.band]
	p.eachYear(p.firstDay, func(from, to int) {
		for range p.countOf(clinics) {
			g.outpatientVisit(f, p, p.dayBetween(from, to))
		}
		for range p.countOf(emergencies) {
			v := f.encounter(p, "EMER", "emergency", g.known.emergency, p.dayBetween(from, to), 190, "")
			g.bedsideObservations(f, p, v)
			g.condition(f, p, g.drawComplaint(p).code, v, 10, "")
			g.document(f, p, g.known.report, v, "")
		}
		for range p.countOf(stays) {
			g.admission(f, p, p.dayBetween(from, to))
		}
	})
}

// outpatientVisit writes an outpatient appointment with its letter.
func (g *generator) outpatientVisit(f *sourceWriter, p *person, day int) {
	label := ""
	for _, d := range p.illnesses {
		if d.label == "HIV" {
			label = d.label
		}
	}
	v := f.encounter(p, "AMB", "ambulatory", g.known.outpatient, day, 25, label)
	f.beginResource("Appointment").label(label).raw(`,"status":"fulfilled"`).instant("start", v.at).instant("end", v.at.Add(1500e9)).
		raw(`,"participant":[{"actor":{"reference":"`).raw(p.ref).raw(`"},"status":"accepted"}]`).endResource()
	g.document(f, p, g.known.outpatientLetter, v, label)
	if p.chance(300) {
		g.report(f, nil, p, p.rng.IntN(len(g.panels)), v)
	}
}

// bedsideObservations writes vital signs.
func (g *generator) bedsideObservations(f *sourceWriter, p *person, v visit) {
	b := &g.bedside
	for _, m := range [...]*measure{&b.breaths, &b.oxygen, &b.warmth, &b.pulse} {
		f.observation(p, "vital-signs", *m, p.drawValue(*m), v)
	}
	g.bloodPressure(f, p, v)
}

// admission writes an inpatient stay.
func (g *generator) admission(f *sourceWriter, p *person, day int) {
	nights := 1 + p.rng.IntN(3+2*p.band)
	v := f.encounter(p, "IMP", "inpatient encounter", g.known.inpatient, day, nights*24*60, "")
	for range min(4, nights) {
		g.bedsideObservations(f, p, v)
	}
	g.report(f, nil, p, bloodCount, v)
	g.report(f, nil, p, kidney, v)
	g.condition(f, p, g.drawComplaint(p).code, v, 20, "")
	op := pick(p.rng, g.operations)
	if p.age >= op.from && (op.sex == 0 || op.sex == 'f' == p.woman) {
		f.beginResource("Procedure").raw(`,"status":"completed"`).concept("code", op.code).patientRef("subject", p).inEncounter(v).date("performedDateTime", v.at).
			raw(`,"performer":[{"actor":{"reference":"`).raw(f.anyStaff(p)).raw(`"}}]`).endResource()
	}
	if p.chance(500) {
		g.prescribe(f, p, paracetamol, "completed", v.at, v, "")
	}
	g.document(f, p, g.known.discharge, v, "")
}
