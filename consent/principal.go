package consent

import (
	"slices"
	"time"

	"carerecord/store"
)

// Kind is the kind of a Principal. The zero Kind is nobody.
type Kind byte

// The kinds of requesters.
const (
	Nobody       Kind = iota
	Staff             // a person of an organisation, in one role
	Patient           // a patient, for the own record
	SourceSystem      // a backend client with the flow "ingest"
	Backend           // any other backend client
	System            // everybody, under --auth off
)

// String returns the word that the audit trail uses.
func (k Kind) String() string {
	return [...]string{"nobody", "clinician", "patient", "feed", "backend", "system"}[k]
}

// FlowIngest is the flow of clients that write their organisation's data.
const FlowIngest = "ingest"

// Principal is the verified requester (CON-202). It is made in one place, from a verified token and
// the client registry, and never changed.
type Principal struct {
	Kind           Kind
	Subject        string   // stable id of the person or client
	Organisation   string   // acting organisation, ODS code
	Parents        []string // organisations above it
	Role           string   // acting role
	Activities     []string // that the role permits
	OtherRoles     []string // that the person has
	Purpose        string   // exactly one code of v3-ActReason
	Client         string
	ClientClass    string // confidential, public or backend
	ClientPurposes []string
	Scopes         Scopes
	Patient        string // id of the bound Patient; empty for none
	Person         string // person key of that Patient when the token was issued; empty for unknown
	Number         string // NHS number with which a patient signed in; empty for unknown
	Authority      string // of a proxy
	Flow           string
	IDPrefix       string // id space of a source system
	Level          int    // authentication level
	Session        string
	Token          string // id of the token, never the token
	Address        string // network address
	At             time.Time
}

// unlimited reports whether no scope limits the Principal: a System without scopes.
func (p Principal) unlimited() bool { return p.Kind == System && p.Scopes == nil }

// May reports whether the scopes permit one of some permissions on a type.
func (p Principal) May(typ, permissions string) bool {
	return p.unlimited() || p.Scopes.AllowAny(typ, permissions)
}

// Operates reports whether the Principal operates the record; under --auth off everybody does.
func (p Principal) Operates() bool {
	return p.Kind == System || slices.Contains(p.Scopes, Operations())
}

// Request is a request as far as decisions depend on it.
type Request struct {
	Interaction Interaction
	Type        string     // empty for none in particular
	Permission  Permission // that the interaction needs on Type
	// Named is the one patient whom the request names (consent.md section 1). The zero
	// NamedPatient names nobody.
	Named NamedPatient
	// Write marks an interaction that writes.
	Write bool
}

// NamedPatient names a patient: by id, or by an identifier, with the predicate of the Patients that have it. They must be one
// person.
type NamedPatient struct {
	ID    string
	Where store.Pred
	// System and Value are those of the identifier; empty for unknown.
	System, Value string
}

// None reports whether nobody is named.
func (n NamedPatient) None() bool { return n.ID == "" && n.Where == nil }

// Interaction is a RESTful interaction, as the audit trail names it.
type Interaction string

// The interactions.
const (
	Read          Interaction = "read"
	VRead         Interaction = "vread"
	Search        Interaction = "search"
	HistoryOfOne  Interaction = "history-instance"
	HistoryOfType Interaction = "history-type"
	HistoryOfAll  Interaction = "history-system"
	SearchAll     Interaction = "search-system"
	SearchWithin  Interaction = "search-compartment"
	Create        Interaction = "create"
	Update        Interaction = "update"
	Patch         Interaction = "patch"
	Delete        Interaction = "delete"
	Meta          Interaction = "meta"
	MetaAdd       Interaction = "meta-add"
	MetaDelete    Interaction = "meta-delete"
	Batch         Interaction = "batch"
	Transaction   Interaction = "transaction"
	Validate      Interaction = "validate"
	Everything    Interaction = "everything"
	LastN         Interaction = "lastn"
	Sources       Interaction = "sources"
	IHEPIX        Interaction = "ihe-pix"
)
