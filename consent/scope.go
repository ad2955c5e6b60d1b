package consent

import (
	"slices"
	"strings"
)

// Permission is a permission of a SMART 2.2 scope.
type Permission byte

// The permissions, in the order in which a scope lists them.
const (
	PermitCreate Permission = 'c'
	PermitRead   Permission = 'r'
	PermitUpdate Permission = 'u'
	PermitDelete Permission = 'd'
	PermitSearch Permission = 's'
)

const permissionOrder = "cruds"

// The levels of resource scopes. They select a population: of patient/ the person of the patient in context, of
// user/ everything that the user may see, of system/ the data of the client.
const (
	levelPatient = "patient"
	levelUser    = "user"
	levelSystem  = "system"
)

// Scope is one resource scope: level / type . permissions ? constraint. Two scopes of one meaning may differ in
// their form: use Equal to compare meanings.
type Scope struct {
	Level       string     // patient, user or system; __ for a scope of this server
	Type        string     // a type or *
	Permissions string     // some of cruds in that order; empty for a scope of this server
	Constraint  Constraint // empty for none; * takes none

	v1 bool // was written as v1: .read, .write or .*
}

// Operations is the scope of an operator, __operations (SMART-247). It alone permits writing definitions of search parameters
// (SRCH-240), on which the requests of everybody depend, and reading the progress of the index.
func Operations() Scope { return Scope{Level: ownLevel, Type: "operations"} }

// ownLevel is the level of this server's own scopes. They permit nothing on any type.
const ownLevel = "__"

// IsV1 reports whether the scope was written in the form of version 1: .read, .write or .*.
func (s Scope) IsV1() bool { return s.v1 }

// v1Form returns the form of some permissions in a scope of version 1; empty for none.
func v1Form(permissions string) string {
	switch permissions {
	case "rs":
		return "read"
	case "cud":
		return "write"
	case permissionOrder:
		return "*"
	}
	return ""
}

// ofV1 returns the permissions of a form of version 1; empty for another form.
func ofV1(form string) string {
	switch form {
	case "read":
		return "rs"
	case "write":
		return "cud"
	case "*":
		return permissionOrder
	}
	return ""
}

// String writes the scope in the form in which it was requested: v1 or v2 (SMART-233).
func (s Scope) String() string {
	if s.Level == ownLevel {
		return s.Level + s.Type
	}
	permissions := s.Permissions
	if form := v1Form(permissions); s.v1 && s.Constraint == "" && form != "" {
		permissions = form
	}
	out := s.Level + "/" + s.Type + "." + permissions
	if s.Constraint != "" {
		out += "?" + string(s.Constraint)
	}
	return out
}

// Equal reports whether two scopes have the same meaning, whatever their form.
func (s Scope) Equal(other Scope) bool {
	s.v1, other.v1 = false, false
	return s == other
}

// isFor reports whether the scope has one of some permissions on a type.
func (s Scope) isFor(typ, permissions string) bool {
	return (s.Type == "*" || s.Type == typ) && strings.ContainsAny(s.Permissions, permissions)
}

// Scopes is a set of resource scopes. The empty set permits nothing.
type Scopes []Scope

// String joins the scopes with spaces.
func (s Scopes) String() string {
	out := make([]string, len(s))
	for i, one := range s {
		out[i] = one.String()
	}
	return strings.Join(out, " ")
}

// Allow reports whether a scope permits an action on some documents of a type, whatever its level.
func (s Scopes) Allow(typ string, l Permission) bool { return s.AllowAny(typ, string(rune(l))) }

// AllowAny reports whether a scope permits one of some actions on some documents of a type, whatever its level.
func (s Scopes) AllowAny(typ string, permissions string) bool {
	return slices.ContainsFunc(s, func(one Scope) bool { return one.isFor(typ, permissions) })
}

// add appends a scope unless it is there in the same form.
func (s Scopes) add(one Scope) Scopes {
	if slices.Contains(s, one) {
		return s
	}
	return append(s, one)
}
