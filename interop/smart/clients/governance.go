package clients

import (
	"fmt"
	"net/url"
	"slices"

	"carerecord/consent"
	"carerecord/consent/policy"
)

// purposeGovernance is the purpose of use of apps for administrators: class Governance, without clinical content (SMART-209).
const purposeGovernance = policy.PurposeGovernance

// Governs reports whether the client is an app for administrators.
func (c *Client) Governs() bool { return slices.Contains(c.Audience, ForAdministrators) }

// checkGovernance keeps apps for administrators and all others apart: an app for them has no scope on the record, and no other app has
// the scopes of administrators. A public one gets its codes at an https address alone.
func checkGovernance(c *Client, bad func(field, format string, args ...any)) {
	operates := func(s consent.Scope) bool { return s == consent.Operations() }
	if !c.Governs() {
		if c.HasRight(RightClients) || c.HasRight(RightApps) {
			bad("rights", RightClients+" and "+RightApps+" are of apps for administrators alone")
		}
		if c.Kind != Backend && slices.ContainsFunc(mustScopes(c), operates) {
			bad("scopes", consent.Operations().String()+" is of apps for administrators and of backend clients alone")
		}
		return
	}
	for i, uri := range c.RedirectURIs {
		if u, err := url.Parse(uri); c.Kind == Public && (err != nil || u.Scheme != "https") {
			bad(fmt.Sprintf("redirectURIs[%d]", i), "a public app for administrators has https alone: any program of the device could read a code at another address")
		}
	}
	if len(c.Audience) > 1 {
		bad("audience", "an app for administrators is for nobody else")
	}
	if slices.ContainsFunc(mustScopes(c), func(s consent.Scope) bool { return !operates(s) }) {
		bad("scopes", "an app for administrators has none on the record")
	}
	if !slices.Equal(c.Purposes, []string{purposeGovernance}) {
		bad("purposes", "an app for administrators has "+purposeGovernance+" alone")
	}
	if slices.ContainsFunc(c.RedirectURIs, func(uri string) bool { return !c.Reached(uri) }) {
		bad("redirectURIs", "an app for administrators authenticates or is a web site: no page asks them, and any program of a device may take its answer")
	}
	if c.Offline {
		bad("offline", "an app for administrators has no access while nobody is signed in")
	}
	if slices.Contains(c.Rights, RightIntrospect) || slices.Contains(c.Rights, RightLaunch) || len(c.LaunchURLs) > 0 {
		bad("rights", "an app for administrators has "+RightClients+" and "+RightApps+" alone, and no launch")
	}
}
