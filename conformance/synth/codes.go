package synth

import (
	"fmt"

	"carerecord/fhir"
)

const (
	snomed = "http://snomed.info/sct"
	loinc  = "http://loinc.org"
	ucum   = "http://unitsofmeasure.org"
	dmd    = "https://dmd.nhs.uk"
)

// code is a Coding and the JSON of its CodeableConcept.
type code struct{ system, code, display, json string }

// concept returns the JSON of the CodeableConcept. A code without a system has only a text.
func (c code) concept() string {
	if c.system == "" {
		return fmt.Sprintf(`{"text":%s}`, fhir.Quoted(c.display))
	}
	return fmt.Sprintf(`{"coding":[{"system":"%s","code":"%s","display":%s}]}`, c.system, c.code, fhir.Quoted(c.display))
}

func newCode(system, value, display string) code {
	c := code{system: system, code: value, display: display}
	c.json = c.concept()
	return c
}

func newSNOMED(value, display string) code { return newCode(snomed, value, display) }

// measure is a kind of measurement. Its normal range is from low to high, and its values are from
// minimum to maximum. All four are in units of the last decimal place.
type measure struct {
	code             code
	unit             string
	places           int
	low, high        int
	minimum, maximum int
}

// panel is a group of measurements in one laboratory report.
type panel struct {
	code  code
	parts []measure
}

// Indexes of panels().
const (
	bloodCount = iota
	kidney
	liver
	sugar
	lipids
	thyroid
	inflammation
	heartPanel
)

func panels() []panel {
	m := func(value, display, unit string, places, low, high, least, most int) measure {
		return measure{newCode(loinc, value, display), unit, places, low, high, least, most}
	}
	return []panel{
		bloodCount: {newCode(loinc, "58410-2", "Full blood count"), []measure{
			m("718-7", "Haemoglobin", "g/L", 0, 115, 170, 82, 178), m("6690-2", "White cell count", "10*9/L", 1, 40, 110, 24, 168),
			m("777-3", "Platelet count", "10*9/L", 0, 150, 400, 98, 520), m("787-2", "Mean cell volume", "fL", 1, 800, 1000, 720, 1080),
			m("4544-3", "Haematocrit", "%", 1, 360, 500, 270, 540)}},
		kidney: {newCode(loinc, "24362-6", "Renal function panel"), []measure{
			m("2951-2", "Sodium", "mmol/L", 0, 133, 146, 126, 149), m("2823-3", "Potassium", "mmol/L", 1, 35, 53, 30, 60),
			m("22664-7", "Urea", "mmol/L", 1, 25, 78, 20, 196), m("14682-9", "Creatinine", "umol/L", 0, 50, 110, 42, 240),
			m("33914-3", "Estimated glomerular filtration rate", "mL/min/{1.73_m2}", 0, 60, 120, 18, 120)}},
		liver: {newCode(loinc, "24325-3", "Liver function panel"), []measure{
			m("1742-6", "Alanine aminotransferase", "U/L", 0, 5, 45, 6, 130), m("6768-6", "Alkaline phosphatase", "U/L", 0, 30, 130, 28, 260),
			m("14631-6", "Bilirubin", "umol/L", 0, 1, 21, 3, 48), m("1751-7", "Albumin", "g/L", 0, 35, 50, 26, 51)}},
		sugar: {newCode(loinc, "59261-8", "Haemoglobin A1c"), []measure{
			m("59261-8", "Haemoglobin A1c", "mmol/mol", 0, 20, 41, 30, 108)}},
		lipids: {newCode(loinc, "24331-1", "Lipid panel"), []measure{
			m("14647-2", "Cholesterol", "mmol/L", 1, 25, 50, 28, 82), m("14646-4", "HDL cholesterol", "mmol/L", 1, 10, 25, 7, 26),
			m("22748-8", "LDL cholesterol", "mmol/L", 1, 10, 30, 9, 56), m("14927-8", "Triglycerides", "mmol/L", 1, 5, 17, 5, 48)}},
		thyroid: {newCode(loinc, "24348-5", "Thyroid function panel"), []measure{
			m("3016-3", "Thyroid stimulating hormone", "m[IU]/L", 2, 27, 420, 5, 1240), m("14920-3", "Free thyroxine", "pmol/L", 1, 110, 220, 82, 260)}},
		inflammation: {newCode(loinc, "1988-5", "C reactive protein"), []measure{
			m("1988-5", "C reactive protein", "mg/L", 0, 0, 5, 1, 148)}},
		heartPanel: {newCode(loinc, "33762-6", "NT-proBNP"), []measure{
			m("33762-6", "NT-proBNP", "ng/L", 0, 0, 400, 80, 6200)}},
	}
}

// vitals are the kinds of vital signs.
type vitals struct {
	pressure, systolic, diastolic, pulse, breaths, oxygen, temperature, weight, height, bodyMassIndex measure
}

func bedsideVitals() vitals {
	m := func(value, display, unit string, places, low, high, least, most int) measure {
		return measure{newCode(loinc, value, display), unit, places, low, high, least, most}
	}
	return vitals{
		pressure: m("85354-9", "Blood pressure panel", "", 0, 0, 0, 0, 0),
		systolic: m("8480-6", "Systolic blood pressure", "mm[Hg]", 0, 90, 140, 96, 188), diastolic: m("8462-4", "Diastolic blood pressure", "mm[Hg]", 0, 60, 90, 54, 108),
		pulse: m("8867-4", "Heart rate", "/min", 0, 50, 100, 48, 124), breaths: m("9279-1", "Respiratory rate", "/min", 0, 12, 20, 11, 28),
		oxygen: m("2708-6", "Oxygen saturation", "%", 0, 94, 100, 89, 100), temperature: m("8310-5", "Body temperature", "Cel", 1, 360, 380, 355, 396),
		weight: m("29463-7", "Body weight", "kg", 1, 400, 1200, 450, 1260), height: m("8302-2", "Body height", "cm", 0, 100, 210, 148, 194),
		bodyMassIndex: m("39156-5", "Body mass index", "kg/m2", 1, 185, 250, 174, 412),
	}
}

// vaccine is a vaccine with the ages, in weeks, at which it is given.
type vaccine struct {
	code  code
	weeks []int
}

// childhoodSchedule returns the vaccines of the first 15 years of life.
func childhoodSchedule() []vaccine {
	year := 52
	return []vaccine{
		{newSNOMED("871895005", "Diphtheria, Haemophilus influenzae type b, hepatitis B, pertussis, polio and tetanus vaccine"), []int{8, 12, 16}},
		{newSNOMED("871761004", "Rotavirus vaccine"), []int{8, 12}},
		{newSNOMED("1981000221108", "Meningococcus serogroup B vaccine"), []int{8, 16, 53}},
		{newSNOMED("1119254000", "Pneumococcal 13-valent conjugate vaccine"), []int{12, 53}},
		{newSNOMED("871831003", "Measles, mumps and rubella vaccine"), []int{53, 3*year + 20}},
		{newSNOMED("871893003", "Diphtheria, pertussis, polio and tetanus vaccine"), []int{3*year + 20}},
		{newSNOMED("871768005", "Influenza vaccine, nasal"), []int{2*year + 40, 3*year + 40, 4*year + 40, 5*year + 40, 6*year + 40}},
		{newSNOMED("911000221103", "Human papillomavirus vaccine"), []int{12*year + 30}},
		{newSNOMED("871838009", "Low dose diphtheria, polio and tetanus vaccine"), []int{14 * year}},
		{newSNOMED("871873006", "Meningococcus A, C, W135 and Y vaccine"), []int{14 * year}},
	}
}
