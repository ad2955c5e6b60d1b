package rest

import (
	"sync"
	"time"

	"carerecord/consent"
	"carerecord/fhir"
)

// limiter bounds the requests under way of each client (LIM-006) and of the server (LIM-007), and the
// rate of each client. A zero is no limit. It is safe for concurrent use.
type limiter struct {
	limits Limits
	now    func() time.Time

	mu       sync.Mutex
	inFlight int
	clients  map[string]*client
}

// client is one registered client, or a network address without one.
type client struct {
	inFlight int
	tokens   float64 // of a token bucket: requests that it may begin now
	seen     time.Time
}

// enter counts a request until leave is called. A *fhir.Error of 429 or 503 refuses it before any
// work.
func (l *limiter) enter(name string) (leave func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limits.Requests > 0 && l.inFlight >= l.limits.Requests {
		return nil, &fhir.Error{Status: 503, Issues: []fhir.Issue{{Code: "transient", Text: "The server is busy. Nothing was done. Try again.", Detail: consent.NothingStored()}},
			Header: map[string]string{"Retry-After": "1"}}
	}
	now := l.now()
	cl := l.client(name, now)
	switch {
	case l.limits.ClientRequests > 0 && cl.inFlight >= l.limits.ClientRequests:
		return nil, throttled("This client has reached its limit of %d concurrent requests.", cl.inFlight)
	case l.limits.ClientRate > 0 && cl.tokens < 1:
		return nil, throttled("This client makes more than %d requests a second.", l.limits.ClientRate)
	}
	cl.tokens--
	cl.inFlight++
	l.inFlight++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		cl.inFlight--
		l.inFlight--
	}, nil
}

// client returns a client with its tokens as of now: the rate a second, and at
// most those of a second at once.
func (l *limiter) client(name string, now time.Time) *client {
	cl := l.clients[name]
	if cl == nil {
		if len(l.clients) >= maxClients {
			l.forget()
		}
		cl = &client{tokens: float64(l.limits.ClientRate), seen: now}
		if l.clients == nil {
			l.clients = map[string]*client{}
		}
		l.clients[name] = cl
	}
	cl.tokens = min(float64(l.limits.ClientRate), cl.tokens+now.Sub(cl.seen).Seconds()*float64(l.limits.ClientRate))
	cl.seen = now
	return cl
}

// maxClients is how many clients are remembered.
const maxClients = 10_000

// forget drops the clients that have no request under way.
func (l *limiter) forget() {
	for name, cl := range l.clients {
		if cl.inFlight == 0 {
			delete(l.clients, name)
		}
	}
}

func throttled(format string, args ...any) *fhir.Error {
	e := fhir.Fault(429, "throttled", format, args...)
	e.Header = map[string]string{"Retry-After": "1"}
	return e
}
