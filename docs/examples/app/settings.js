// What a vendor changes: the FHIR base of the record, and the ids under which the app is registered there.
// The demonstration serves this file with its own FHIR base.
const settings = {
  fhir: 'http://127.0.0.1:8080/fhir',
  patientApp: 'example-patient-app',
  staffApp: 'example-staff-app',
  redirect: 'index.html',
  // What both ask for. The person who signs in may allow less.
  scope: 'openid fhirUser patient/Patient.rs patient/Condition.rs patient/AllergyIntolerance.rs patient/MedicationRequest.rs patient/Medication.rs patient/Observation.rs',
}
