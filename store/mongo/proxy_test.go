package mongo

import (
	"sync"
	"testing"

	"carerecord/store/mongo/mongotest"
)

// proxy loses or fails commands between the driver and a server.
type proxy struct {
	mu       sync.Mutex
	command  string // name of the commands that get lost
	lose     int    // how many
	forward  bool   // whether the server gets them, so that only the answer is lost
	lostSeen int
	step     *step // the one command that fails; nil for none
}

// step is the n-th command from when it was armed, which fails.
type step struct {
	n          int
	carriedOut bool // the server executes it
	refused    bool // the answer is that of a server that is no longer primary; else the connection breaks
	seen       int
}

// newProxy returns a proxy to the server at uri, and the address to use.
func newProxy(t testing.TB, uri string) (*proxy, string) {
	t.Helper()
	p := &proxy{}
	_, through := mongotest.NewProxy(t, uri, mongotest.Hooks{Command: p.decide})
	return p, through
}

// loseNext breaks the connection at the next n commands of a name: before the server gets them,
// or before its answer comes back.
func (p *proxy) loseNext(command string, n int, answersOnly bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.command, p.lose, p.forward, p.lostSeen = command, n, answersOnly, 0
}

func (p *proxy) lost() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lostSeen
}

// arm makes the n-th command from now on fail.
func (p *proxy) arm(s step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step = &s
}

// disarm makes no further command fail, and reports whether one failed.
func (p *proxy) disarm() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.step
	p.step = nil
	return s != nil && s.seen >= s.n
}

func (p *proxy) decide(m mongotest.Message) mongotest.Decision {
	command, name := m.Command()
	if command == nil {
		return mongotest.Decision{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.step; s != nil {
		if s.seen++; s.seen == s.n {
			if s.refused {
				return mongotest.Decision{Withhold: !s.carriedOut, Reply: m.NotPrimary(s.carriedOut)}
			}
			return mongotest.Decision{Withhold: !s.carriedOut, Break: true}
		}
	}
	if p.lose > 0 && name == p.command {
		p.lose--
		p.lostSeen++
		return mongotest.Decision{Withhold: !p.forward, Break: true}
	}
	return mongotest.Decision{}
}
