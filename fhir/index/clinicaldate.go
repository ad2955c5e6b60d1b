package index

import (
	"strings"

	"carerecord/store"
)

// dateParams lists, for each type with a clinical date, the date parameters that have it, in
// order of precedence: those of the date paths of owners.txt for which R4 has a parameter.
var dateParams = map[string]string{
	"Account": "period", "AdverseEvent": "date", "AllergyIntolerance": "onset date", "Appointment": "date", "AuditEvent": "date",
	"Basic": "created", "CarePlan": "date", "CareTeam": "date", "ChargeItem": "occurrence entered-date", "Claim": "created",
	"ClaimResponse": "created", "ClinicalImpression": "date", "Communication": "sent received", "CommunicationRequest": "authored occurrence",
	"Composition": "date", "Condition": "onset-date recorded-date", "Consent": "date", "CoverageEligibilityRequest": "created",
	"CoverageEligibilityResponse": "created", "DetectedIssue": "identified", "DeviceRequest": "authored-on event-date",
	"DiagnosticReport": "date issued", "DocumentManifest": "created", "DocumentReference": "date", "Encounter": "date",
	"EpisodeOfCare": "date", "ExplanationOfBenefit": "created", "FamilyMemberHistory": "date", "Flag": "date", "Goal": "start-date",
	"ImagingStudy": "started", "Immunization": "date", "ImmunizationEvaluation": "date", "ImmunizationRecommendation": "date",
	"Invoice": "date", "List": "date", "MeasureReport": "date period", "Media": "created", "MedicationAdministration": "effective-time",
	"MedicationDispense": "whenhandedover whenprepared", "MedicationRequest": "authoredon", "MedicationStatement": "effective",
	"NutritionOrder": "datetime", "Observation": "date", "Procedure": "date", "Provenance": "when recorded", "QuestionnaireResponse": "authored",
	"RequestGroup": "authored", "ResearchSubject": "date", "RiskAssessment": "date", "Schedule": "date", "ServiceRequest": "authored occurrence",
	"Specimen": "collected", "SupplyRequest": "date", "Task": "authored-on", "VisionPrescription": "datewritten",
}

// ClinicalDate returns the predicate of documents of a type whose clinical date is between two
// dates of any precision, both included. Each of them may be empty. A document without a clinical
// date satisfies it (OPER-011). The error is an *Error for a malformed date.
func (x *Indexer) ClinicalDate(typ, start, end string) (store.Pred, error) {
	if start == "" && end == "" {
		return store.And{}, nil
	}
	return x.firstDatePred(typ, strings.Fields(dateParams[typ]), start, end)
}

// firstDatePred tests the first of the parameters that has a value.
func (x *Indexer) firstDatePred(typ string, names []string, start, end string) (store.Pred, error) {
	if len(names) == 0 {
		return store.And{}, nil
	}
	between := store.And{}
	for _, bound := range [][2]string{{"ge", start}, {"le", end}} {
		if bound[1] == "" {
			continue
		}
		pred, err := x.Predicate(Query{Type: typ, Name: names[0], Values: []string{bound[0] + bound[1]}})
		if err != nil {
			return nil, err
		}
		between = append(between, pred)
	}
	missing, err := x.Predicate(Query{Type: typ, Name: names[0], Modifier: "missing", Values: []string{"true"}})
	if err != nil {
		return nil, err
	}
	rest, err := x.firstDatePred(typ, names[1:], start, end)
	return store.Or{between, store.And{missing, rest}}, err
}
