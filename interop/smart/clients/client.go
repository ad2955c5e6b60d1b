package clients

import (
	"encoding/json"
	"net"
	"net/url"
	"slices"
	"time"

	"carerecord/consent"
)

// Kind is the kind of a client. It fixes how the client authenticates and which grants it may use,
// and never changes (SMART-054).
type Kind string

// The kinds of clients.
const (
	Public     Kind = "public"                  // cannot keep a secret
	Symmetric  Kind = "confidential-symmetric"  // authenticates by a secret in HTTP Basic
	Asymmetric Kind = "confidential-asymmetric" // authenticates by private_key_jwt
	Backend    Kind = "backend"                 // private_key_jwt, acts for no person
)

// Class is the word for the kind in a Principal (CON-202).
func (k Kind) Class() string {
	switch k {
	case Public:
		return "public"
	case Backend:
		return "backend"
	case Symmetric, Asymmetric:
	}
	return "confidential"
}

// HasKeys reports whether clients of the kind authenticate by private_key_jwt.
func (k Kind) HasKeys() bool { return k == Asymmetric || k == Backend }

// Status is the state of a registration.
type Status string

// The states of a registration. Only an active client is served.
const (
	Pending   Status = "pending" // proposed, and not approved yet
	Active    Status = "active"
	Suspended Status = "suspended"
)

// The audiences of user-facing clients (SMART-055).
const (
	ForPatients   = "patient"
	ForClinicians = "clinician"
	// ForAdministrators: people who govern or operate the record (SMART-209). An app for them is for nobody else.
	ForAdministrators = "administrator"
)

// The rights of clients beyond scopes on resources (SMART-247).
const (
	RightIntrospect = "__introspect"
	RightLaunch     = "__launch"
	// RightClients: to administer clients, of an administrator whose role has it.
	RightClients = "__clients"
	// RightApps: to approve clients for the staff of an organisation, of its administrator.
	RightApps = "__apps"
)

// Client is a registered client (SMART-055).
type Client struct {
	ID           string          `json:"id"`
	Name         string          `json:"name"`
	Publisher    string          `json:"publisher,omitempty"`
	Kind         Kind            `json:"kind"`
	Status       Status          `json:"status"`
	Audience     []string        `json:"audience,omitempty"` // of users: patient, clinician; or administrator
	RedirectURIs []string        `json:"redirectURIs,omitempty"`
	LaunchURLs   []string        `json:"launchURLs,omitempty"`
	Origins      []string        `json:"origins,omitempty"` // of its web pages, for CORS
	Keys         json.RawMessage `json:"keys,omitempty"`    // a JWK set; empty for none
	KeysDigest   string          `json:"keysDigest,omitempty"`
	KeysURL      string          `json:"keysURL,omitempty"`
	Secrets      []Secret        `json:"secrets,omitempty"`
	Scopes       string          `json:"scopes"` // the ceiling, in scope syntax
	Purposes     []string        `json:"purposes"`
	Organisation string          `json:"organisation,omitempty"` // ODS code; of a backend client the acting one
	Offline      bool            `json:"offline"`                // always written: a registration that does not say it has a default
	// OfflineUnused and OfflineTotal are days after which offline access ends, without use and in all; 0 is the life of the
	// server, which they may shorten (SMART-347).
	OfflineUnused int      `json:"offlineUnusedDays,omitempty"`
	OfflineTotal  int      `json:"offlineTotalDays,omitempty"`
	Rights        []string `json:"rights,omitempty"`
	Contact       string   `json:"contact,omitempty"`
	TermsURL      string   `json:"termsURL,omitempty"`
	PrivacyURL    string   `json:"privacyURL,omitempty"`
	// Logo is the PNG that pages show, as the registry has written it from the image that was registered (SMART-067); empty for none.
	Logo       []byte `json:"logo,omitempty"`
	LogoDigest string `json:"logoDigest,omitempty"` // SHA-256 of Logo, in hex: of an approved client the name under which it is served
	// Evidence has references by the name of what they prove, and AgreementEnds the end of the agreement in force (SMART-066).
	Evidence      map[string]string `json:"evidence,omitempty"`
	AgreementEnds time.Time         `json:"agreementEnds,omitzero"`
	// Intents are those that a launch may name (SMART-130). NoPatientChoice: a launch without a patient is refused where a
	// patient/ scope needs one, and nobody chooses (SMART-128).
	Intents         []string `json:"intents,omitempty"`
	NoPatientChoice bool     `json:"noPatientChoice,omitempty"`

	Flow     string `json:"flow,omitempty"`     // of a backend client
	IDPrefix string `json:"idPrefix,omitempty"` // id space of a source system (CON-1303)

	// Review is when the registration is to have been reviewed: from then on the client is not served.
	Review    time.Time  `json:"review,omitzero"`
	KeysSince time.Time  `json:"keysSince,omitzero"` // when the inline keys came into force
	Made      time.Time  `json:"made"`
	Changed   time.Time  `json:"changed"`
	Approved  []Approval `json:"approved,omitempty"`
	// Proposed is what somebody wants the registration to be; nil for nothing. It has no effect
	// before somebody else has approved it.
	Proposed *Proposal `json:"proposed,omitempty"`
	// ByOrganisations are the approvals of organisations, by which their staff see no screen (SMART-220).
	ByOrganisations []OrganisationApproval `json:"organisationApprovals,omitempty"`
	// NotBefore: grants and tokens that were made until then are not valid any more (SMART-065).
	NotBefore time.Time `json:"notBefore,omitzero"`
}

// Secret is a client secret (SMART-063).
type Secret struct {
	Digest string    `json:"digest"`
	Made   time.Time `json:"made"`
	Ends   time.Time `json:"ends"`
}

// Approval is who approved a registration, and the digest of what was approved.
type Approval struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Digest string    `json:"digest"`
}

// Proposal is a registration that waits for its approval.
type Proposal struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
	// Digest is that of With, which an approval has to name. Shown sets it; it is not stored.
	Digest string `json:"digest,omitempty"`
	With   Client `json:"with"`
}

// Shown returns a copy of the proposal as people read it before they approve it: with its digest, and with the status of what waits.
func (p Proposal) Shown() *Proposal {
	p.Digest = p.With.digest()
	p.With.Status = Pending
	return &p
}

// Serves reports whether requests of the client are served at an instant.
func (c *Client) Serves(at time.Time) bool {
	return c.Status == Active && before(at, c.Review) && before(at, c.AgreementEnds)
}

// before reports whether an instant is before an end; zero is no end.
func before(at, end time.Time) bool { return end.IsZero() || at.Before(end) }

// HasRight reports whether the client has a right.
func (c *Client) HasRight(right string) bool { return slices.Contains(c.Rights, right) }

// Ceiling returns the widest scopes that the client may have.
func (c *Client) Ceiling(known func(string) bool) (consent.Scopes, error) {
	return consent.ParseScopes(c.Scopes, known)
}

// Redirects reports whether a redirect URI is registered: the same text, but for the port of a
// loopback address (SMART-084, RFC 8252 section 7.3).
func (c *Client) Redirects(uri string) bool {
	return slices.ContainsFunc(c.RedirectURIs, func(registered string) bool {
		return registered == uri || withoutLoopbackPort(registered) != "" && withoutLoopbackPort(registered) == withoutLoopbackPort(uri)
	})
}

// Reached reports whether an answer at a redirect URI reaches the client and nobody else: it authenticates, or the URI is of a web site
// (SMART-222). Any program of a device may open a port or register a scheme.
func (c *Client) Reached(redirect string) bool {
	if c.Kind != Public {
		return true
	}
	u, err := url.Parse(redirect)
	return err == nil && u.Scheme == "https" && u.Hostname() != "localhost" && !net.ParseIP(u.Hostname()).IsLoopback()
}
