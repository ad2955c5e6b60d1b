package pages

import (
	"net/http"
	"regexp"
)

// formScheme matches Options.FormScheme: nothing, or a private scheme with a dot.
var formScheme = regexp.MustCompile(`^([a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)+:)?$`)

// setHeaders sets the headers of SMART-166. The pages have no script, so no page needs the wider policy for scripts. A form leads to
// our own pages and to a private scheme alone: before the browser goes to a web page of an app, it comes to a page of ours (Back).
func setHeaders(h http.Header, scheme string) {
	action := "form-action 'self'"
	if scheme != "" {
		action += " " + scheme
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
