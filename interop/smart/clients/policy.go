package clients

import (
	"cmp"

	"carerecord/consent/policy"
)

// OfPolicy returns the registration of a client of a policy folder. It has no key and no redirect URI: it can be
// given them like any other client.
func OfPolicy(c policy.Client) Client {
	kind := map[string]Kind{"confidential": Symmetric, "public": Public, "backend": Backend}[c.Kind]
	return Client{ID: c.ID, Name: cmp.Or(c.Name, c.ID), Kind: kind, Audience: c.People, Organisation: c.Organisation, Purposes: c.Purposes,
		Scopes: c.Scopes, Flow: c.Flow, IDPrefix: c.IDPrefix, Rights: c.Rights}
}
