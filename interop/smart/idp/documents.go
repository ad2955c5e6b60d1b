package idp

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/go-jose/go-jose/v4"
)

// answers returns a handler that writes the result of f as JSON. It is the one place that turns errors of the endpoints
// for programs into answers: a refusal is 400, or 401 for a client that is not authenticated; another error is 500
// without a text.
func (p *Provider) answers(f func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusOK
		answer, err := f(r)
		var refused refusal
		switch {
		case errors.As(err, &refused):
			status, answer = http.StatusBadRequest, map[string]string{"error": string(refused)}
			if refused == "invalid_client" {
				status = http.StatusUnauthorized
			}
		case err != nil:
			status, answer = http.StatusInternalServerError, map[string]string{"error": "server_error"}
		}
		body, err := json.Marshal(answer)
		if err != nil {
			status, body = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		w.Write(body)
	}
}

// discovery is the discovery document (OpenID Connect Discovery section 3).
func (p *Provider) discovery(*http.Request) (any, error) {
	return map[string]any{
		"issuer": p.issuer, "authorization_endpoint": p.issuer + "/authorize", "token_endpoint": p.issuer + "/token", "jwks_uri": p.issuer + "/jwks.json",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "scopes_supported": []string{"openid", "profile"},
		"id_token_signing_alg_values_supported": []string{string(p.algorithm())}, "token_endpoint_auth_methods_supported": []string{"private_key_jwt"},
		"code_challenge_methods_supported": []string{"S256"}, "authorization_response_iss_parameter_supported": true,
		"claims_supported": []string{"sub", "name", "nhs_number", "birthdate", "auth_time", "acr", "amr"},
	}, nil
}

// jwks is the key set. Its key is public.
func (p *Provider) jwks(*http.Request) (any, error) {
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{p.key.Public()}}, nil
}
