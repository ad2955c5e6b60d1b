package synth

// codeTable has the codes that are used by name.
type codeTable struct {
	checkUp, problem, followUp, emergency, inpatient, outpatient code // kinds of encounters
	smoking                                                      code
	neverSmoked, formerSmoker, smoker                            code
	discharge, outpatientLetter, clinicalLetter, report          code // kinds of documents
	allergies                                                    []code
	influenza, covid, pneumococcal, shingles                     code
	talkingTherapy, woundCare, termination                       code // procedures
	plan, diabetesPlan, heartPlan, lungPlan, cancerPlan          code
	noAllergy                                                    code
}

func newCodeTable() codeTable {
	return codeTable{
		checkUp: newSNOMED("185349003", "Encounter for check up"), problem: newSNOMED("185347001", "Encounter for problem"), followUp: newSNOMED("390906007", "Follow-up encounter"),
		emergency: newSNOMED("50849002", "Emergency room admission"), inpatient: newSNOMED("183452005", "Emergency hospital admission"), outpatient: newSNOMED("371883000", "Outpatient procedure"),
		smoking:     newCode(loinc, "72166-2", "Tobacco smoking status"),
		neverSmoked: newSNOMED("266919005", "Never smoked tobacco"), formerSmoker: newSNOMED("8517006", "Ex-smoker"), smoker: newSNOMED("77176002", "Smoker"),
		discharge: newSNOMED("373942005", "Discharge summary"), outpatientLetter: newSNOMED("823681000000100", "Outpatient letter"), clinicalLetter: newSNOMED("823691000000103", "Clinical letter"),
		report: newSNOMED("371531000", "Report of clinical encounter"),
		allergies: []code{newSNOMED("91936005", "Allergy to penicillin"), newSNOMED("91936005", "Allergy to penicillin"), newSNOMED("300916003", "Latex allergy"), newSNOMED("91935009", "Allergy to peanut"),
			newSNOMED("418689008", "Allergy to grass pollen"), newSNOMED("232347008", "Allergy to animal dander"), newSNOMED("300913006", "Shellfish allergy"), newSNOMED("232350006", "House dust mite allergy")},
		noAllergy: newSNOMED("716186003", "No known allergy"),
		influenza: newSNOMED("1181000221105", "Influenza vaccine"), covid: newSNOMED("1119349007", "COVID-19 mRNA vaccine"), pneumococcal: newSNOMED("981000221107", "Pneumococcal vaccine"),
		shingles:       newSNOMED("2221000221107", "Live attenuated varicella-zoster vaccine"),
		talkingTherapy: newSNOMED("228557008", "Cognitive and behavioural therapy"), woundCare: newSNOMED("225358003", "Wound care"), termination: newSNOMED("714812005", "Induced termination of pregnancy"),
		plan: newSNOMED("734163000", "Care plan"), diabetesPlan: newSNOMED("698360004", "Diabetes self management plan"), heartPlan: newSNOMED("735984001", "Heart failure self management plan"),
		lungPlan: newSNOMED("412776001", "Chronic obstructive pulmonary disease clinical management plan"), cancerPlan: newSNOMED("395082007", "Cancer care plan"),
	}
}

// phrases returns sentences from which letters are made.
func phrases() []string {
	return []string{
		"Thank you for referring this patient, who was seen in clinic today. ",
		"The patient reports feeling well and is managing at home. ",
		"Examination was unremarkable. Chest clear, heart sounds normal, abdomen soft. ",
		"Blood pressure and pulse were recorded and are within the expected range. ",
		"Medication was reviewed and no changes were made. Please continue the repeat prescription. ",
		"We have arranged blood tests and will write with the results. ",
		"The patient was advised about diet, exercise and smoking, and was given written information. ",
		"There were no complications during the stay and the wound is healing well. ",
		"A follow-up appointment has been offered in three months. ",
		"Please repeat renal function and electrolytes in two weeks and adjust treatment accordingly. ",
		"Care was discussed with the family, who agree with the plan. ",
		"Should symptoms return, please refer back at any time. ",
	}
}
