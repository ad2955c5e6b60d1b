// Package record reads from the record what an authorization needs to know: the patient who signs in, the patients that a
// member of staff may choose, the encounter of a launch, and who a user is as a resource. Every read goes through the guard as the
// user, so an authorization knows of nobody whom its user may not see.
package record

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/fhir/r4"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/resource"
	"carerecord/store"
)

// Record reads as the user of an authorization. It is safe for concurrent use.
type Record struct {
	Guard    *consent.Guard
	Verifier *resource.Verifier
	// Closed returns why nothing of the record may be shown now, such as a restore that nobody has confirmed, as store.ErrUnavailable; nil
	// where it may. A nil Closed is always open.
	Closed func() error
}

// User is who reads, and with which client.
type User struct {
	Person  policy.Person
	Client  *clients.Client
	Purpose string
}

// Patient is a patient as a page shows one. The zero Patient is nobody.
type Patient struct {
	ID, Key   string // Key is the person key, which must not leave the server
	Name      string
	BirthDate string
	Number    string // NHS number; empty for none
}

// principal returns the Principal of the user, for reads.
func (r *Record) principal(ctx context.Context, u User) (consent.Principal, error) {
	if r.Closed != nil {
		if err := r.Closed(); err != nil {
			return consent.Principal{}, err
		}
	}
	g := grants.Grant{User: u.Person.User, Client: u.Client.ID, Organisation: u.Person.Organisation, Role: u.Person.Role, Purpose: u.Purpose,
		Scopes: "user/*.rs"}
	return r.Verifier.Principal(ctx, &grants.Active{Grant: g, Client: u.Client}, "")
}

// read calls f with a View of the user, for a type and the patient whom the request names. A refusal of the guard is
// consent.Refusal.
func (r *Record) read(ctx context.Context, u User, typ string, permission consent.Permission, named consent.NamedPatient, f func(*consent.View) error) error {
	p, err := r.principal(ctx, u)
	if err != nil {
		return err
	}
	interaction := consent.Read
	if permission == consent.PermitSearch {
		interaction = consent.Search
	}
	return r.Guard.Read(ctx, p, consent.Request{Interaction: interaction, Type: typ, Permission: permission, Named: named}, f)
}

// Own returns the lead Patient of a patient who signs in; the zero Patient if there is none, or if it is withheld (SMART-142,
// 147).
func (r *Record) Own(ctx context.Context, u User) (Patient, error) {
	p, err := r.principal(ctx, u)
	if err != nil || p.Patient == "" {
		return Patient{}, err
	}
	return r.Visible(ctx, u, p.Patient)
}

// Visible returns a Patient that the user may see; the zero Patient for any other.
func (r *Record) Visible(ctx context.Context, u User, id string) (out Patient, err error) {
	if !fhir.ValidID(id) {
		return Patient{}, nil
	}
	err = r.read(ctx, u, "Patient", consent.PermitRead, consent.NamedPatient{ID: id}, func(v *consent.View) error {
		d, err := v.Get(ctx, store.Ref{Type: "Patient", ID: id})
		if err == nil && !d.Deleted() {
			out = patientOf(v, d)
		}
		return err
	})
	return out, hidden(err)
}

// PatientOf returns a Patient of a person, by person key, that the user may see: the one with an id if it is one, else the lead.
// It returns "" for none.
func (r *Record) PatientOf(ctx context.Context, u User, id, person string) (out string, err error) {
	err = r.read(ctx, u, "Patient", consent.PermitSearch, consent.NamedPatient{}, func(v *consent.View) error {
		p, err := v.PersonByKey(ctx, person)
		if err != nil || p == nil {
			return err
		}
		out = p.Patients[0].Ref.ID
		if slices.ContainsFunc(p.Patients, func(d store.Doc) bool { return d.Ref.ID == id }) {
			out = id
		}
		return nil
	})
	return out, hidden(err)
}

// hidden returns nil for errors that say that there is nothing for the user.
func hidden(err error) error {
	if _, refused := consent.AsRefusal(err); refused || errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

func patientOf(v *consent.View, d store.Doc) Patient {
	body := gjson.ParseBytes(d.Body)
	p := Patient{ID: d.Ref.ID, Key: v.PersonKeyOf(d), BirthDate: body.Get("birthDate").Str, Name: nameOf(body.Get("name"))}
	body.Get("identifier").ForEach(func(_, one gjson.Result) bool {
		if one.Get("system").Str == fhir.NHSNumberSystem && p.Number == "" {
			p.Number = one.Get("value").Str
		}
		return true
	})
	return p
}

// nameOf returns the official or first name in one line.
func nameOf(names gjson.Result) string {
	list := names.Array()
	if len(list) == 0 {
		return ""
	}
	best := list[0]
	if i := slices.IndexFunc(list, func(n gjson.Result) bool { return n.Get("use").Str == "official" }); i >= 0 {
		best = list[i]
	}
	if text := best.Get("text").Str; text != "" {
		return text
	}
	var parts []string
	for _, part := range append(best.Get("given").Array(), best.Get("family")) {
		if part.Str != "" {
			parts = append(parts, part.Str)
		}
	}
	return strings.Join(parts, " ")
}

// Criteria are those of a search for patients (SMART-144): a number, or a family name with a birth date.
type Criteria struct{ Number, Family, BirthDate string }

// Search returns the patients that satisfy the criteria and that the user may see, each person once, at most most of them;
// many reports that there are more.
func (r *Record) Search(ctx context.Context, u User, c Criteria, most int) (found []Patient, many bool, err error) {
	named := consent.NamedPatient{}
	var conditions []index.Query
	if c.Number != "" {
		conditions = []index.Query{{Type: "Patient", Name: "identifier", Values: []string{fhir.NHSNumberSystem + "|" + c.Number}}}
	} else {
		conditions = []index.Query{{Type: "Patient", Name: "family", Values: []string{index.Escape(c.Family)}}, {Type: "Patient", Name: "birthdate", Values: []string{c.BirthDate}}}
	}
	var where store.And
	for _, q := range conditions {
		p, err := r.Guard.Index().Predicate(q)
		if err != nil {
			return nil, false, fmt.Errorf("search for a patient: %w", err)
		}
		where = append(where, p)
	}
	if c.Number != "" {
		named = consent.NamedPatient{Where: where[0], System: fhir.NHSNumberSystem, Value: c.Number}
	}
	err = r.read(ctx, u, "Patient", consent.PermitSearch, named, func(v *consent.View) error {
		best := map[string]store.Doc{}
		var order []string
		for d, err := range v.Scan(ctx, store.Query{Type: "Patient", Where: where}) {
			if err != nil {
				return err
			}
			group, err := v.GroupOf(ctx, v.PersonKeyOf(d))
			if err != nil {
				return err
			}
			key := group[0]
			if have, ok := best[key]; !ok || v.Prefers(d, have) {
				best[key] = d
				if !ok {
					order = append(order, key)
				}
			}
			if len(order) > most {
				many = true
				return nil
			}
		}
		for _, key := range order {
			found = append(found, patientOf(v, best[key]))
		}
		return nil
	})
	return found, many, hidden(err)
}

// EncounterOf reports whether an Encounter is of a patient and visible to the user (SMART-127).
func (r *Record) EncounterOf(ctx context.Context, u User, encounter, person string) (is bool, err error) {
	if !fhir.ValidID(encounter) {
		return false, nil
	}
	err = r.read(ctx, u, "Encounter", consent.PermitRead, consent.NamedPatient{}, func(v *consent.View) error {
		d, err := v.Get(ctx, store.Ref{Type: "Encounter", ID: encounter})
		is = err == nil && !d.Deleted() && slices.Contains(index.Owners(d.Keys), person)
		return err
	})
	return is, hidden(err)
}

// Sees reports whether the user may see a resource.
func (r *Record) Sees(ctx context.Context, u User, ref store.Ref) (sees bool, err error) {
	if !r4.IsResource(ref.Type) || !fhir.ValidID(ref.ID) {
		return false, nil
	}
	named := consent.NamedPatient{}
	if ref.Type == "Patient" {
		named.ID = ref.ID
	}
	err = r.read(ctx, u, ref.Type, consent.PermitRead, named, func(v *consent.View) error {
		d, err := v.Get(ctx, ref)
		sees = err == nil && !d.Deleted()
		return err
	})
	return sees, hidden(err)
}
