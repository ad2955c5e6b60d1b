package synth

// findings are the codes that are used once each.
type findings struct {
	checkUp, problem, followUp, emergency, inpatient, outpatient code // kinds of encounters
	smoking                                                      code
	neverSmoked, formerSmoker, smoker                            code
	discharge, outpatientLetter, clinicalLetter, report          code // kinds of documents
	allergies                                                    []code
	influenza, corona, pneumococcal, shingles                    code
	talking, wound, termination                                  code // procedures
	plan, diabetesPlan, heartPlan, lungPlan, cancerPlan          code
	noAllergy                                                    code
}

func findingCodes() findings {
	return findings{
		checkUp: sct("185349003", "Encounter for check up"), problem: sct("185347001", "Encounter for problem"), followUp: sct("390906007", "Follow-up encounter"),
		emergency: sct("50849002", "Emergency room admission"), inpatient: sct("183452005", "Emergency hospital admission"), outpatient: sct("371883000", "Outpatient procedure"),
		smoking:     newCode(loinc, "72166-2", "Tobacco smoking status"),
		neverSmoked: sct("266919005", "Never smoked tobacco"), formerSmoker: sct("8517006", "Ex-smoker"), smoker: sct("77176002", "Smoker"),
		discharge: sct("373942005", "Discharge summary"), outpatientLetter: sct("823681000000100", "Outpatient letter"), clinicalLetter: sct("823691000000103", "Clinical letter"),
		report: sct("371531000", "Report of clinical encounter"),
		allergies: []code{sct("91936005", "Allergy to penicillin"), sct("91936005", "Allergy to penicillin"), sct("300916003", "Latex allergy"), sct("91935009", "Allergy to peanut"),
			sct("418689008", "Allergy to grass pollen"), sct("232347008", "Allergy to animal dander"), sct("300913006", "Shellfish allergy"), sct("232350006", "House dust mite allergy")},
		noAllergy: sct("716186003", "No known allergy"),
		influenza: sct("1181000221105", "Influenza vaccine"), corona: sct("1119349007", "COVID-19 mRNA vaccine"), pneumococcal: sct("981000221107", "Pneumococcal vaccine"),
		shingles: sct("2221000221107", "Live attenuated varicella-zoster vaccine"),
		talking:  sct("228557008", "Cognitive and behavioural therapy"), wound: sct("225358003", "Wound care"), termination: sct("714812005", "Induced termination of pregnancy"),
		plan: sct("734163000", "Care plan"), diabetesPlan: sct("698360004", "Diabetes self management plan"), heartPlan: sct("735984001", "Heart failure self management plan"),
		lungPlan: sct("412776001", "Chronic obstructive pulmonary disease clinical management plan"), cancerPlan: sct("395082007", "Cancer care plan"),
	}
}

// phrases returns sentences for letters.
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
