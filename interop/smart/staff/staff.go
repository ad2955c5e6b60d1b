package staff

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/record"
	"carerecord/interop/smart/secret"
	"carerecord/interop/smart/session"
	"carerecord/store"
)

// Directory makes the resources of staff. It is safe for concurrent use.
type Directory struct {
	Guard   *consent.Guard
	Record  *record.Record
	State   store.State
	Audit   *audit.Writer
	Policy  *policy.Folder
	Secrets secret.Digester
	Clock   func() time.Time
	Base    string // the FHIR base
}

// SignIn is a member of staff who has signed in.
type SignIn struct {
	Person  policy.Person // with all roles
	User    session.User
	Name    string // as the issuer says; empty for unknown
	Request string // request id
	Address string
}

// made is what was made for an identity.
type made struct {
	Practitioner string            `json:"practitioner,omitempty"` // id
	Organisation string            `json:"organisation,omitempty"` // its source, ODS code
	Name         string            `json:"name,omitempty"`
	Roles        map[string]string `json:"roles,omitempty"` // ids of PractitionerRoles by role profile id
}

// prefix begins the State keys of what was made.
const prefix = "smart/staff/"

// attempts is how often a commit is tried that conflicts with others.
const attempts = 5

// SignedIn makes what is missing for somebody who has signed in. An error means that something may be missing still: the next sign-in tries
// again. It never gives the person more than the resources give to everybody who sees them.
func (d *Directory) SignedIn(ctx context.Context, in SignIn) error {
	in.Name = plain(in.Name)
	err := d.retry(ctx, func() error { return d.rename(ctx, in) })
	for _, role := range in.Person.AllRoles() {
		acting, ok := in.Person.As(role)
		if !ok || !d.Policy.Signed(role.Organisation) {
			continue
		}
		err = errors.Join(err, d.retry(ctx, func() error { return d.ensure(ctx, in, acting) }))
	}
	return err
}

// maxName is how long a name of an issuer may be, in characters; one that is longer is none.
const maxName = 200

// plain returns the name of an issuer in one line, without characters that cannot be printed.
func plain(name string) string {
	name = strings.Join(strings.Fields(strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) {
			return ' '
		}
		if !unicode.IsPrint(c) {
			return -1
		}
		return c
	}, name)), " ")
	if len([]rune(name)) > maxName {
		return ""
	}
	return name
}

func (d *Directory) retry(ctx context.Context, f func() error) (err error) {
	for range attempts {
		if err = f(); !errors.Is(err, store.ErrConflict) || ctx.Err() != nil {
			return err
		}
	}
	return err
}

func (d *Directory) key(u session.User) string {
	return prefix + d.Secrets.Of(u.Issuer+"\x00"+u.Subject)
}

// read returns what was made for an identity, and the write that replaces it.
func (d *Directory) read(ctx context.Context, u session.User) (made, func(made) (store.StateWrite, error), error) {
	v, err := ledger.Read[made](ctx, d.State, d.key(u))
	if ledger.Missing(err) {
		return made{}, func(m made) (store.StateWrite, error) { return ledger.New(d.key(u), m, time.Time{}) }, nil
	}
	return v.Content, func(m made) (store.StateWrite, error) { v.Content = m; return v.Change(time.Time{}) }, err
}

// ensure makes the resources that a person lacks in one role.
func (d *Directory) ensure(ctx context.Context, in SignIn, acting policy.Person) error {
	purposes := slices.DeleteFunc(policy.PurposesOfStaff(), func(purpose string) bool { return !d.Policy.PermitsPurpose(acting, purpose) })
	if len(purposes) == 0 {
		return nil
	}
	known, write, err := d.read(ctx, in.User)
	if err != nil {
		return err
	}
	u := record.User{Person: acting, Client: &clients.Client{ID: writer, Kind: clients.Symmetric, Purposes: purposes}, Purpose: purposes[0]}
	self, err := d.Record.Self(ctx, u, record.Patient{})
	if errors.Is(err, record.ErrSeveral) || err == nil && self.Ref == "" && known.Practitioner != "" {
		return nil // nobody is picked of several, and what was removed is not made again
	}
	if err != nil {
		return err
	}
	b := batch{directory: d, in: in, acting: acting}
	if self.Ref == "" {
		id := b.add(practitioner(in))
		self.Ref, known.Practitioner, known.Organisation, known.Name = "Practitioner/"+id, id, acting.Organisation, in.Name
	}
	if profile := acting.RoleProfile(); profile != "" && known.Roles[profile] == "" {
		role, err := d.Record.RoleProfile(ctx, u)
		if err != nil && !errors.Is(err, record.ErrSeveral) {
			return err
		}
		if err == nil && role.Version == 0 {
			organisation, err := d.Record.Organisation(ctx, u)
			if err != nil && !errors.Is(err, record.ErrSeveral) {
				return err
			}
			if known.Roles = maps.Clone(known.Roles); known.Roles == nil {
				known.Roles = map[string]string{}
			}
			known.Roles[profile] = b.add(d.role(acting, self.Ref, organisation))
		}
	}
	return b.commit(ctx, func() (store.StateWrite, error) { return write(known) })
}

// rename gives a Practitioner that was made here the name that the issuer says now.
func (d *Directory) rename(ctx context.Context, in SignIn) error {
	known, write, err := d.read(ctx, in.User)
	if err != nil || known.Practitioner == "" || in.Name == "" || in.Name == known.Name || !d.Policy.Signed(known.Organisation) {
		return err
	}
	before := known.Name
	known.Name = in.Name
	b := batch{directory: d, in: in, acting: policy.Person{Organisation: known.Organisation}}
	b.rename(known.Practitioner, before)
	err = b.commit(ctx, func() (store.StateWrite, error) { return write(known) })
	if removed(err) {
		return nil // or changed, by its source: the name is the source's
	}
	return err
}

// removed reports whether an error says that the resource to be changed is not there, or is not as it was made here.
func removed(err error) bool {
	var refused *fhir.Error
	return errors.Is(err, errChanged) || errors.Is(err, store.ErrNotFound) || errors.As(err, &refused) && (refused.Status == 404 || refused.Status == 410)
}
