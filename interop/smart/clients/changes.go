package clients

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"carerecord/interop/smart/secret"
)

// maxSecrets is how many secrets of a client are valid at once, during a rotation (SMART-063).
const maxSecrets = 2

// Change proposes another registration of a client, which goes on as it is until somebody else has
// approved the proposal. The kind never changes (SMART-054, 066).
func (r *Registry) Change(ctx context.Context, who, id string, with Client) (*Client, error) {
	return r.change(ctx, who, "client-change", id, func(c *Client) error { return r.propose(who, c, with) })
}

func (r *Registry) propose(who string, c *Client, with Client) error {
	if with.Kind != c.Kind {
		return fmt.Errorf("%w: the kind of a client never changes: register a new one", ErrRefused)
	}
	with.ID, with.Made, with.Proposed, with.Secrets, with.Approved, with.Status, with.KeysSince = c.ID, c.Made, nil, nil, nil, "", time.Time{}
	with.ByOrganisations = nil
	if err := errors.Join(missingRedirect(&with), r.sealAndCheck(&with)); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	c.Proposed = &Proposal{By: who, At: r.Ledger.Now(), With: with}
	return nil
}

// SetKeys proposes other keys of a client: a JWK set, or the URL of one (SMART-058, 059).
func (r *Registry) SetKeys(ctx context.Context, who, id string, keys []byte, url string) (*Client, error) {
	return r.change(ctx, who, "client-set-keys", id, func(c *Client) error {
		with := *c
		with.Keys, with.KeysURL = keys, url
		return r.propose(who, c, with)
	})
}

// digest returns the digest of what the client is registered with: all but its status, secrets and dates.
func (c *Client) digest() string {
	is := *c
	is.Status, is.Secrets, is.Approved, is.Proposed, is.ByOrganisations = "", nil, nil, nil, nil
	is.Made, is.Changed, is.NotBefore, is.KeysSince = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	text, err := json.Marshal(is)
	if err != nil {
		return "" // a Client can be written as JSON; an empty digest approves nothing
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Digest returns the digest that an approval has to name: that of the proposal, or of the registration
// if nothing is proposed.
func (c *Client) Digest() string {
	if c.Proposed != nil {
		return c.Proposed.With.digest()
	}
	return c.digest()
}

// Approve puts a proposal into force. digest must be that of the proposal, and who somebody else than
// proposed it (SMART-066). The tokens of the registration before end.
func (r *Registry) Approve(ctx context.Context, who, id, digest string) (*Client, error) {
	return r.change(ctx, who, "client-approve", id, func(c *Client) error {
		switch {
		case c.Proposed == nil:
			return fmt.Errorf("%w: nothing is proposed", ErrRefused)
		case c.Proposed.By == who && !r.OneOperator:
			return fmt.Errorf("%w: %s proposed it, so somebody else has to approve it", ErrRefused, who)
		case digest == "" || digest != c.Digest():
			return fmt.Errorf("%w: the digest is not that of what is proposed: read it again with client show", ErrRefused)
		case !before(r.Ledger.Now(), c.Proposed.With.Review):
			return fmt.Errorf("%w: the date of its review has passed", ErrRefused)
		}
		if err := r.Rules.missingEvidence(&c.Proposed.With, r.Ledger.Now()); err != nil {
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
		with := c.Proposed.With
		if with.KeysSince = c.KeysSince; with.KeysDigest != c.KeysDigest || len(c.Approved) == 0 {
			with.KeysSince = r.Ledger.Now()
		}
		if len(with.Keys) == 0 {
			with.KeysSince = time.Time{}
		}
		with.Secrets, with.Made, with.NotBefore, with.Status = c.Secrets, c.Made, c.NotBefore, Active
		if with.sameApp(c) {
			with.ByOrganisations = with.stillApproved(c.ByOrganisations)
		}
		with.Approved = append(c.Approved, Approval{By: who, At: r.Ledger.Now(), Digest: digest})
		if c.Status == Suspended {
			with.Status = Suspended
		}
		if c.Status == Active {
			with.NotBefore = r.Ledger.Now()
		}
		*c = with
		return nil
	})
}

// Suspend stops a client. Its grants and tokens and the approvals of organisations end at once, and Resume does not revive them
// (SMART-065, 220).
func (r *Registry) Suspend(ctx context.Context, who, id string) (*Client, error) {
	return r.change(ctx, who, "client-suspend", id, func(c *Client) error {
		c.Status, c.NotBefore, c.ByOrganisations = Suspended, r.Ledger.Now(), nil
		return nil
	})
}

// Resume makes a suspended client active again.
func (r *Registry) Resume(ctx context.Context, who, id string) (*Client, error) {
	return r.change(ctx, who, "client-resume", id, func(c *Client) error {
		if c.Status != Suspended {
			return fmt.Errorf("%w: the client is %s, not suspended", ErrRefused, c.Status)
		}
		if c.Status = Pending; len(c.Approved) > 0 {
			c.Status = Active
		}
		return nil
	})
}

// RevokeTokens ends all grants and tokens of a client (SMART-402).
func (r *Registry) RevokeTokens(ctx context.Context, who, id string) (*Client, error) {
	return r.change(ctx, who, "client-revoke-tokens", id, func(c *Client) error {
		c.NotBefore = r.Ledger.Now()
		return nil
	})
}

// secretLife is how long a client secret is valid (SMART-063).
const secretLife = 365 * 24 * time.Hour

// rotation is how long the secret before a new one stays valid.
const rotation = 7 * 24 * time.Hour

// RotateSecret returns a new secret of a client, which is shown once. The one before stays valid for a
// week; older ones end.
func (r *Registry) RotateSecret(ctx context.Context, who, id string) (string, error) {
	made := secret.New(secret.ClientSecret)
	_, err := r.change(ctx, who, "client-rotate-secret", id, func(c *Client) error {
		if c.Kind != Symmetric {
			return fmt.Errorf("%w: a client of kind %s has no secret", ErrRefused, c.Kind)
		}
		now := r.Ledger.Now()
		if n := len(c.Secrets); n > 0 {
			c.Secrets = c.Secrets[n-maxSecrets+1:]
			if end := now.Add(rotation); c.Secrets[0].Ends.After(end) {
				c.Secrets[0].Ends = end
			}
		}
		c.Secrets = append(c.Secrets, Secret{Digest: r.Secrets.Of(made), Made: now, Ends: now.Add(secretLife)})
		return nil
	})
	if err != nil {
		return "", err
	}
	return made, nil
}

// HasSecret reports whether a value is a valid secret of the client. It takes the same time for every
// wrong value (SMART-319).
func (r *Registry) HasSecret(c *Client, value string) bool {
	now, found := r.Ledger.Now(), false
	for i := range maxSecrets {
		s := Secret{Digest: noDigest}
		if i < len(c.Secrets) {
			s = c.Secrets[i]
		}
		if r.Secrets.Matches(value, s.Digest) && now.Before(s.Ends) {
			found = true
		}
	}
	return found
}

// noDigest is compared where there is no secret.
const noDigest = "0000000000000000000000000000000000000000000000000000000000000000"
