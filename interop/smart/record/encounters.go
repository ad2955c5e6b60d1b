package record

import (
	"cmp"
	"context"
	"slices"

	"github.com/tidwall/gjson"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/store"
)

// Encounter is an encounter as a page shows one.
type Encounter struct {
	ID     string
	Start  string // a date, or empty
	Name   string // of its type, else the code of its class
	Status string
}

// mostScanned is how many encounters of a patient are compared for the newest ones.
const mostScanned = 2000

// Encounters returns the encounters of a Patient that the user may see, the newest first, at most most of them (SMART-149).
func (r *Record) Encounters(ctx context.Context, u User, patient string, most int) (list []Encounter, err error) {
	if !fhir.ValidID(patient) {
		return nil, nil
	}
	err = r.read(ctx, u, "Encounter", consent.PermitSearch, consent.NamedPatient{ID: patient}, func(v *consent.View) error {
		d, err := v.Get(ctx, store.Ref{Type: "Patient", ID: patient})
		if err != nil {
			return err
		}
		where, err := v.OwnedBy(ctx, d)
		if err != nil {
			return err
		}
		for d, err := range v.Scan(ctx, store.Query{Type: "Encounter", Where: where}) {
			if err != nil {
				return err
			}
			if list = append(list, encounterOf(d)); len(list) == mostScanned {
				break
			}
		}
		return nil
	})
	slices.SortStableFunc(list, func(a, b Encounter) int { return cmp.Or(cmp.Compare(b.Start, a.Start), cmp.Compare(a.ID, b.ID)) })
	return list[:min(len(list), most)], hidden(err)
}

func encounterOf(d store.Doc) Encounter {
	body := gjson.ParseBytes(d.Body)
	e := Encounter{ID: d.Ref.ID, Status: body.Get("status").Str, Start: body.Get("period.start").Str}
	if len(e.Start) > len("2006-01-02") {
		e.Start = e.Start[:len("2006-01-02")]
	}
	for _, path := range []string{"type.0.text", "type.0.coding.0.display", "class.display", "class.code"} {
		if e.Name = cmp.Or(e.Name, body.Get(path).Str); e.Name != "" {
			break
		}
	}
	return e
}
