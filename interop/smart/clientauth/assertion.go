package clientauth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/oauth"
	"carerecord/store"
)

// AssertionType is the only client_assertion_type (SMART-330).
const AssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// The bounds of an assertion (SMART-332, 493).
const (
	assertionLife = 5 * time.Minute
	skew          = time.Minute
	maxJTI        = 255
	maxAssertion  = 16 << 10
)

// algorithms are those of assertions (SMART-331).
func algorithms() []jose.SignatureAlgorithm { return []jose.SignatureAlgorithm{jose.RS384, jose.ES384} }

// claims are the claims of an assertion that count. Audience is a string, or an array of one.
type claims struct {
	Issuer   string          `json:"iss"`
	Subject  string          `json:"sub"`
	Audience json.RawMessage `json:"aud"`
	Expires  *float64        `json:"exp"`
	Issued   *float64        `json:"iat"`
	From     *float64        `json:"nbf"`
	ID       string          `json:"jti"`
}

// byAssertion authenticates by a signed assertion (SMART-330 to 334).
func (a *Authenticator) byAssertion(ctx context.Context, form oauth.Form) (*clients.Client, error) {
	text := form.Get("client_assertion")
	if form.Get("client_assertion_type") != AssertionType || text == "" {
		return nil, oauth.Refuse(oauth.InvalidRequest, "client_assertion_type must be "+AssertionType+", with client_assertion.")
	}
	if len(text) > maxAssertion {
		return nil, refused("a long assertion", false)
	}
	signed, err := jose.ParseSignedCompact(text, algorithms())
	if err != nil {
		return nil, refused("an assertion that cannot be read, or of another algorithm", false)
	}
	header, cause := readHeader(text)
	if cause != "" {
		return nil, refused(cause, false)
	}
	// The claims are read before the signature is verified only to find the key of the client.
	var c claims
	if err := json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &c); err != nil {
		return nil, refused("claims that cannot be read", false)
	}
	client, err := a.serving(ctx, c.Issuer)
	if err != nil {
		return nil, err
	}
	if client == nil || !client.Kind.HasKeys() {
		return nil, refused("an unknown client, or one without keys", false)
	}
	key, cause := a.keyOf(ctx, client, header)
	if cause != "" {
		return nil, refused(cause, false)
	}
	if _, err := signed.Verify(key); err != nil {
		return nil, refused("a wrong signature", false)
	}
	now := a.Clients.Ledger.Now()
	if cause := a.check(c, form, now); cause != "" {
		return nil, refused(cause, false)
	}
	return client, a.useOnce(ctx, client, c)
}

// header is the protected header of an assertion, as far as it counts.
type header struct {
	Algorithm string          `json:"alg"`
	KeyID     string          `json:"kid"`
	Type      string          `json:"typ"`
	KeysURL   string          `json:"jku"`
	Critical  json.RawMessage `json:"crit"`
	// Keys that an assertion brings along are never used; to send one is a mistake.
	Key   json.RawMessage `json:"jwk"`
	Chain json.RawMessage `json:"x5c"`
	At    json.RawMessage `json:"x5u"`
}

// readHeader reads the header, which go-jose keeps in part. cause says why it is refused (SMART-331).
func readHeader(compact string) (h header, cause string) {
	first, _, _ := strings.Cut(compact, ".")
	raw, err := decodeSegment(first)
	if err != nil || json.Unmarshal(raw, &h) != nil {
		return h, "a header that cannot be read"
	}
	switch {
	case h.KeyID == "":
		return h, "no kid"
	case !strings.EqualFold(h.Type, "JWT"):
		return h, "typ is not JWT"
	case h.Critical != nil:
		return h, "a crit header"
	case h.Key != nil || h.Chain != nil || h.At != nil:
		return h, "a key in the header"
	}
	return h, ""
}

// check checks the claims (SMART-332). It returns why they are refused; "" if they are not.
func (a *Authenticator) check(c claims, form oauth.Form, now time.Time) string {
	at := func(seconds float64) time.Time { return time.UnixMilli(int64(seconds * 1000)) }
	switch {
	case c.Subject != c.Issuer:
		return "sub is not iss"
	case form.Has("client_id") && form.Get("client_id") != c.Issuer:
		return "another client_id in the body"
	case !audienceIs(c.Audience, a.Audience):
		return "another audience"
	case c.Expires == nil || *c.Expires > 1e12 || *c.Expires < 0:
		return "no exp"
	case !now.Before(at(*c.Expires).Add(skew)):
		return "expired"
	case at(*c.Expires).After(now.Add(assertionLife + skew)):
		return "exp is too far ahead"
	case c.Issued != nil && (*c.Issued > 1e12 || at(*c.Issued).After(now.Add(skew))):
		return "iat is in the future"
	case c.From != nil && (*c.From > 1e12 || at(*c.From).After(now.Add(skew))):
		return "nbf is in the future"
	case c.ID == "" || len(c.ID) > maxJTI:
		return "no jti, or a long one"
	}
	return ""
}

// audienceIs reports whether an aud claim is exactly one value.
func audienceIs(raw json.RawMessage, want string) bool {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return one == want
	}
	var list []string
	return json.Unmarshal(raw, &list) == nil && len(list) == 1 && list[0] == want
}

// useOnce notes the jti until the assertion has expired. Of several uses, on any server, one wins (SMART-333).
func (a *Authenticator) useOnce(ctx context.Context, client *clients.Client, c claims) error {
	sum := sha256.Sum256([]byte(c.ID))
	key := "smart/jti/" + client.ID + "/" + hex.EncodeToString(sum[:])
	err := a.Clients.Ledger.State.Insert(ctx, key, []byte{1}, time.UnixMilli(int64(*c.Expires*1000)).Add(skew))
	switch {
	case errors.Is(err, store.ErrExists):
		return refused("a jti that was used", false)
	case err != nil:
		return oauth.Unavailable(err)
	}
	return nil
}
