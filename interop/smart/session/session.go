package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carerecord/interop/smart/secret"
	"carerecord/store"
)

// Kind says which people sign in. The kinds have separate cookies, so that one browser may have a session of each.
type Kind string

// The kinds of people.
const (
	Patient Kind = "patient" // patients and proxies
	Staff   Kind = "staff"

	Administrator Kind = "administrator" // who governs or operates the record (SMART-209)
)

// Known reports whether a kind is one of the constants.
func (k Kind) Known() bool { return k == Patient || k == Staff || k == Administrator }

// The longest times of a session (SMART-162, section 28 of smart.md).
const (
	MaxIdle  = 30 * time.Minute
	MaxTotal = 12 * time.Hour
)

// ErrNone says that the browser has no live session of a kind: it has no cookie, or the session has ended.
var ErrNone = errors.New("no session")

// Config has the dependencies of Sessions.
type Config struct {
	State   store.State
	Digests secret.Digester
	Clock   func() time.Time
	// Secure says that browsers reach the server by https. Without it, which is for a loopback address alone, the
	// cookies have neither the attribute Secure nor the prefix __Host-.
	Secure bool
	// Idle and Total end a session. Zero means MaxIdle and MaxTotal; more is refused.
	Idle, Total time.Duration
}

// Sessions are the sessions of all browsers. It has no state of its own and is safe for concurrent use.
type Sessions struct{ cfg Config }

// New returns Sessions. It returns an error for a time that is negative or longer than the bound.
func New(cfg Config) (*Sessions, error) {
	if cfg.State == nil || cfg.Clock == nil || cfg.Digests.Of("") == (secret.Digester{}).Of("") {
		return nil, errors.New("sessions need a State, a clock and a key of digests")
	}
	for _, t := range []struct {
		name  string
		value *time.Duration
		bound time.Duration
	}{{"idle", &cfg.Idle, MaxIdle}, {"total", &cfg.Total, MaxTotal}} {
		if *t.value == 0 {
			*t.value = t.bound
		}
		if *t.value < 0 || *t.value > t.bound {
			return nil, fmt.Errorf("the %s time of a session is %s: it must be positive and at most %s", t.name, *t.value, t.bound)
		}
	}
	return &Sessions{cfg: cfg}, nil
}

// User is a person as an issuer names them. Only the issuer and the subject together name a person (SMART-185).
type User struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
	Kind    Kind   `json:"kind"`
}

// Identity is what a sign-in proves.
type Identity struct {
	User
	Account  string    `json:"account,omitempty"` // the user of the policy folder
	AuthTime time.Time `json:"authTime"`          // of the authentication at the issuer
	Level    int       `json:"level"`             // of the authentication
}

// Session is a live session at one instant. A change of the stored session does not change it.
type Session struct {
	Identity
	Role         string // chosen role, empty before the choice
	Organisation string // ODS code of the chosen role
	Started      time.Time
	LastUsed     time.Time
	Ends         time.Time // at the latest: earlier without activity, or by sign-out
	// ID names the session in a list of the user's sessions. It gives no access.
	ID string
	// Binding names the cookie value in force, for values that hold for this session alone. It changes with the
	// cookie and gives no access. It is not for pages or logs.
	Binding string
}

// record is the State value of a session.
type record struct {
	Identity
	Role         string    `json:"role,omitempty"`
	Organisation string    `json:"organisation,omitempty"`
	Started      time.Time `json:"started"`
	LastUsed     time.Time `json:"lastUsed"`
	ID           string    `json:"id"`
}

func (s *Sessions) session(r record, digest string) *Session {
	return &Session{Identity: r.Identity, Role: r.Role, Organisation: r.Organisation, Started: r.Started, LastUsed: r.LastUsed,
		Ends: r.Started.Add(s.cfg.Total), ID: r.ID, Binding: digest}
}

// ends returns the instant at which a session ends without further activity.
func (s *Sessions) ends(r record) time.Time {
	idle, total := r.LastUsed.Add(s.cfg.Idle), r.Started.Add(s.cfg.Total)
	if idle.Before(total) {
		return idle
	}
	return total
}

// live reports whether a session has not ended. Correctness does not depend on the expiry of the store (SMART-492).
func (s *Sessions) live(r record) bool { return s.cfg.Clock().Before(s.ends(r)) }

// end removes the session with a digest. A session that is not there is no error.
func (s *Sessions) end(ctx context.Context, digest string) (record, error) {
	raw, err := s.cfg.State.Take(ctx, stateKey(digest))
	if errors.Is(err, store.ErrNotFound) {
		return record{}, ErrNone
	}
	if err != nil {
		return record{}, fmt.Errorf("end session: %w", err)
	}
	r, err := decode(raw)
	if err != nil {
		return record{}, err
	}
	if _, err := s.cfg.State.Take(ctx, listKey(r.User, s.cfg.Digests)+digest); err != nil && !errors.Is(err, store.ErrNotFound) {
		return record{}, fmt.Errorf("take session from the list: %w", err)
	}
	return r, nil
}
