package clients

import "net/url"

// maxIntents is how many intents may be agreed with a client.
const maxIntents = 50

// checkDescriptions checks what a registration says of an app to people: its intents, its logo, its contact and its documents.
func checkDescriptions(c *Client, bad func(field, format string, args ...any)) {
	if len(c.Intents) > maxIntents {
		bad("intents", "there are more than %d", maxIntents)
	}
	for _, intent := range c.Intents {
		if err := plainText(intent, 200); err != nil || intent == "" {
			bad("intents", "%.20q is empty, too long or no plain text", intent)
		}
	}
	if c.Kind == Backend && len(c.Logo) > 0 {
		bad("logo", "a backend client has none: no page names it")
	}
	if err := plainText(c.Contact, 200); err != nil {
		bad("contact", "%w", err)
	}
	for _, document := range []struct{ field, address string }{{"termsURL", c.TermsURL}, {"privacyURL", c.PrivacyURL}} {
		u, err := url.Parse(document.address)
		if document.address != "" && (err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(document.address) > maxURI) {
			bad(document.field, "must be an https address of at most %d characters", maxURI)
		}
	}
}
