package consent

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"carerecord/store"
)

// nameChange is how many commits under way change a name; over is closed when there is
// none any more.
type nameChange struct {
	commits int
	done    chan struct{}
}

// catalogCommit is a commit under way; over is closed when it has ended.
type catalogCommit struct{ done chan struct{} }

// begin begins the last part of a commit, which ends with arrive: the documents of
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
func (p *typeCatalog) begin(ctx context.Context, dependsOn []string, changed map[string]bool) (arrive func(), err error) {
	p.mu.Lock()
	for _, name := range dependsOn {
		if c := p.changing[name]; c != nil {
			p.mu.Unlock()
			select {
			case <-c.done:
			case <-ctx.Done():
			}
			return nil, fmt.Errorf("%s changed in another commit: %w", name, store.ErrConflict)
		}
	}
	for name, searched := range changed {
		if p.dependedOn[name] && !searched {
			p.mu.Unlock()
			return nil, fmt.Errorf("a document came to depend on %s: %w", name, store.ErrConflict)
		}
	}
	me := &catalogCommit{done: make(chan struct{})}
	earlier := p.addCommit(me, dependsOn, changed)
	p.mu.Unlock()
	arrive = func() { p.end(me, dependsOn, changed) }
	for _, d := range earlier {
		select {
		case <-d.done:
		case <-ctx.Done():
			arrive()
			return nil, fmt.Errorf("wait for a commit that is under way: %w", ctx.Err())
		}
	}
	return arrive, nil
}

// addCommit notes a commit, and returns those whose end it has to wait for. mu must be
// held.
func (p *typeCatalog) addCommit(me *catalogCommit, dependsOn []string, changed map[string]bool) (earlier []*catalogCommit) {
	for name := range changed {
		earlier = slices.AppendSeq(earlier, maps.Keys(p.dependents[name]))
		if p.changing[name] == nil {
			p.changing[name] = &nameChange{done: make(chan struct{})}
		}
		p.changing[name].commits++
	}
	for _, name := range dependsOn {
		p.dependedOn[name] = true
		if p.dependents[name] == nil {
			p.dependents[name] = map[*catalogCommit]bool{}
		}
		p.dependents[name][me] = true
	}
	return earlier
}

// end ends a commit.
func (p *typeCatalog) end(me *catalogCommit, dependsOn []string, changed map[string]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(me.done)
	for _, name := range dependsOn {
		if delete(p.dependents[name], me); len(p.dependents[name]) == 0 {
			delete(p.dependents, name)
		}
	}
	for name := range changed {
		c := p.changing[name]
		if c.commits--; c.commits == 0 {
			delete(p.changing, name)
			close(c.done)
		}
	}
}
