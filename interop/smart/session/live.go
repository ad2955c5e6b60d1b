package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"carerecord/store"
)

// The prefixes of the State keys of sessions, and of the lists of the sessions of each user.
const (
	StatePrefix = "session/"
	ListPrefix  = "session-of/"
)

// stateKey is the State key of a session.
func stateKey(digest string) string { return StatePrefix + digest }

func decode(raw []byte) (record, error) {
	var r record
	if err := json.Unmarshal(raw, &r); err != nil {
		return record{}, fmt.Errorf("read session: %w", err)
	}
	return r, nil
}

func encode(r record) []byte {
	raw, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("a session cannot be written: %v", err)) // strings, numbers and instants only
	}
	return raw
}

// Current returns the live session of a kind that a request belongs to, and notes the request as activity. It returns
// ErrNone if there is none. Any other error is one of the store: the session is unknown, so nothing may be shown.
func (s *Sessions) Current(r *http.Request, kind Kind) (*Session, error) {
	digest := s.digest(r, string(kind))
	if !kind.Known() || digest == "" {
		return nil, ErrNone
	}
	rec, err := s.change(r.Context(), digest, func(*record) {})
	if err != nil {
		return nil, err
	}
	if rec.Kind != kind {
		return nil, ErrNone
	}
	return s.session(rec, digest), nil
}

// change replaces a live session and notes activity. Of simultaneous changes each is applied. It returns ErrNone for a
// session that has ended.
func (s *Sessions) change(ctx context.Context, digest string, edit func(*record)) (record, error) {
	for {
		raw, err := s.cfg.State.Lookup(ctx, stateKey(digest))
		if errors.Is(err, store.ErrNotFound) {
			return record{}, ErrNone
		}
		if err != nil {
			return record{}, fmt.Errorf("look up session: %w", err)
		}
		rec, err := decode(raw)
		if err != nil {
			return record{}, err
		}
		if !s.live(rec) {
			return record{}, ErrNone
		}
		if now := s.cfg.Clock().UTC(); now.After(rec.LastUsed) {
			rec.LastUsed = now
		}
		edit(&rec)
		value := encode(rec)
		if bytes.Equal(raw, value) {
			return rec, nil
		}
		err = s.cfg.State.Swap(ctx, stateKey(digest), raw, value, s.ends(rec))
		if errors.Is(err, store.ErrConflict) {
			continue // another request of the session, or its end: read again
		}
		if err != nil {
			return record{}, fmt.Errorf("note activity of session: %w", err)
		}
		return rec, nil
	}
}
