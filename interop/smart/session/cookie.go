package session

import (
	"net/http"

	"carerecord/interop/smart/secret"
)

// browser is the name of the cookie that a browser has before it signs in.
const browser = "browser"

// cookieName returns the name of a cookie. With the prefix __Host- a browser takes a cookie from this host alone, so
// that a sub-domain cannot set it (RFC 6265bis section 4.1.3.2).
func (s *Sessions) cookieName(of string) string {
	if s.cfg.Secure {
		return "__Host-carerecord-" + of
	}
	return "carerecord-" + of
}

// setCookie sends a cookie that ends with the browser; the server ends the session itself.
func (s *Sessions) setCookie(w http.ResponseWriter, of, value string) {
	http.SetCookie(w, &http.Cookie{Name: s.cookieName(of), Value: value, Path: "/", HttpOnly: true, Secure: s.cfg.Secure, SameSite: http.SameSiteLaxMode})
}

// clearCookie removes a cookie from the browser.
func (s *Sessions) clearCookie(w http.ResponseWriter, of string) {
	http.SetCookie(w, &http.Cookie{Name: s.cookieName(of), Path: "/", HttpOnly: true, Secure: s.cfg.Secure, SameSite: http.SameSiteLaxMode, MaxAge: -1})
}

// digest returns the digest of a cookie, or "" for a request that has none of the form of our values. Of several
// cookies of one name the value is unknown, so they count as none.
func (s *Sessions) digest(r *http.Request, of string) string {
	cookies := r.CookiesNamed(s.cookieName(of))
	if len(cookies) != 1 || !secret.Session.Is(cookies[0].Value) {
		return ""
	}
	return s.cfg.Digests.Of(of + " " + cookies[0].Value)
}

// Browser returns the binding of a browser, which is the digest of its cookie of before the sign-in. It sends a new
// cookie to a browser that has none; a second call for the same answer returns the same binding. A transaction and an
// upstream sign-in belong to a browser by this value (SMART-094, 164). The value gives no access. Call it before the header
// of the answer is written.
//
// A post without the cookie gets none, and the result is "": a browser does not send a cookie of SameSite=Lax with a post
// of another site, so a new one would replace that of the browser. Nothing may be bound to "".
func (s *Sessions) Browser(w http.ResponseWriter, r *http.Request) string {
	if d := s.digest(r, browser); d != "" {
		return d
	}
	for _, line := range w.Header().Values("Set-Cookie") {
		if c, err := http.ParseSetCookie(line); err == nil && c.Name == s.cookieName(browser) && secret.Session.Is(c.Value) {
			return s.cfg.Digests.Of(browser + " " + c.Value)
		}
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return ""
	}
	value := secret.New(secret.Session)
	s.setCookie(w, browser, value)
	return s.cfg.Digests.Of(browser + " " + value)
}

// Had reports whether a request has a session cookie of a kind, of a session that may have ended.
func (s *Sessions) Had(r *http.Request, kind Kind) bool {
	return len(r.CookiesNamed(s.cookieName(string(kind)))) > 0
}

// KnownBrowser returns the binding of a browser, or "" if it has no cookie. It sends nothing.
func (s *Sessions) KnownBrowser(r *http.Request) string { return s.digest(r, browser) }
