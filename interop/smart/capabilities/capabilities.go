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
)

// forBackends are those that a server without people has.
func forBackends() []string { return []string{ClientAsymmetric, PermissionV1, PermissionV2} }

// All returns every capability.
func All() []string {
	return append(forBackends(), LaunchEHR, LaunchStandalone, AuthorizePost, ClientPublic, ClientSymmetric, SignOn, ContextBanner, ContextEHRPatient, ContextEHREncounter,
		ContextStandalonePatient, ContextStandaloneEncounter, PermissionOffline, PermissionOnline, PermissionPatient, PermissionUser)
}

// Set says which capabilities are on, and which search parameters scopes may have. The zero Set has all of them. It never changes.
type Set struct {
	off        []string
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
	for name, dependents := range map[string][]string{LaunchEHR: {ContextEHRPatient, ContextEHREncounter, ContextBanner, PermissionOnline}, LaunchStandalone: {ContextStandalonePatient, ContextStandaloneEncounter}} {
		if slices.Contains(names, name) {
			off = append(off, dependents...)
		}
	}
	return Set{off: off}, nil
}

// Has reports whether a capability is on.
func (s Set) Has(name string) bool { return !slices.Contains(s.off, name) }

// List returns the capabilities that are on, for a server where people sign in, or for one of backend systems alone.
func (s Set) List(people bool) []string {
	all := forBackends()
	if people {
		all = All()
	}
	return slices.DeleteFunc(all, func(name string) bool { return !s.Has(name) })
}
