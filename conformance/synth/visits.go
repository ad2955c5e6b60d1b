package synth

// consultation writes a visit at the practice, with a random selection of a complaint, measurements,
// a prescription, a laboratory report and a letter.
func (g *generator) consultation(p *person, day int) {
	w := g.practiceOf(p, day)
	ill := g.drawComplaint(p)
	sick := p.chance(420)
	label := ""
	if sick {
		label = ill.label
	}
	v := w.encounter(p, "AMB", "ambulatory", g.codes.problem, day, 10, label)
	if sick {
		g.condition(w, p, ill.code, v, ill.days, ill.label)
		if ill.drug >= 0 && p.chance(600) {
			g.prescribe(w, p, ill.drug, "completed", v.at, v, "")
		}
		if p.chance(250) {
			w.observation(p, "vital-signs", g.bedside.temperature, p.drawValue(g.bedside.temperature), v)
		}
	}
	if p.band != child && p.chance(450) {
		g.bloodPressure(w, p, v)
	}
	if p.band != child && p.chance(150) {
		g.report(g.homeTrust(p), w, p, []int{bloodCount, kidney, liver, sugar, thyroid, inflammation}[p.rng.IntN(6)], v)
	}
	if p.chance(40) {
		g.document(w, p, g.codes.clinicalLetter, v, label)
	}
}

// drawComplaint draws an acute illness by its frequency at the patient's age.
func (g *generator) drawComplaint(p *person) *acuteIllness {
	total := 0
	for i := range g.acute {
		total += g.acute[i].weight[p.band]
	}
	at := p.rng.IntN(total)
	for i := range g.acute {
		if at -= g.acute[i].weight[p.band]; at < 0 {
			return &g.acute[i]
		}
	}
	return &g.acute[0]
}

// vaccinate writes the immunisations in the period of the record.
func (g *generator) vaccinate(p *person) {
	born := int(p.now.Sub(p.born).Hours() / 24)
	give := func(c code, days int) {
		if days > p.firstDay || days < p.lastDay {
			return
		}
		w := g.practiceOf(p, days)
		at := p.openingTime(days)
		w.beginResource("Immunization").raw(`,"status":"completed"`).concept("vaccineCode", c).patientRef("patient", p).instant("occurrenceDateTime", at).date("recorded", at).
			raw(`,"primarySource":true,"performer":[{"actor":{"reference":"`).raw(w.anyStaff(p)).raw(`"}}]`).endResource()
	}
	for _, v := range g.childhood {
		for _, weeks := range v.weeks {
			if p.chance(920) {
				give(v.code, born-7*weeks-p.rng.IntN(30))
			}
		}
	}
	if p.age >= 65 {
		give(g.codes.pneumococcal, born-65*365-p.rng.IntN(300))
		give(g.codes.shingles, born-70*365-p.rng.IntN(300))
	}
	winters := []int{0, 30, 250, 780, 820}[p.band] // per thousand
	for winter := 300; winter < recordDays; winter += 365 {
		if p.chance(winters) {
			give(g.codes.influenza, winter+p.rng.IntN(60))
		}
		if winter < 2000 && p.chance([]int{0, 350, 550, 850, 850}[p.band]) {
			give(g.codes.covid, winter+p.rng.IntN(120))
		}
	}
}

// writeHospitalCare writes the resources of the acute trusts.
func (g *generator) writeHospitalCare(p *person) {
	w := g.homeTrust(p)
	if p.chance(120) {
		w = pick(p.rng, g.trusts)
	}
	clinics := [bands]int{250, 350, 800, 1500, 1600}[p.band]
	emergencies := [bands]int{220, 180, 200, 300, 500}[p.band]
	stays := [bands]int{30, 60, 80, 170, 290}[p.band]
	p.eachYear(p.firstDay, func(from, to int) {
		for range p.countOf(clinics) {
			g.outpatientVisit(w, p, p.dayBetween(from, to))
		}
		for range p.countOf(emergencies) {
			v := w.encounter(p, "EMER", "emergency", g.codes.emergency, p.dayBetween(from, to), 190, "")
			g.bedsideObservations(w, p, v)
			g.condition(w, p, g.drawComplaint(p).code, v, 10, "")
			g.document(w, p, g.codes.report, v, "")
		}
		for range p.countOf(stays) {
			g.admission(w, p, p.dayBetween(from, to))
		}
	})
}

// outpatientVisit writes an outpatient visit with its Appointment and letter.
func (g *generator) outpatientVisit(w *sourceWriter, p *person, day int) {
	label := ""
	for _, d := range p.illnesses {
		if d.label == "HIV" {
			label = d.label
		}
	}
	v := w.encounter(p, "AMB", "ambulatory", g.codes.outpatient, day, 25, label)
	w.beginResource("Appointment").label(label).raw(`,"status":"fulfilled"`).instant("start", v.at).instant("end", v.at.Add(1500e9)).
		raw(`,"participant":[{"actor":{"reference":"`).raw(w.patientOf(p)).raw(`"},"status":"accepted"}]`).endResource()
	g.document(w, p, g.codes.outpatientLetter, v, label)
	if p.chance(300) {
		g.report(w, nil, p, p.rng.IntN(len(g.panels)), v)
	}
}

// bedsideObservations writes vital signs.
func (g *generator) bedsideObservations(w *sourceWriter, p *person, v visit) {
	b := &g.bedside
	for _, m := range [...]*measure{&b.breaths, &b.oxygen, &b.temperature, &b.pulse} {
		w.observation(p, "vital-signs", *m, p.drawValue(*m), v)
	}
	g.bloodPressure(w, p, v)
}

// admission writes an inpatient stay.
func (g *generator) admission(w *sourceWriter, p *person, day int) {
	nights := 1 + p.rng.IntN(3+2*p.band)
	v := w.encounter(p, "IMP", "inpatient encounter", g.codes.inpatient, day, nights*24*60, "")
	for range min(4, nights) {
		g.bedsideObservations(w, p, v)
	}
	g.report(w, nil, p, bloodCount, v)
	g.report(w, nil, p, kidney, v)
	g.condition(w, p, g.drawComplaint(p).code, v, 20, "")
	op := pick(p.rng, g.operations)
	if p.age >= op.minimumAge && (op.sex == 0 || op.sex == 'f' == p.female) {
		w.beginResource("Procedure").raw(`,"status":"completed"`).concept("code", op.code).patientRef("subject", p).inEncounter(v).date("performedDateTime", v.at).
			raw(`,"performer":[{"actor":{"reference":"`).raw(w.anyStaff(p)).raw(`"}}]`).endResource()
	}
	if p.chance(500) {
		g.prescribe(w, p, paracetamol, "completed", v.at, v, "")
	}
	g.document(w, p, g.codes.discharge, v, "")
}
