package synth

import (
	"strconv"
	"time"
)

// writeServices writes the resources about a source that organisation does not write: more staff,
// locations, services, and the medicines that it prescribes.
func (g *generator) writeServices(w *sourceWriter) {
	for i := 3; i < len(w.staff); i++ {
		number := strconv.Itoa(i)
		pr := w.beginNamed("Practitioner", "pr"+number).raw(`,"active":true,"name":[{"use":"official","family":"`).raw(g.families[(i*7+len(w.organisation.ODS))%len(g.families)]).
			raw(`","given":["`).raw(g.women[(i*5+int(w.organisation.ODS[4]))%len(g.women)]).raw(`"]}]`).endResource()
		w.beginNamed("PractitionerRole", "role"+number).raw(`,"active":true`).link("practitioner", pr).link("organization", w.ref).endResource()
	}
	for i, name := range w.clinics() {
		w.beginNamed("HealthcareService", "hs"+strconv.Itoa(i)).raw(`,"active":true`).link("providedBy", w.ref).str("name", name).endResource()
		w.beginNamed("Location", "loc"+strconv.Itoa(i)).raw(`,"status":"active"`).str("name", name+", "+w.organisation.Name).link("managingOrganization", w.ref).endResource()
	}
	if w.prescribes() {
		for i, m := range g.formulary {
			w.beginNamed("Medication", "med"+strconv.Itoa(i)).raw(`,"status":"active"`).concept("code", m.code).endResource()
		}
	}
}

func (w *sourceWriter) clinics() []string {
	switch w.organisation.Kind {
	case "acute":
		return []string{"Cardiology", "General surgery", "Emergency department", "Acute medicine", "Outpatients", "Pathology"}
	case "gp":
		return []string{"Surgery"}
	case "community":
		return []string{"District nursing"}
	}
	return []string{"Assessment"}
}

func (w *sourceWriter) prescribes() bool {
	return w.organisation.Kind == "gp" || w.organisation.Kind == "acute"
}

// anyStaff returns a reference to a random practitioner of the source.
func (w *sourceWriter) anyStaff(p *person) string { return pick(p.rng, w.staff) }

// visit is an encounter of the record.
type visit struct {
	ref  string
	at   time.Time
	days int // days before now
}

// encounter writes an Encounter of so many minutes, so many days before now.
func (w *sourceWriter) encounter(p *person, class, display string, kind code, days, minutes int, label string) visit {
	v := visit{at: p.openingTime(days), days: days}
	end := v.at.Add(time.Duration(minutes) * time.Minute)
	if latest := p.now.AddDate(0, 0, 1-p.lastDay).Add(-time.Hour); end.After(latest) {
		end = latest
	}
	w.beginResource("Encounter").label(label).raw(`,"status":"finished","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode"`).str("code", class).str("display", display).
		raw(`},"type":[`).raw(kind.json).raw(`]`).patientRef("subject", p).
		raw(`,"participant":[{"individual":{"reference":"`).raw(w.anyStaff(p)).raw(`"}}],"period":{"start":"`)
	w.buf = v.at.AppendFormat(w.buf, time.RFC3339)
	w.raw(`","end":"`)
	w.buf = end.AppendFormat(w.buf, time.RFC3339)
	v.ref = w.raw(`"}`).link("serviceProvider", w.ref).endResource()
	return v
}

// inEncounter writes the reference to an encounter, if there is one.
func (w *sourceWriter) inEncounter(v visit) *sourceWriter {
	if v.ref == "" {
		return w
	}
	return w.link("encounter", v.ref)
}

// beginObservation writes the members of an Observation without its value.
func (w *sourceWriter) beginObservation(p *person, category string, c code, v visit) *sourceWriter {
	return w.beginResource("Observation").raw(`,"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"`).raw(category).
		raw(`"}]}]`).concept("code", c).patientRef("subject", p).inEncounter(v).instant("effectiveDateTime", v.at).raw(`,"performer":[{"reference":"`).raw(w.ref).raw(`"}]`)
}

// observation writes an Observation of a quantity, with its normal range.
func (w *sourceWriter) observation(p *person, category string, m measure, value int, v visit) string {
	w.beginObservation(p, category, m.code, v).raw(",").quantity("valueQuantity", value, m)
	if category == "laboratory" {
		flag := "N"
		if value < m.low {
			flag = "L"
		} else if value > m.high {
			flag = "H"
		}
		w.raw(`,"interpretation":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"`).raw(flag).
			raw(`"}]}],"referenceRange":[{`).quantity("low", m.low, m).raw(",").quantity("high", m.high, m).raw(`}]`)
	}
	return w.endResource()
}

// drawValue draws a value. Values in the middle of the range are more frequent.
func (p *person) drawValue(m measure) int {
	span := m.maximum - m.minimum + 1
	return m.minimum + (p.rng.IntN(span)+p.rng.IntN(span)+p.rng.IntN(span))/3
}

// bloodPressure writes a blood pressure with its two components.
func (g *generator) bloodPressure(w *sourceWriter, p *person, v visit) {
	b := &g.bedside
	w.beginObservation(p, "vital-signs", b.pressure.code, v).raw(`,"component":[{"code":`).raw(b.systolic.code.json).raw(",").quantity("valueQuantity", p.drawValue(b.systolic), b.systolic).
		raw(`},{"code":`).raw(b.diastolic.code.json).raw(",").quantity("valueQuantity", p.drawValue(b.diastolic), b.diastolic).raw(`}]`).endResource()
}

// report writes a laboratory report with its results. If orderer is not nil, it also writes the request
// of that source.
func (g *generator) report(w, orderer *sourceWriter, p *person, kind int, v visit) {
	panel := &g.panels[kind]
	request := ""
	if orderer != nil {
		request = orderer.beginResource("ServiceRequest").raw(`,"status":"completed","intent":"order"`).concept("code", panel.code).patientRef("subject", p).instant("authoredOn", v.at).
			link("requester", orderer.ref).raw(`,"performer":[{"reference":"`).raw(w.ref).raw(`"}]`).endResource()
		v = visit{at: p.openingTime(max(p.lastDay, v.days-1)), days: v.days}
	}
	w.byNumber = orderer != nil && w.reportsByNumber()
	defer func() { w.byNumber = false }()
	var results [8]string
	for i, m := range panel.parts {
		results[i] = w.observation(p, "laboratory", m, p.drawValue(m), v)
	}
	w.beginResource("DiagnosticReport")
	if request != "" {
		w.raw(`,"basedOn":[{"reference":"`).raw(request).raw(`"}]`)
	}
	w.raw(`,"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0074","code":"LAB"}]}]`).concept("code", panel.code).
		patientRef("subject", p).inEncounter(v).instant("effectiveDateTime", v.at).instant("issued", v.at).raw(`,"performer":[{"reference":"`).raw(w.ref).raw(`"}],"result":[`)
	for i := range panel.parts {
		if i > 0 {
			w.raw(",")
		}
		w.raw(`{"reference":"`).raw(results[i]).raw(`"}`)
	}
	w.raw("]").endResource()
}

// document writes a letter.
func (g *generator) document(w *sourceWriter, p *person, kind code, v visit, label string) {
	text := append(g.letterBuffer[:0], "Dear colleague,\n\nRe: "...)
	text = append(append(append(append(text, p.given...), ' '), p.family...), "\n\n"...)
	for range 3 + p.rng.IntN(6) {
		text = append(text, pick(p.rng, g.phrases)...)
	}
	text = append(text, "\n\nYours sincerely\n"...)
	text = append(text, w.organisation.Name...)
	g.letterBuffer = text
	if w.byNumber = w.lettersByNumber(); w.byNumber {
		v.ref = ""
	}
	w.beginResource("DocumentReference").label(label).raw(`,"status":"current"`).concept("type", kind).patientRef("subject", p).instant("date", v.at).
		raw(`,"author":[{"reference":"`).raw(w.anyStaff(p)).raw(`"}]`).link("custodian", w.ref).raw(`,"content":[{"attachment":`).text(text).raw(`}]`)
	if v.ref != "" {
		w.raw(`,"context":{"encounter":[{"reference":"`).raw(v.ref).raw(`"}]}`)
	}
	w.endResource()
	w.byNumber = false
}
