package clients

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/consent/policy"
	"carerecord/fhir/r4"
	"carerecord/interop/smart/scopes"
)

// OrganisationApproval is what an administrator of an organisation has approved: the organisation's staff use a client with these
// scopes, for this purpose, and see no screen (SMART-220). It is part of the client's registration in State, so that one write ends it
// together with what it depends on.
type OrganisationApproval struct {
	ID           string    `json:"id"`           // grants that were made without a screen name it
	Organisation string    `json:"organisation"` // ODS code
	Scopes       string    `json:"scopes"`
	Purpose      string    `json:"purpose"`
	By           string    `json:"by"` // user of the administrator
	At           time.Time `json:"at"`
	Ends         time.Time `json:"ends"`
}

// maxApproval is how long an approval of an organisation is in force at most, in years.
const maxApproval = 1

// ApprovalOf returns the approval of an organisation that is in force at an instant.
func (c *Client) ApprovalOf(organisation string, at time.Time) (OrganisationApproval, bool) {
	i := c.approvalAt(organisation)
	if i < 0 || !at.Before(c.ByOrganisations[i].Ends) || c.approvable(c.ByOrganisations[i]) != nil {
		return OrganisationApproval{}, false
	}
	return c.ByOrganisations[i], true
}

// HasApproval reports whether an approval was neither withdrawn nor replaced. A grant never lives longer than its approval, so its end
// is not compared.
func (c *Client) HasApproval(id string) bool {
	return slices.ContainsFunc(c.ByOrganisations, func(a OrganisationApproval) bool { return a.ID == id })
}

func (c *Client) approvalAt(organisation string) int {
	return slices.IndexFunc(c.ByOrganisations, func(a OrganisationApproval) bool { return a.Organisation == organisation })
}

// ForStaffOf reports whether the staff of an organisation may use the client at all.
func (c *Client) ForStaffOf(organisation string) bool {
	return slices.Contains(c.Audience, ForClinicians) && (c.Organisation == "" || c.Organisation == organisation)
}

// approvable returns why an approval is not within the registration; nil if it is.
func (c *Client) approvable(a OrganisationApproval) error {
	set, _, err := scopes.Parse(a.Scopes, nil)
	if err != nil {
		return fmt.Errorf("scopes: %w", err)
	}
	ceiling, err := c.Ceiling(r4.IsResource)
	if err != nil {
		return err
	}
	switch {
	case !c.ForStaffOf(a.Organisation):
		return errors.New("the client is not for the staff of the organisation")
	case unknownScope(a.Scopes) > 0:
		return fmt.Errorf("scopes: scope %d is none of this server", unknownScope(a.Scopes))
	case !set.Useful():
		return errors.New("scopes: at least one scope of resources, or openid, is required")
	}
	if beyond := beyond(set.Resources, ceiling); len(beyond) > 0 {
		return fmt.Errorf("scopes: %s: not within those of the registration", strings.Join(beyond, ", "))
	}
	allowed := slices.DeleteFunc(policy.PurposesOfStaff(), func(p string) bool { return !slices.Contains(c.Purposes, p) })
	switch {
	case set.Has(scopes.OfflineAccess) && !c.Offline:
		return errors.New("scopes: the registration has no offline access")
	case len(allowed) == 0:
		return errors.New("purpose: the registration has none that staff may have")
	case !slices.Contains(allowed, a.Purpose):
		return fmt.Errorf("purpose: must be one of %s", strings.Join(allowed, ", "))
	}
	return nil
}

// maxBeyond is how many scopes beyond a registration an error names.
const maxBeyond = 10

// beyond returns the first scopes that an approval must not have: those of systems, and those that a ceiling does not cover.
func beyond(set, ceiling consent.Scopes) (out []string) {
	for _, one := range set {
		if len(out) < maxBeyond && (one.Level == "system" || !ceiling.Covers(consent.Scopes{one})) {
			out = append(out, withoutValue(one))
		}
	}
	return out
}

// withoutValue writes a scope for an error, without what it is limited to, which may be a value (SMART-481).
func withoutValue(s consent.Scope) string {
	before, _, limited := strings.Cut(s.String(), "?")
	if limited {
		return before + "?…"
	}
	return before
}

// unknownScope returns the place of the first scope of a string that this server does not know, from 1; 0 for none. An error gives the place,
// since the scope may be a value (SMART-481).
func unknownScope(text string) int {
	n := 0
	for token := range strings.FieldsSeq(text) {
		n++
		if _, unknown, err := scopes.Parse(token, nil); err != nil || len(unknown) > 0 {
			return n
		}
	}
	return 0
}

// ShownTo reports whether an administrator of an organisation sees the client: its staff may use the client now, or it has approved it.
func (c *Client) ShownTo(organisation string, at time.Time) bool {
	return c.approvalAt(organisation) >= 0 || c.ForStaffOf(organisation) && c.Serves(at)
}

// ApproveFor puts an approval of an organisation into force, by its administrator who, and replaces the earlier one. a has the
// organisation, the scopes, the purpose and the end. An approval that permits no less than the one in force goes on with its id, and so do
// the grants that name it; one that permits less ends them. The error is ErrUnknown for a client that is not served.
func (r *Registry) ApproveFor(ctx context.Context, who, id string, a OrganisationApproval) (*Client, error) {
	return r.changeFor(ctx, who, "app-approve", id, a.Organisation, func(c *Client) error {
		now := r.Ledger.Now()
		if !c.Serves(now) {
			return ErrUnknown
		}
		if !a.Ends.After(now) || a.Ends.After(now.AddDate(maxApproval, 0, 0)) {
			return fmt.Errorf("%w: ends: must be in the future, and at most a year from now", ErrRefused)
		}
		if err := c.approvable(a); err != nil {
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
		a.ID, a.By, a.At, a.Ends = newApprovalID(), who, now, a.Ends.UTC()
		if before, ok := c.ApprovalOf(a.Organisation, now); ok && a.permitsNoLess(before) {
			a.ID = before.ID
		}
		c.removeApproval(a.Organisation)
		c.ByOrganisations = append(c.ByOrganisations, a)
		return nil
	})
}

// Withdraw ends the approval of an organisation, and the grants that were made under it without a screen, at once. It is ErrRefused if
// there is none.
func (r *Registry) Withdraw(ctx context.Context, who, id, organisation string) (*Client, error) {
	return r.changeFor(ctx, who, "app-withdraw", id, organisation, func(c *Client) error {
		if c.approvalAt(organisation) < 0 {
			return fmt.Errorf("%w: the organisation has not approved the client", ErrRefused)
		}
		c.removeApproval(organisation)
		return nil
	})
}

// changeFor is change with the organisation in the audit record.
func (r *Registry) changeFor(ctx context.Context, who, event, id, organisation string, f func(*Client) error) (*Client, error) {
	return r.changeBy(ctx, audit.Agent{Kind: "operator", Subject: who, Organisation: organisation}, event, id, f)
}

func (c *Client) removeApproval(organisation string) {
	c.ByOrganisations = slices.DeleteFunc(slices.Clone(c.ByOrganisations), func(a OrganisationApproval) bool { return a.Organisation == organisation })
}

// permitsNoLess reports whether an approval permits everything that another one does, for as long.
func (a OrganisationApproval) permitsNoLess(other OrganisationApproval) bool {
	now, err := scopes.Stored(a.Scopes)
	before, failed := scopes.Stored(other.Scopes)
	return err == nil && failed == nil && a.Purpose == other.Purpose && !a.Ends.Before(other.Ends) && now.Covers(before)
}

// sameApp reports whether a registration is of the app that an organisation has approved: by its name, its publisher, where it gets its
// answers, and the address of its keys.
func (c *Client) sameApp(before *Client) bool {
	return c.Name == before.Name && c.Publisher == before.Publisher && c.KeysURL == before.KeysURL && slices.Equal(c.RedirectURIs, before.RedirectURIs)
}

// stillApproved returns the approvals of another registration of the client that are within this one. The others end for good.
func (c *Client) stillApproved(list []OrganisationApproval) []OrganisationApproval {
	return slices.DeleteFunc(slices.Clone(list), func(a OrganisationApproval) bool { return c.approvable(a) != nil })
}

func newApprovalID() string {
	var b [12]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
