// Package policy reads the agreements of a region from files, and the directives of patients from FHIR
// Consents.
//
// The folder has the JSON files agreement, organisations, roles, people and clients, and may have identity.
// Load reads all of them, refuses unknown members, and reports all mistakes together. A loaded Folder never changes and is
// safe for concurrent use.
package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Folder is the content of a policy folder.
type Folder struct {
	Agreement     Agreement
	Organisations []Organisation
	Roles         []Role
	People        []Person
	Clients       []Client
	Identity      *Identity // nil: nobody is joined
}

// Agreement is the sharing agreement of the region.
type Agreement struct {
	// Organisations are the ODS codes of the organisations that signed it.
	Organisations []string `json:"organisations"`
	// Relationship says how a legitimate relationship is shown. "assumed": every person of an
	// organisation in the agreement has one with every patient; it is for demonstrations only.
	// Empty: it must be shown, which is not built yet.
	Relationship string `json:"relationship,omitempty"`
	// Evidence names what a client must have before it becomes active: dtac, dcb0129, dspt, dpia, agreement. Empty: nothing.
	Evidence []string `json:"evidence,omitempty"`
	// ScopeParameters are the search parameters that scopes of a type may have, by type (SMART-239). A type that is not in it has those
	// that the server supports.
	ScopeParameters map[string][]string `json:"scopeParameters,omitempty"`
}

// Organisation is an organisation that writes to the record or reads it.
type Organisation struct {
	ODS    string `json:"ods"`
	Name   string `json:"name"`
	Kind   string `json:"kind"` // gp, acute, community, mental-health, social-care, index
	Parent string `json:"parent,omitempty"`
}

// Role is a role of people.
type Role struct {
	Code       string   `json:"code"`
	Name       string   `json:"name"`
	Activities []string `json:"activities"` // of Activities
	// Purposes are the purposes of use that grants in the role may have (SMART-430): of PurposesOfStaff. Empty: TREAT alone.
	Purposes []string `json:"purposes,omitempty"`
}

// The activities that a role may allow.
const (
	ActivityRead       = "read"        // read and search patient data for direct care
	ActivityOptOut     = "opt-out"     // record a patient's regional opt-out
	ActivityBreakGlass = "break-glass" // open a break-glass session
	// The activities of administrators, who see nothing of the record (SMART-209).
	ActivityClients    = "clients"    // register, approve, change and stop clients, and end grants
	ActivityOperations = "operations" // operate the record
	ActivityApps       = "apps"       // approve clients for the staff of the administrator's own organisation (SMART-220)
)

// governance are the activities of administrators.
func governance() []string { return []string{ActivityClients, ActivityOperations, ActivityApps} }

// Person is a person with an account.
type Person struct {
	User    string `json:"user"`
	Subject string `json:"subject"` // stable id at the identity provider
	// Issuer is the identifier of the identity provider that knows the subject (SMART-185). Empty: the one at which people of the kind sign
	// in, where there is one alone.
	Issuer       string `json:"issuer,omitempty"`
	Kind         string `json:"kind"` // of the kinds of people
	Organisation string `json:"organisation,omitempty"`
	Role         string `json:"role,omitempty"`
	// Roles are the further roles of a member of staff. One may have none at all, and is then refused everywhere.
	Roles []RoleAt `json:"roles,omitempty"`
	// RoleProfiles are the SDS role profile ids of roles of a member of staff (SMART-441). A role may have none.
	RoleProfiles []RoleProfile `json:"roleProfiles,omitempty"`
	Patient      string        `json:"patient,omitempty"`   // NHS number of a patient
	BirthDate    string        `json:"birthDate,omitempty"` // of a patient, YYYY-MM-DD; empty: not compared at sign-in
	Level        int           `json:"level,omitempty"`     // authentication level
}

// Client is a registered application or source system.
type Client struct {
	ID           string   `json:"id"`
	Name         string   `json:"name"`
	Kind         string   `json:"kind"` // confidential, public or backend
	People       []string `json:"people,omitempty"`
	Organisation string   `json:"organisation,omitempty"`
	Purposes     []string `json:"purposes"`
	Scopes       string   `json:"scopes"` // the ceiling
	Rights       []string `json:"rights,omitempty"`
	Flow         string   `json:"flow,omitempty"`
	// IDPrefix is the id space in which a source system may create by PUT. It ends in a dot
	// (CON-1303).
	IDPrefix string `json:"idPrefix,omitempty"`
}

// Load reads a policy folder. The error reports every mistake with its file.
func Load(dir string) (*Folder, error) {
	f := &Folder{}
	identity, err := readIdentity(dir)
	f.Identity = identity
	err = errors.Join(
		err,
		read(dir, "agreement.json", &f.Agreement),
		read(dir, "organisations.json", &f.Organisations),
		read(dir, "roles.json", &f.Roles),
		read(dir, "people.json", &f.People),
		read(dir, "clients.json", &f.Clients),
	)
	if err != nil {
		return nil, err
	}
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("policy folder %s: %w", dir, err)
	}
	return f, nil
}

// Save writes the folder.
func (f *Folder) Save(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make policy folder: %w", err)
	}
	var identity error
	if f.Identity != nil {
		identity = write(dir, "identity.json", f.Identity)
	}
	return errors.Join(
		identity,
		write(dir, "agreement.json", f.Agreement),
		write(dir, "organisations.json", f.Organisations),
		write(dir, "roles.json", f.Roles),
		write(dir, "people.json", f.People),
		write(dir, "clients.json", f.Clients),
	)
}

func read(dir, name string, into any) error {
	file, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return fmt.Errorf("read policy: %w", err)
	}
	defer file.Close()
	dec := json.NewDecoder(file)
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("read policy %s: %w", name, err)
	}
	return nil
}

func write(dir, name string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write policy %s: %w", name, err)
	}
	return os.WriteFile(filepath.Join(dir, name), append(b, '\n'), 0o600)
}

// check reports all mistakes of the folder.
func (f *Folder) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	known := map[string]bool{}
	for i, o := range f.Organisations {
		if o.ODS == "" || known[o.ODS] {
			bad("organisations[%d]: ods %q is empty or repeated", i, o.ODS)
		}
		known[o.ODS] = true
	}
	for i, ods := range f.Agreement.Organisations {
		if !known[ods] {
			bad("agreement.organisations[%d]: %q is not an organisation of the folder", i, ods)
		}
	}
	if r := f.Agreement.Relationship; r != "" && r != RelationshipAssumed {
		bad("agreement.relationship: %q is unknown", r)
	}
	for i, e := range f.Agreement.Evidence {
		if !slices.Contains([]string{"dtac", "dcb0129", "dspt", "dpia", "agreement"}, e) {
			bad("agreement.evidence[%d]: %q is unknown", i, e)
		}
	}
	for i, r := range f.Roles {
		for _, a := range r.Activities {
			if !slices.Contains(append(governance(), ActivityRead, ActivityOptOut, ActivityBreakGlass), a) {
				bad("roles[%d].activities: %q is unknown", i, a)
			}
		}
		r.checkPurposes(fmt.Sprintf("roles[%d]", i), bad)
		if n := len(r.governs()); n > 0 && n < len(r.Activities) {
			bad("roles[%d].activities: those of administrators are in a role of their own", i)
		}
		if slices.Contains(r.Activities, ActivityApps) && len(r.Activities) > 1 {
			bad("roles[%d].activities: %s is in a role of its own: who registers a client does not approve it for an organisation", i, ActivityApps)
		}
	}
	for i, p := range f.People {
		p.check(f, fmt.Sprintf("people[%d]", i), bad)
		if slices.ContainsFunc(f.People[:i], p.sameIdentity) {
			bad("people[%d]: its user, or its subject at the issuer of its kind, is that of another person", i)
		}
	}
	f.checkRoleProfiles(bad)
	for i, c := range f.Clients {
		if c.Organisation != "" && !known[c.Organisation] {
			bad("clients[%d].organisation: %q is not an organisation of the folder", i, c.Organisation)
		}
		if c.IDPrefix != "" && !strings.HasSuffix(c.IDPrefix, ".") {
			bad("clients[%d].idPrefix: %q does not end in a dot", i, c.IDPrefix)
		}
		if len(c.Purposes) == 0 {
			bad("clients[%d].purposes: at least one is required", i)
		}
	}
	f.Identity.check(known, bad)
	return errors.Join(errs...)
}

// governs returns the activities of administrators that the role has.
func (r Role) governs() (out []string) {
	for _, a := range r.Activities {
		if slices.Contains(governance(), a) {
			out = append(out, a)
		}
	}
	return out
}

// RelationshipAssumed is the value of Agreement.Relationship for an assumed relationship.
const RelationshipAssumed = "assumed"

// Signed reports whether an organisation has signed the agreement.
func (f *Folder) Signed(ods string) bool { return slices.Contains(f.Agreement.Organisations, ods) }

// Role returns a role by code.
func (f *Folder) Role(code string) (Role, bool) {
	return find(f.Roles, func(r Role) bool { return r.Code == code })
}

// Person returns a person by user name.
func (f *Folder) Person(user string) (Person, bool) {
	return find(f.People, func(p Person) bool { return p.User == user })
}

// Client returns a client by id.
func (f *Folder) Client(id string) (Client, bool) {
	return find(f.Clients, func(c Client) bool { return c.ID == id })
}

// Organisation returns an organisation by ODS code.
func (f *Folder) Organisation(ods string) (Organisation, bool) {
	return find(f.Organisations, func(o Organisation) bool { return o.ODS == ods })
}

func find[T any](list []T, is func(T) bool) (T, bool) {
	if i := slices.IndexFunc(list, is); i >= 0 {
		return list[i], true
	}
	var none T
	return none, false
}
