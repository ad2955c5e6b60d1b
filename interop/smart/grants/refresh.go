package grants

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"carerecord/consent/audit"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/secret"
	"carerecord/store"
)

// RefreshToken is the stored value of a refresh token. A used one is kept, so that its reuse is noticed
// (SMART-343).
type RefreshToken struct {
	Grant string    `json:"grant"`
	Made  time.Time `json:"made"`
	Ends  time.Time `json:"ends"` // unused until then
	Used  bool      `json:"used,omitempty"`
}

func (s *Store) newRefresh(g *Grant, lives Lives) (string, store.StateWrite, error) {
	token, now := secret.New(secret.RefreshToken), s.Ledger.Now()
	ends := g.Ends
	if unused := now.Add(lives.OfflineUnused); g.Offline && unused.Before(ends) {
		ends = unused
	}
	w, err := ledger.New(refreshPrefix+s.Secrets.Of(token), RefreshToken{Grant: g.ID, Made: now, Ends: ends}, g.Ends)
	return token, w, err
}

// ReadRefresh returns a refresh token and its grant, which is in force; ErrInactive for any other, and
// ErrUsed for one that was used before, whose grant it has ended (SMART-343).
func (s *Store) ReadRefresh(ctx context.Context, token, request, address string) (ledger.Value[RefreshToken], Grant, error) {
	if !secret.RefreshToken.Is(token) {
		return ledger.Value[RefreshToken]{}, Grant{}, ErrInactive
	}
	v, err := read[RefreshToken](ctx, s, refreshPrefix+s.Secrets.Of(token))
	if err != nil {
		return v, Grant{}, err
	}
	g, _, err := s.live(ctx, v.Content.Grant)
	if err != nil {
		return v, Grant{}, err
	}
	if v.Content.Used {
		return v, g, errors.Join(ErrUsed, s.reused(ctx, &g, request, address))
	}
	if !s.Ledger.Now().Before(v.Content.Ends) {
		return v, g, ErrInactive
	}
	return v, g, nil
}

// reused ends the grant of a refresh token that is used a second time.
func (s *Store) reused(ctx context.Context, g *Grant, request, address string) error {
	e := g.Event("token-reuse", request, address)
	e.Refused, e.Status = "REFRESH_TOKEN_REUSED", 400
	return s.End(ctx, g.ID, e, "reuse of a refresh token")
}

// Refresh replaces a refresh token by a new one and issues an access token, in one step (SMART-342).
// narrower are the scopes of this access token alone; empty for those of the grant. What g does not name any more of who the user is, is
// dropped from the grant in the same step. Of concurrent uses one succeeds; the others are reuse, which ends the grant.
func (s *Store) Refresh(ctx context.Context, v ledger.Value[RefreshToken], g Grant, narrower string, lives Lives, request, address string) (Issued, error) {
	v.Content.Used = true
	used, err := v.Change(g.Ends)
	if err != nil {
		return Issued{}, err
	}
	out, writes, err := s.tokens(&g, narrower, lives)
	if err != nil {
		return Issued{}, err
	}
	e := g.Event("token-refresh", request, address)
	e.Agent.Token = out.TokenID
	dropped, err := s.dropped(ctx, &g, &e)
	if err != nil {
		return Issued{}, err
	}
	err = s.Ledger.Write(ctx, e, append(append(writes, used), dropped...)...)
	if !ledger.Changed(err) {
		return out, err
	}
	if len(dropped) > 0 { // the grant may have changed, not the token
		again, err := read[RefreshToken](ctx, s, v.Key)
		if err != nil {
			return Issued{}, err
		}
		if !again.Content.Used {
			return s.Refresh(ctx, again, g, narrower, lives, request, address)
		}
	}
	return Issued{}, errors.Join(ErrUsed, s.reused(ctx, &g, request, address))
}

// dropped returns the write that drops from the stored grant what g does not name any more of who the user is, and says so in the event
// of the refresh; no write if g names all of it. It returns ErrInactive if the grant has ended.
func (s *Store) dropped(ctx context.Context, g *Grant, e *ledger.Event) ([]store.StateWrite, error) {
	v, err := read[Grant](ctx, s, grantPrefix+g.ID)
	if err == nil && !v.Content.Ended.IsZero() {
		err = ErrInactive
	}
	if err != nil {
		return nil, err
	}
	stored := &v.Content
	drop := func(field string, from *string) {
		e.Changed = append(e.Changed, audit.Change{Field: field, Old: json.RawMessage(strconv.Quote(*from))}) // a reference is ASCII
		*from = ""
	}
	if stored.FHIRUser != "" && g.FHIRUser == "" {
		drop("fhirUser", &stored.FHIRUser)
		stored.Name = ""
	}
	if stored.PractitionerRole != "" && g.PractitionerRole == "" {
		drop("practitionerRole", &stored.PractitionerRole)
		stored.FHIR = g.FHIR
	}
	if len(e.Changed) == 0 {
		return nil, nil
	}
	w, err := v.Change(stored.Ends.Add(keepExpired))
	return []store.StateWrite{w}, err
}

// ClientOfRefresh returns the client of a refresh token, used or not; "" for an unknown one. A public client may
// leave its id out of a refresh request (SMART-318).
func (s *Store) ClientOfRefresh(ctx context.Context, token string) (string, error) {
	if !secret.RefreshToken.Is(token) {
		return "", nil
	}
	v, err := read[RefreshToken](ctx, s, refreshPrefix+s.Secrets.Of(token))
	if err != nil {
		return "", ignoreInactive(err)
	}
	g, err := s.Get(ctx, v.Content.Grant)
	return g.Client, ignoreInactive(err)
}

// Get returns a grant that is in force; ErrInactive for any other.
func (s *Store) Get(ctx context.Context, id string) (Grant, error) {
	g, _, err := s.live(ctx, id)
	return g, err
}

// DescribeRefresh returns the grant of a refresh token that is valid now, and its end; ErrInactive for any other. It
// uses nothing up.
func (s *Store) DescribeRefresh(ctx context.Context, token string) (Grant, time.Time, error) {
	v, err := read[RefreshToken](ctx, s, refreshPrefix+s.Secrets.Of(token))
	if err != nil {
		return Grant{}, time.Time{}, err
	}
	if v.Content.Used || !s.Ledger.Now().Before(v.Content.Ends) {
		return Grant{}, time.Time{}, ErrInactive
	}
	g, err := s.Get(ctx, v.Content.Grant)
	return g, v.Content.Ends, err
}
