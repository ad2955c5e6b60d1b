// Package discovery makes the documents by which clients find the endpoints and capabilities of the server: the
// SMART configuration, the OpenID configuration, the metadata of RFC 8414 and the public keys. They are made once,
// from the settings of the server, and say only what works (SMART-023 to 036).
package discovery

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"carerecord/interop/smart/capabilities"
)

// Config describes the server.
type Config struct {
	Base string // the FHIR base, which is the issuer (SMART-001)
	Site string // the address of the site, without /fhir
	// Users: people can sign in, so the code flow works. Without it, backend clients alone are served.
	Users     bool
	Endpoints Endpoints
	// Capabilities are those of SMART that work.
	Capabilities []string
	// Scopes are examples of scopes that work (SMART-026).
	Scopes []string
	// Keys returns the public keys that are published now.
	Keys func() jose.JSONWebKeySet
}

// Endpoints are the absolute URLs of the endpoints. Those for people are empty where nobody can sign in.
type Endpoints struct{ Authorize, Token, Introspect, Revoke, Manage string }

// Address is an address of the documents, by the name of its member.
type Address struct{ Name, URL string }

// Documents are the discovery documents.
type Documents struct {
	// Addresses are those in the documents, in the order of their names.
	Addresses     []Address
	smart, openID document
	published     func() jose.JSONWebKeySet
}

type document struct {
	body []byte
	etag string
}

// New makes the documents.
func New(c Config) (*Documents, error) {
	common := map[string]any{
		"issuer":                           c.Base,
		"jwks_uri":                         c.Site + "/oauth/jwks.json",
		"token_endpoint":                   c.Endpoints.Token,
		"introspection_endpoint":           c.Endpoints.Introspect,
		"revocation_endpoint":              c.Endpoints.Revoke,
		"scopes_supported":                 c.Scopes,
		"response_types_supported":         []string{"code"},
		"code_challenge_methods_supported": []string{"S256"},
		"token_endpoint_auth_signing_alg_values_supported": []string{"RS384", "ES384"},
		"grant_types_supported":                            []string{"authorization_code", "client_credentials"},
	}
	if c.Users {
		common["authorization_endpoint"] = c.Endpoints.Authorize
		common["management_endpoint"] = c.Endpoints.Manage
	} else {
		common["grant_types_supported"] = []string{"client_credentials"}
	}
	if !slices.Contains(c.Capabilities, capabilities.SignOn) { // SMART-024
		delete(common, "issuer")
		delete(common, "jwks_uri")
	}
	var methods []string // SMART-025
	for _, m := range [][2]string{{capabilities.ClientSymmetric, "client_secret_basic"}, {capabilities.ClientAsymmetric, "private_key_jwt"}} {
		if slices.Contains(c.Capabilities, m[0]) {
			methods = append(methods, m[1])
		}
	}
	common["token_endpoint_auth_methods_supported"] = methods
	d := &Documents{published: c.Keys}
	var err error
	if d.smart, err = with(common, map[string]any{"capabilities": c.Capabilities}); err != nil {
		return nil, err
	}
	openID := map[string]any{
		"issuer": c.Base, "jwks_uri": c.Site + "/oauth/jwks.json",
		"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
		"claims_supported": []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "fhirUser", "name"},
		"authorization_response_iss_parameter_supported": true,
		"grant_types_supported":                          []string{"authorization_code", "client_credentials", "refresh_token"},
	}
	d.Addresses = addresses(common)
	d.openID, err = with(common, openID)
	return d, err
}

// addresses returns the members that are one text: all of these are addresses.
func addresses(members map[string]any) (out []Address) {
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if address, ok := members[name].(string); ok {
			out = append(out, Address{name, address})
		}
	}
	return out
}

// with writes the members of two objects as one document.
func with(common, more map[string]any) (document, error) {
	all := map[string]any{}
	for _, m := range []map[string]any{common, more} {
		for k, v := range m {
			all[k] = v
		}
	}
	body, err := json.Marshal(all)
	if err != nil {
		return document{}, fmt.Errorf("make a discovery document: %w", err)
	}
	sum := sha256.Sum256(body)
	return document{body: body, etag: `W/"` + hex.EncodeToString(sum[:8]) + `"`}, nil
}

// SMART answers GET [base]/.well-known/smart-configuration.
func (d *Documents) SMART(w http.ResponseWriter, r *http.Request) { d.smart.serve(w, r) }

// OpenID answers GET [base]/.well-known/openid-configuration and the metadata of RFC 8414.
func (d *Documents) OpenID(w http.ResponseWriter, r *http.Request) { d.openID.serve(w, r) }

// Keys answers GET /oauth/jwks.json. The keys change while the server runs (SMART-386).
func (d *Documents) Keys(w http.ResponseWriter, r *http.Request) {
	keys, err := with(nil, map[string]any{"keys": d.published().Keys})
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	keys.serve(w, r)
}

// serve answers with the document whatever the request accepts (SMART-021).
func (d document) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("ETag", d.etag)
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Header.Get("If-None-Match") == d.etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "application/json")
	if r.Method != http.MethodHead {
		_, _ = w.Write(d.body) // the client may have closed the connection
	}
}
