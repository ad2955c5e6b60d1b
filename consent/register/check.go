package register

import (
	"context"
	"fmt"
	"reflect"

	"carerecord/store"
)

// Check compares the register with one that is rebuilt from a store. The error names the
// first difference. No commit may be in flight.
func (r *Register) Check(ctx context.Context, s store.Store) error {
	rebuilt := New(r.connects, r.isIndexTie)
	if err := rebuilt.Load(ctx, s); err != nil {
		return err
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	for name, pair := range map[string][2]any{
		"statements":                    {r.statements, rebuilt.statements},
		"opt-outs":                      {r.optOut, rebuilt.optOut},
		"other directives":              {r.directive, rebuilt.directive},
		"restrictions":                  {r.restricted, rebuilt.restricted},
		"counts by identifier":          {r.identifierCount, rebuilt.identifierCount},
		"counts by Patient":             {r.patientCount, rebuilt.patientCount},
		"deleted Patients":              {r.deleted, rebuilt.deleted},
		"commits of unknown outcome":    {r.unknown, rebuilt.unknown},
		"Patients in in-flight commits": {r.inFlight, rebuilt.inFlight},
		"Patients to forget":            {r.forgetting, rebuilt.forgetting},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			return fmt.Errorf("the register differs from a rebuild in %s: it has %v, the store %v", name, pair[0], pair[1])
		}
	}
	return r.checkLinks(rebuilt)
}

// checkLinks requires all links of a rebuild, and that the others change no decision.
func (r *Register) checkLinks(rebuilt *Register) error {
	for name, patients := range rebuilt.patientsOf {
		for patient, committed := range patients {
			if has, linked := r.patientsOf[name][patient]; !linked || has != committed || r.identifiersOf[patient][name] != committed {
				return fmt.Errorf("the register does not link Patient/%s to an identifier as a rebuild does", patient)
			}
		}
	}
	for name, patients := range r.patientsOf {
		for patient := range patients {
			for _, of := range []string{name, patient} {
				if got, want := r.inForceLocked(of), rebuilt.inForceLocked(of); !reflect.DeepEqual(got, want) {
					return fmt.Errorf("the register decides otherwise than a rebuild about a name of Patient/%s: %+v, want %+v", patient, got, want)
				}
			}
		}
	}
	return nil
}
