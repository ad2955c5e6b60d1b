package consent

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"carerecord/fhir/index"
	"carerecord/fhir/r4"
	"carerecord/store"
)

// typeCatalog is the resource types of which the store holds documents, and the names
// that documents depend on. A question about one patient across all types asks
// these types, one after the other: the engines post keys by type. A type stays in
// the set when its last document goes. It is safe for concurrent use.
type typeCatalog struct {
	mu    sync.RWMutex
	types []string // sorted, never changed in place
	// dependedOn are the names that some document depends on (index.DependsOnKey), or did
	// once: nothing depends on a name that is not among them.
	dependedOn map[string]bool
	// changing are the names that commits under way change.
	changing map[string]*nameChange
	// dependents are the commits under way, by the names that their documents depend on.
	dependents map[string]map[*catalogCommit]bool
}

func newTypeCatalog() *typeCatalog {
	return &typeCatalog{dependedOn: map[string]bool{}, changing: map[string]*nameChange{}, dependents: map[string]map[*catalogCommit]bool{}}
}

// load finds the types that are there.
func (p *typeCatalog) load(ctx context.Context, s store.Store) error {
	return s.Read(ctx, func(snap store.Snap) error {
		for _, typ := range r4.Resources() {
			n, err := snap.Count(ctx, store.Query{Type: typ, Where: everything, KeysOnly: true}, 1)
			if err != nil {
				return fmt.Errorf("look for documents of %s: %w", typ, err)
			}
			if n > 0 {
				p.add(typ)
			}
		}
		for _, typ := range p.storedTypes() {
			for d, err := range snap.Scan(ctx, store.Query{Type: typ, Where: store.WithPrefix(index.DependsOnPrefix()), KeysOnly: true}) {
				if err != nil {
					return fmt.Errorf("look for documents that depend on others: %w", err)
				}
				p.noteDependencies(index.Names(d.Keys, index.DependsOnPrefix()))
			}
		}
		return nil
	})
}

// add takes in a type, before its first document is committed.
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

// noteDependencies notes names that a document depends on.
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

// storedTypes returns the types that are there, sorted.
func (p *typeCatalog) storedTypes() []string {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.types
}

// anyMatch reports whether a document of any type matches.
func (p *typeCatalog) anyMatch(ctx context.Context, snap store.Snap, where store.Pred) (bool, error) {
	for _, typ := range p.storedTypes() {
		n, err := snap.Count(ctx, store.Query{Type: typ, Where: where, KeysOnly: true}, 1)
		if err != nil || n > 0 {
			return n > 0, err
		}
	}
	return false, nil
}

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
			return nil, fmt.Errorf("a new document depends on %s: %w", name, store.ErrConflict)
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
			return nil, fmt.Errorf("wait for a commit in flight: %w", ctx.Err())
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
