package consent

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"carerecord/store"
)

// changing is how many commits under way change a name; over is closed when there is
// none any more.
type changing struct {
	commits int
	over    chan struct{}
}

// departed is a commit under way; over is closed when it has ended.
type departed struct{ over chan struct{} }

// depart begins the last part of a commit, which ends with arrive: the documents of
// the commit depend on the names in wants, and it changes those in changed. The
// values of changed say of which the commit has looked for documents in the store.
//
// Of two commits where one changes what the other's documents depend on, the second
// to depart is a conflict if it could miss the other: a document that comes to
// depend on a name while that changes, and a change that did not look for documents
// although there may be some. The conflict of a name that is changing is returned when
// it changes no more, so that beginning again is of use. A change that did look waits
// until the commits have ended whose documents depend on the name and that departed
// before: a store may commit both, and who keys what depends on the name must find
// their documents. Since nobody waits for who departed later, all these waits end.
// Nothing may be held meanwhile that another commit waits for.
func (p *present) depart(ctx context.Context, wants []string, changed map[string]bool) (arrive func(), err error) {
	p.mu.Lock()
	for _, name := range wants {
		if c := p.changing[name]; c != nil {
			p.mu.Unlock()
			select {
			case <-c.over:
			case <-ctx.Done():
			}
			return nil, fmt.Errorf("%s changed in another commit: %w", name, store.ErrConflict)
		}
	}
	for name, looked := range changed {
		if p.wanted[name] && !looked {
			p.mu.Unlock()
			return nil, fmt.Errorf("a document came to depend on %s: %w", name, store.ErrConflict)
		}
	}
	me := &departed{over: make(chan struct{})}
	before := p.register(me, wants, changed)
	p.mu.Unlock()
	arrive = func() { p.arrive(me, wants, changed) }
	for _, d := range before {
		select {
		case <-d.over:
		case <-ctx.Done():
			arrive()
			return nil, fmt.Errorf("wait for a commit that is under way: %w", ctx.Err())
		}
	}
	return arrive, nil
}

// register notes a commit, and returns those whose end it has to wait for. mu must be
// held.
func (p *present) register(me *departed, wants []string, changed map[string]bool) (before []*departed) {
	for name := range changed {
		before = slices.AppendSeq(before, maps.Keys(p.wanting[name]))
		if p.changing[name] == nil {
			p.changing[name] = &changing{over: make(chan struct{})}
		}
		p.changing[name].commits++
	}
	for _, name := range wants {
		p.wanted[name] = true
		if p.wanting[name] == nil {
			p.wanting[name] = map[*departed]bool{}
		}
		p.wanting[name][me] = true
	}
	return before
}

// arrive ends a commit.
func (p *present) arrive(me *departed, wants []string, changed map[string]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(me.over)
	for _, name := range wants {
		if delete(p.wanting[name], me); len(p.wanting[name]) == 0 {
			delete(p.wanting, name)
		}
	}
	for name := range changed {
		c := p.changing[name]
		if c.commits--; c.commits == 0 {
			delete(p.changing, name)
			close(c.over)
		}
	}
}
