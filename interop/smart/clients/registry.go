package clients

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"carerecord/consent/audit"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/secret"
	"carerecord/store"
)

// prefix begins the State keys of clients.
const prefix = "smart/client/"

// Registry reads and changes clients. It is safe for concurrent use.
type Registry struct {
	Ledger  *ledger.Ledger
	Secrets secret.Digester
	Rules   Rules
	// OneOperator permits an approval by who proposed it: of a demonstration, which one person runs.
	OneOperator bool
	// ServesKind reports whether clients of a kind are served; nil: all are (SMART-006).
	ServesKind func(Kind) bool
	cache      decoded
	origins    keptList
	logos      keptList
	images     sync.Mutex // held while an image is decoded, which may take tens of megabytes
}

// The errors of a Registry that a caller may tell apart.
var (
	// ErrUnknown: there is no such client.
	ErrUnknown = errors.New("there is no such client")
	// ErrRefused: the change is not permitted; the text says why.
	ErrRefused = errors.New("refused")
)

// Get returns a client, whatever its status; ErrUnknown for none.
func (r *Registry) Get(ctx context.Context, id string) (*Client, error) {
	raw, err := r.Ledger.State.Lookup(ctx, prefix+id)
	if ledger.Missing(err) {
		return nil, ErrUnknown
	}
	if err != nil {
		return nil, fmt.Errorf("look up a client: %w", err)
	}
	return r.cache.client(id, raw)
}

// Serving returns a client whose requests are served now; ErrUnknown for any other (SMART-050).
func (r *Registry) Serving(ctx context.Context, id string) (*Client, error) {
	c, err := r.Get(ctx, id)
	if err == nil && !r.Serves(c) {
		return nil, ErrUnknown
	}
	return c, err
}

// Serves reports whether requests of a client are served now.
func (r *Registry) Serves(c *Client) bool {
	return c.Serves(r.Ledger.Now()) && (r.ServesKind == nil || r.ServesKind(c.Kind))
}

// List returns all clients, by id.
func (r *Registry) List(ctx context.Context) ([]*Client, error) {
	var all []*Client
	for v, err := range r.Ledger.State.Values(ctx, prefix) {
		if err != nil {
			return nil, fmt.Errorf("list clients: %w", err)
		}
		c, err := r.cache.client(v.Key[len(prefix):], v.Value)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *Client) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

// Add proposes a client and returns it, pending, with its new id (SMART-053).
func (r *Registry) Add(ctx context.Context, who string, c Client) (*Client, error) {
	c.ID = newID()
	return r.add(ctx, who, "client-add", c, missingRedirect(&c))
}

// Restorable returns ErrRefused for a client that Restore would refuse whatever is registered, with the reason.
func (r *Registry) Restorable(c Client) error {
	if !OfRegistry(c.ID) {
		return fmt.Errorf("%w: the id of a client is none of a registry", ErrRefused)
	}
	if err := r.sealAndCheck(&c); err != nil {
		return fmt.Errorf("%w: client %s: %w", ErrRefused, c.ID, err)
	}
	return nil
}

// Restore proposes a client that a registry exported, under the id that it has, so that its apps need no change after a store was
// restored. It is ErrRefused if the id is none of a registry, or is in use. Secrets are not exported: they have to be made again.
func (r *Registry) Restore(ctx context.Context, who string, c Client) (*Client, error) {
	if err := r.Restorable(c); err != nil {
		return nil, err
	}
	out, err := r.add(ctx, who, "client-restore", c, nil)
	if ledger.Changed(err) {
		return nil, fmt.Errorf("%w: there is a client %s", ErrRefused, c.ID)
	}
	return out, err
}

// add proposes a client. mistake is one of the registration that is known already, or nil.
func (r *Registry) add(ctx context.Context, who, event string, c Client, mistake error) (*Client, error) {
	c.Status, c.Approved, c.Secrets, c.NotBefore, c.KeysSince = Pending, nil, nil, time.Time{}, time.Time{}
	c.Proposed, c.ByOrganisations = nil, nil
	if err := errors.Join(mistake, r.sealAndCheck(&c)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	with := c
	c.Proposed = &Proposal{By: who, At: r.Ledger.Now(), With: with}
	return r.insert(ctx, who, event, c)
}

// Import registers a client of a policy folder or of sample data under the id that it has there, as
// active. It does nothing if there is a client of that id.
func (r *Registry) Import(ctx context.Context, who string, c Client) error {
	_, err := r.Get(ctx, c.ID)
	if !errors.Is(err, ErrUnknown) {
		return err
	}
	if err := r.Rules.missingEvidence(&c, r.Ledger.Now()); err != nil {
		if _, err = r.add(ctx, who, "client-import", c, nil); ledger.Changed(err) { // it waits for its evidence and an approval
			return nil
		} else if err != nil {
			return fmt.Errorf("import client %s: %w", c.ID, err)
		}
		return nil
	}
	if err := r.sealAndCheck(&c); err != nil {
		return fmt.Errorf("%w: client %s: %w", ErrRefused, c.ID, err)
	}
	if c.Status, c.Proposed = Active, nil; len(c.Keys) > 0 {
		c.KeysSince = r.Ledger.Now()
	}
	c.Approved = []Approval{{By: who, At: r.Ledger.Now(), Digest: c.digest()}}
	if _, err = r.insert(ctx, who, "client-import", c); ledger.Changed(err) {
		return nil // another server did it meanwhile
	}
	return err
}

func (r *Registry) insert(ctx context.Context, who, event string, c Client) (*Client, error) {
	c.Made, c.Changed, c.ByOrganisations = r.Ledger.Now(), r.Ledger.Now(), nil
	w, err := ledger.New(prefix+c.ID, c, time.Time{})
	if err != nil {
		return nil, err
	}
	e, err := eventOf(audit.Agent{Kind: "operator", Subject: who}, event, nil, &c)
	if err != nil {
		return nil, err
	}
	return &c, r.Ledger.Write(ctx, e, w)
}

// sealAndCheck notes the digest of inline keys, replaces the logo by the one that the registry writes, and checks the registration.
func (r *Registry) sealAndCheck(c *Client) error {
	if c.KeysDigest = ""; len(c.Keys) > 0 {
		c.KeysDigest = digestOf(c.Keys)
	}
	r.images.Lock()
	err := c.sealLogo()
	r.images.Unlock()
	return errors.Join(err, r.Rules.Check(c))
}

// eventOf is the event of a change of a client, with the values before, nil for none, and after.
func eventOf(agent audit.Agent, name string, before, after *Client) (ledger.Event, error) {
	fields, err := changed(before, after)
	return ledger.Event{Name: name, Of: "client/" + after.ID, Agent: agent, Client: audit.Client{ID: after.ID}, Changed: fields}, err
}

// change changes a client by f, once more if another change came between. The error of f ends it.
func (r *Registry) change(ctx context.Context, who, event, id string, f func(*Client) error) (*Client, error) {
	return r.changeBy(ctx, audit.Agent{Kind: "operator", Subject: who}, event, id, f)
}

func (r *Registry) changeBy(ctx context.Context, agent audit.Agent, event, id string, f func(*Client) error) (*Client, error) {
	for range 5 {
		read, err := ledger.Read[Client](ctx, r.Ledger.State, prefix+id)
		if ledger.Missing(err) {
			return nil, ErrUnknown
		}
		if err != nil {
			return nil, err
		}
		before := read.Content
		before.Secrets = slices.Clone(before.Secrets) // f may change them in place
		if err := f(&read.Content); err != nil {
			return nil, err
		}
		read.Content.Changed = r.Ledger.Now()
		w, err := read.Change(time.Time{})
		if err != nil {
			return nil, err
		}
		e, err := eventOf(agent, event, &before, &read.Content)
		if err != nil {
			return nil, err
		}
		if err = r.Ledger.Write(ctx, e, w); !ledger.Changed(err) {
			return &read.Content, err
		}
	}
	return nil, fmt.Errorf("client %s: %w: others change it at the same time", id, store.ErrConflict)
}
