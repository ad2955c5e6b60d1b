package clientauth

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/base64"

	"github.com/go-jose/go-jose/v4"

	"carerecord/interop/smart/clients"
)

// keyOf chooses the key of an assertion: by jku only where that is the registered URL, then by kid and by
// the type of key that the algorithm needs. Exactly one may be left (SMART-334). cause says why there is none.
func (a *Authenticator) keyOf(ctx context.Context, c *clients.Client, h header) (key *jose.JSONWebKey, cause string) {
	if h.KeysURL != "" && h.KeysURL != c.KeysURL {
		return nil, "another jku than the registered one"
	}
	var candidates []jose.JSONWebKey
	if c.KeysURL != "" {
		found, err := a.KeySets.Keys(ctx, c.KeysURL, h.KeyID)
		if err != nil {
			return nil, "the keys cannot be fetched: " + err.Error()
		}
		candidates = found
	} else {
		set, err := c.KeySet()
		if err != nil {
			return nil, err.Error()
		}
		if set != nil {
			candidates = set.Key(h.KeyID)
		}
	}
	for i := range candidates {
		if !fits(candidates[i], h.Algorithm) {
			continue
		}
		if key != nil {
			return nil, "two keys of that kid"
		}
		key = &candidates[i]
	}
	if key == nil {
		return nil, "no key of that kid"
	}
	return key, ""
}

// fits reports whether a key is of the type that an algorithm needs.
func fits(key jose.JSONWebKey, algorithm string) bool {
	if key.Algorithm != "" && key.Algorithm != algorithm {
		return false
	}
	switch key.Key.(type) {
	case *rsa.PublicKey:
		return algorithm == string(jose.RS384)
	case *ecdsa.PublicKey:
		return algorithm == string(jose.ES384)
	}
	return false
}

func decodeSegment(s string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(s) }
