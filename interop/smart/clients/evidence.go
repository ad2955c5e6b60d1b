package clients

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The evidence that a policy may demand (SMART-066). Agreement is an end of the agreement that is still to come; the others are
// references.
const (
	EvidenceDTAC      = "dtac"
	EvidenceDCB0129   = "dcb0129"
	EvidenceDSPT      = "dspt"
	EvidenceDPIA      = "dpia"
	EvidenceAgreement = "agreement"
)

// isEvidence reports whether a name is that of a reference.
func isEvidence(name string) bool {
	return slices.Contains([]string{EvidenceDTAC, EvidenceDCB0129, EvidenceDSPT, EvidenceDPIA}, name)
}

// missingEvidence returns an error that names the evidence that a client lacks at an instant; nil for none.
func (r Rules) missingEvidence(c *Client, at time.Time) error {
	var missing []string
	for _, name := range r.Evidence {
		if name == EvidenceAgreement && (c.AgreementEnds.IsZero() || !before(at, c.AgreementEnds)) || name != EvidenceAgreement && c.Evidence[name] == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 && !before(at, c.AgreementEnds) {
		missing = []string{EvidenceAgreement}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("this evidence is missing: %s", strings.Join(missing, ", "))
}

// The longest life of offline access in days (SMART-347, section 28).
const (
	maxOfflineUnused = 90
	maxOfflineTotal  = 365
)

// maxIntents is how many intents may be agreed with a client.
const maxIntents = 50

// checkTexts checks the descriptions of a client, its evidence and its lives.
func checkTexts(c *Client, bad func(field, format string, args ...any)) {
	for _, name := range slices.Sorted(maps.Keys(c.Evidence)) {
		if !isEvidence(name) {
			bad("evidence", "%.20q is unknown: dtac, dcb0129, dspt and dpia are known", name)
		} else if err := plainText(c.Evidence[name], 200); err != nil {
			bad("evidence."+name, "%w", err)
		}
	}
	if len(c.Intents) > maxIntents {
		bad("intents", "there are more than %d", maxIntents)
	}
	for _, intent := range c.Intents {
		if err := plainText(intent, 200); err != nil || intent == "" {
			bad("intents", "%.20q is empty, too long or no plain text", intent)
		}
	}
	if err := plainText(c.Contact, 200); err != nil {
		bad("contact", "%w", err)
	}
	for name, address := range map[string]string{"termsURL": c.TermsURL, "privacyURL": c.PrivacyURL} {
		if u, err := url.Parse(address); address != "" && (err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(address) > 2000) {
			bad(name, "must be an https address of at most 2000 characters")
		}
	}
	for name, days := range map[string][2]int{"offlineUnusedDays": {c.OfflineUnused, maxOfflineUnused}, "offlineTotalDays": {c.OfflineTotal, maxOfflineTotal}} {
		if days[0] < 0 || days[0] > days[1] {
			bad(name, "must be 1 to %d, or 0 for the life of the server", days[1])
		}
	}
}

// OfflineByDefault reports whether a client may have offline access where its registration does not say so: an app of patients may,
// one of clinicians may not (SMART-064).
func OfflineByDefault(c *Client) bool {
	return c.Kind != Backend && len(c.Audience) == 1 && c.Audience[0] == ForPatients
}
