package consent

import (
	"slices"
	"strings"
	"time"

	"carerecord/store"
)

// Kind is the kind of a Principal. The zero Kind is nobody.
type Kind byte

// The kinds of requesters.
const (
	Nobody        Kind = iota
	Staff              // a person of an organisation, in one role
	Patient            // a patient, for the own record
	SourceSystem       // a backend client with the flow "ingest"
	Backend            // any other backend client
	System             // everybody, under --auth off
	Administrator      // a person who governs or operates the record and sees nothing of it (SMART-209)
)

// String returns the word that the audit trail uses.
func (k Kind) String() string {
	return [...]string{"nobody", "clinician", "patient", "feed", "backend", "system", "administrator"}[k]
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
	Activities     []string // that the role permits; of an administrator those that the token has as well
	OtherRoles     []string // that the person has
	Purpose        string   // exactly one code of v3-ActReason
	Client         string
	ClientClass    string // confidential, public or backend
	ClientPurposes []string
	Scopes         Scopes
	Patient        string    // id of the bound Patient; empty for none
	Context        Context   // of the patient/ scopes of staff; the zero Context for none
	FHIRUser       store.Ref // may be read without a scope on its type (SMART-261); the zero Ref for none
	Person         string    // person key of that Patient when the token was issued; empty for unknown
	Number         string    // NHS number with which a patient signed in; empty for unknown
	Authority      string    // of a proxy
	Flow           string
	IDPrefix       string // id space of a source system
	Level          int    // authentication level
	Session        string
	Token          string // id of the token, never the token
	Address        string // network address
	At             time.Time
}

// Context is the patient in context of a token of staff: the person of a Patient, to whose record the patient/ scopes
// are limited (SMART-255).
type Context struct {
	Patient string // id of the Patient in the token response
	Person  string // person key of that Patient when the token was issued; empty for unknown
}

// unlimited reports whether no scope limits the Principal: a System without scopes.
func (p Principal) unlimited() bool { return p.Kind == System && p.Scopes == nil }

// May reports whether the scopes permit one of some permissions on a type.
func (p Principal) May(typ, permissions string) bool {
	return p.unlimited() || slices.ContainsFunc(p.Scopes, func(s Scope) bool { return p.counts(s) && s.isFor(typ, permissions) })
}

// counts reports whether the level of a scope exists for the Principal. The others permit nothing (SMART-242): system/ is
// for clients alone, patient/ needs a patient in context. Under --auth off every level counts.
func (p Principal) counts(s Scope) bool {
	switch p.Kind {
	case Staff:
		return s.Level == levelUser || s.Level == levelPatient && p.Context.Patient != ""
	case Patient:
		return s.Level == levelUser || s.Level == levelPatient
	case SourceSystem, Backend:
		return s.Level == levelSystem
	case System:
		return s.Level != ownLevel
	case Nobody, Administrator:
	}
	return false
}

// constrained reports whether a scope has a constraint.
func (p Principal) constrained() bool {
	return slices.ContainsFunc(p.Scopes, func(s Scope) bool { return s.Constraint != "" })
}

// contextOnly reports whether the scopes permit something on a type, or on any where typ is empty, only within the record of the
// patient in context of staff.
func (p Principal) contextOnly(typ, permissions string) bool {
	if p.Kind != Staff || p.Context.Patient == "" {
		return false
	}
	return !slices.ContainsFunc(p.Scopes, func(s Scope) bool {
		return s.Level != levelPatient && p.counts(s) && (typ == "" && strings.ContainsAny(s.Permissions, permissions) || s.isFor(typ, permissions))
	})
}

// NeedsName reports whether a search of a type must name its resources by _id or identifier: the directory types of people, where
// patient/ scopes alone permit it (SMART-256).
func (p Principal) NeedsName(typ string) bool {
	if typ != "Practitioner" && typ != "PractitionerRole" || len(p.Scopes) == 0 {
		return false // under --auth off there are no scopes
	}
	return !slices.ContainsFunc(p.Scopes, func(s Scope) bool {
		return s.Level != levelPatient && p.counts(s) && s.isFor(typ, string(rune(PermitSearch)))
	})
}

// Operates reports whether the Principal operates the record; under --auth off everybody does.
func (p Principal) Operates() bool {
	return p.Kind == System || slices.Contains(p.Scopes, Operations())
}

// Request is a request as far as decisions depend on it.
type Request struct {
	Interaction Interaction
	Type        string     // empty for none in particular
	ID          string     // of the one resource that is read; empty for none
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
