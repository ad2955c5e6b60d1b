package rest

import (
	"sync"
	"time"

	"carerecord/consent"
	"carerecord/fhir"
)

// crowd keeps clients within their limits (LIM-006), and the whole within its
// own (LIM-007). The zero values of Limits set none. It is safe for concurrent
// use.
type crowd struct {
	limits Limits
	now    func() time.Time

	mu      sync.Mutex
	inside  int
	clients map[string]*client
}

// client is one registered client, or a network address without one.
type client struct {
	inside int
	tokens float64 // requests that it may make at once
	seen   time.Time
}

// enter lets a request in; leave ends it. A *fhir.Error of 429 or 503 refuses
// it before any work.
func (c *crowd) enter(name string) (leave func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.limits.Requests > 0 && c.inside >= c.limits.Requests {
		return nil, &fhir.Error{Status: 503, Issues: []fhir.Issue{{Code: "transient", Text: "The server is busy. Nothing was done; it may be repeated.", Detail: consent.NothingStored()}},
			Header: map[string]string{"Retry-After": "1"}}
	}
	now := c.now()
	one := c.client(name, now)
	switch {
	case c.limits.ClientRequests > 0 && one.inside >= c.limits.ClientRequests:
		return nil, throttled("This client has %d requests under way, which is its limit.", one.inside)
	case c.limits.ClientRate > 0 && one.tokens < 1:
		return nil, throttled("This client makes more than %d requests a second.", c.limits.ClientRate)
	}
	one.tokens--
	one.inside++
	c.inside++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		one.inside--
		c.inside--
	}, nil
}

// client returns a client with its tokens as of now: the rate a second, and at
// most those of a second at once.
func (c *crowd) client(name string, now time.Time) *client {
	one := c.clients[name]
	if one == nil {
		if len(c.clients) >= maxClients {
			c.forget()
		}
		one = &client{tokens: float64(c.limits.ClientRate), seen: now}
		if c.clients == nil {
			c.clients = map[string]*client{}
		}
		c.clients[name] = one
	}
	one.tokens = min(float64(c.limits.ClientRate), one.tokens+now.Sub(one.seen).Seconds()*float64(c.limits.ClientRate))
	one.seen = now
	return one
}

// maxClients is how many clients are remembered.
const maxClients = 10_000

// forget drops the clients that have no request under way.
func (c *crowd) forget() {
	for name, one := range c.clients {
		if one.inside == 0 {
			delete(c.clients, name)
		}
	}
}

func throttled(format string, args ...any) *fhir.Error {
	e := fhir.Fault(429, "throttled", format, args...)
	e.Header = map[string]string{"Retry-After": "1"}
	return e
}
