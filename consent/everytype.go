package consent

import (
	"context"
	"fmt"
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
