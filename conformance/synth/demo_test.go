package synth_test

import (
	"testing"
	"time"

	"carerecord/conformance/synth"
)

// TestDemoPerson: IDN-161: the sample person has joined Patients of the patient index, the practice and
// the acute trust, and a birth date, without which the patient cannot sign in (IDN-131).
func TestDemoPerson(t *testing.T) {
	p := synth.DemoPerson()
	if _, err := time.Parse(time.DateOnly, p.BirthDate); err != nil || len(p.NHSNumber) != 10 {
		t.Errorf("got number %q and birth date %q", p.NHSNumber, p.BirthDate)
	}
	sources := map[string]bool{}
	for _, own := range p.Patients {
		sources[own.Source] = own.Number == p.NHSNumber && own.State == synth.Joined
	}
	if !sources[synth.PatientIndex().ODS] || !sources[synth.Practice] || !sources[synth.Acute] || p.Patients[0].Source != synth.PatientIndex().ODS {
		t.Errorf("got %+v, want joined Patients of the index first, the practice and the trust", p.Patients)
	}
}
