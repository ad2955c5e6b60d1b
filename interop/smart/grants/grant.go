package grants

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"carerecord/consent/audit"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/session"
)

// Grant is the stored result of an authorization: which client, for whom, what, until when. It never
// widens. Consent decisions are not in it: they are made at each request (CON-1403).
type Grant struct {
	ID       string    `json:"id"`
	Client   string    `json:"client"`
	Printed  bool      `json:"printed,omitempty"` // by the command "carerecord token", for a demonstration
	User     string    `json:"user,omitempty"`    // of the policy folder; empty for a backend client
	Issuer   string    `json:"issuer,omitempty"`  // at which the user signed in
	Subject  string    `json:"subject,omitempty"` // sub of ID tokens: random for each user (SMART-382)
	AuthTime time.Time `json:"authTime,omitzero"`
	// Session and SessionUser name the browser session in which the grant was made, and on which online access depends (SMART-348).
	Session     string       `json:"session,omitempty"`
	SessionUser session.User `json:"sessionUser,omitzero"`
	// Requested and Scopes are scope strings. Scopes is exactly what was granted, in the form in which
	// it was requested, with the scopes that are not of resources (SMART-214).
	Requested string `json:"requested,omitempty"`
	Scopes    string `json:"scopes"`
	Purpose   string `json:"purpose"`
	// Role and Organisation are those with which staff signed in; another role needs another
	// authorization (SMART-205).
	Role         string `json:"role,omitempty"`
	Organisation string `json:"organisation,omitempty"`
	Context      `json:"context,omitzero"`
	FHIRUser     string `json:"fhirUser,omitempty"` // relative reference
	// PractitionerRole is the relative reference of the role of staff that fhirContext has; empty for none.
	PractitionerRole string `json:"practitionerRole,omitempty"`
	Name             string `json:"name,omitempty"` // of the user, for ID tokens; only with the scope profile
	Offline          bool   `json:"offline,omitempty"`
	Online           bool   `json:"online,omitempty"`
	Texts            string `json:"texts,omitempty"` // version of the texts of the consent page
	// Decision is empty where the user decided on a page. Else it is grant/ID for a decision that was repeated without one
	// (SMART-222), approval/ID where an organisation has approved it (SMART-220), or client/ID of an app for administrators.
	Decision string    `json:"decision,omitempty"`
	Made     time.Time `json:"made"`
	Ends     time.Time `json:"ends"`
	CodeEnds time.Time `json:"codeEnds,omitzero"` // of the code; zero for a grant without one
	Ended    time.Time `json:"ended,omitzero"`    // before its time
	EndedBy  string    `json:"endedBy,omitempty"`
}

// Context is the launch context of a grant (SMART-370 to 376).
type Context struct {
	Patient   string          `json:"patient,omitempty"` // id of the Patient in context
	Person    string          `json:"person,omitempty"`  // its person key, which must not leave the server
	Encounter string          `json:"encounter,omitempty"`
	FHIR      json.RawMessage `json:"fhirContext,omitempty"`
	Banner    *bool           `json:"banner,omitempty"`
	Intent    string          `json:"intent,omitempty"`
	Tenant    string          `json:"tenant,omitempty"`
	Style     string          `json:"style,omitempty"` // address of the style of the launcher
	// Launched: the context comes from the launch of an EHR.
	Launched bool `json:"launched,omitempty"`
}

// Repeats reports whether the grant repeats the decision of another one (SMART-222).
func (g *Grant) Repeats(decision string) bool { return g.Decision == RepeatOf(decision) }

// RepeatOf is the Decision of a grant that repeats that of another one.
func RepeatOf(id string) string { return "grant/" + id }

// approvedBy begins the Decision of a grant that an organisation has approved.
const approvedBy = "approval/"

// ApprovedBy is the Decision of a grant by an approval of an organisation (SMART-220).
func ApprovedBy(approval string) string { return approvedBy + approval }

// approved reports whether the approval of a grant is in force; a grant without one needs none.
func (g *Grant) approved(c *clients.Client) bool {
	id, needs := strings.CutPrefix(g.Decision, approvedBy)
	return !needs || c.HasApproval(id)
}

// State keys. Values are found by their keys alone; by-user keys list the grants of a person.
const (
	grantPrefix   = "smart/grant/"
	userPrefix    = "smart/user-grant/"
	accessPrefix  = "smart/at/"
	refreshPrefix = "smart/rt/"
	codePrefix    = "smart/code/"
)

// NewID returns the id of a new grant or token.
func NewID() string {
	var b [12]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Event is the audit event of something that happens to the grant.
func (g *Grant) Event(name, request, address string) ledger.Event {
	kind := "backend"
	if g.User != "" {
		kind = "user"
	}
	subject := g.User
	if subject == "" {
		subject = g.Client
	}
	return ledger.Event{Name: name, Request: request, Of: "grant/" + g.ID, Named: g.Patient,
		Agent:  audit.Agent{Kind: kind, Subject: subject, Organisation: g.Organisation, Role: g.Role, Purpose: g.Purpose},
		Client: audit.Client{ID: g.Client, Address: address}}
}
