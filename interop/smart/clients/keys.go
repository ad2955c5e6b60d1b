package clients

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// ParseKeys reads a JWK set of a client (SMART-060): RSA keys of 2,048 bits or more and EC keys on
// P-384, each with a kid of its own. A private or symmetric key, or a key for anything but
// verification, refuses the whole set.
func ParseKeys(text []byte) (*jose.JSONWebKeySet, error) {
	var raw struct {
		Keys []struct {
			Kty, D, P, Q, K, Use string
			KeyOps               []string `json:"key_ops"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, errors.New("is no JWK set")
	}
	if len(raw.Keys) == 0 {
		return nil, errors.New("has no keys")
	}
	for i, k := range raw.Keys {
		switch {
		case k.D != "" || k.P != "" || k.Q != "":
			return nil, fmt.Errorf("keys[%d] is a private key: take it out of use", i)
		case k.Kty == "oct" || k.K != "":
			return nil, fmt.Errorf("keys[%d] is a symmetric key", i)
		case k.Use != "" && k.Use != "sig":
			return nil, fmt.Errorf("keys[%d] is not for signatures", i)
		}
		for _, op := range k.KeyOps {
			if op != "verify" {
				return nil, fmt.Errorf("keys[%d] has the operation %.20q", i, op)
			}
		}
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(text, &set); err != nil || len(set.Keys) != len(raw.Keys) {
		return nil, errors.New("has a key that cannot be read")
	}
	seen := map[string]bool{}
	for i, k := range set.Keys {
		if k.KeyID == "" || seen[k.KeyID] {
			return nil, fmt.Errorf("keys[%d] has no kid, or that of another key", i)
		}
		seen[k.KeyID] = true
		switch key := k.Key.(type) {
		case *rsa.PublicKey:
			if key.N.BitLen() < 2048 {
				return nil, fmt.Errorf("keys[%d] has %d bits, and needs 2048", i, key.N.BitLen())
			}
		case *ecdsa.PublicKey:
			if key.Curve != elliptic.P384() {
				return nil, fmt.Errorf("keys[%d] is not on the curve P-384", i)
			}
		default:
			return nil, fmt.Errorf("keys[%d] is neither RSA nor EC", i)
		}
	}
	return &set, nil
}

// digestOf returns the digest of inline keys, which is checked at each use (SMART-059).
func digestOf(keys []byte) string {
	sum := sha256.Sum256(keys)
	return hex.EncodeToString(sum[:])
}

// KeySet returns the inline keys of the client; nil if it has none. It is an error if they are not
// those that were registered.
func (c *Client) KeySet() (*jose.JSONWebKeySet, error) {
	if len(c.Keys) == 0 {
		return nil, nil
	}
	if digestOf(c.Keys) != c.KeysDigest {
		return nil, fmt.Errorf("the keys of client %s are not those that were registered", c.ID)
	}
	return ParseKeys(c.Keys)
}

// checkKeys checks the keys of a client: one way to find them, and only where the kind has any.
func (r Rules) checkKeys(c *Client, bad func(field, format string, args ...any)) {
	if !c.Kind.HasKeys() {
		if len(c.Keys) > 0 || c.KeysURL != "" {
			bad("keys", "are of clients that authenticate by private_key_jwt alone")
		}
		return
	}
	if len(c.Keys) > 0 && c.KeysURL != "" {
		bad("keys", "and keysURL exclude each other")
	}
	if len(c.Keys) > 0 {
		if _, err := ParseKeys(c.Keys); err != nil {
			bad("keys", "%w", err)
		}
	}
	if c.KeysURL != "" {
		if err := r.checkPage(c.KeysURL); err != nil {
			bad("keysURL", "%w", err)
		}
	}
}
