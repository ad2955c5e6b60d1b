package register

import (
	"context"
	"fmt"
	"reflect"

	"carerecord/store"
)

// Check compares the register with one that is rebuilt from a store. The error names the
// first difference. No commit may be under way.
func (r *Register) Check(ctx context.Context, s store.Store) error {
	fresh := New()
	if err := fresh.Load(ctx, s); err != nil {
		return err
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	for name, pair := range map[string][2]any{
		"statements":                    {r.statements, fresh.statements},
		"opt-outs":                      {r.optOut, fresh.optOut},
		"other directives":              {r.directive, fresh.directive},
		"restrictions":                  {r.restricted, fresh.restricted},
		"counts by identifier":          {r.identifierCount, fresh.identifierCount},
		"counts by Patient":             {r.patientCount, fresh.patientCount},
		"deleted Patients":              {r.deleted, fresh.deleted},
		"Patients of identifiers":       {r.patientsOf, fresh.patientsOf},
		"identifiers of Patients":       {r.identifiersOf, fresh.identifiersOf},
		"commits of unknown outcome":    {r.unknown, fresh.unknown},
		"Patients in in-flight commits": {r.inFlight, fresh.inFlight},
		"Patients to forget":            {r.forgetting, fresh.forgetting},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			return fmt.Errorf("the register differs from a rebuild in %s: it has %v, the store %v", name, pair[0], pair[1])
		}
	}
	return nil
}
