// Package secret makes the random values of the authorization server and the digests under which
// they are stored. A value has 256 random bits (SMART-007); the store has its HMAC alone, with a key
// that is not in the store (SMART-490). So neither a copy of the store nor a guess gives a value.
package secret

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
)

// Kind is what a value is for. It is the prefix of the value, so that scanners of source code and
// logs recognise it, and so that a value of one kind is never taken for another.
type Kind string

// The kinds of values.
const (
	AccessToken  Kind = "cr_at_"
	RefreshToken Kind = "cr_rt_"
	Code         Kind = "cr_ac_"
	LaunchHandle Kind = "cr_lh_"
	Session      Kind = "cr_se_"
	ClientSecret Kind = "cr_cs_"
	Transaction  Kind = "cr_tx_"
	CSRF         Kind = "cr_xs_"
	State        Kind = "cr_st_" // of our sign-in at an identity provider
)

// bytes is the number of random bytes of a value.
const bytes = 32

// New returns a new value of a kind: the prefix and 43 letters of unpadded base64url, so none that
// is reserved in a URL.
func New(k Kind) string {
	var b [bytes]byte
	rand.Read(b[:])
	return string(k) + base64.RawURLEncoding.EncodeToString(b[:])
}

// Is reports whether a value has the form of a kind.
func (k Kind) Is(value string) bool {
	text, ok := strings.CutPrefix(value, string(k))
	if !ok || len(text) != base64.RawURLEncoding.EncodedLen(bytes) {
		return false
	}
	_, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil
}

// Digester computes digests with one key. The zero Digester is not usable.
type Digester struct{ key []byte }

// NewDigester returns a Digester for a key of 32 bytes.
func NewDigester(key []byte) (Digester, error) {
	if len(key) != sha256.Size {
		return Digester{}, errors.New("the key of digests must have 32 bytes")
	}
	return Digester{key: key}, nil
}

// Of returns the digest of a value: HMAC-SHA-256, as 64 hexadecimal digits.
func (d Digester) Of(value string) string {
	mac := hmac.New(sha256.New, d.key)
	mac.Write([]byte(value))
	return hex.EncodeToString(mac.Sum(nil))
}

// Matches reports whether a digest is that of a value, in a time that depends on neither.
func (d Digester) Matches(value, digest string) bool {
	return subtle.ConstantTimeCompare([]byte(d.Of(value)), []byte(digest)) == 1
}
