package capabilities

import (
	"slices"

	"carerecord/consent"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/scopes"
)

// Permitted returns a set of scopes without those of capabilities that are off. launched says that an EHR launched the app.
func (s Set) Permitted(set scopes.Set, launched bool) scopes.Set {
	if len(s.off) == 0 {
		return set
	}
	without := map[string][]string{SignOn: {scopes.OpenID, scopes.FHIRUser, scopes.Profile}, LaunchEHR: {scopes.Launch}, PermissionOffline: {scopes.OfflineAccess}, PermissionOnline: {scopes.OnlineAccess}}
	if !launched {
		without[ContextStandalonePatient], without[ContextStandaloneEncounter] = []string{scopes.LaunchPatient}, []string{scopes.LaunchEncounter}
	}
	for name, gone := range without {
		if !s.Has(name) {
			set = set.Without(gone...)
		}
	}
	set.Resources = slices.DeleteFunc(slices.Clone(set.Resources), func(one consent.Scope) bool {
		version := PermissionV2
		if one.IsV1() {
			version = PermissionV1
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
