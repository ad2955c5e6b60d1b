package clients

import (
	"context"
	"slices"
	"sync/atomic"
)

// keptList are some of the clients, as they were in one epoch of the ledger. A client that was proposed since then serves nobody, so no new
// client is missed.
type keptList struct {
	last atomic.Pointer[clientsOfEpoch]
}

type clientsOfEpoch struct {
	epoch   uint64
	clients []*Client
}

// withOrigins returns the clients that have web origins.
func (r *Registry) withOrigins(ctx context.Context) ([]*Client, error) {
	return r.kept(ctx, &r.origins, func(c *Client) bool { return len(c.Origins) > 0 })
}

// kept returns the clients that fulfil a condition. Where other processes write to the store too, it reads them each time.
func (r *Registry) kept(ctx context.Context, list *keptList, which func(*Client) bool) ([]*Client, error) {
	var epoch uint64
	if r.Ledger.Epoch != nil {
		epoch = r.Ledger.Epoch.Now()
		if last := list.last.Load(); last != nil && last.epoch == epoch {
			return last.clients, nil
		}
	}
	all, err := r.List(ctx)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(c *Client) bool { return !which(c) })
	if r.Ledger.Epoch != nil {
		list.last.Store(&clientsOfEpoch{epoch, all})
	}
	return all, nil
}

// AllowsOrigin reports whether a web page of an origin may call for a client: a request whose token is of that client is answered to
// it. An empty client is any active one: a preflight has no token, and a refusal of a token has no client (SMART-472). An error is
// one of the store.
func (r *Registry) AllowsOrigin(ctx context.Context, origin, client string) (bool, error) {
	all, err := r.withOrigins(ctx)
	now := r.Ledger.Now()
	return slices.ContainsFunc(all, func(c *Client) bool {
		return (client == "" || c.ID == client) && slices.Contains(c.Origins, origin) && c.Serves(now)
	}), err
}

// HasPage reports whether an address is an https one on a registered web origin of the client, of at most 2,000 characters.
func (c *Client) HasPage(address string) bool {
	u, err := plainURI(address)
	return err == nil && u.Scheme == "https" && slices.Contains(c.Origins, u.Scheme+"://"+u.Host)
}
