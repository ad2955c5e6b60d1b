package synth

// The age bands, on which frequencies depend.
const (
	child   = iota // below 18
	young          // 18 to 39
	middle         // 40 to 64
	old            // 65 to 79
	veryOld        // 80 and above
	bands
)

func bandOf(age int) int {
	switch {
	case age < 18:
		return child
	case age < 40:
		return young
	case age < 65:
		return middle
	case age < 80:
		return old
	}
	return veryOld
}

// illness is a chronic illness.
type illness struct {
	code              code
	per1000           [bands]int
	sex               byte // f, m or 0 for both
	drugs             []int
	panels            []int
	visits            int    // visits at the practice in a year
	mentalHealthShare int    // percentage of the patients who see the mental-health trust
	label             string // sensitivity label; empty for none
}

// dementia is the code of an illness on which care depends.
const dementia = "52448006"

func chronicIllnesses() []illness {
	return []illness{
		{code: newSNOMED("38341003", "Hypertensive disorder"), per1000: [bands]int{0, 15, 200, 500, 620}, drugs: []int{ramipril, amlodipine}, panels: []int{kidney}, visits: 1},
		{code: newSNOMED("44054006", "Diabetes mellitus type 2"), per1000: [bands]int{0, 8, 75, 160, 170}, drugs: []int{metformin, simvastatin}, panels: []int{sugar, lipids, kidney}, visits: 2},
		{code: newSNOMED("195967001", "Asthma"), per1000: [bands]int{90, 90, 75, 70, 60}, drugs: []int{salbutamol}, visits: 1},
		{code: newSNOMED("13645005", "Chronic obstructive pulmonary disease"), per1000: [bands]int{0, 0, 25, 80, 90}, drugs: []int{salbutamol}, panels: []int{bloodCount}, visits: 2},
		{code: newSNOMED("84114007", "Heart failure"), per1000: [bands]int{0, 0, 8, 50, 140}, drugs: []int{furosemide, spironolactone}, panels: []int{heartPanel, kidney}, visits: 2},
		{code: newSNOMED("49436004", "Atrial fibrillation"), per1000: [bands]int{0, 1, 12, 70, 160}, drugs: []int{apixaban, bisoprolol}, panels: []int{kidney}, visits: 1},
		{code: newSNOMED("53741008", "Coronary arteriosclerosis"), per1000: [bands]int{0, 0, 30, 120, 190}, drugs: []int{aspirin, simvastatin, bisoprolol}, panels: []int{lipids}, visits: 1},
		{code: newSNOMED("230690007", "Cerebrovascular accident"), per1000: [bands]int{0, 1, 10, 50, 110}, drugs: []int{aspirin}, visits: 1},
		{code: newSNOMED("709044004", "Chronic kidney disease"), per1000: [bands]int{0, 1, 30, 180, 380}, drugs: []int{losartan}, panels: []int{kidney}, visits: 1},
		{code: newSNOMED("40930008", "Hypothyroidism"), per1000: [bands]int{1, 12, 40, 70, 90}, drugs: []int{levothyroxine}, panels: []int{thyroid}, visits: 1},
		{code: newSNOMED("396275006", "Osteoarthritis"), per1000: [bands]int{0, 5, 90, 250, 380}, drugs: []int{paracetamol}, visits: 1},
		{code: newSNOMED("64859006", "Osteoporosis"), per1000: [bands]int{0, 0, 15, 80, 160}, visits: 1},
		{code: newSNOMED("55822004", "Hyperlipidaemia"), per1000: [bands]int{0, 10, 120, 250, 230}, drugs: []int{simvastatin}, panels: []int{lipids, liver}},
		{code: newSNOMED("35489007", "Depressive disorder"), per1000: [bands]int{5, 110, 140, 90, 80}, drugs: []int{sertraline}, visits: 1, mentalHealthShare: 40},
		{code: newSNOMED("197480006", "Anxiety disorder"), per1000: [bands]int{10, 90, 80, 50, 40}, visits: 1, mentalHealthShare: 35},
		{code: newSNOMED(dementia, "Dementia"), per1000: [bands]int{0, 0, 2, 35, 170}, visits: 1, mentalHealthShare: 40},
		{code: newSNOMED("84757009", "Epilepsy"), per1000: [bands]int{6, 8, 9, 12, 14}, visits: 1},
		{code: newSNOMED("37796009", "Migraine"), per1000: [bands]int{15, 80, 80, 30, 10}, drugs: []int{ibuprofen}},
		{code: newSNOMED("90560007", "Gout"), per1000: [bands]int{0, 3, 25, 60, 70}},
		{code: newSNOMED("69896004", "Rheumatoid arthritis"), per1000: [bands]int{0, 3, 10, 18, 18}, drugs: []int{prednisolone}, panels: []int{inflammation, bloodCount, liver}, visits: 2},
		{code: newSNOMED("235595009", "Gastro-oesophageal reflux disease"), per1000: [bands]int{2, 40, 110, 160, 170}, drugs: []int{omeprazole}},
		{code: newSNOMED("24079001", "Atopic dermatitis"), per1000: [bands]int{110, 50, 35, 30, 30}, drugs: []int{emollient}},
		{code: newSNOMED("271737000", "Anaemia"), per1000: [bands]int{5, 15, 25, 45, 90}, panels: []int{bloodCount}},
		{code: newSNOMED("193570009", "Cataract"), per1000: [bands]int{0, 0, 10, 120, 300}},
		{code: newSNOMED("254837009", "Malignant tumour of breast"), per1000: [bands]int{0, 1, 18, 45, 50}, sex: 'f', panels: []int{bloodCount, liver}, visits: 1},
		{code: newSNOMED("399068003", "Malignant tumour of prostate"), per1000: [bands]int{0, 0, 8, 60, 110}, sex: 'm', panels: []int{bloodCount}, visits: 1},
		{code: newSNOMED("363406005", "Malignant tumour of colon"), per1000: [bands]int{0, 0, 4, 15, 22}, drugs: []int{morphine}, panels: []int{bloodCount, liver}, visits: 1},
		{code: newSNOMED("58214004", "Schizophrenia"), per1000: [bands]int{0, 5, 7, 6, 4}, panels: []int{bloodCount}, visits: 1, mentalHealthShare: 100, label: "PSY"},
		{code: newSNOMED("13746004", "Bipolar disorder"), per1000: [bands]int{0, 6, 9, 7, 4}, panels: []int{thyroid}, visits: 1, mentalHealthShare: 100, label: "PSY"},
		{code: newSNOMED("47505003", "Posttraumatic stress disorder"), per1000: [bands]int{1, 10, 10, 5, 2}, drugs: []int{sertraline}, mentalHealthShare: 60, label: "MH"},
		{code: newSNOMED("86406008", "Human immunodeficiency virus infection"), per1000: [bands]int{0, 2, 3, 1, 0}, panels: []int{bloodCount}, visits: 1, label: "HIV"},
		{code: newSNOMED("66590003", "Alcohol dependence"), per1000: [bands]int{0, 14, 24, 12, 2}, panels: []int{liver}, visits: 2, mentalHealthShare: 30, label: "ETHUD"},
		{code: newSNOMED("75544000", "Opioid dependence"), per1000: [bands]int{0, 7, 6, 1, 0}, visits: 2, mentalHealthShare: 40, label: "OPIOIDUD"},
		{code: newSNOMED("91388009", "Psychoactive substance abuse"), per1000: [bands]int{1, 8, 4, 0, 0}, mentalHealthShare: 30, label: "SUD"},
		{code: newSNOMED("93461009", "Gender dysphoria"), per1000: [bands]int{1, 4, 1, 0, 0}, label: "GDIS"},
	}
}

// acuteIllness is an illness that ends.
type acuteIllness struct {
	code   code
	weight [bands]int
	days   int
	drug   int // -1 for none
	label  string
}

func acuteIllnesses() []acuteIllness {
	return []acuteIllness{
		{newSNOMED("54150009", "Upper respiratory infection"), [bands]int{30, 12, 10, 8, 6}, 9, -1, ""},
		{newSNOMED("65363002", "Otitis media"), [bands]int{14, 2, 1, 1, 0}, 7, amoxicillin, ""},
		{newSNOMED("43878008", "Streptococcal sore throat"), [bands]int{9, 5, 2, 1, 0}, 7, amoxicillin, ""},
		{newSNOMED("25374005", "Gastroenteritis"), [bands]int{9, 5, 4, 4, 4}, 4, -1, ""},
		{newSNOMED("9826008", "Conjunctivitis"), [bands]int{8, 3, 3, 3, 4}, 6, -1, ""},
		{newSNOMED("38907003", "Varicella"), [bands]int{6, 1, 0, 0, 0}, 10, -1, ""},
		{newSNOMED("10509002", "Acute bronchitis"), [bands]int{5, 4, 7, 12, 14}, 18, amoxicillin, ""},
		{newSNOMED("233604007", "Pneumonia"), [bands]int{1, 1, 1, 4, 8}, 28, clarithromycin, ""},
		{newSNOMED("840539006", "Disease caused by SARS-CoV-2"), [bands]int{2, 5, 5, 4, 4}, 12, -1, ""},
		{newSNOMED("68566005", "Urinary tract infection"), [bands]int{3, 9, 8, 12, 18}, 7, amoxicillin, ""},
		{newSNOMED("128045006", "Cellulitis"), [bands]int{1, 2, 3, 6, 8}, 12, clarithromycin, ""},
		{newSNOMED("279039007", "Low back pain"), [bands]int{1, 14, 20, 14, 9}, 42, ibuprofen, ""},
		{newSNOMED("44465007", "Sprain of ankle"), [bands]int{5, 6, 4, 2, 1}, 30, ibuprofen, ""},
		{newSNOMED("444814009", "Viral sinusitis"), [bands]int{4, 8, 7, 4, 2}, 14, -1, ""},
		{newSNOMED("15628003", "Gonorrhoea"), [bands]int{0, 1, 0, 0, 0}, 14, -1, "STD"},
		{newSNOMED("240589008", "Chlamydia trachomatis infection"), [bands]int{0, 2, 1, 0, 0}, 14, -1, "STD"},
	}
}

// operation is a procedure during an inpatient stay.
type operation struct {
	code       code
	minimumAge int // in years
	sex        byte
}

func operations() []operation {
	return []operation{
		{newSNOMED("80146002", "Appendicectomy"), 5, 0}, {newSNOMED("11466000", "Caesarean section"), 200, 'f'}, {newSNOMED("73761001", "Colonoscopy"), 35, 0},
		{newSNOMED("38102005", "Cholecystectomy"), 25, 0}, {newSNOMED("52734007", "Total replacement of hip"), 60, 0}, {newSNOMED("609588000", "Total replacement of knee joint"), 60, 0},
		{newSNOMED("54885007", "Extraction of cataract"), 60, 0}, {newSNOMED("40701008", "Echocardiography"), 40, 0}, {newSNOMED("399208008", "Plain chest X-ray"), 0, 0},
	}
}
