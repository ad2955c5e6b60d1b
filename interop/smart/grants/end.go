package grants

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/secret"
	"carerecord/store"
)

// End ends a grant and all its tokens, at once (SMART-401). It does nothing if the grant has ended
// already or does not exist.
func (s *Store) End(ctx context.Context, id string, e ledger.Event, why string) error {
	for {
		g, err := read[Grant](ctx, s, grantPrefix+id)
		if err != nil {
			return ignoreInactive(err)
		}
		if err := s.end(ctx, g, e, why); !ledger.Changed(err) {
			return err
		}
	}
}

func (s *Store) end(ctx context.Context, g ledger.Value[Grant], e ledger.Event, why string) error {
	if !g.Content.Ended.IsZero() {
		return nil
	}
	g.Content.Ended, g.Content.EndedBy = s.Ledger.Now(), why
	writes, err := ended(g)
	if err != nil {
		return err
	}
	return s.Ledger.Write(ctx, e, writes...)
}

// ended returns the writes of a grant that has ended: it is remembered for a day, and listed no more.
func ended(g ledger.Value[Grant]) ([]store.StateWrite, error) {
	w, err := g.Change(g.Content.Ended.Add(keepExpired))
	writes := []store.StateWrite{w}
	if g.Content.User != "" {
		writes = append(writes, store.StateWrite{Key: userPrefix + g.Content.User + "/" + g.Content.ID, Expires: time.Unix(0, 0)})
	}
	return writes, err
}

// Unchanged returns the write that keeps a grant as it is, and fails if the grant has ended or changed since; ErrInactive for one
// that has ended already.
func (s *Store) Unchanged(ctx context.Context, id string) (store.StateWrite, error) {
	g, err := s.Get(ctx, id)
	if err != nil {
		return store.StateWrite{}, err
	}
	return s.keep(ctx, &g)
}

// SetPatient stores the id of the Patient in context of a grant, which is another one of the same person.
func (s *Store) SetPatient(ctx context.Context, changed *Grant, request, address string) error {
	for {
		g, err := read[Grant](ctx, s, grantPrefix+changed.ID)
		if err != nil {
			return err
		}
		g.Content.Patient = changed.Patient
		w, err := g.Change(g.Content.Ends.Add(keepExpired))
		if err != nil {
			return err
		}
		if err := s.Ledger.Write(ctx, g.Content.Event("context-change", request, address), w); !ledger.Changed(err) {
			return err
		}
	}
}

// ErrOther: the token is another client's.
var ErrOther = errors.New("the token is of another client")

// Revoke ends a token at the request of its client (RFC 7009): an access token alone, or all tokens of the
// grant of a refresh token. It does nothing for an unknown token, and returns ErrOther for one of
// another client (SMART-400).
func (s *Store) Revoke(ctx context.Context, token, client, request, address string) error {
	switch {
	case secret.AccessToken.Is(token):
		at, err := read[AccessToken](ctx, s, accessPrefix+s.Secrets.Of(token))
		if err != nil {
			return ignoreInactive(err)
		}
		g, err := read[Grant](ctx, s, grantPrefix+at.Content.Grant)
		if err != nil {
			return ignoreInactive(err)
		}
		if g.Content.Client != client {
			return ErrOther
		}
		e := g.Content.Event("token-revoke", request, address)
		e.Of = "token/" + at.Content.ID
		err = s.Ledger.Write(ctx, e, at.Remove())
		if ledger.Changed(err) {
			return nil // it was revoked meanwhile
		}
		return err
	case secret.RefreshToken.Is(token):
		rt, err := read[RefreshToken](ctx, s, refreshPrefix+s.Secrets.Of(token))
		if err != nil {
			return ignoreInactive(err)
		}
		g, err := read[Grant](ctx, s, grantPrefix+rt.Content.Grant)
		if err != nil {
			return ignoreInactive(err)
		}
		if g.Content.Client != client {
			return ErrOther
		}
		return s.End(ctx, g.Content.ID, g.Content.Event("token-revoke", request, address), "revoked by the client")
	}
	return nil
}

// Listed is a grant of a user, with the time at which its last token was issued; zero for none.
type Listed struct {
	Grant
	LastUsed time.Time
}

// OfUser returns the grants of a user that are in force, newest last (SMART-405), without those of which nobody took a token in time.
func (s *Store) OfUser(ctx context.Context, user string) ([]Listed, error) {
	prefix := userPrefix + user + "/"
	used := map[string]time.Time{}
	for raw, err := range s.Ledger.State.Values(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		v, err := ledger.Decode[time.Time](raw.Key, raw.Value)
		if err != nil {
			return nil, err
		}
		used[raw.Key[len(prefix):]] = v.Content
	}
	var all []Listed
	for id, at := range used {
		g, _, err := s.live(ctx, id)
		if errors.Is(err, ErrInactive) || err == nil && at.IsZero() && !g.CodeEnds.IsZero() && !s.Ledger.Now().Before(g.CodeEnds) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, Listed{g, at})
	}
	slices.SortFunc(all, func(a, b Listed) int { return cmp.Or(a.Made.Compare(b.Made), strings.Compare(a.ID, b.ID)) })
	return all, nil
}
