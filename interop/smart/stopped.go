package smart

import (
	"context"
	"errors"
	"time"

	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/session"
	"carerecord/store"
)

// stoppedPrefix begins the State keys of apps that were stopped, until the page of the session says so. The name of the app comes from
// the store and never from the request, so no link makes the page say that an app was stopped.
const stoppedPrefix = "smart/stopped/"

// stoppedLife is how long the page may still say that an app was stopped.
const stoppedLife = time.Minute

// stopped is a client of which a user has just stopped a grant.
type stopped struct {
	Client string    `json:"client"`
	Ends   time.Time `json:"ends"`
}

func (s *Server) stoppedKey(current *session.Session) string {
	return stoppedPrefix + s.cfg.Secrets.Of(current.ID)
}

// noteStopped remembers the client of a grant that was stopped in a session, in place of one before; nothing for an empty id.
func (s *Server) noteStopped(ctx context.Context, current *session.Session, client string) error {
	if client == "" {
		return nil
	}
	if _, err := s.takeStopped(ctx, current); err != nil {
		return err
	}
	ends := s.cfg.Clock().UTC().Add(stoppedLife)
	w, err := ledger.New(s.stoppedKey(current), stopped{Client: client, Ends: ends}, ends)
	if err != nil {
		return err
	}
	err = s.cfg.State.Insert(ctx, w.Key, w.Value, ends)
	if errors.Is(err, store.ErrExists) {
		return nil // another window has just stopped one
	}
	return err
}

// takeStopped returns the name of the app that was just stopped in a session, once; "" for none.
func (s *Server) takeStopped(ctx context.Context, current *session.Session) (string, error) {
	raw, err := s.cfg.State.Take(ctx, s.stoppedKey(current))
	if ledger.Missing(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	v, err := ledger.Decode[stopped](s.stoppedKey(current), raw)
	if err != nil || !s.cfg.Clock().Before(v.Content.Ends) {
		return "", err
	}
	client, err := s.client(ctx, v.Content.Client)
	if err != nil {
		return "", err
	}
	return client.Name, nil
}

// client returns a client for a page, by its id as the name if it is not registered any more.
func (s *Server) client(ctx context.Context, id string) (*clients.Client, error) {
	client, err := s.Clients.Get(ctx, id)
	if errors.Is(err, clients.ErrUnknown) {
		return &clients.Client{Name: id}, nil
	}
	return client, err
}
