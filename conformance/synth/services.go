package synth

import (
	"strconv"
	"time"
)

// services writes the resources about a source itself, in addition to organisation: more staff, its
// locations, its services, and the medicines that it prescribes.
func (g *generator) services(f *sourceWriter) {
	for i := 3; i < len(f.staff); i++ {
		number := strconv.Itoa(i)
		pr := f.beginNamed("Practitioner", "pr"+number).raw(`,"active":true,"name":[{"use":"official","family":"`).raw(g.families[(i*7+len(f.organisation.ODS))%len(g.families)]).
			raw(`","given":["`).raw(g.women[(i*5+int(f.organisation.ODS[4]))%len(g.women)]).raw(`"]}]`).endResource()
		f.beginNamed("PractitionerRole", "role"+number).raw(`,"active":true`).link("practitioner", pr).link("organization", f.ref).endResource()
	}
	for i, name := range f.clinics() {
		f.beginNamed("HealthcareService", "hs"+strconv.Itoa(i)).raw(`,"active":true`).link("providedBy", f.ref).str("name", name).endResource()
		f.beginNamed("Location", "loc"+strconv.Itoa(i)).raw(`,"status":"active"`).str("name", name+", "+f.organisation.Name).link("managingOrganization", f.ref).endResource()
	}
	if f.prescribes() {
		for i, m := range g.formulary {
			f.beginNamed("Medication", "med"+strconv.Itoa(i)).raw(`,"status":"active"`).concept("code", m.code).endResource()
		}
	}
}

func (f *sourceWriter) clinics() []string {
	switch f.organisation.Kind {
	case "acute":
		return []string{"Cardiology", "General surgery", "Emergency department", "Acute medicine", "Outpatients", "Pathology"}
	case "gp":
		return []string{"Surgery"}
	case "community":
		return []string{"District nursing"}
	}
	return []string{"Assessment"}
}

func (f *sourceWriter) prescribes() bool {
	return f.organisation.Kind == "gp" || f.organisation.Kind == "acute"
}

// anyStaff returns a practitioner of the source.
func (f *sourceWriter) anyStaff(p *person) string { return pick(p.rng, f.staff) }

// visit is an encounter of the record.
type visit struct {
	ref  string
	at   time.Time
	days int // before now
}

// encounter writes an encounter of some minutes on a day before now.
func (f *sourceWriter) encounter(p *person, class, display string, kind code, days, minutes int, label string) visit {
	v := visit{at: p.morning(days), days: days}
	end := v.at.Add(time.Duration(minutes) * time.Minute)
	if latest := p.now.AddDate(0, 0, 1-p.lastDay).Add(-time.Hour); end.After(latest) {
		end = latest
	}
	f.beginResource("Encounter").label(label).raw(`,"status":"finished","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode"`).str("code", class).str("display", display).
		raw(`},"type":[`).raw(kind.json).raw(`]`).patientRef("subject", p).
		raw(`,"participant":[{"individual":{"reference":"`).raw(f.anyStaff(p)).raw(`"}}],"period":{"start":"`)
	f.buf = v.at.AppendFormat(f.buf, time.RFC3339)
	f.raw(`","end":"`)
	f.buf = end.AppendFormat(f.buf, time.RFC3339)
	v.ref = f.raw(`"}`).link("serviceProvider", f.ref).endResource()
	return v
}

// inEncounter links a resource to its encounter, if it has one.
func (f *sourceWriter) inEncounter(v visit) *sourceWriter {
	if v.ref == "" {
		return f
	}
	return f.link("encounter", v.ref)
}

// beginObservation writes an Observation up to its value.
func (f *sourceWriter) beginObservation(p *person, category string, c code, v visit) *sourceWriter {
	return f.beginResource("Observation").raw(`,"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"`).raw(category).
		raw(`"}]}]`).concept("code", c).patientRef("subject", p).inEncounter(v).instant("effectiveDateTime", v.at).raw(`,"performer":[{"reference":"`).raw(f.ref).raw(`"}]`)
}

// observation writes an Observation of a quantity, with its normal range.
func (f *sourceWriter) observation(p *person, category string, m measure, value int, v visit) string {
	f.beginObservation(p, category, m.code, v).raw(",").quantity("valueQuantity", value, m)
	if category == "laboratory" {
		flag := "N"
		if value < m.low {
			flag = "L"
		} else if value > m.high {
			flag = "H"
		}
		f.raw(`,"interpretation":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation","code":"`).raw(flag).
			raw(`"}]}],"referenceRange":[{`).quantity("low", m.low, m).raw(",").quantity("high", m.high, m).raw(`}]`)
	}
	return f.endResource()
}

// drawValue draws a value, mostly from the middle of the range.
func (p *person) drawValue(m measure) int {
	span := m.most - m.least + 1
	return m.least + (p.rng.IntN(span)+p.rng.IntN(span)+p.rng.IntN(span))/3
}

// bloodPressure writes a blood pressure with its two components.
func (g *generator) bloodPressure(f *sourceWriter, p *person, v visit) {
	b := &g.bedside
	f.beginObservation(p, "vital-signs", b.pressure.code, v).raw(`,"component":[{"code":`).raw(b.systolic.code.json).raw(",").quantity("valueQuantity", p.drawValue(b.systolic), b.systolic).
		raw(`},{"code":`).raw(b.diastolic.code.json).raw(",").quantity("valueQuantity", p.drawValue(b.diastolic), b.diastolic).raw(`}]`).endResource()
}

// report writes a laboratory report with its results, and the request for it if another source
// ordered it.
func (g *generator) report(f, by *sourceWriter, p *person, kind int, v visit) {
	panel := &g.panels[kind]
	request := ""
	if by != nil {
		request = by.beginResource("ServiceRequest").raw(`,"status":"completed","intent":"order"`).concept("code", panel.code).patientRef("subject", p).instant("authoredOn", v.at).
			link("requester", by.ref).raw(`,"performer":[{"reference":"`).raw(f.ref).raw(`"}]`).endResource()
		v = visit{at: p.morning(max(p.lastDay, v.days-1)), days: v.days}
	}
	var results [8]string
	for i, m := range panel.parts {
		results[i] = f.observation(p, "laboratory", m, p.drawValue(m), v)
	}
	f.beginResource("DiagnosticReport")
	if request != "" {
		f.raw(`,"basedOn":[{"reference":"`).raw(request).raw(`"}]`)
	}
	f.raw(`,"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0074","code":"LAB"}]}]`).concept("code", panel.code).
		patientRef("subject", p).inEncounter(v).instant("effectiveDateTime", v.at).instant("issued", v.at).raw(`,"performer":[{"reference":"`).raw(f.ref).raw(`"}],"result":[`)
	for i := range panel.parts {
		if i > 0 {
			f.raw(",")
		}
		f.raw(`{"reference":"`).raw(results[i]).raw(`"}`)
	}
	f.raw("]").endResource()
}

// document writes a letter.
func (g *generator) document(f *sourceWriter, p *person, kind code, v visit, label string) {
	text := append(g.letter[:0], "Dear colleague,\n\nRe: "...)
	text = append(append(append(append(text, p.given...), ' '), p.family...), "\n\n"...)
	for range 3 + p.rng.IntN(6) {
		text = append(text, pick(p.rng, g.texts)...)
	}
	text = append(text, "\n\nYours sincerely\n"...)
	text = append(text, f.organisation.Name...)
	g.letter = text
	f.beginResource("DocumentReference").label(label).raw(`,"status":"current"`).concept("type", kind).patientRef("subject", p).instant("date", v.at).
		raw(`,"author":[{"reference":"`).raw(f.anyStaff(p)).raw(`"}]`).link("custodian", f.ref).raw(`,"content":[{"attachment":`).text(text).raw(`}]`)
	if v.ref != "" {
		f.raw(`,"context":{"encounter":[{"reference":"`).raw(v.ref).raw(`"}]}`)
	}
	f.endResource()
}
