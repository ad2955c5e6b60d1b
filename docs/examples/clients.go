package examples

import (
	"encoding/json"

	"carerecord/interop/smart/clients"
)

// The ids of the clients of the examples. app/settings.js has those of the app.
const (
	PatientApp = "example-patient-app" // the app, for patients
	StaffApp   = "example-staff-app"   // the app, for staff: by an EHR or standalone
	EHRClient  = "example-ehr"
)

// Clients returns the registrations of the examples, whose site has an address without a slash at its end. organisation is that of
// the EHR, and keys the JWK set of its public key.
func Clients(site, organisation string, keys json.RawMessage) []clients.Client {
	const record = "patient/Patient.rs patient/Condition.rs patient/AllergyIntolerance.rs patient/MedicationRequest.rs patient/Medication.rs patient/Observation.rs"
	app := func(id, name, audience, purpose, scopes string) clients.Client {
		return clients.Client{ID: id, Name: name, Publisher: "carerecord examples", Kind: clients.Public, Audience: []string{audience}, Purposes: []string{purpose}, Scopes: scopes,
			RedirectURIs: []string{site + BackPath}, Origins: []string{site}}
	}
	patient := app(PatientApp, "Example app", clients.ForPatients, "PATRQT", record)
	patient.Offline = true
	staff := app(StaffApp, "Example app for staff", clients.ForClinicians, "TREAT", record)
	staff.LaunchURLs = []string{site + LaunchPath}
	launcher := clients.Client{ID: EHRClient, Name: "Example EHR", Kind: clients.Backend, Organisation: organisation, Purposes: []string{"TREAT"}, Rights: []string{clients.RightLaunch}, Keys: keys}
	return []clients.Client{patient, staff, launcher}
}
