package oauth

import (
	"net/http"
	"strings"
)

// Bearer returns the access token of a request (RFC 6750, section 2.1). ok is false without an Authorization header, with more than
// one, with another scheme, and without a token after the scheme.
func Bearer(h http.Header) (token string, ok bool) {
	values := h.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", false
	}
	return token, true
}
