package session

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"carerecord/interop/smart/secret"
	"carerecord/store"
)

// listKey is the prefix of the State keys that list the sessions of a user. Its names are not in the store as text.
func listKey(u User, digests secret.Digester) string {
	return ListPrefix + digests.Of(string(u.Kind)+"\x00"+u.Issuer+"\x00"+u.Subject) + "/"
}

// List returns the live sessions of a user, the one used last first (SMART-170).
func (s *Sessions) List(ctx context.Context, u User) ([]Session, error) {
	entries, err := s.entries(ctx, u)
	if err != nil {
		return nil, err
	}
	var out []Session
	for _, v := range entries {
		raw, err := s.cfg.State.Lookup(ctx, stateKey(string(v.Value)))
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look up listed session: %w", err)
		}
		rec, err := decode(raw)
		if err != nil {
			return nil, err
		}
		if s.live(rec) && rec.User == u {
			out = append(out, *s.session(rec, string(v.Value)))
		}
	}
	slices.SortFunc(out, func(a, b Session) int { return b.LastUsed.Compare(a.LastUsed) })
	return out, nil
}

// Use notes activity of a session that is named by its user and ID: a request with a token that belongs to the session
// (SMART-348). It returns ErrNone if the session has ended.
func (s *Sessions) Use(ctx context.Context, u User, id string) (*Session, error) {
	named, err := s.named(ctx, u, id)
	if err != nil {
		return nil, err
	}
	rec, err := s.change(ctx, named.Binding, func(*record) {})
	if err != nil {
		return nil, err
	}
	return s.session(rec, named.Binding), nil
}

// Lives returns nil if a session that is named by its user and ID has not ended, and ErrNone if it has. It notes no activity.
func (s *Sessions) Lives(ctx context.Context, u User, id string) error {
	_, err := s.named(ctx, u, id)
	return err
}

// End ends one session of a user by its ID. It returns ErrNone if the user has no live session of this ID, also if
// another user has.
func (s *Sessions) End(ctx context.Context, u User, id string) error {
	named, err := s.named(ctx, u, id)
	if err != nil {
		return err
	}
	_, err = s.end(ctx, named.Binding)
	return err
}

func (s *Sessions) named(ctx context.Context, u User, id string) (Session, error) {
	list, err := s.List(ctx, u)
	if err != nil {
		return Session{}, err
	}
	if i := slices.IndexFunc(list, func(session Session) bool { return session.ID == id }); i >= 0 {
		return list[i], nil
	}
	return Session{}, ErrNone
}

// EndAll ends all sessions of a user and returns them: sign-out everywhere (SMART-170). It reads the list until it is
// empty, so that no session escapes by a change of its cookie. After an error it may be repeated: a session is taken from the list when
// it has ended.
func (s *Sessions) EndAll(ctx context.Context, u User) ([]Session, error) {
	var ended []Session
	for {
		entries, err := s.entries(ctx, u)
		if err != nil || len(entries) == 0 {
			return ended, err
		}
		for _, entry := range entries {
			if err := s.endListed(ctx, string(entry.Value), &ended); err != nil {
				return ended, err
			}
			if _, err := s.cfg.State.Take(ctx, entry.Key); err != nil && !errors.Is(err, store.ErrNotFound) {
				return ended, fmt.Errorf("take session from the list: %w", err)
			}
			// A change of the cookie may have stored the value before the entry was taken.
			if err := s.endListed(ctx, string(entry.Value), &ended); err != nil {
				return ended, err
			}
		}
	}
}

// endListed ends the session of a digest, if there is one, and adds it to those that have ended.
func (s *Sessions) endListed(ctx context.Context, digest string, ended *[]Session) error {
	rec, err := s.end(ctx, digest)
	if errors.Is(err, ErrNone) {
		return nil
	}
	if err == nil && s.live(rec) {
		*ended = append(*ended, *s.session(rec, digest))
	}
	return err
}

// entries returns the entries of the list of a user.
func (s *Sessions) entries(ctx context.Context, u User) ([]store.StateValue, error) {
	var out []store.StateValue
	for v, err := range s.cfg.State.Values(ctx, listKey(u, s.cfg.Digests)) {
		if err != nil {
			return nil, fmt.Errorf("list sessions: %w", err)
		}
		out = append(out, v)
	}
	return out, nil
}
