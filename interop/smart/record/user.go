package record

import (
	"context"
	"errors"
	"fmt"

	"github.com/tidwall/gjson"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/fhir/index"
	"carerecord/store"
)

// sdsUserID is the system of the numbers of staff (SMART-441).
const sdsUserID = "https://fhir.nhs.uk/Id/sds-user-id"

// ErrSeveral: several resources claim to be the user. None of them is picked (SMART-443).
var ErrSeveral = errors.New("several Practitioners have the number of the user")

// Self is the resource that is the user. The zero Self is none.
type Self struct {
	Ref  string // relative reference
	Name string // in one line; may be empty
}

// Self returns the resource that is the user (SMART-383): the zero Self for one who has none that the user may see (SMART-384),
// ErrSeveral for several. own is the Patient of a patient.
func (r *Record) Self(ctx context.Context, u User, own Patient) (Self, error) {
	if u.Person.Kind == policy.KindPatient {
		if own.ID == "" {
			return Self{}, nil
		}
		return Self{"Patient/" + own.ID, own.Name}, nil
	}
	where, err := r.Guard.Index().Predicate(index.Query{Type: "Practitioner", Name: "identifier", Values: []string{sdsUserID + "|" + index.Escape(u.Person.Subject)}})
	if err != nil {
		return Self{}, fmt.Errorf("find a Practitioner: %w", err)
	}
	var found []Self
	err = r.read(ctx, u, "Practitioner", consent.PermitSearch, consent.NamedPatient{}, func(v *consent.View) error {
		for d, err := range v.Scan(ctx, store.Query{Type: "Practitioner", Where: where}) {
			if err != nil {
				return err
			}
			found = append(found, Self{"Practitioner/" + d.Ref.ID, nameOf(gjson.GetBytes(d.Body, "name"))})
		}
		return nil
	})
	switch {
	case err != nil || len(found) == 0:
		return Self{}, hidden(err)
	case len(found) > 1:
		return Self{}, ErrSeveral
	}
	return found[0], nil
}
