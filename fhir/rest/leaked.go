package rest

import (
	"context"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"carerecord/consent"
	"carerecord/fhir"
)

// A token belongs in one Authorization header (SMART-410). In any other place it may be in logs,
// browser histories or caches already. So the request is refused, and the token is recorded as leaked,
// by its id if this server issued it. The token itself is never recorded.

// TokenLeaked is the reason of such a refusal in the audit trail.
const TokenLeaked = "TOKEN_LEAKED"

// tokenParam is the parameter for a token in a form or a URL (RFC 6750).
const tokenParam = "access_token"

// refuseLeaked refuses a request with a token in a wrong place, and notes whose token it is.
func (s *Server) refuseLeaked(ctx context.Context, c *call, where, token string) error {
	if p, err := s.cfg.Verify(ctx, http.Header{"Authorization": {"Bearer " + token}}, address(c.r)); err == nil && c.caller.Kind == consent.Nobody {
		c.caller, c.unidentified = p, false
	} else if err == nil {
		c.leakedToken = p.Token
	}
	return RefuseLeakedToken(where)
}

// RefuseLeakedToken returns the refusal of a request with a token in a wrong place.
func RefuseLeakedToken(where string) error {
	return &consent.Refusal{Step: 1, Reason: TokenLeaked, Err: fhir.Fault(400, "invalid",
		"A token in %s is refused. It belongs in one Authorization header. Treat it as leaked.", where)}
}

// checkTokenPlace refuses a request with a token in its URL, in more than one header or in a form. The
// form of a search by a known requester is left to readForm. err is the result of verifying the header.
func (s *Server) checkTokenPlace(ctx context.Context, c *call, err error) error {
	if token, found := LeakedToken(c.r.URL.RawQuery); found {
		return s.refuseLeaked(ctx, c, "the URL", token)
	}
	e, refused := fhir.AsError(err)
	if refused && len(c.r.Header.Values("Authorization")) > 1 {
		return &consent.Refusal{Step: 1, Reason: TokenLeaked, Err: e}
	}
	if !isForm(c.r) || !c.unidentified && strings.HasSuffix(c.r.URL.Path, "/_search") {
		return err
	}
	if body, failed := readBody(c.r, s.cfg.Limits.Form); failed == nil {
		if token, found := LeakedToken(string(body)); found {
			return s.refuseLeaked(ctx, c, "a form", token)
		}
	}
	return err
}

// isForm reports whether the body of a request is a form.
func isForm(r *http.Request) bool {
	typ, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return r.Method == http.MethodPost && err == nil && typ == "application/x-www-form-urlencoded"
}

// checkEntryTokens refuses a bundle with a token in the URL of an entry.
func (s *Server) checkEntryTokens(ctx context.Context, c *call, entries []entry) error {
	for _, en := range entries {
		_, query, _ := strings.Cut(en.url, "?")
		for _, raw := range append([]string{query}, en.header.Values("If-None-Exist")...) {
			if token, found := LeakedToken(raw); found {
				err := s.refuseLeaked(ctx, c, "the URL of an entry", token)
				if refusal, ok := consent.AsRefusal(err); ok {
					refusal.Err = refusal.Err.At(en.location + ".request")
				}
				return err
			}
		}
	}
	return nil
}

// HasLeakedToken reports whether a request has a token in its URL, or more than one Authorization
// header. Routes that need no token refuse it too.
func HasLeakedToken(r *http.Request) bool {
	_, found := LeakedToken(r.URL.RawQuery)
	return found || len(r.Header.Values("Authorization")) > 1
}

// LeakedToken returns the token in a query string, even a malformed one.
func LeakedToken(query string) (token string, found bool) {
	for part := range strings.SplitSeq(query, "&") {
		if name, value, _ := strings.Cut(part, "="); isToken(name) {
			if plain, err := url.QueryUnescape(value); err == nil {
				value = plain
			}
			return value, true
		}
	}
	return "", false
}

// isToken reports whether an encoded parameter name is that of a token.
func isToken(name string) bool {
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	name, _, _ = strings.Cut(strings.TrimPrefix(strings.TrimSpace(name), "?"), ":")
	return strings.EqualFold(name, tokenParam)
}

// withoutTokens returns a query string for the audit record.
func withoutTokens(query string) string {
	if _, found := LeakedToken(query); !found {
		return query
	}
	parts := strings.Split(query, "&")
	for i, part := range parts {
		if name, _, _ := strings.Cut(part, "="); isToken(name) {
			parts[i] = name + "=REDACTED"
		}
	}
	return strings.Join(parts, "&")
}
