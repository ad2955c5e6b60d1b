// Package scopes reads scope strings: scopes of resources, whose meaning is in package consent, and the other
// scopes of SMART and OpenID Connect. What is not understood is never granted in part (SMART-235). A Set
// keeps the form and the order in which the scopes were requested (SMART-214).
package scopes

import (
	"fmt"
	"slices"
	"strings"

	"carerecord/consent"
	"carerecord/fhir/r4"
)

// The scopes that are not of resources (SMART-244).
const (
	OpenID          = "openid"
	FHIRUser        = "fhirUser"
	Profile         = "profile"
	Launch          = "launch"
	LaunchPatient   = "launch/patient"
	LaunchEncounter = "launch/encounter"
	OfflineAccess   = "offline_access"
	OnlineAccess    = "online_access"
)

// The bounds of a scope string (SMART-230, section 28).
const (
	MaxBytes  = 32 << 10
	MaxTokens = 200
)

// Set is a set of scopes, in the order of a request.
type Set struct {
	Resources consent.Scopes
	Other     []string
}

// known reports the scopes that are not of resources and that this server understands.
func known(token string) bool {
	switch withoutRole(token) {
	case OpenID, FHIRUser, Profile, Launch, LaunchPatient, LaunchEncounter, OfflineAccess, OnlineAccess:
		return true
	}
	return false
}

// withoutRole returns a scope of launch context without its role, of which it may have one (SMART-150). The role changes nothing.
func withoutRole(token string) string {
	context, role, found := strings.Cut(token, "?role=")
	if !found || context != LaunchPatient && context != LaunchEncounter || role == "" || strings.ContainsAny(role, "&?") {
		return token
	}
	return context
}

// Parse reads a scope string. Characters that no scope may have, and a string beyond the bounds, are an error
// (SMART-230). unknown lists the tokens that are not understood; the code flow leaves them out, client
// credentials refuse them.
func Parse(text string, rights []string) (s Set, unknown []string, err error) {
	if len(text) > MaxBytes {
		return Set{}, nil, fmt.Errorf("the scope is longer than %d bytes", MaxBytes)
	}
	if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' }) {
		return Set{}, nil, fmt.Errorf("the scope has a character that no scope may have")
	}
	tokens := strings.Split(text, " ")
	if len(tokens) > MaxTokens {
		return Set{}, nil, fmt.Errorf("there are more than %d scopes", MaxTokens)
	}
	for _, token := range tokens {
		switch {
		case token == "":
		case known(token) || slices.Contains(rights, token):
			if !slices.Contains(s.Other, token) {
				s.Other = append(s.Other, token)
			}
		default:
			scope, err := consent.ParseScope(token, r4.IsResource)
			if err != nil {
				unknown = append(unknown, token)
				continue
			}
			if !slices.Contains(s.Resources, scope) {
				s.Resources = append(s.Resources, scope)
			}
		}
	}
	return s, unknown, nil
}

// Has reports whether a scope that is not of resources is in the set, with or without a role.
func (s Set) Has(name string) bool {
	return slices.ContainsFunc(s.Other, func(o string) bool { return o == name || withoutRole(o) == name })
}

// Level reports whether a scope of resources has a level: patient, user or system.
func (s Set) Level(level string) bool {
	return slices.ContainsFunc(s.Resources, func(one consent.Scope) bool { return one.Level == level })
}

// Without returns the set without some scopes that are not of resources.
func (s Set) Without(names ...string) Set {
	s.Other = slices.DeleteFunc(slices.Clone(s.Other), func(o string) bool { return slices.Contains(names, withoutRole(o)) })
	return s
}

// Covers reports whether another set permits nothing that the set does not.
func (s Set) Covers(other Set) bool {
	return s.Resources.Covers(other.Resources) && !slices.ContainsFunc(other.Other, func(o string) bool { return !s.Has(o) })
}

// Within cuts the scopes of resources to a ceiling (SMART-236).
func (s Set) Within(ceiling consent.Scopes) Set {
	s.Resources = s.Resources.Within(ceiling)
	return s
}

// Empty reports whether the set permits nothing.
func (s Set) Empty() bool { return len(s.Resources)+len(s.Other) == 0 }

// String writes the set as a scope string.
func (s Set) String() string {
	parts := slices.Clone(s.Other)
	for _, one := range s.Resources {
		parts = append(parts, one.String())
	}
	return strings.Join(parts, " ")
}

// Stored reads a scope string that this server has written.
func Stored(text string) (Set, error) {
	var s Set
	for token := range strings.FieldsSeq(text) {
		if known(token) || strings.HasPrefix(token, "__") && token != consent.Operations().String() {
			s.Other = append(s.Other, token)
			continue
		}
		scope, err := consent.ParseScope(token, r4.IsResource)
		if err != nil {
			return Set{}, fmt.Errorf("read stored scopes: %w", err)
		}
		s.Resources = append(s.Resources, scope)
	}
	return s, nil
}

// Narrower reads the scope of a refresh request, which must be within what was granted (SMART-344).
func (s Set) Narrower(text string) (Set, error) {
	narrower, unknown, err := Parse(text, s.Other)
	if err != nil {
		return Set{}, err
	}
	if len(unknown) > 0 || narrower.Empty() || !s.Covers(narrower) {
		return Set{}, fmt.Errorf("the scope is wider than what was granted")
	}
	return narrower, nil
}

// WithoutLevel returns the set without the scopes of resources of a level.
func (s Set) WithoutLevel(level string) Set {
	s.Resources = slices.DeleteFunc(slices.Clone(s.Resources), func(one consent.Scope) bool { return one.Level == level })
	return s
}

// Useful reports whether the set gives a user-facing client anything: a resource, or who the user is.
func (s Set) Useful() bool {
	return len(s.Resources) > 0 || slices.ContainsFunc(s.Other, func(o string) bool { return o == OpenID || strings.HasPrefix(o, "__") })
}
