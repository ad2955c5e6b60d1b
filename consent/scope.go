package consent

import (
	"fmt"
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

// Scope is one resource scope: level / type . permissions.
type Scope struct {
	Level       string // patient, user or system; carerecord for a scope of this server
	Type        string // a type or *
	Permissions string // some of cruds in that order; empty for a scope of this server
}

// Operations is the scope of an operator. It alone permits writing definitions of search parameters
// (SRCH-240), on which the requests of everybody depend, and reading the progress of the index.
func Operations() Scope { return Scope{Level: ownLevel, Type: "operations"} }

// ownLevel is the level of this server's own scopes. They permit nothing on any type.
const ownLevel = "carerecord"

// String writes the scope as SMART 2.2 does.
func (s Scope) String() string {
	if s.Level == ownLevel {
		return s.Level + "/" + s.Type
	}
	return s.Level + "/" + s.Type + "." + s.Permissions
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

// Allow reports whether the scopes permit an action on a type.
func (s Scopes) Allow(typ string, l Permission) bool {
	return slices.ContainsFunc(s, func(one Scope) bool {
		return (one.Type == "*" || one.Type == typ) && strings.IndexByte(one.Permissions, byte(l)) >= 0
	})
}

// AllowAny reports whether the scopes permit one of some actions on a type.
func (s Scopes) AllowAny(typ string, any string) bool {
	for i := range len(any) {
		if s.Allow(typ, Permission(any[i])) {
			return true
		}
	}
	return false
}

// ParseScopes reads a scope string (SMART-230 to 235). Any part that it does not understand is an
// error: no scope is granted in part. known reports the resource types of the server.
func ParseScopes(text string, known func(string) bool) (Scopes, error) {
	var out Scopes
	if text == "" {
		return nil, nil
	}
	tokens := strings.Split(text, " ")
	if len(tokens) > 200 {
		return nil, fmt.Errorf("more than 200 scopes")
	}
	for _, token := range tokens {
		s, err := parseScope(token, known)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out, nil
}

func parseScope(token string, known func(string) bool) (Scope, error) {
	if token == Operations().String() {
		return Operations(), nil
	}
	if strings.Contains(token, "?") {
		return Scope{}, fmt.Errorf("scope %q: granular scopes are not built yet", token)
	}
	level, pause, ok := strings.Cut(token, "/")
	if !ok || !slices.Contains([]string{"patient", "user", "system"}, level) {
		return Scope{}, fmt.Errorf("scope %q is not of the form patient|user|system/type.permissions", token)
	}
	typ, perms, ok := strings.Cut(pause, ".")
	if !ok || typ != "*" && !known(typ) {
		return Scope{}, fmt.Errorf("scope %q names no type of this server", token)
	}
	switch perms {
	case "read":
		perms = "rs"
	case "write":
		perms = "cud"
	case "*":
		perms = permissionOrder
	}
	at := 0
	for i := range len(perms) {
		next := strings.IndexByte(permissionOrder[at:], perms[i])
		if next < 0 {
			return Scope{}, fmt.Errorf("scope %q: the permissions must be some of cruds, in that order", token)
		}
		at += next + 1
	}
	if perms == "" {
		return Scope{}, fmt.Errorf("scope %q has no permissions", token)
	}
	return Scope{Level: level, Type: typ, Permissions: perms}, nil
}

// Within limits scopes to a ceiling: each scope is kept as far as the ceiling covers it (SMART-236).
// The result is never wider than s.
func (s Scopes) Within(ceiling Scopes) Scopes {
	var out Scopes
	for _, ask := range s {
		if ask.Level == ownLevel && slices.Contains(ceiling, ask) && !slices.Contains(out, ask) {
			out = append(out, ask)
		}
		for _, c := range ceiling {
			if c.Level != ask.Level || c.Type != "*" && ask.Type != "*" && c.Type != ask.Type {
				continue
			}
			both := Scope{Level: ask.Level, Type: ask.Type}
			if ask.Type == "*" {
				both.Type = c.Type
			}
			for i := range len(permissionOrder) {
				if strings.IndexByte(ask.Permissions, permissionOrder[i]) >= 0 && strings.IndexByte(c.Permissions, permissionOrder[i]) >= 0 {
					both.Permissions += permissionOrder[i : i+1]
				}
			}
			if both.Permissions != "" && !slices.Contains(out, both) {
				out = append(out, both)
			}
		}
	}
	return out
}
