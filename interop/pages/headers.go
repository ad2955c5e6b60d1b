package pages

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
)

// formTarget matches what may follow 'self' in form-action: nothing, an origin, or a scheme.
var formTarget = regexp.MustCompile(`^(https?://[a-z0-9.-]+(:[0-9]{1,5})?|[a-z][a-z0-9+.-]*:)?$`)

// FormTarget returns the origin of a redirect URI, or the scheme of one without a host, for Options.FormTarget. A browser
// may apply form-action to redirects that follow a post, so the page of the post must name it (CSP 3 section 6.4.1). An
// address in IPv6 form cannot be written there: it gives the scheme alone. It returns an error for a URI that has no
// scheme or letters that a policy cannot hold; such a URI is never registered (SMART-056).
//
// Chromium applies the policy to every redirect of the chain, also to those of the client: a redirect page that answers
// 3xx to another origin is blocked there, unless the target of its client is the scheme "https:" alone.
func FormTarget(redirectURI string) (string, error) {
	u, err := url.Parse(redirectURI)
	if err != nil || u.Scheme == "" {
		return "", fmt.Errorf("a redirect URI has no scheme")
	}
	target := u.Scheme + ":"
	if u.Scheme == "http" || u.Scheme == "https" {
		if addr, err := netip.ParseAddr(u.Hostname()); err != nil || !addr.Is6() {
			target = u.Scheme + "://" + strings.ToLower(u.Host)
		}
	}
	if !formTarget.MatchString(target) {
		return "", fmt.Errorf("the host of a redirect URI cannot be written in a content security policy")
	}
	return target, nil
}

// setHeaders sets the headers of SMART-166. The pages have no script, so no page needs the wider policy for scripts.
func setHeaders(h http.Header, target string) {
	action := "form-action 'self'"
	if target != "" {
		action += " " + target
	}
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; "+action)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}
