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
	"carerecord/fhir/index"
	"carerecord/store"
)

// The systems of the numbers of staff, of their roles and of organisations, and of the codes of job roles (SMART-441).
const (
	SDSUserID        = "https://fhir.nhs.uk/Id/sds-user-id"
	SDSRoleProfileID = "https://fhir.nhs.uk/Id/sds-role-profile-id"
	ODSCode          = "https://fhir.nhs.uk/Id/ods-organization-code"
	SDSJobRole       = "https://fhir.hl7.org.uk/CodeSystem/UKCore-SDSJobRoleName"
)

// ErrSeveral: several resources claim to be the user, or the role of the user. None of them is picked (SMART-443).
var ErrSeveral = errors.New("several resources have the number of the user or of the role")

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
	found, err := r.Practitioner(ctx, u)
	if err != nil || !found.Is() {
		return Self{}, err
	}
	return Self{found.Ref.String(), nameOf(gjson.GetBytes(found.Body, "name"))}, nil
}

// Is reports whether a resource, by relative reference, is the user: that of Self, and for a patient any Patient of the same person that the
// patient may see. The error is that of Self.
func (r *Record) Is(ctx context.Context, u User, ref string) (bool, error) {
	if u.Person.Kind != policy.KindPatient {
		self, err := r.Self(ctx, u, Patient{})
		return err == nil && self.Ref == ref, err
	}
	own, err := r.Own(ctx, u)
	if err != nil || own.ID == "" {
		return false, err
	}
	now, err := r.PatientOf(ctx, u, strings.TrimPrefix(ref, "Patient/"), own.Key)
	return err == nil && "Patient/"+now == ref, err
}

// Practitioner returns the Practitioner of a member of staff; the zero Doc for none that the user may see, ErrSeveral for several. That
// of the organisation for which the user acts is the user; without one, that of another organisation for which the same person works.
// No other organisation says who somebody is, nor one that has not signed the agreement (SMART-204, 441).
func (r *Record) Practitioner(ctx context.Context, u User) (Found, error) {
	found, err := r.OwnPractitioner(ctx, u)
	if err != nil || found.Version != 0 {
		return found, err
	}
	others := r.employers(u)
	if len(others) == 0 {
		return Found{}, nil
	}
	return r.one(ctx, u, "Practitioner", SDSUserID, u.Person.Subject, others...)
}

// OwnPractitioner is Practitioner of the organisation for which the user acts alone.
func (r *Record) OwnPractitioner(ctx context.Context, u User) (Found, error) {
	return r.one(ctx, u, "Practitioner", SDSUserID, u.Person.Subject, u.Person.Organisation)
}

// employers returns the other organisations in which the user has a role.
func (r *Record) employers(u User) (others []string) {
	p, _ := r.Verifier.Policy.Person(u.Person.User)
	for _, role := range p.AllRoles() {
		if role.Organisation != u.Person.Organisation && !slices.Contains(others, role.Organisation) {
			others = append(others, role.Organisation)
		}
	}
	return others
}

// RoleProfile returns the PractitionerRole of the user's organisation with the role profile id of the role in which a member of staff acts,
// whatever it says; the zero Doc for none that the user may see, ErrSeveral for several.
func (r *Record) RoleProfile(ctx context.Context, u User) (Found, error) {
	id := u.Person.RoleProfile()
	if id == "" {
		return Found{}, nil
	}
	return r.one(ctx, u, "PractitionerRole", SDSRoleProfileID, id, u.Person.Organisation)
}

// Role returns the relative reference of the PractitionerRole in which a member of staff acts (SMART-441): it has the role profile id and
// the code of the role, and names the Practitioner and the organisation. It is "" for none, and ErrSeveral for several with the id.
func (r *Record) Role(ctx context.Context, u User, self Self) (string, error) {
	found, err := r.RoleProfile(ctx, u)
	if err != nil || !found.Is() || self.Ref == "" {
		return "", err
	}
	body := gjson.ParseBytes(found.Body)
	coded := false
	for _, code := range body.Get("code.#.coding|@flatten").Array() {
		coded = coded || code.Get("system").Str == SDSJobRole && code.Get("code").Str == u.Person.Role
	}
	if !coded || body.Get("practitioner.reference").Str != self.Ref {
		return "", nil
	}
	at := body.Get("organization")
	if ref := at.Get("reference").Str; ref != "" {
		organisation, err := r.Organisation(ctx, u)
		if err != nil || ref != organisation {
			return "", ignoreSeveral(err)
		}
	} else if at.Get("identifier.system").Str != ODSCode || at.Get("identifier.value").Str != u.Person.Organisation {
		return "", nil
	}
	return found.Ref.String(), nil
}

// Organisation returns the relative reference of the one Organization with the ODS code of the user's organisation that this organisation
// keeps; "" for none, ErrSeveral for several.
func (r *Record) Organisation(ctx context.Context, u User) (string, error) {
	found, err := r.one(ctx, u, "Organization", ODSCode, u.Person.Organisation, u.Person.Organisation)
	if err != nil || !found.Is() {
		return "", err
	}
	return found.Ref.String(), nil
}

// ignoreSeveral returns nil for ErrSeveral: an organisation that several resources claim to be is none.
func ignoreSeveral(err error) error {
	if errors.Is(err, ErrSeveral) {
		return nil
	}
	return err
}

// Found is a resource of a person or an organisation; the zero Found is none.
type Found struct {
	store.Doc
	Inactive bool // it is there, and its source says that it is not in use
}

// Is reports whether there is one in use.
func (f Found) Is() bool { return f.Version != 0 && !f.Inactive }

// one returns the resource of a type with an identifier that some organisations keep and that the user sees: the zero Found for none,
// and where none of them has signed the agreement (SMART-204),
// ErrSeveral for several in use. One that is not in use is found only where no other is.
func (r *Record) one(ctx context.Context, u User, typ, system, value string, organisations ...string) (found Found, err error) {
	where, err := r.Guard.Index().Predicate(index.Query{Type: typ, Name: "identifier", Values: []string{system + "|" + index.Escape(value)}})
	if err != nil {
		return Found{}, fmt.Errorf("find a %s: %w", typ, err)
	}
	var from store.Or
	for _, o := range organisations {
		if r.Verifier.Policy.Signed(o) {
			from = append(from, store.Eq{Key: index.SourceKey(o)})
		}
	}
	if len(from) == 0 {
		return Found{}, nil
	}
	n := 0
	err = r.read(ctx, u, typ, consent.PermitSearch, consent.NamedPatient{}, func(v *consent.View) error {
		n, found = 0, Found{} // of this snapshot
		for d, err := range v.Scan(ctx, store.Query{Type: typ, Where: store.And{where, from}}) {
			if err != nil {
				return err
			}
			one := Found{Doc: d, Inactive: gjson.GetBytes(d.Body, "active").Raw == "false"}
			switch {
			case !one.Inactive:
				if n++; n > 1 {
					return nil
				}
				found = one
			case n == 0:
				found = one
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return Found{}, hidden(err)
	case n > 1:
		return Found{}, fmt.Errorf("%s: %w", typ, ErrSeveral)
	}
	return found, nil
}
