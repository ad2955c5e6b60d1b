// Package capabilities has the capabilities of SMART App Launch that the server advertises, each with a switch: one that is off is not
// advertised, and nothing of it works (SMART-006, 031).
package capabilities

import (
	"fmt"
	"slices"
	"strings"
)

// The capabilities of SMART App Launch 2.2.0 that are built.
const (
	LaunchEHR                  = "launch-ehr"
	LaunchStandalone           = "launch-standalone"
	AuthorizePost              = "authorize-post"
	ClientPublic               = "client-public"
	ClientSymmetric            = "client-confidential-symmetric"
	ClientAsymmetric           = "client-confidential-asymmetric"
	SignOn                     = "sso-openid-connect"
	ContextBanner              = "context-banner"
	ContextEHRPatient          = "context-ehr-patient"
	ContextEHREncounter        = "context-ehr-encounter"
	ContextStandalonePatient   = "context-standalone-patient"
	ContextStandaloneEncounter = "context-standalone-encounter"
	PermissionOffline          = "permission-offline"
	PermissionOnline           = "permission-online"
	PermissionPatient          = "permission-patient"
	PermissionUser             = "permission-user"
	PermissionV1               = "permission-v1"
	PermissionV2               = "permission-v2"
	ContextStyle               = "context-style" // off unless With switches it on
)

// forBackends are those that a server without people has.
func forBackends() []string { return []string{ClientAsymmetric, PermissionV1, PermissionV2} }

// Optional returns the capabilities that are off unless With switches them on (P2 of the requirements).
func Optional() []string { return []string{ContextStyle} }

// All returns every capability that is on unless Without switches it off.
func All() []string {
	return append(forBackends(), LaunchEHR, LaunchStandalone, AuthorizePost, ClientPublic, ClientSymmetric, SignOn, ContextBanner, ContextEHRPatient, ContextEHREncounter,
		ContextStandalonePatient, ContextStandaloneEncounter, PermissionOffline, PermissionOnline, PermissionPatient, PermissionUser)
}

// Set says which capabilities are on, and which search parameters scopes may have. The zero Set has all of them but for the optional ones. It
// never changes.
type Set struct {
	off, on    []string            // on has optional ones
	parameters map[string][]string // by type
}

// Without returns the Set with some capabilities switched off, and those that depend on them: what an EHR launch or a standalone launch alone
// gives. It is an error to name one that does not exist.
func Without(names ...string) (Set, error) {
	for _, name := range names {
		if !slices.Contains(All(), name) {
			return Set{}, fmt.Errorf("there is no capability %q; the capabilities are %s", name, strings.Join(All(), ", "))
		}
	}
	off := slices.Clone(names)
	for name, dependents := range map[string][]string{LaunchEHR: {ContextEHRPatient, ContextEHREncounter, ContextBanner, ContextStyle, PermissionOnline}, LaunchStandalone: {ContextStandalonePatient, ContextStandaloneEncounter}} {
		if slices.Contains(names, name) {
			off = append(off, dependents...)
		}
	}
	return Set{off: off}, nil
}

// With returns the Set with some optional capabilities switched on. It is an error to name another one.
func (s Set) With(names ...string) (Set, error) {
	for _, name := range names {
		if !slices.Contains(Optional(), name) {
			return Set{}, fmt.Errorf("there is no optional capability %q; these are %s", name, strings.Join(Optional(), ", "))
		}
	}
	s.on = slices.Clone(names)
	return s, nil
}

// Has reports whether a capability is on.
func (s Set) Has(name string) bool {
	return !slices.Contains(s.off, name) && (!slices.Contains(Optional(), name) || slices.Contains(s.on, name))
}

// List returns the capabilities that are on, for a server where people sign in, or for one of backend systems alone.
func (s Set) List(people bool) []string {
	all := forBackends()
	if people {
		all = append(All(), Optional()...)
	}
	return slices.DeleteFunc(all, func(name string) bool { return !s.Has(name) })
}
