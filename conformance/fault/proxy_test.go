package fault

import (
	"sync"
	"testing"
	"time"

	"carerecord/store/mongo/mongotest"
)

// fault is the behaviour of a proxy.
type fault int

const (
	none        fault = iota
	unreachable       // connections break, and new ones are refused
	hangs             // nothing is answered, in neither direction
	slow              // every command takes longer than a request may
	stepsDown         // every command is refused as by a server that is no longer primary
	flickers          // every third command breaks its connection, half of them after the server has executed it
)

// proxy makes a server fail for the driver.
type proxy struct {
	*mongotest.Proxy

	mu       sync.Mutex
	fault    fault
	ended    chan struct{} // closed when the fault changes
	commands int
	broken   int // connections that flickers broke
}

// newProxy returns a proxy to the server at uri and the address to use.
func newProxy(t *testing.T, uri string) (*proxy, string) {
	t.Helper()
	p := &proxy{ended: make(chan struct{})}
	var through string
	p.Proxy, through = mongotest.NewProxy(t, uri, mongotest.Hooks{Command: p.decide, Answer: p.wait})
	t.Cleanup(func() { p.set(none) }) // ends the hooks that wait, before the proxy ends
	return p, through
}

// set changes the fault from now on.
func (p *proxy) set(f fault) {
	p.mu.Lock()
	p.fault = f
	close(p.ended)
	p.ended = make(chan struct{})
	p.mu.Unlock()
	p.Cut(f == unreachable)
}

func (p *proxy) decide(m mongotest.Message) mongotest.Decision {
	p.mu.Lock()
	p.commands++
	f, n, ended := p.fault, p.commands, p.ended
	if f == flickers && n%3 == 0 {
		p.broken++
	}
	p.mu.Unlock()
	switch {
	case f == hangs:
		<-ended
	case f == slow:
		select {
		case <-time.After(deadline + time.Second):
		case <-ended:
		}
	case f == stepsDown:
		if command, _ := m.Command(); command != nil {
			return mongotest.Decision{Withhold: true, Reply: m.NotPrimary(false)}
		}
	case f == flickers && n%3 == 0:
		return mongotest.Decision{Break: true, Withhold: n%2 != 0}
	}
	return mongotest.Decision{}
}

// wait holds answers back while the server hangs.
func (p *proxy) wait() {
	p.mu.Lock()
	f, ended := p.fault, p.ended
	p.mu.Unlock()
	if f == hangs {
		<-ended
	}
}

// broke returns how many connections flickers broke.
func (p *proxy) broke() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.broken
}
