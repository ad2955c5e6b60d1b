package consent

import (
	"slices"
	"time"

	"carerecord/store"
)

// Kind says what a Principal is. The zero Kind is nobody.
type Kind byte

// The kinds of those who ask.
const (
	Nobody       Kind = iota
	Staff             // a person of an organisation, in one role
	Patient           // a patient about the own record
	SourceSystem      // a backend client with the flow "ingest"
	Backend           // any other backend client
	System            // everybody under --auth off
)

// String returns the word that the trail uses.
func (k Kind) String() string {
	return [...]string{"nobody", "clinician", "patient", "feed", "backend", "system"}[k]
}

// FlowIngest is the flow of clients that write their organisation's data.
const FlowIngest = "ingest"

// Principal is the verified requester (CON-202). It is built in one place, from
// a verified token and the client registry, and never changed.
type Principal struct {
	Kind           Kind
	Subject        string   // stable id of the person or client
	Organisation   string   // acting organisation, ODS code
	Parents        []string // organisations above it
	Role           string   // acting role
	Activities     []string // what the role allows
	OtherRoles     []string // all further roles held
	Purpose        string   // exactly one code of v3-ActReason
	Client         string
	ClientClass    string // confidential, public or backend
	ClientPurposes []string
	Scopes         Scopes
	Patient        string // id of the bound Patient; empty for none
	Authority      string // of a proxy
	Flow           string
	IDPrefix       string // id space of a feed
	Level          int    // authentication level
	Session        string
	Token          string // id of the token, never the token
	Address        string // network address
	At             time.Time
}

// unlimited reports that no scope limits the Principal: an all-seeing System
// that was given none.
func (p Principal) unlimited() bool { return p.Kind == System && p.Scopes == nil }

// May reports whether the scopes give one of the letters on a type.
func (p Principal) May(typ, letters string) bool {
	return p.unlimited() || p.Scopes.AllowAny(typ, letters)
}

// Operates reports whether the Principal operates the record: everybody does
// under --auth off.
func (p Principal) Operates() bool {
	return p.Kind == System || slices.Contains(p.Scopes, Operations())
}

// Request is what a Principal asks for, as far as the decision needs it.
type Request struct {
	Interaction Interaction
	Type        string     // the type asked for; empty for none in particular
	Permission  Permission // what the interaction needs on Type
	// NamedPatient is the one patient whom the request names, if it names one
	// (consent.md section 1). The zero NamedPatient names nobody.
	Named NamedPatient
	// Write marks an interaction that writes.
	Write bool
}

// NamedPatient is how a request names its patient: by id, or by a predicate over the
// Patients that must have exactly one answer.
type NamedPatient struct {
	ID    string
	Where store.Pred
}

// None reports that nobody is named.
func (n NamedPatient) None() bool { return n.ID == "" && n.Where == nil }

// Interaction is a RESTful interaction as the trail names it.
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
)
