package grants

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/secret"
	"carerecord/store"
)

// Store reads and writes grants and tokens. It is safe for concurrent use.
type Store struct {
	Ledger  *ledger.Ledger
	Secrets secret.Digester
	Clients *clients.Registry
}

// The errors of a Store.
var (
	// ErrInactive: the token is unknown, ended, or of a client or grant that is. One error for all.
	ErrInactive = errors.New("the token is not active")
	// ErrExpired is ErrInactive for a token of ours that is past its end (SMART-412).
	ErrExpired = fmt.Errorf("%w: it has expired", ErrInactive)
)

// AccessToken is the stored value of an access token.
type AccessToken struct {
	ID     string    `json:"id"`
	Grant  string    `json:"grant"`
	Scopes string    `json:"scopes,omitempty"` // narrower than those of the grant; empty: those of the grant
	Made   time.Time `json:"made"`
	Ends   time.Time `json:"ends"`
}

// Active is an access token that is valid now, with its grant and its client.
type Active struct {
	AccessToken
	Grant  Grant
	Client *clients.Client
}

// ScopeString returns the scopes of the token.
func (a Active) ScopeString() string {
	if a.Scopes != "" {
		return a.Scopes
	}
	return a.Grant.Scopes
}

// keepExpired is how long an expired token is told apart from an unknown one.
const keepExpired = 24 * time.Hour

// Resolve returns an access token that is valid now (SMART-411). It returns ErrInactive for any other, or
// the error of the store.
func (s *Store) Resolve(ctx context.Context, token string) (Active, error) {
	if !secret.AccessToken.Is(token) {
		return Active{}, ErrInactive
	}
	at, err := read[AccessToken](ctx, s, accessPrefix+s.Secrets.Of(token))
	if err != nil {
		return Active{}, err
	}
	if !s.Ledger.Now().Before(at.Content.Ends) {
		return Active{}, ErrExpired
	}
	out := Active{AccessToken: at.Content}
	out.Grant, out.Client, err = s.live(ctx, at.Content.Grant)
	return out, err
}

// live returns a grant that is in force now, with its client; ErrInactive for any other.
func (s *Store) live(ctx context.Context, id string) (Grant, *clients.Client, error) {
	v, err := read[Grant](ctx, s, grantPrefix+id)
	if err != nil {
		return Grant{}, nil, err
	}
	g := v.Content
	if !g.Ended.IsZero() || !s.Ledger.Now().Before(g.Ends) {
		return Grant{}, nil, ErrInactive
	}
	c, err := s.Clients.Serving(ctx, g.Client)
	switch {
	case errors.Is(err, clients.ErrUnknown):
		return Grant{}, nil, ErrInactive
	case err != nil:
		return Grant{}, nil, err
	case !g.Made.After(c.NotBefore) && !c.NotBefore.IsZero(), !g.approved(c):
		return Grant{}, nil, ErrInactive
	}
	cutoffs, err := s.Cutoffs(ctx)
	if err != nil || cutoffs.ends(&g) {
		return Grant{}, nil, errors.Join(err, inactiveUnless(err))
	}
	return g, c, nil
}

func inactiveUnless(err error) error {
	if err != nil {
		return nil
	}
	return ErrInactive
}

// read reads a value; ErrInactive for none.
func read[T any](ctx context.Context, s *Store, key string) (ledger.Value[T], error) {
	v, err := ledger.Read[T](ctx, s.Ledger.State, key)
	if ledger.Missing(err) {
		err = ErrInactive
	}
	return v, err
}

// newGrant returns the writes of a new grant, of which a token was issued at an instant; zero for none. It is listed until an instant: that
// of its end, or, while it has no token, the end of its code.
func (s *Store) newGrant(g *Grant, used, until time.Time) ([]store.StateWrite, error) {
	w, err := ledger.New(grantPrefix+g.ID, *g, until.Add(keepExpired))
	if err != nil {
		return nil, err
	}
	all := []store.StateWrite{w}
	if g.User != "" {
		listed, err := ledger.New(userPrefix+g.User+"/"+g.ID, used, until)
		if err != nil {
			return nil, err
		}
		all = append(all, listed)
	}
	return all, nil
}

// newAccess returns a new access token and its write.
func (s *Store) newAccess(grant, scopes string, life time.Duration) (string, AccessToken, store.StateWrite, error) {
	token := secret.New(secret.AccessToken)
	now := s.Ledger.Now()
	at := AccessToken{ID: NewID(), Grant: grant, Scopes: scopes, Made: now, Ends: now.Add(life)}
	w, err := ledger.New(accessPrefix+s.Secrets.Of(token), at, at.Ends.Add(keepExpired))
	return token, at, w, err
}
