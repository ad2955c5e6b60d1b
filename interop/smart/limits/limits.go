// Package limits bounds how often something may be tried: failed client authentications, codes and handles,
// sign-ins, searches in the patient chooser. Each name (a client, an address, a person) has a counter of its
// own, so that one's failures never block another (SMART-482, 483). The counters are of one process: a limit
// slows guessing down, and nothing that is right depends on it.
package limits

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// Limit permits a number of events a minute for each name. It is safe for concurrent use.
type Limit struct {
	perMinute int
	clock     func() time.Time

	mu      sync.Mutex
	buckets *lru.Cache[string, *bucket]
}

// bucket is a token bucket: what is left now.
type bucket struct {
	left float64
	at   time.Time
}

// maxNames is how many names are remembered: the ones that were used last.
const maxNames = 20_000

// New returns a Limit; perMinute 0 is no limit.
func New(perMinute int, clock func() time.Time) *Limit {
	buckets, err := lru.New[string, *bucket](maxNames)
	if err != nil {
		panic(err) // the size is positive
	}
	return &Limit{perMinute: perMinute, clock: clock, buckets: buckets}
}

// Count counts an event of a name, and reports whether it is still within the limit.
func (l *Limit) Count(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.perMinute == 0 {
		return true
	}
	b := l.bucket(name)
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

// Return gives back an event that Count counted: it turned out to be none. Whoever counts failures counts each request before it runs and
// returns those that do not fail, so that requests at the same time are not more than the limit.
func (l *Limit) Return(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.perMinute == 0 {
		return
	}
	b := l.bucket(name)
	b.left = min(float64(l.perMinute), b.left+1)
}

// bucket returns the bucket of a name as of now. The mutex must be held.
func (l *Limit) bucket(name string) *bucket {
	now := l.clock()
	b, ok := l.buckets.Get(name)
	if !ok {
		b = &bucket{left: float64(l.perMinute), at: now}
		l.buckets.Add(name, b)
	}
	if passed := now.Sub(b.at); passed > 0 {
		b.left = min(float64(l.perMinute), b.left+passed.Minutes()*float64(l.perMinute))
	}
	b.at = now
	return b
}

// Source returns the part of a network address that one sender controls: of IPv6 the /64 network. Limits count by it, so that nobody has
// a new counter with each address of a network of their own.
func Source(address string) string {
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(address, "["), "]"))
	if err != nil || ip.Unmap().Is4() {
		return address
	}
	network, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return network.String()
}
