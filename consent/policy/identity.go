package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"carerecord/fhir"
)

// Identity is the identity policy of a region: it says which Patients are one person (IDN-101). The
// file is identity.json. A nil *Identity joins nobody: every Patient is a person of its own.
type Identity struct {
	// Systems are the systems of national numbers, the leading one first. A Patient with counting
	// numbers of several systems is the person of the first of these systems.
	Systems []NumberSystem `json:"systems"`
	// Index is the ODS code of the organisation whose source system is the patient index
	// (CON-807). Empty for a region without one.
	Index string `json:"index,omitempty"`
	// Traced are the ODS codes of the organisations whose source systems trace the numbers that
	// they send.
	Traced []string `json:"traced"`
	// Ranks are kinds of organisations, in the order in which the Patients of a person are
	// preferred (IDN-122).
	Ranks []string `json:"ranks"`
}

// NumberSystem is a system of national numbers.
type NumberSystem struct {
	System string `json:"system"` // of the Identifier
	Check  string `json:"check"`  // how its values are checked: nhs-number, chi or hc-number
}

// The checks of national numbers. All have ten digits, the last one a check digit of modulus 11.
const (
	CheckNHS = "nhs-number" // England, Wales and the Isle of Man
	CheckCHI = "chi"        // Scotland: begins with the day and month of birth
	CheckHC  = "hc-number"  // Northern Ireland: 320 000 0000 to 399 999 9999
)

// DefaultRanks is the order of IDN-122 where a policy has none.
func DefaultRanks() []string {
	return []string{"gp", "acute", "community", "mental-health", "social-care"}
}

// DefaultIdentity returns the policy for NHS numbers with some traced source systems.
func DefaultIdentity(traced ...string) *Identity {
	return &Identity{Systems: []NumberSystem{{fhir.NHSNumberSystem, CheckNHS}}, Traced: traced, Ranks: DefaultRanks()}
}

// Traces reports whether the numbers of a source, by ODS code, are traced. Those of the patient index are.
func (i *Identity) Traces(source string) bool {
	return i != nil && source != "" && (source == i.Index || slices.Contains(i.Traced, source))
}

// IsIndex reports whether a source is the patient index.
func (i *Identity) IsIndex(source string) bool { return i != nil && source != "" && source == i.Index }

// Valid reports whether an Identifier has a configured system, spelt exactly, and a value that passes its
// check (IDN-102).
func (i *Identity) Valid(system, value string) bool {
	if i == nil {
		return false
	}
	for _, s := range i.Systems {
		if s.System == system {
			return s.valid(value)
		}
	}
	return false
}

// ValidFolded is Valid for a system in lower case and without a slash at its end, as names have it.
func (i *Identity) ValidFolded(system, value string) bool {
	if i == nil {
		return false
	}
	for _, s := range i.Systems {
		if strings.ToLower(strings.TrimRight(s.System, "/")) == system {
			return s.valid(value)
		}
	}
	return false
}

func (s NumberSystem) valid(value string) bool {
	if !fhir.ValidNHSNumber(value) { // all three have the same check digit
		return false
	}
	prefix := value[:3]
	isHC := prefix >= "320" && prefix <= "399"
	switch s.Check {
	case CheckCHI:
		return value[:2] >= "01" && value[:2] <= "31" && value[2:4] >= "01" && value[2:4] <= "12"
	case CheckHC:
		return isHC
	}
	return !isHC // IDN-101: never mixed
}

// Digest identifies the part of the policy on which the keys of documents depend. Empty for no policy.
func (i *Identity) Digest() string {
	if i == nil {
		return ""
	}
	traced := slices.Clone(i.Traced)
	slices.Sort(traced)
	b, err := json.Marshal(Identity{Systems: i.Systems, Index: i.Index, Traced: slices.Compact(traced)})
	if err != nil {
		panic(err) // texts alone
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// readIdentity reads identity.json. A folder without that file has no identity policy.
func readIdentity(dir string) (*Identity, error) {
	i := &Identity{}
	err := read(dir, "identity.json", i)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return i, err
}

// check adds the mistakes of the identity policy.
func (i *Identity) check(known map[string]bool, bad func(format string, args ...any)) {
	if i == nil {
		return
	}
	if len(i.Systems) == 0 {
		bad("identity.systems: at least one system of national numbers is required")
	}
	seen := map[string]bool{}
	for n, s := range i.Systems {
		if s.System == "" || seen[s.System] {
			bad("identity.systems[%d]: system %q is empty or repeated", n, s.System)
		}
		seen[s.System] = true
		if !slices.Contains([]string{CheckNHS, CheckCHI, CheckHC}, s.Check) {
			bad("identity.systems[%d].check: %q is unknown", n, s.Check)
		}
		if (s.System == fhir.NHSNumberSystem) != (s.Check == CheckNHS) {
			bad("identity.systems[%d]: the check %s belongs to the system %s", n, CheckNHS, fhir.NHSNumberSystem)
		}
	}
	if i.Index != "" && !known[i.Index] {
		bad("identity.index: %q is not an organisation of the folder", i.Index)
	}
	for n, ods := range i.Traced {
		if !known[ods] {
			bad("identity.traced[%d]: %q is not an organisation of the folder", n, ods)
		}
	}
	for n, kind := range i.Ranks {
		if slices.Contains(i.Ranks[:n], kind) || !slices.Contains(organisationKinds(), kind) {
			bad("identity.ranks[%d]: %q is repeated or is not a kind of organisation", n, kind)
		}
	}
}

// organisationKinds are the kinds of Organisation that a rank may name.
func organisationKinds() []string {
	return append(DefaultRanks(), "index")
}

// Rank returns the position of a source among those whose Patients are preferred: 0 for the patient index,
// then the kinds of Ranks, then all others (IDN-122).
func (f *Folder) Rank(source string) int {
	switch {
	case f.Identity == nil:
		return 0
	case f.Identity.IsIndex(source):
		return 0
	}
	o, ok := f.Organisation(source)
	if at := slices.Index(f.Identity.Ranks, o.Kind); ok && at >= 0 {
		return at + 1
	}
	return len(f.Identity.Ranks) + 1
}

// String describes the policy in a log line.
func (i *Identity) String() string {
	if i == nil {
		return "no identity policy: nobody is joined"
	}
	return fmt.Sprintf("%d systems of national numbers, %d traced source systems, patient index %q", len(i.Systems), len(i.Traced), i.Index)
}
