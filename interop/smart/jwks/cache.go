package jwks

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// How long a set is kept: as its Cache-Control says, at most an hour, and five minutes without one
// (SMART-336).
const (
	keepWithout = 5 * time.Minute
	keepMost    = time.Hour
	refetchWait = 10 * time.Second
)

// keepFor reads Cache-Control.
func keepFor(h http.Header) time.Duration {
	values := h.Values("Cache-Control")
	if len(values) == 0 {
		return keepWithout
	}
	keep := keepWithout
	for directive := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			seconds, err := strconv.ParseInt(strings.Trim(value, `"`), 10, 32)
			if err != nil || seconds < 0 {
				return 0
			}
			keep = min(time.Duration(seconds)*time.Second, keepMost)
		}
	}
	return keep
}

// Cache keeps the key sets of clients. Each server has its own: what it keeps depends on what the
// client published alone. It is safe for concurrent use.
type Cache struct {
	HTTP     *http.Client
	Loopback bool // http and loopback addresses are permitted
	Clock    func() time.Time
	Failed   func() // is called after a fetch that failed; nil for nobody

	mu   sync.Mutex
	sets map[string]*entry // by URL
}

// entry is the key set of one URL. Its mutex is held while the set is fetched, so that concurrent
// requests cause one fetch.
type entry struct {
	mu      sync.Mutex
	set     *jose.JSONWebKeySet
	until   time.Time // the set must not be used from then on
	fetched time.Time // the last attempt
}

// maxSets bounds the cache. There is one for each client that publishes its keys.
const maxSets = 10_000

func (c *Cache) entry(url string) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.sets[url]
	if e == nil {
		if c.sets == nil || len(c.sets) >= maxSets {
			c.sets = map[string]*entry{}
		}
		e = &entry{}
		c.sets[url] = e
	}
	return e
}

// Keys returns the keys of a URL with a kid; none if the set has none, also after it was fetched again.
// A set that is not in the cache is fetched, and one without the kid once in ten seconds.
func (c *Cache) Keys(ctx context.Context, url, kid string) ([]jose.JSONWebKey, error) {
	e := c.entry(url)
	e.mu.Lock()
	defer e.mu.Unlock()
	now := c.Clock()
	fresh := e.set != nil && now.Before(e.until)
	if fresh {
		if found := e.set.Key(kid); len(found) > 0 {
			return found, nil
		}
		if now.Sub(e.fetched) < refetchWait {
			return nil, nil
		}
	}
	e.fetched = now
	set, keep, err := fetch(ctx, c.HTTP, url, c.Loopback)
	if err != nil {
		if c.Failed != nil {
			c.Failed()
		}
		return nil, err
	}
	e.set, e.until = set, now.Add(keep)
	return set.Key(kid), nil
}
