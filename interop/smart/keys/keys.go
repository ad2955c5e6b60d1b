// Package keys has the keys with which the authorization server signs ID tokens. They are files of the keys
// folder, never of the store (SMART-387): signing.pem signs; signing-next.pem and signing-previous.pem, where
// they exist, are published beside it, so that a rotation has no gap (SMART-386).
package keys

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-jose/go-jose/v4"
)

// The files of the keys folder.
const (
	current  = "signing.pem"
	next     = "signing-next.pem"
	previous = "signing-previous.pem"
)

// bits is the size of a new RSA key.
const bits = 2048

// Keys signs, and publishes the public keys. It is safe for concurrent use.
type Keys struct {
	signer jose.Signer
	public jose.JSONWebKeySet
}

// Load reads the keys of a folder. It makes signing.pem if it is missing and create is set; else that is an
// error that says what to do.
func Load(dir string, create bool) (*Keys, error) {
	key, err := read(filepath.Join(dir, current))
	if errors.Is(err, os.ErrNotExist) {
		if !create {
			return nil, fmt.Errorf("the key %s is missing. Make it with: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:%d -out %[1]s", filepath.Join(dir, current), bits)
		}
		key, err = generate(dir)
	}
	if err != nil {
		return nil, err
	}
	k := &Keys{}
	id, err := k.publish(key)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{next, previous} {
		other, err := read(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if _, err := k.publish(other); err != nil {
			return nil, err
		}
	}
	k.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: id}}, (&jose.SignerOptions{}).WithType("JWT"))
	return k, err
}

func read(file string) (*rsa.PrivateKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read a signing key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("the signing key %s is not PEM", file)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok || key.N.BitLen() < bits {
		return nil, fmt.Errorf("the signing key %s is no RSA key of %d bits in PKCS #8", file, bits)
	}
	return key, nil
}

func generate(dir string) (*rsa.PrivateKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the keys folder: %w", err)
	}
	return key, os.WriteFile(filepath.Join(dir, current), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// publish adds the public half of a key to the set. Its kid is its thumbprint (RFC 7638).
func (k *Keys) publish(key *rsa.PrivateKey) (kid string, err error) {
	public := jose.JSONWebKey{Key: key.Public(), Algorithm: string(jose.RS256), Use: "sig"}
	sum, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("name a signing key: %w", err)
	}
	public.KeyID = base64.RawURLEncoding.EncodeToString(sum)
	k.public.Keys = append(k.public.Keys, public)
	return public.KeyID, nil
}

// Public returns the public keys (SMART-385).
func (k *Keys) Public() jose.JSONWebKeySet { return k.public }

// Sign returns a JWT with a payload, signed RS256.
func (k *Keys) Sign(payload []byte) (string, error) {
	object, err := k.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return object.CompactSerialize()
}
