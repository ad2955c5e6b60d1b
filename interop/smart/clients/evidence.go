package clients

import (
	"fmt"
	"maps"
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

// checkEvidence checks the references of a client.
func checkEvidence(c *Client, bad func(field, format string, args ...any)) {
	for _, name := range slices.Sorted(maps.Keys(c.Evidence)) {
		if !isEvidence(name) {
			bad("evidence", "%.20q is unknown: dtac, dcb0129, dspt and dpia are known", name)
		} else if err := plainText(c.Evidence[name], 200); err != nil {
			bad("evidence."+name, "%w", err)
		}
	}
}
