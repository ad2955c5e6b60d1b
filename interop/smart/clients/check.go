package clients

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/fhir/r4"
)

// maxURI is the longest registered URI in characters (SMART-056).
const maxURI = 2000

// Rules are what the checks of a registration depend on.
type Rules struct {
	// Loopback: the server itself is on a loopback address, where public test suites run. Then
	// http://localhost may be a redirect URI, and http a URL of keys (SMART-056, 335).
	Loopback bool
	// Organisation reports whether an ODS code is an organisation of the policy; nil: any is.
	Organisation func(ods string) bool
	// Evidence names what a client must have before it becomes active (SMART-066).
	Evidence []string
}

// Check returns an error that lists every mistake of a registration, each with the name of its field and without its value (SMART-481).
func (r Rules) Check(c *Client) error {
	var all []error
	bad := func(field, format string, args ...any) {
		all = append(all, fmt.Errorf(field+": "+format, args...))
	}
	if err := plainText(c.Name, 80); err != nil || c.Name == "" {
		bad("name", "must be 1 to 80 plain characters")
	}
	if err := plainText(c.Publisher, 80); err != nil {
		bad("publisher", "must be at most 80 plain characters")
	}
	r.checkKind(c, bad)
	for i, uri := range c.RedirectURIs {
		if err := r.checkRedirect(uri); err != nil {
			bad(fmt.Sprintf("redirectURIs[%d]", i), "%w", err)
		}
	}
	for i, uri := range c.LaunchURLs {
		if err := r.checkPage(uri); err != nil {
			bad(fmt.Sprintf("launchURLs[%d]", i), "%w", err)
		}
	}
	for i, o := range c.Origins {
		if u, err := url.Parse(o); err != nil || o != u.Scheme+"://"+u.Host || u.Hostname() == "" || !r.webScheme(u) {
			bad(fmt.Sprintf("origins[%d]", i), "must be https://HOST or https://HOST:PORT")
		}
	}
	if c.Scopes == "" && len(c.Rights) == 0 {
		bad("scopes", "at least one is required, such as patient/Observation.rs, or a right")
	} else if _, err := c.Ceiling(r4.IsResource); err != nil {
		bad("scopes", "must be scopes of resources that this server knows%s", where(c.Scopes))
	}
	checkPurposes(c, bad)
	if c.Organisation != "" && r.Organisation != nil && !r.Organisation(c.Organisation) {
		bad("organisation", "is no organisation of the policy")
	}
	if c.IDPrefix != "" && !strings.HasSuffix(c.IDPrefix, ".") {
		bad("idPrefix", "does not end in a dot")
	}
	for i, right := range c.Rights {
		if right != RightIntrospect && right != RightLaunch && right != RightClients && right != RightApps {
			bad(fmt.Sprintf("rights[%d]", i), "is unknown")
		}
	}
	checkGovernance(c, bad)
	r.checkKeys(c, bad)
	checkEvidence(c, bad)
	checkDescriptions(c, bad)
	checkOffline(c, bad)
	return errors.Join(all...)
}

// where says which scope of a string is not one of resources that this server knows, by its place: it may be a value (SMART-481).
func where(text string) string {
	for i, token := range strings.Split(text, " ") {
		if _, err := consent.ParseScope(token, r4.IsResource); text != "" && err != nil {
			return fmt.Sprintf(": scope %d is none", i+1)
		}
	}
	return ""
}

// checkPurposes checks that the purposes are known, and that each audience has one for which its people may have grants (SMART-062, 430).
func checkPurposes(c *Client, bad func(field, format string, args ...any)) {
	if len(c.Purposes) == 0 {
		bad("purposes", "at least one is required")
		return
	}
	for i, p := range c.Purposes {
		if !consent.KnownPurpose(p) {
			bad(fmt.Sprintf("purposes[%d]", i), "is no purpose of use that this server knows")
		}
	}
	possible := map[string][]string{ForPatients: {policy.PurposeOwn}, ForClinicians: policy.PurposesOfStaff()}
	for _, audience := range c.Audience {
		fits := func(p string) bool { return slices.Contains(possible[audience], p) }
		if possible[audience] != nil && !slices.ContainsFunc(c.Purposes, fits) {
			bad("purposes", "none fits the audience %s: needed is %s", audience, strings.Join(possible[audience], " or "))
		}
	}
}

// missingRedirect returns the mistake of an app that no person could use: it has no redirect URI. Those of a policy folder have none, and
// get theirs by a change.
func missingRedirect(c *Client) error {
	if c.Kind == Backend || len(c.RedirectURIs) > 0 {
		return nil
	}
	return errors.New("redirectURIs: an app that people use has at least one")
}

// checkKind checks what a client has because of its kind.
func (r Rules) checkKind(c *Client, bad func(field, format string, args ...any)) {
	switch c.Kind {
	case Public, Symmetric, Asymmetric:
		if len(c.Audience) == 0 {
			bad("audience", "must be patient, clinician or both; or administrator")
		}
		if c.Flow != "" || c.IDPrefix != "" {
			bad("flow", "is of backend clients alone")
		}
		if slices.ContainsFunc(mustScopes(c), func(s consent.Scope) bool { return s.Level == "system" }) {
			bad("scopes", "system scopes are of backend clients alone")
		}
	case Backend:
		if len(c.RedirectURIs)+len(c.LaunchURLs)+len(c.Audience) > 0 {
			bad("redirectURIs", "a backend client has no redirect URI, launch URL or audience")
		}
		if len(c.Purposes) != 1 {
			bad("purposes", "a backend client has exactly one")
		}
		if slices.ContainsFunc(mustScopes(c), func(s consent.Scope) bool { return s.Level == "patient" || s.Level == "user" }) {
			bad("scopes", "a backend client has system scopes alone")
		}
	default:
		bad("kind", "must be public, confidential-symmetric, confidential-asymmetric or backend")
	}
	for i, a := range c.Audience {
		if a != ForPatients && a != ForClinicians && a != ForAdministrators {
			bad(fmt.Sprintf("audience[%d]", i), "is not patient, clinician or administrator")
		}
	}
}

func mustScopes(c *Client) consent.Scopes {
	s, err := c.Ceiling(r4.IsResource)
	if err != nil {
		return nil // told of already
	}
	return s
}

// reverseDomain is a private-use scheme (RFC 8252, section 7.1).
var reverseDomain = regexp.MustCompile(`^[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)+$`)

// checkRedirect checks a redirect URI (SMART-056).
func (r Rules) checkRedirect(uri string) error {
	u, err := plainURI(uri)
	switch {
	case err != nil:
		return err
	case u.Scheme == "https" && u.Hostname() != "":
		return nil
	case u.Scheme == "http" && (isLoopbackAddress(u.Hostname()) || r.Loopback && u.Hostname() == "localhost"):
		return nil
	case reverseDomain.MatchString(u.Scheme) && u.Host == "" && u.Opaque == "":
		return nil
	}
	return errors.New("must be https, http at a loopback address, or a private scheme such as uk.example.app:/path")
}

// checkPage checks the URL of a page of a client.
func (r Rules) checkPage(uri string) error {
	u, err := plainURI(uri)
	if err != nil {
		return err
	}
	if u.Hostname() == "" || !r.webScheme(u) {
		return errors.New("must be https")
	}
	return nil
}

// webScheme reports whether a URL is https; http only where the server itself is on loopback.
func (r Rules) webScheme(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && r.Loopback && (u.Hostname() == "localhost" || isLoopbackAddress(u.Hostname()))
}

func plainURI(uri string) (*url.URL, error) {
	if len(uri) > maxURI {
		return nil, fmt.Errorf("is longer than %d characters", maxURI)
	}
	if strings.ContainsAny(uri, "*\\ \t\r\n<>\"'`{}|^") || strings.ContainsFunc(uri, func(c rune) bool { return c < 0x21 || c > 0x7e }) {
		return nil, errors.New("has characters that a URI must not have")
	}
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Scheme == "":
		return nil, errors.New("is no absolute URI")
	case strings.Contains(uri, "#"):
		return nil, errors.New("has a fragment")
	case u.User != nil || strings.Contains(u.Host, "@"):
		return nil, errors.New("has user information")
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == ".." || segment == "." {
			return nil, errors.New("has a path with dots that mean another folder")
		}
	}
	return u, nil
}

// isLoopbackAddress reports whether a host is an IP address of the machine itself. Names are not.
func isLoopbackAddress(host string) bool { return host == "127.0.0.1" || host == "::1" }

// withoutLoopbackPort returns a loopback URI without its port; "" for any other URI.
func withoutLoopbackPort(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" || !isLoopbackAddress(u.Hostname()) || u.User != nil {
		return ""
	}
	if _, port, err := net.SplitHostPort(u.Host); err == nil && port != "" {
		at := strings.Index(uri, u.Host)
		return uri[:at] + strings.TrimSuffix(u.Host, ":"+port) + uri[at+len(u.Host):]
	}
	return uri
}

// plainText refuses control and bidirectional characters and long text (SMART-067).
func plainText(s string, most int) error {
	if len([]rune(s)) > most {
		return fmt.Errorf("is longer than %d characters", most)
	}
	for _, c := range s {
		if !unicode.IsPrint(c) || unicode.Is(unicode.Bidi_Control, c) || c == '<' || c == '>' || c == unicode.ReplacementChar {
			return errors.New("has a character that a name must not have")
		}
	}
	return nil
}
