package capabilities

import (
	"fmt"
	"maps"
	"slices"

	"carerecord/consent"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/scopes"
)

// WithParameters returns the Set with the search parameters that scopes of some types may have (SMART-239). It is an error to name one
// that the server does not support for the type.
func (s Set) WithParameters(byType map[string][]string) (Set, error) {
	for _, typ := range slices.Sorted(maps.Keys(byType)) {
		supported := consent.ConstraintParams(typ)
		for _, name := range byType[typ] {
			if !slices.Contains(supported, name) {
				return Set{}, fmt.Errorf("scopes of %s cannot have the search parameter %q, only %v", typ, name, supported)
			}
		}
	}
	s.parameters = byType
	return s, nil
}

// Parameters returns the search parameters that scopes of a type may have.
func (s Set) Parameters(typ string) []string {
	if names, limited := s.parameters[typ]; limited {
		return names
	}
	return consent.ConstraintParams(typ)
}

// Permitted returns a set of scopes without those of capabilities that are off, and without those of search parameters that are not
// permitted: dropping such a parameter would widen its scope. launched says that an EHR launched the app.
func (s Set) Permitted(set scopes.Set, launched bool) scopes.Set {
	if len(s.off)+len(s.parameters) == 0 {
		return set
	}
	without := map[string][]string{SignOn: {scopes.OpenID, scopes.FHIRUser, scopes.Profile}, LaunchEHR: {scopes.Launch}, PermissionOffline: {scopes.OfflineAccess}, PermissionOnline: {scopes.OnlineAccess}}
	if !launched {
		without[ContextStandalonePatient], without[ContextStandaloneEncounter] = []string{scopes.LaunchPatient}, []string{scopes.LaunchEncounter}
	}
	for name, names := range without {
		if !s.Has(name) {
			set = set.Without(names...)
		}
	}
	set.Resources = slices.DeleteFunc(slices.Clone(set.Resources), func(one consent.Scope) bool {
		version := PermissionV2
		if one.IsV1() {
			version = PermissionV1
		}
		names := s.Parameters(one.Type)
		if slices.ContainsFunc(one.ConstraintParams(), func(name string) bool { return !slices.Contains(names, name) }) {
			return true
		}
		return !s.Has(version) || one.Level == "patient" && (!s.Has(PermissionPatient) || !launched && !s.Has(ContextStandalonePatient)) || one.Level == "user" && !s.Has(PermissionUser)
	})
	return set
}

// Serves reports whether clients of a kind are served.
func (s Set) Serves(kind clients.Kind) bool {
	switch kind {
	case clients.Public:
		return s.Has(ClientPublic)
	case clients.Symmetric:
		return s.Has(ClientSymmetric)
	case clients.Asymmetric, clients.Backend:
		return s.Has(ClientAsymmetric)
	}
	return true
}
