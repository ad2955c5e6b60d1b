package consent

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/fhir/r4"
	"carerecord/store"
)

// typeCatalog is the set of resource types of which the store has documents, and of names on which
// documents depend. Queries of all types run type by type, since engines keep postings by type. Types
// and names are never removed. It is safe for concurrent use.
type typeCatalog struct {
	mu    sync.RWMutex
	types []string // sorted, never changed in place
	// dependedOn are the names on which a document depends (index.DependsOnKey) or once did.
	dependedOn map[string]bool
	// changing are the names that in-flight commits change.
	changing map[string]*nameChange
	// dependents are the in-flight commits, by the names on which their documents depend.
	dependents map[string]map[*catalogCommit]bool
}

func newTypeCatalog() *typeCatalog {
	return &typeCatalog{dependedOn: map[string]bool{}, changing: map[string]*nameChange{}, dependents: map[string]map[*catalogCommit]bool{}}
}

// load reads the types and names from the store.
func (p *typeCatalog) load(ctx context.Context, s store.Store) error {
	return s.Read(ctx, func(snap store.Snapshot) error {
		for _, typ := range r4.Resources() {
			n, err := snap.Count(ctx, store.Query{Type: typ, Where: everything, KeysOnly: true}, 1)
			if err != nil {
				return fmt.Errorf("read whether there are documents of %s: %w", typ, err)
			}
			if n > 0 {
				p.add(typ)
			}
		}
		for _, typ := range p.storedTypes() {
			for d, err := range snap.Scan(ctx, store.Query{Type: typ, Where: store.WithPrefix(index.DependsOnPrefix()), KeysOnly: true}) {
				if err != nil {
					return fmt.Errorf("read documents that depend on others: %w", err)
				}
				p.noteDependencies(index.Names(d.Keys, index.DependsOnPrefix()))
			}
		}
		return nil
	})
}

// add adds a type. It must be called before its first document is committed.
func (p *typeCatalog) add(typ string) {
	p.mu.RLock()
	_, known := slices.BinarySearch(p.types, typ)
	p.mu.RUnlock()
	if known {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if i, known := slices.BinarySearch(p.types, typ); !known {
		p.types = slices.Insert(slices.Clone(p.types), i, typ)
	}
}

// noteDependencies adds names on which a document depends.
func (p *typeCatalog) noteDependencies(names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range names {
		p.dependedOn[name] = true
	}
}

// mayHaveDependents reports whether a document may depend on a name.
func (p *typeCatalog) mayHaveDependents(name string) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.dependedOn[name]
}

// storedTypes returns the types, sorted. Callers must not change it.
func (p *typeCatalog) storedTypes() []string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.types
}

// anyMatch reports whether a document of any type matches.
func (p *typeCatalog) anyMatch(ctx context.Context, snap store.Snapshot, where store.Pred) (bool, error) {
	for _, typ := range p.storedTypes() {
		n, err := snap.Count(ctx, store.Query{Type: typ, Where: where, KeysOnly: true}, 1)
		if err != nil || n > 0 {
			return n > 0, err
		}
	}
	return false, nil
}

// nameChange counts the in-flight commits that change a name. done is closed when the last one ends.
type nameChange struct {
	commits int
	done    chan struct{}
}

// catalogCommit is an in-flight commit. done is closed when it ends.
type catalogCommit struct{ done chan struct{} }

// begin registers a commit whose documents depend on some names and which changes others, until end is
// called. On names of reliesOn they depend without a DependsOnKey: dependents are found in another way
// (facts.Keyer.ReliesOn). The values of changed say for which names the commit looked for dependents in the store.
//
// Of two commits where one changes a name on which documents of the other depend, the second one to
// begin gets store.ErrConflict if it could miss the other: a new dependent of a name that is being
// changed (returned when the change has ended, so that a retry can succeed), and a change that did not
// look for dependents although there may be some. A change that did look waits for the earlier commits
// with dependents: the store may commit both, and the backlog must find their documents. No commit waits
// for a later one, so all waits end. The caller must hold nothing that another commit waits for.
func (p *typeCatalog) begin(ctx context.Context, dependsOn, reliesOn []string, changed map[string]bool) (end func(), err error) {
	names := slices.Concat(dependsOn, reliesOn)
	p.mu.Lock()
	for _, name := range names {
		if c := p.changing[name]; c != nil {
			p.mu.Unlock()
			select {
			case <-c.done:
			case <-ctx.Done():
			}
			return nil, fmt.Errorf("%s changed in another commit: %w", facts.ForLog(name), store.ErrConflict)
		}
	}
	for name, searched := range changed {
		if p.dependedOn[name] && !searched {
			p.mu.Unlock()
			return nil, fmt.Errorf("a new document depends on %s: %w", facts.ForLog(name), store.ErrConflict)
		}
	}
	me := &catalogCommit{done: make(chan struct{})}
	for _, name := range dependsOn {
		p.dependedOn[name] = true
	}
	earlier := p.addCommit(me, names, changed)
	p.mu.Unlock()
	end = func() { p.end(me, names, changed) }
	for _, d := range earlier {
		select {
		case <-d.done:
		case <-ctx.Done():
			end()
			return nil, fmt.Errorf("wait for a commit in flight: %w", ctx.Err())
		}
	}
	return end, nil
}

// addCommit registers a commit, and returns those whose end it must wait for. mu must be held.
func (p *typeCatalog) addCommit(me *catalogCommit, dependsOn []string, changed map[string]bool) (earlier []*catalogCommit) {
	for name := range changed {
		earlier = slices.AppendSeq(earlier, maps.Keys(p.dependents[name]))
		if p.changing[name] == nil {
			p.changing[name] = &nameChange{done: make(chan struct{})}
		}
		p.changing[name].commits++
	}
	for _, name := range dependsOn {
		if p.dependents[name] == nil {
			p.dependents[name] = map[*catalogCommit]bool{}
		}
		p.dependents[name][me] = true
	}
	return earlier
}

// end removes a commit.
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
