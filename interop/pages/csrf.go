package pages

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"

	"carerecord/interop/smart/secret"
)

// The names of the fields that each form has.
const (
	fieldCSRF        = "csrf"
	fieldTransaction = "transaction"
)

// maxForm is the largest body of a post.
const maxForm = 64 << 10

// csrf returns the CSRF value of the forms of a session or browser in a transaction. It is computed from the binding,
// which comes from 256 random bits, with the key of the digests: nothing is stored, every instance of the server computes
// the same value, and it ends with the session id (SMART-007, 163).
func (p *Renderer) csrf(binding, transaction string) string {
	sum, err := hex.DecodeString(p.cfg.Digests.Of("csrf\x00" + binding + "\x00" + transaction))
	if err != nil {
		panic("a digest is not hexadecimal")
	}
	return string(secret.CSRF) + base64.RawURLEncoding.EncodeToString(sum)
}

// Check verifies that a post comes from a form that this server rendered for this session or browser and this
// transaction: the browser names our origin, and the CSRF value is right. Binding and transaction are what the page was
// rendered with, as the server knows them, not as the request says. The error is a *Failure of kind Forbidden (403); the
// caller must change nothing then. An empty binding is refused: there is no session and no browser that the form could
// belong to. The body is read as a form of at most 64 KB (SMART-484); a larger one is a *Failure of kind BadRequest.
func (p *Renderer) Check(r *http.Request, binding, transaction string) error {
	if err := p.checkOrigin(r); err != nil {
		return &Failure{Kind: Forbidden, Err: err}
	}
	if binding == "" {
		return &Failure{Kind: Forbidden, Err: errors.New("a post comes from no session and no known browser")}
	}
	r.Body = http.MaxBytesReader(nil, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return &Failure{Kind: BadRequest, Err: errors.New("the body of a post is not a form")}
	}
	return p.checkValue(r.PostForm[fieldCSRF], binding, transaction)
}

func (p *Renderer) checkValue(values []string, binding, transaction string) error {
	if len(values) != 1 || subtle.ConstantTimeCompare([]byte(values[0]), []byte(p.csrf(binding, transaction))) != 1 {
		return &Failure{Kind: Forbidden, Err: errors.New("a post has no CSRF value of its session and transaction")}
	}
	return nil
}

// Token returns the CSRF value for a request of a session that has no form.
func (p *Renderer) Token(binding string) string { return p.csrf(binding, requestForm) }

// CheckToken is Check for a request without a form: it has the value of Token once, in a header.
func (p *Renderer) CheckToken(r *http.Request, binding string, values []string) error {
	if err := p.checkOrigin(r); err != nil {
		return &Failure{Kind: Forbidden, Err: err}
	}
	if binding == "" {
		return &Failure{Kind: Forbidden, Err: errors.New("a request comes from no session")}
	}
	return p.checkValue(values, binding, requestForm)
}

// requestForm takes the place of the transaction in the CSRF value of a request without a form.
const requestForm = "request"

// checkOrigin verifies Origin and Sec-Fetch-Site: at least one is sent, and each that is sent says that the post comes
// from our own origin. A privacy setting that sends "Origin: null" is refused.
func (p *Renderer) checkOrigin(r *http.Request) error {
	origins, sites := r.Header.Values("Origin"), r.Header.Values("Sec-Fetch-Site")
	if len(origins) > 1 || len(sites) > 1 || len(origins)+len(sites) == 0 {
		return errors.New("a post does not say once where it comes from")
	}
	if len(origins) == 1 && origins[0] != p.cfg.Origin || len(sites) == 1 && sites[0] != "same-origin" {
		return errors.New("a post comes from another origin")
	}
	return nil
}
