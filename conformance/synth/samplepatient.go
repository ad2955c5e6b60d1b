package synth

import (
	"fmt"
	"time"

	"carerecord/fhir"
)

func problems() []code {
	return []code{newSNOMED("38341003", "Hypertensive disorder"), newSNOMED("44054006", "Diabetes mellitus type 2"),
		newSNOMED("195967001", "Asthma"), newSNOMED("13645005", "Chronic obstructive pulmonary disease"),
		newSNOMED("84114007", "Heart failure"), newSNOMED("396275006", "Osteoarthritis"), newSNOMED("35489007", "Depressive disorder")}
}

func medicines() []code {
	return []code{newSNOMED("318902004", "Ramipril 5mg capsules"), newSNOMED("325278007", "Metformin 500mg tablets"),
		newSNOMED("319996000", "Simvastatin 10mg tablets"), newSNOMED("322236009", "Paracetamol 500mg tablets")}
}

// sampleMeasure is a kind of Observation with its unit and its range of values, in tenths.
type sampleMeasure struct {
	code     code
	unit     string
	from, to int
	category string
}

func sampleMeasures(category string) []sampleMeasure {
	if category == "laboratory" {
		return []sampleMeasure{{newCode(loinc, "4548-4", "Haemoglobin A1c"), "%", 45, 110, category}, {newCode(loinc, "2160-0", "Creatinine"), "mg/dL", 5, 25, category},
			{newCode(loinc, "718-7", "Haemoglobin"), "g/dL", 90, 170, category}, {newCode(loinc, "2093-3", "Cholesterol"), "mg/dL", 1200, 2800, category}}
	}
	return []sampleMeasure{{newCode(loinc, "8480-6", "Systolic blood pressure"), "mm[Hg]", 950, 1800, category}, {newCode(loinc, "8867-4", "Heart rate"), "/min", 500, 1200, category},
		{newCode(loinc, "29463-7", "Body weight"), "kg", 450, 1300, category}, {newCode(loinc, "8310-5", "Body temperature"), "Cel", 355, 395, category}}
}

// practice returns the bundle of the registered practice: 26 resources.
func (p *samplePatient) practice() Bundle {
	o := Organisations()[0]
	w := &sampleWriter{prefix: o.IDPrefix}
	born := p.cfg.Now.AddDate(-p.rng.IntN(90)-1, -p.rng.IntN(12), 0)
	gender := p.pick([]string{"female", "male"})
	w.put("Patient", fmt.Sprintf("p%d", p.number), fmt.Sprintf(
		`"identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"%s"}],"active":true,"name":[{"use":"official","family":%s,"given":[%s]}],`+
			`"telecom":[{"system":"phone","value":"01632 %06d"}],"gender":"%s","birthDate":"%s","address":[{"line":["%d High Street"],"city":"Tamarside","postalCode":"TM%d %dAA"}],`+
			`"generalPractitioner":[{"reference":"Organization/%sorg","identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"%s"}}]`,
		p.nhs, fhir.Quoted(p.pick(familyNames())), fhir.Quoted(p.pick(givenNames())), p.rng.IntN(1e6), gender, born.Format(time.DateOnly),
		p.rng.IntN(200)+1, p.rng.IntN(30)+1, p.rng.IntN(9)+1, o.IDPrefix, o.ODS))
	for i := range 5 {
		enc := p.encounter(w, o, i, "AMB", "ambulatory")
		p.observation(w, o, fmt.Sprintf("vs%d", i), enc, sampleMeasures("vital-signs")[i%4])
	}
	for i := range 4 {
		p.observation(w, o, fmt.Sprintf("lab%d", i), "", sampleMeasures("laboratory")[i])
	}
	for i := range 4 {
		c := problems()[(p.rng.IntN(7)+i)%7]
		w.put("Condition", p.idOf("c", i), fmt.Sprintf(
			`"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"%s"}]},"verificationStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-ver-status","code":"confirmed"}]},"code":%s,"subject":{"reference":"%s"},"onsetDateTime":"%s"`,
			p.pick([]string{"active", "active", "resolved"}), c.concept(), p.ref, p.day().Format(time.DateOnly)))
	}
	for i := range 4 {
		w.put("MedicationRequest", p.idOf("m", i), fmt.Sprintf(
			`"status":"%s","intent":"order","medicationCodeableConcept":%s,"subject":{"reference":"%s"},"authoredOn":"%s","requester":{"reference":"Practitioner/%spr0"},"note":[{"text":"Review in six months."}]`,
			p.pick([]string{"active", "completed"}), medicines()[i].concept(), p.ref, p.day().Format(time.DateOnly), o.IDPrefix))
	}
	w.put("AllergyIntolerance", p.idOf("a", 0), fmt.Sprintf(
		`"clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical","code":"active"}]},"code":%s,"patient":{"reference":"%s"},"recordedDate":"%s"`,
		newSNOMED("91936005", "Allergy to penicillin").concept(), p.ref, p.day().Format(time.DateOnly)))
	for i := range 2 {
		w.put("Immunization", p.idOf("i", i), fmt.Sprintf(`"status":"completed","vaccineCode":%s,"patient":{"reference":"%s"},"occurrenceDateTime":"%s"`,
			newSNOMED("1181000221105", "Influenza vaccine").concept(), p.ref, p.day().Format(time.DateOnly)))
	}
	return p.bundle(o, w)
}

// acute returns the bundle of the trust: 9 resources.
func (p *samplePatient) acute() Bundle {
	o := Organisations()[1]
	w := &sampleWriter{prefix: o.IDPrefix}
	enc := p.encounter(w, o, 0, "IMP", "inpatient encounter")
	results := ""
	for i := range 5 {
		ref := p.observation(w, o, fmt.Sprintf("lab%d", i), enc, sampleMeasures("laboratory")[i%4])
		if i > 0 {
			results += ","
		}
		results += `{"reference":"` + ref + `"}`
	}
	w.put("DiagnosticReport", p.idOf("dr", 0), fmt.Sprintf(`"status":"final","code":%s,"subject":{"reference":"%s"},"encounter":{"reference":"%s"},"effectiveDateTime":"%s","result":[%s]`,
		newCode(loinc, "58410-2", "Full blood count").concept(), p.ref, enc, p.day().Format(time.RFC3339), results))
	w.put("Procedure", p.idOf("pr", 0), fmt.Sprintf(`"status":"completed","code":%s,"subject":{"reference":"%s"},"encounter":{"reference":"%s"},"performedDateTime":"%s"`,
		newSNOMED("80146002", "Appendicectomy").concept(), p.ref, enc, p.day().Format(time.DateOnly)))
	w.put("DocumentReference", p.idOf("doc", 0), fmt.Sprintf(`"status":"current","type":%s,"subject":{"reference":"%s"},"date":"%s","content":[{"attachment":{"contentType":"text/plain","data":"RGlzY2hhcmdlZCBob21lLg=="}}]`,
		newCode(loinc, "18842-5", "Discharge summary").concept(), p.ref, p.day().Format(time.RFC3339)))
	return p.bundle(o, w)
}

// community returns the bundle of the community provider: 5 resources.
func (p *samplePatient) community() Bundle {
	o := Organisations()[2]
	w := &sampleWriter{prefix: o.IDPrefix}
	enc := p.encounter(w, o, 0, "HH", "home health")
	for i := range 3 {
		p.observation(w, o, fmt.Sprintf("vs%d", i), enc, sampleMeasures("vital-signs")[i])
	}
	w.put("CarePlan", p.idOf("cp", 0), fmt.Sprintf(`"status":"active","intent":"plan","title":"Support at home","subject":{"reference":"%s"},"encounter":{"reference":"%s"},"period":{"start":"%s"}`,
		p.ref, enc, p.day().Format(time.DateOnly)))
	return p.bundle(o, w)
}

func (p *samplePatient) idOf(kind string, i int) string {
	return fmt.Sprintf("p%d-%s%d", p.number, kind, i)
}

func (p *samplePatient) bundle(o Organisation, w *sampleWriter) Bundle {
	return Bundle{Source: o.ODS, Name: fmt.Sprintf("patient-%06d.json", p.number), Body: w.bundle()}
}

func (p *samplePatient) encounter(w *sampleWriter, o Organisation, i int, class, display string) string {
	start := p.day()
	return w.put("Encounter", p.idOf("e", i), fmt.Sprintf(
		`"status":"finished","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"%s","display":"%s"},"subject":{"reference":"%s"},"period":{"start":"%s","end":"%s"},"serviceProvider":{"reference":"Organization/%sorg"}`,
		class, display, p.ref, start.Format(time.RFC3339), start.Add(30*time.Minute).Format(time.RFC3339), o.IDPrefix))
}

func (p *samplePatient) observation(w *sampleWriter, o Organisation, id, encounter string, m sampleMeasure) string {
	tenths := m.from + p.rng.IntN(m.to-m.from)
	link := ""
	if encounter != "" {
		link = fmt.Sprintf(`"encounter":{"reference":"%s"},`, encounter)
	}
	return w.put("Observation", fmt.Sprintf("p%d-%s", p.number, id), fmt.Sprintf(
		`"status":"final","category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"%s"}]}],"code":%s,"subject":{"reference":"%s"},%s"effectiveDateTime":"%s","performer":[{"reference":"Organization/%sorg"}],"valueQuantity":{"value":%d.%d,"unit":"%s","system":"%s","code":"%s"}`,
		m.category, m.code.concept(), p.ref, link, p.day().Format(time.RFC3339), o.IDPrefix, tenths/10, tenths%10, m.unit, ucum, m.unit))
}
