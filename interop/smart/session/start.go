package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"time"

	"carerecord/interop/smart/secret"
	"carerecord/store"
)

// SignIn starts a session and sends its cookie. The session that the browser had of the same kind ends (SMART-161); it
// is returned as before, or nil. If before is of another user, the caller ends what that user had begun in this browser
// (SMART-160). Call it before the header of the answer is written, and only for a sign-in that was verified.
func (s *Sessions) SignIn(w http.ResponseWriter, r *http.Request, id Identity) (started, before *Session, err error) {
	if !id.Kind.Known() || id.Issuer == "" || id.Subject == "" {
		return nil, nil, errors.New("a session needs a kind, an issuer and a subject")
	}
	before, err = s.endOfRequest(r, id.Kind)
	if err != nil && !errors.Is(err, ErrNone) {
		return nil, nil, err
	}
	fresh, err := s.announce(r.Context(), id.User, s.cfg.Clock().UTC())
	if err != nil {
		return nil, nil, err
	}
	started, err = s.store(r.Context(), w, fresh, record{Identity: id, Started: fresh.started, LastUsed: fresh.started, ID: rand.Text()})
	return started, before, err
}

// ChooseRole gives the session a role and its organisation. The session continues with a new cookie; the old value is
// dead (SMART-161). It returns ErrNone if there is no live session.
func (s *Sessions) ChooseRole(w http.ResponseWriter, r *http.Request, kind Kind, role, organisation string) (*Session, error) {
	current, err := s.Current(r, kind)
	if err != nil {
		return nil, err
	}
	// The new value is listed before the old one ends, so that EndAll finds one of them at each instant.
	fresh, err := s.announce(r.Context(), current.User, current.Started)
	if err != nil {
		return nil, err
	}
	before, err := s.endOfRequest(r, kind)
	if err != nil {
		return nil, err
	}
	return s.store(r.Context(), w, fresh, record{Identity: before.Identity, Role: role, Organisation: organisation, Started: before.Started,
		LastUsed: s.cfg.Clock().UTC(), ID: before.ID})
}

// SignOut ends the session of a kind and removes its cookie from the browser, with that of before the sign-in, so that
// nothing that was begun before goes on. It returns the session, or ErrNone if there was none.
func (s *Sessions) SignOut(w http.ResponseWriter, r *http.Request, kind Kind) (*Session, error) {
	before, err := s.endOfRequest(r, kind)
	if err != nil && !errors.Is(err, ErrNone) {
		return nil, err
	}
	s.clearCookie(w, string(kind))
	s.clearCookie(w, browser)
	return before, err
}

// endOfRequest ends the session of a kind that a request belongs to. It returns ErrNone if none was live.
func (s *Sessions) endOfRequest(r *http.Request, kind Kind) (*Session, error) {
	digest := s.digest(r, string(kind))
	if digest == "" {
		return nil, ErrNone
	}
	rec, err := s.end(r.Context(), digest)
	if err != nil {
		return nil, err
	}
	if !s.live(rec) {
		return nil, ErrNone
	}
	return s.session(rec, digest), nil
}

// announced is a cookie value that is in the list of its user and of which the session is not stored yet.
type announced struct {
	value, digest, listed string
	started               time.Time
}

func (s *Sessions) announce(ctx context.Context, u User, started time.Time) (announced, error) {
	value := secret.New(secret.Session)
	a := announced{value: value, digest: s.cfg.Digests.Of(string(u.Kind) + " " + value), started: started}
	a.listed = listKey(u, s.cfg.Digests) + a.digest
	if err := s.cfg.State.Insert(ctx, a.listed, []byte(a.digest), started.Add(s.cfg.Total)); err != nil {
		return announced{}, fmt.Errorf("list session: %w", err)
	}
	return a, nil
}

// store stores a session and sends its cookie. If EndAll took the entry of the list in the meantime, the session ends
// and the error is ErrNone.
func (s *Sessions) store(ctx context.Context, w http.ResponseWriter, a announced, rec record) (*Session, error) {
	if err := s.cfg.State.Insert(ctx, stateKey(a.digest), encode(rec), s.ends(rec)); err != nil {
		return nil, fmt.Errorf("store session: %w", err)
	}
	if _, err := s.cfg.State.Lookup(ctx, a.listed); err != nil {
		_, ended := s.end(ctx, a.digest)
		if errors.Is(err, store.ErrNotFound) {
			return nil, errors.Join(ErrNone, ended)
		}
		return nil, fmt.Errorf("look up list of sessions: %w", errors.Join(err, ended))
	}
	s.setCookie(w, string(rec.Kind), a.value)
	return s.session(rec, a.digest), nil
}
