package synth

// medicine is a virtual medicinal product with its dosage instruction.
type medicine struct {
	code code
	dose string
}

// Indexes of formulary().
const (
	ramipril = iota
	lisinopril
	losartan
	amlodipine
	bisoprolol
	furosemide
	spironolactone
	metformin
	simvastatin
	aspirin
	apixaban
	omeprazole
	paracetamol
	ibuprofen
	salbutamol
	prednisolone
	diazepam
	morphine
	amoxicillin
	clarithromycin
	sertraline
	levothyroxine
	emollient
)

// formulary returns the medicines that are prescribed. The last three have only a text.
func formulary() []medicine {
	d := func(value, display, dose string) medicine { return medicine{newCode(dmd, value, display), dose} }
	return []medicine{
		ramipril:       d("318902004", "Ramipril 5mg capsules", "One capsule daily"),
		lisinopril:     d("318859000", "Lisinopril 10mg tablets", "One tablet daily"),
		losartan:       d("318956006", "Losartan 50mg tablets", "One tablet daily"),
		amlodipine:     d("319283006", "Amlodipine 5mg tablets", "One tablet daily"),
		bisoprolol:     d("318590006", "Bisoprolol 5mg tablets", "One tablet daily"),
		furosemide:     d("317972000", "Furosemide 40mg tablets", "One tablet in the morning"),
		spironolactone: d("318056008", "Spironolactone 25mg tablets", "One tablet daily"),
		metformin:      d("325278007", "Metformin 500mg tablets", "One tablet twice a day with food"),
		simvastatin:    d("319996000", "Simvastatin 10mg tablets", "One tablet at night"),
		aspirin:        d("319775004", "Aspirin 75mg tablets", "One tablet daily"),
		apixaban:       d("42206511000001102", "Apixaban 5mg tablets", "One tablet twice a day"),
		omeprazole:     d("317291008", "Omeprazole 20mg gastro-resistant capsules", "One capsule daily"),
		paracetamol:    d("322236009", "Paracetamol 500mg tablets", "Two tablets up to four times a day"),
		ibuprofen:      d("329652003", "Ibuprofen 200mg tablets", "One tablet three times a day with food"),
		salbutamol:     d("39113611000001102", "Salbutamol 100micrograms/dose inhaler CFC free", "Two puffs when needed"),
		prednisolone:   d("325426006", "Prednisolone 1mg tablets", "Three tablets daily"),
		diazepam:       d("321196004", "Diazepam 2mg tablets", "One tablet at night when needed"),
		morphine:       d("36126511000001106", "Morphine 10mg modified-release tablets", "One tablet twice a day"),
		amoxicillin:    d("39732411000001106", "Amoxicillin 500mg capsules", "One capsule three times a day for seven days"),
		clarithromycin: d("41946511000001109", "Clarithromycin 500mg tablets", "One tablet twice a day for seven days"),
		sertraline:     {newCode("", "", "Sertraline 50mg tablets"), "One tablet daily"},
		levothyroxine:  {newCode("", "", "Levothyroxine sodium 50microgram tablets"), "One tablet before breakfast"},
		emollient:      {newCode("", "", "Emollient cream 500 g"), "Apply when needed"},
	}
}
