package smart

import (
	"context"
	"errors"
	"sync"
	"time"

	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/session"
)

// activity notes requests with the online tokens of a session as activity of the session, at most once a minute for each session
// (SMART-348). It is safe for concurrent use.
type activity struct {
	mu    sync.Mutex
	noted map[string]time.Time // by session
}

// The bounds of activity.
const (
	activityEvery = time.Minute
	maxActivity   = 10_000 // sessions that are remembered
)

// due reports whether activity of a session is to be stored now, and remembers that it is.
func (a *activity) due(id string, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if last, ok := a.noted[id]; ok && now.Before(last.Add(activityEvery)) {
		return false
	}
	if a.noted == nil || len(a.noted) >= maxActivity {
		a.noted = map[string]time.Time{} // some are stored once more
	}
	a.noted[id] = now
	return true
}

// used notes the use of a token. A session that has ended stays so; an error of the store is in the log alone, since the request does not
// depend on it.
func (s *Server) used(ctx context.Context, g *grants.Grant) {
	if !g.Online || s.users == nil || !s.users.activity.due(g.Session, s.cfg.Clock()) {
		return
	}
	if _, err := s.users.sessions.Use(ctx, g.SessionUser, g.Session); err != nil && !errors.Is(err, session.ErrNone) {
		s.cfg.Log.Warn("the activity of a session was not stored", "error", err)
	}
}
