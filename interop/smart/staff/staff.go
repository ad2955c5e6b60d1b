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

// known is what the record has, or had, of an identity.
type known struct {
	At map[string]entry `json:"at,omitempty"` // by the ODS code of the source
}

// entry is what an organisation has, or had, of an identity. What was there once is never made again (SMART-442).
type entry struct {
	Practitioner string            `json:"practitioner,omitempty"` // id
	Made         bool              `json:"made,omitempty"`         // it was made here, with the name
	Name         string            `json:"name,omitempty"`
	Roles        map[string]string `json:"roles,omitempty"` // ids of PractitionerRoles by role profile id
}

// with returns what is known with another entry of an organisation.
func (k known) with(organisation string, e entry) known {
	at := maps.Clone(k.At)
	if at == nil {
		at = map[string]entry{}
	}
	at[organisation] = e
	return known{At: at}
}

// prefix begins the State keys of what is known.
const prefix = "smart/staff/"

// attempts is how often a commit is tried that conflicts with others.
const attempts = 5

// SignedIn makes what is missing for somebody who has signed in. An error means that something may be missing still: the next sign-in tries
// again. It never gives the person more than the resources give to everybody who sees them.
func (d *Directory) SignedIn(ctx context.Context, in SignIn) error {
	in.Name = plain(in.Name)
	err := d.renameAll(ctx, in)
	for _, role := range in.Person.AllRoles() {
		acting, ok := in.Person.As(role)
		if !ok || !d.Policy.Signed(role.Organisation) {
			continue
		}
		err = errors.Join(err, d.retry(ctx, func(again bool) error { return d.ensure(ctx, in, acting, again) }))
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

// retry calls f until no other commit was faster. f is told whether one was.
func (d *Directory) retry(ctx context.Context, f func(again bool) error) (err error) {
	for i := range attempts {
		if err = f(i > 0); !errors.Is(err, store.ErrConflict) || ctx.Err() != nil {
			return err
		}
	}
	return err
}

func (d *Directory) key(u session.User) string {
	return prefix + d.Secrets.Of(u.Issuer+"\x00"+u.Subject)
}

// read returns what is known of an identity, and the write that replaces it.
func (d *Directory) read(ctx context.Context, u session.User) (known, func(known) (store.StateWrite, error), error) {
	v, err := ledger.Read[known](ctx, d.State, d.key(u))
	if ledger.Missing(err) {
		return known{}, func(k known) (store.StateWrite, error) { return ledger.New(d.key(u), k, time.Time{}) }, nil
	}
	return v.Content, func(k known) (store.StateWrite, error) { v.Content = k; return v.Change(time.Time{}) }, err
}

// ensure makes the resources that a person lacks in one role at its organisation, and remembers those that are there. It is called again
// after a conflict: then what would be made is also looked for as the organisation, which may have what the person does not see.
func (d *Directory) ensure(ctx context.Context, in SignIn, acting policy.Person, again bool) error {
	purposes := slices.DeleteFunc(policy.PurposesOfStaff(), func(purpose string) bool { return !d.Policy.PermitsPurpose(acting, purpose) })
	if len(purposes) == 0 {
		return nil
	}
	all, write, err := d.read(ctx, in.User)
	if err != nil {
		return err
	}
	u := record.User{Person: acting, Client: &clients.Client{ID: writer, Kind: clients.Symmetric, Purposes: purposes}, Purpose: purposes[0]}
	b := batch{directory: d, in: in, acting: acting, again: again}
	before := all.At[acting.Organisation]
	now := before
	now.Roles = maps.Clone(before.Roles)
	self, err := d.practitioner(ctx, u, &b, &now)
	if err == nil && self != "" {
		err = d.roleOf(ctx, u, &b, &now, self)
	}
	if err != nil || maps.Equal(now.Roles, before.Roles) && now.Practitioner == before.Practitioner {
		return err
	}
	all = all.with(acting.Organisation, now)
	if b.err == nil && len(b.changes) == 0 {
		return d.remember(ctx, all, write)
	}
	return b.commit(ctx, func() (store.StateWrite, error) { return write(all) })
}

// remember stores what is known, where nothing is to be made.
func (d *Directory) remember(ctx context.Context, now known, write func(known) (store.StateWrite, error)) error {
	w, err := write(now)
	switch {
	case err != nil:
		return err
	case !w.New:
		return d.State.Swap(ctx, w.Key, w.Old, w.Value, w.Expires)
	}
	err = d.State.Insert(ctx, w.Key, w.Value, w.Expires)
	if errors.Is(err, store.ErrExists) {
		return store.ErrConflict // another sign-in was faster
	}
	return err
}

// practitioner returns the reference of the Practitioner that is a person at the organisation, in use; "" for none. It makes one if there
// never was any.
func (d *Directory) practitioner(ctx context.Context, u record.User, b *batch, now *entry) (string, error) {
	found, err := d.Record.OwnPractitioner(ctx, u)
	switch {
	case err != nil && !errors.Is(err, record.ErrSeveral): // several keep another one from being made
		return "", err
	case found.Version != 0:
		if found.Ref.ID != now.Practitioner {
			now.Practitioner, now.Made, now.Name = found.Ref.ID, false, ""
		}
		if found.Inactive {
			return "", nil
		}
		return found.Ref.String(), nil
	case now.Practitioner != "": // its source has removed it
		return "", nil
	default:
		there, err := b.there(ctx, "Practitioner", record.SDSUserID, u.Person.Subject)
		if err != nil || there != "" {
			now.Practitioner = there
			return "", err
		}
	}
	id := b.add(practitioner(b.in))
	now.Practitioner, now.Made, now.Name = id, true, b.in.Name
	return "Practitioner/" + id, nil
}

// roleOf makes the PractitionerRole of a role with a role profile id, if there never was one.
func (d *Directory) roleOf(ctx context.Context, u record.User, b *batch, now *entry, self string) error {
	profile := u.Person.RoleProfile()
	if profile == "" || now.Roles[profile] != "" {
		return nil
	}
	role, err := d.Record.RoleProfile(ctx, u)
	if err != nil && !errors.Is(err, record.ErrSeveral) {
		return err
	}
	there := role.Ref.ID
	if role.Version == 0 {
		if there, err = b.there(ctx, "PractitionerRole", record.SDSRoleProfileID, profile); err != nil {
			return err
		}
	}
	if there == "" {
		organisation, err := d.Record.Organisation(ctx, u)
		if err != nil && !errors.Is(err, record.ErrSeveral) {
			return err
		}
		there = b.add(d.role(u.Person, self, organisation))
	}
	if now.Roles == nil {
		now.Roles = map[string]string{}
	}
	now.Roles[profile] = there
	return nil
}

// renameAll gives the Practitioners that were made here the name that the issuer says now, each as its source.
func (d *Directory) renameAll(ctx context.Context, in SignIn) error {
	all, _, err := d.read(ctx, in.User)
	if err != nil {
		return err
	}
	for _, organisation := range slices.Sorted(maps.Keys(all.At)) {
		err = errors.Join(err, d.retry(ctx, func(bool) error { return d.rename(ctx, in, organisation) }))
	}
	return err
}

// rename gives the Practitioner of an organisation the name that the issuer says now, if it was made here.
func (d *Directory) rename(ctx context.Context, in SignIn, organisation string) error {
	all, write, err := d.read(ctx, in.User)
	e := all.At[organisation]
	if err != nil || !e.Made || in.Name == "" || in.Name == e.Name || !d.Policy.Signed(organisation) {
		return err
	}
	b := batch{directory: d, in: in, acting: policy.Person{Organisation: organisation}}
	b.rename(e.Practitioner, e.Name)
	e.Name = in.Name
	err = b.commit(ctx, func() (store.StateWrite, error) { return write(all.with(organisation, e)) })
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
