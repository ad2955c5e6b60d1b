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

// Issued are the tokens of one answer of the token endpoint.
type Issued struct {
	Grant   Grant
	Access  string
	Life    time.Duration
	Refresh string // empty for none
	Scopes  string
	TokenID string
	Code    Code // what the code held that was exchanged
}

// Lives are how long tokens live (SMART-314, 347, 363 and section 28).
type Lives struct {
	Access        time.Duration // of user-facing clients
	Backend       time.Duration
	Code          time.Duration
	OfflineUnused time.Duration
	OfflineTotal  time.Duration
	Online        time.Duration
}

// DefaultLives returns the defaults, which are also the bounds of all but Access (one hour).
func DefaultLives() Lives {
	return Lives{Access: 15 * time.Minute, Backend: 5 * time.Minute, Code: time.Minute, OfflineUnused: 90 * 24 * time.Hour, OfflineTotal: 365 * 24 * time.Hour, Online: 12 * time.Hour}
}

// For returns the lives of a client, which may shorten those of offline access (SMART-347).
func (l Lives) For(c *clients.Client) Lives {
	const day = 24 * time.Hour
	if c.OfflineUnused > 0 {
		l.OfflineUnused = min(l.OfflineUnused, time.Duration(c.OfflineUnused)*day)
	}
	if c.OfflineTotal > 0 {
		l.OfflineTotal = min(l.OfflineTotal, time.Duration(c.OfflineTotal)*day)
	}
	return l
}

// Direct makes a grant and an access token in one step, for a backend client or for a demonstration's
// printed token. g.Ends is set to the end of the token.
func (s *Store) Direct(ctx context.Context, e func(g *Grant, tokenID string) ledger.Event, g Grant, life time.Duration) (Issued, error) {
	g.ID, g.Made = NewID(), s.Ledger.Now()
	g.Ends = g.Made.Add(life)
	writes, err := s.newGrant(&g, g.Made, g.Ends)
	if err != nil {
		return Issued{}, err
	}
	token, at, w, err := s.newAccess(g.ID, "", life)
	if err != nil {
		return Issued{}, err
	}
	if err := s.Ledger.Write(ctx, e(&g, at.ID), append(writes, w)...); err != nil {
		return Issued{}, err
	}
	return Issued{Grant: g, Access: token, Life: life, Scopes: g.Scopes, TokenID: at.ID}, nil
}

// Code is the stored value of an authorization code (SMART-090).
type Code struct {
	Grant     string    `json:"grant"`
	Client    string    `json:"client"`
	Redirect  string    `json:"redirect"`
	Challenge string    `json:"challenge"`
	Nonce     string    `json:"nonce,omitempty"`
	Ends      time.Time `json:"ends"`
	Used      bool      `json:"used,omitempty"`
}

// Authorize makes a grant and a code for it in one step, by the act of a person. more returns what is stored in the same commit, for the
// code.
func (s *Store) Authorize(ctx context.Context, e ledger.Event, g Grant, c Code, life time.Duration, more func(code string) ([]store.StateWrite, error)) (string, error) {
	code := secret.New(secret.Code)
	c.Grant, c.Client, c.Ends = g.ID, g.Client, s.Ledger.Now().Add(life)
	g.CodeEnds = c.Ends
	writes, err := s.newGrant(&g, time.Time{}, c.Ends)
	if err != nil {
		return "", err
	}
	// What nobody exchanges is soon forgotten. A used code is remembered as long as tokens of it may live, so that a second use ends them.
	w, err := ledger.New(codePrefix+s.Secrets.Of(code), c, c.Ends.Add(keepExpired))
	if err != nil {
		return "", err
	}
	with, err := more(code)
	if err != nil {
		return "", err
	}
	return code, s.Ledger.Write(ctx, e, append(append(writes, w), with...)...)
}

// ReadCode returns what a code stands for, whether it was used or not; ErrInactive for an unknown one.
func (s *Store) ReadCode(ctx context.Context, code string) (ledger.Value[Code], error) {
	if !secret.Code.Is(code) {
		return ledger.Value[Code]{}, ErrInactive
	}
	return read[Code](ctx, s, codePrefix+s.Secrets.Of(code))
}

// BurnCode uses up a code without a token (SMART-114). A second use of it ends the grant (SMART-091).
func (s *Store) BurnCode(ctx context.Context, v ledger.Value[Code], why, request, address string) error {
	g, err := read[Grant](ctx, s, grantPrefix+v.Content.Grant)
	if errors.Is(err, ErrInactive) {
		return nil
	}
	if err != nil {
		return err
	}
	e := g.Content.Event("code-refused", request, address)
	e.Refused, e.Status = why, 400
	if v.Content.Used {
		e.Name = "code-reuse"
		return s.End(ctx, g.Content.ID, e, why)
	}
	v.Content.Used = true
	w, err := v.Change(v.Content.Ends.Add(keepExpired))
	if err != nil {
		return err
	}
	if err := s.Ledger.Write(ctx, e, w); !ledger.Changed(err) {
		return err
	}
	again, err := read[Code](ctx, s, v.Key) // another request used it meanwhile
	if err != nil {
		return ignoreInactive(err)
	}
	return s.BurnCode(ctx, again, why, request, address)
}

func ignoreInactive(err error) error {
	if errors.Is(err, ErrInactive) {
		return nil
	}
	return err
}

// Exchange uses up a code for tokens, in one step, from which on the grant is kept until its end. It returns ErrInactive if the grant has
// ended, and ErrUsed if another request used the code first.
func (s *Store) Exchange(ctx context.Context, v ledger.Value[Code], lives Lives, request, address string) (Issued, error) {
	g, _, err := s.live(ctx, v.Content.Grant)
	if err != nil {
		return Issued{}, err
	}
	kept, err := s.keep(ctx, &g)
	if err != nil {
		return Issued{}, err
	}
	v.Content.Used = true
	used, err := v.Change(g.Ends)
	if err != nil {
		return Issued{}, err
	}
	out, writes, err := s.tokens(&g, "", lives)
	if err != nil {
		return Issued{}, err
	}
	out.Code = v.Content
	e := g.Event("token-issue", request, address)
	e.Agent.Token = out.TokenID
	err = s.Ledger.Write(ctx, e, append(writes, used, kept)...)
	if !ledger.Changed(err) {
		return out, err
	}
	switch again, err := read[Code](ctx, s, v.Key); {
	case err != nil:
		return Issued{}, err
	case again.Content.Used:
		return Issued{}, ErrUsed
	default: // the grant has changed, not the code
		return s.Exchange(ctx, again, lives, request, address)
	}
}

// keep returns the write that keeps a grant until its end; ErrInactive for one that has ended.
func (s *Store) keep(ctx context.Context, g *Grant) (store.StateWrite, error) {
	v, err := read[Grant](ctx, s, grantPrefix+g.ID)
	if err == nil && !v.Content.Ended.IsZero() {
		err = ErrInactive
	}
	if err != nil {
		return store.StateWrite{}, err
	}
	return v.Change(g.Ends.Add(keepExpired))
}

// ErrUsed: a code or refresh token was used before.
var ErrUsed = fmt.Errorf("%w: it was used before", ErrInactive)

// tokens returns an access token, a refresh token if the grant has access beyond it, and their writes.
func (s *Store) tokens(g *Grant, narrower string, lives Lives) (Issued, []store.StateWrite, error) {
	life := lives.Access
	if left := g.Ends.Sub(s.Ledger.Now()); left < life {
		life = left
	}
	token, at, w, err := s.newAccess(g.ID, narrower, life)
	if err != nil {
		return Issued{}, nil, err
	}
	out := Issued{Grant: *g, Access: token, Life: life, Scopes: g.Scopes, TokenID: at.ID}
	if narrower != "" {
		out.Scopes = narrower
	}
	writes := []store.StateWrite{w}
	if g.User != "" {
		used, err := ledger.Put(userPrefix+g.User+"/"+g.ID, s.Ledger.Now(), g.Ends)
		if err != nil {
			return Issued{}, nil, err
		}
		writes = append(writes, used)
	}
	if g.Offline || g.Online {
		refresh, w, err := s.newRefresh(g, lives)
		if err != nil {
			return Issued{}, nil, err
		}
		out.Refresh, writes = refresh, append(writes, w)
	}
	return out, writes, nil
}
