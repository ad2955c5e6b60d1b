package synth

import (
	"strconv"
	"time"
)

// services writes what a source says of itself, beyond what organisation does:
// more staff, its places, its services, and the medicines that it prescribes.
func (g *generator) services(f *feed) {
	for i := 3; i < len(f.staff); i++ {
		number := strconv.Itoa(i)
		pr := f.named("Practitioner", "pr"+number).raw(`,"active":true,"name":[{"use":"official","family":"`).raw(g.families[(i*7+len(f.of.ODS))%len(g.families)]).
			raw(`","given":["`).raw(g.women[(i*5+int(f.of.ODS[4]))%len(g.women)]).raw(`"]}]`).close()
		f.named("PractitionerRole", "role"+number).raw(`,"active":true`).link("practitioner", pr).link("organization", f.ref).close()
	}
	for i, name := range f.clinics() {
		f.named("HealthcareService", "hs"+strconv.Itoa(i)).raw(`,"active":true`).link("providedBy", f.ref).str("name", name).close()
		f.named("Location", "loc"+strconv.Itoa(i)).raw(`,"status":"active"`).str("name", name+", "+f.of.Name).link("managingOrganization", f.ref).close()
	}
	if f.prescribes() {
		for i, m := range g.formulary {
			f.named("Medication", "med"+strconv.Itoa(i)).raw(`,"status":"active"`).concept("code", m.code).close()
		}
	}
}

func (f *feed) clinics() []string {
	switch f.of.Kind {
	case "acute":
		return []string{"Cardiology", "General surgery", "Emergency department", "Acute medicine", "Outpatients", "Pathology"}
	case "gp":
		return []string{"Surgery"}
	case "community":
		return []string{"District nursing"}
	}
	return []string{"Assessment"}
}

func (f *feed) prescribes() bool { return f.of.Kind == "gp" || f.of.Kind == "acute" }

// someone is a practitioner of the source.
func (f *feed) someone(p *person) string { return pick(p.rng, f.staff) }

// visit is an encounter of the record.
type visit struct {
	ref  string
	at   time.Time
	days int // before now
}

// encounter writes an encounter of some minutes on a day before now.
func (f *feed) encounter(p *person, class, display string, kind code, days, minutes int, label string) visit {
	v := visit{at: p.back(days), days: days}
	end := v.at.Add(time.Duration(minutes) * time.Minute)
	if latest := p.now.AddDate(0, 0, 1-p.last).Add(-time.Hour); end.After(latest) {
		end = latest
	}
	f.open("Encounter").label(label).raw(`,"status":"finished","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode"`).str("code", class).str("display", display).
		raw(`},"type":[`).raw(kind.json).raw(`]`).about("subject", p).
		raw(`,"participant":[{"individual":{"reference":"`).raw(f.someone(p)).raw(`"}}],"period":{"start":"`)
	f.buf = v.at.AppendFormat(f.buf, time.RFC3339)
	f.raw(`","end":"`)
	f.buf = end.AppendFormat(f.buf, time.RFC3339)
	v.ref = f.raw(`"}`).link("serviceProvider", f.ref).close()
	return v
}

// within links a resource to its encounter, where it has one.
func (f *feed) within(v visit) *feed {
	if v.ref == "" {
		return f
	}
	return f.link("encounter", v.ref)
}

// observe begins an Observation up to its value.
func (f *feed) observe(p *person, category string, c code, v visit) *feed {
	return f.open("Observation").raw(`,"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"`).raw(category).
		raw(`"}]}]`).concept("code", c).about("subject", p).within(v).instant("effectiveDateTime", v.at).raw(`,"performer":[{"reference":"`).raw(f.ref).raw(`"}]`)
}

// measured writes an Observation of a quantity, with its normal range.
func (f *feed) measured(p *person, category string, m measure, value int, v visit) string {
	f.observe(p, category, m.code, v).raw(",").quantity("valueQuantity", value, m)
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
	return f.close()
}

// value draws a value, mostly from the middle of what is found.
func (p *person) value(m measure) int {
	span := m.most - m.least + 1
	return m.least + (p.rng.IntN(span)+p.rng.IntN(span)+p.rng.IntN(span))/3
}

// pressure writes a blood pressure with its two components.
func (g *generator) pressure(f *feed, p *person, v visit) {
	b := &g.bedside
	f.observe(p, "vital-signs", b.pressure.code, v).raw(`,"component":[{"code":`).raw(b.systolic.code.json).raw(",").quantity("valueQuantity", p.value(b.systolic), b.systolic).
		raw(`},{"code":`).raw(b.diastolic.code.json).raw(",").quantity("valueQuantity", p.value(b.diastolic), b.diastolic).raw(`}]`).close()
}

// report writes a laboratory report with its results, and the request for it
// where somebody else asked.
func (g *generator) report(f, by *feed, p *person, kind int, v visit) {
	panel := &g.panels[kind]
	request := ""
	if by != nil {
		request = by.open("ServiceRequest").raw(`,"status":"completed","intent":"order"`).concept("code", panel.code).about("subject", p).instant("authoredOn", v.at).
			link("requester", by.ref).raw(`,"performer":[{"reference":"`).raw(f.ref).raw(`"}]`).close()
		v = visit{at: p.back(max(p.last, v.days-1)), days: v.days}
	}
	var results [8]string
	for i, m := range panel.parts {
		results[i] = f.measured(p, "laboratory", m, p.value(m), v)
	}
	f.open("DiagnosticReport")
	if request != "" {
		f.raw(`,"basedOn":[{"reference":"`).raw(request).raw(`"}]`)
	}
	f.raw(`,"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v2-0074","code":"LAB"}]}]`).concept("code", panel.code).
		about("subject", p).within(v).instant("effectiveDateTime", v.at).instant("issued", v.at).raw(`,"performer":[{"reference":"`).raw(f.ref).raw(`"}],"result":[`)
	for i := range panel.parts {
		if i > 0 {
			f.raw(",")
		}
		f.raw(`{"reference":"`).raw(results[i]).raw(`"}`)
	}
	f.raw("]").close()
}

// document writes a letter.
func (g *generator) document(f *feed, p *person, kind code, v visit, label string) {
	text := append(g.letter[:0], "Dear colleague,\n\nRe: "...)
	text = append(append(append(append(text, p.given...), ' '), p.family...), "\n\n"...)
	for range 3 + p.rng.IntN(6) {
		text = append(text, pick(p.rng, g.texts)...)
	}
	text = append(text, "\n\nYours sincerely\n"...)
	text = append(text, f.of.Name...)
	g.letter = text
	f.open("DocumentReference").label(label).raw(`,"status":"current"`).concept("type", kind).about("subject", p).instant("date", v.at).
		raw(`,"author":[{"reference":"`).raw(f.someone(p)).raw(`"}]`).link("custodian", f.ref).raw(`,"content":[{"attachment":`).text(text).raw(`}]`)
	if v.ref != "" {
		f.raw(`,"context":{"encounter":[{"reference":"`).raw(v.ref).raw(`"}]}`)
	}
	f.close()
}
