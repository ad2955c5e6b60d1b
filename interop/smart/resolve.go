package smart

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"carerecord/consent/policy"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/launch"
	"carerecord/interop/smart/record"
	"carerecord/store"
)

// resolveLaunch checks a launch as its user sees the record, in each role that the user has at the launcher's organisation, and names
// the patient of an NHS number (SMART-127, 129).
func resolveLaunch(ctx context.Context, f *policy.Folder, reader *record.Record, l *launch.Launch, client *clients.Client) error {
	person, ok := f.Person(l.User)
	purpose := cmp.Or(l.Purpose, person.DefaultPurpose())
	roles := slices.DeleteFunc(person.AllRoles(), func(r policy.RoleAt) bool {
		in, _ := person.As(r)
		return r.Organisation != l.Organisation || !f.PermitsPurpose(in, purpose)
	})
	if _, ods := f.Organisation(l.Tenant); ods {
		return fmt.Errorf("%w: the tenant is an ODS code", launch.ErrInconsistent)
	}
	if !ok || len(roles) == 0 {
		return fmt.Errorf("%w: the user is not one of the launcher's organisation, or has no role for the purpose", launch.ErrInconsistent)
	}
	for _, r := range roles {
		in, _ := person.As(r)
		if err := resolveFor(ctx, reader, record.User{Person: in, Client: client, Purpose: purpose}, l); err != nil {
			return err
		}
	}
	return nil
}

// resolveFor checks a launch as a user in one role sees the record.
func resolveFor(ctx context.Context, reader *record.Record, u record.User, l *launch.Launch) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{launch.ErrInconsistent}, args...)...)
	}
	if l.Patient == "" && l.Number != "" {
		found, many, err := reader.Search(ctx, u, record.Criteria{Number: l.Number}, 1)
		if err != nil {
			return err
		}
		if many || len(found) != 1 {
			return refuse("the NHS number names no person whom the user sees, or several")
		}
		l.Patient = found[0].ID
	}
	if l.Patient != "" {
		patient, err := reader.Visible(ctx, u, l.Patient)
		if err != nil {
			return err
		}
		if patient.ID == "" {
			return refuse("the patient is not visible to the user")
		}
		l.Person = patient.Key
	}
	if l.Encounter != "" {
		is, err := reader.EncounterOf(ctx, u, l.Encounter, l.Person)
		if err != nil {
			return err
		}
		if !is || l.Person == "" {
			return refuse("the encounter is not the patient's")
		}
	}
	return resolveContext(ctx, reader, u, l.FHIR, refuse)
}

// resolveContext checks that the user sees what each reference of fhirContext names (SMART-127).
func resolveContext(ctx context.Context, reader *record.Record, u record.User, raw json.RawMessage, refuse func(string, ...any) error) error {
	if len(raw) == 0 {
		return nil
	}
	var list []struct{ Reference string }
	if err := json.Unmarshal(raw, &list); err != nil {
		return refuse("fhirContext cannot be read")
	}
	for i, one := range list {
		if one.Reference == "" {
			continue
		}
		typ, id, _ := strings.Cut(one.Reference, "/")
		sees, err := reader.Sees(ctx, u, store.Ref{Type: typ, ID: id})
		if err != nil {
			return err
		}
		if !sees {
			return refuse("reference %d of fhirContext is not visible to the user", i)
		}
	}
	return nil
}
