package synth

// Truth is one person with all Patients of it in a Region of the shape PatientPerSource.
type Truth struct {
	Person   int           `json:"person"`   // numbered from 0
	Numbers  []string      `json:"numbers"`  // the NHS number, and then the one that it superseded, if any
	Patients []TruePatient `json:"patients"` // those of the patient index first
}

// TruePatient is one Patient with the state that a server must derive for it (IDN-102 to IDN-105).
type TruePatient struct {
	Source string        `json:"source"` // ODS code
	ID     string        `json:"id"`
	State  IdentityState `json:"state"`
	Reason Reason        `json:"reason,omitempty"` // of NotJoined
	Number string        `json:"number,omitempty"` // NHS number of the Patient, whether it counts or not
}

// IdentityState is the state of a Patient.
type IdentityState string

// The states of a Patient.
const (
	Joined       IdentityState = "joined"
	NotJoined    IdentityState = "not joined"
	Contradicted IdentityState = "contradicted" // the patient index has another birth date for the number
)

// Reason is the reason why a Patient is not joined.
type Reason string

// The reasons, in the order in which they are tested.
const (
	NoNumber          Reason = "no number"
	UntracedSource    Reason = "untraced source"
	NumberNotVerified Reason = "number not verified" // its verification status is not 01
)
