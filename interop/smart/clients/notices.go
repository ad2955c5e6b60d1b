package clients

import (
	"context"
	"fmt"
	"time"
)

// The times of notices (SMART-059, 066).
const (
	warning = 30 * 24 * time.Hour  // before a date on which a client stops
	keyAge  = 365 * 24 * time.Hour // of inline keys
)

// Notices returns what an operator should know of each client now, by id: dates on which it stops or has stopped, keys that are a year
// old, and a name that an approver should look at twice. Clients without a notice are not in it.
func (r *Registry) Notices(ctx context.Context) (map[string][]string, error) {
	all, err := r.List(ctx)
	if err != nil {
		return nil, err
	}
	out, now := map[string][]string{}, r.Ledger.Now()
	for _, c := range all {
		if list := append(c.dated(now), c.likeness(all)...); len(list) > 0 {
			out[c.ID] = list
		}
	}
	return out, nil
}

// dated returns the notices that come with time.
func (c *Client) dated(now time.Time) (out []string) {
	day := func(at time.Time) string { return at.Format(time.DateOnly) }
	for _, d := range []struct {
		what string
		at   time.Time
	}{{"review", c.Review}, {"agreement", c.AgreementEnds}} {
		switch {
		case d.at.IsZero() || c.Status != Active || now.Before(d.at.Add(-warning)):
		case now.Before(d.at):
			out = append(out, fmt.Sprintf("it is suspended on %s unless its %s is renewed", day(d.at), d.what))
		default:
			out = append(out, fmt.Sprintf("it is suspended since %s: its %s was not renewed", day(d.at), d.what))
		}
	}
	if len(c.Keys) > 0 && !c.KeysSince.IsZero() && c.Status == Active {
		switch old := now.Sub(c.KeysSince) >= keyAge; {
		case old:
			out = append(out, fmt.Sprintf("its keys are in force since %s: %s should replace them", day(c.KeysSince), c.owner()))
		case !c.Review.IsZero() && !now.Before(c.Review.Add(-warning)):
			out = append(out, fmt.Sprintf("its keys are in force since %s: look at them with %s at the review", day(c.KeysSince), c.owner()))
		}
	}
	if n := len(c.Secrets); n > 0 && c.Status == Active && !now.Before(c.Secrets[n-1].Ends.Add(-warning)) {
		out = append(out, fmt.Sprintf("its secret ends on %s", day(c.Secrets[n-1].Ends)))
	}
	return out
}

// owner names whom an operator has to remind (SMART-059): this server sends no messages of its own.
func (c *Client) owner() string {
	if c.Contact == "" {
		return "its owner (no contact is registered)"
	}
	return "its owner (" + c.Contact + ")"
}
