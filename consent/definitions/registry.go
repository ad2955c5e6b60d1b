// Package definitions holds the search parameters that stored SearchParameters define.
package definitions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"carerecord/fhir/index"
	"carerecord/store"
)

// ErrTableChanged reports that documents were keyed by a table that is no longer in force.
var ErrTableChanged = fmt.Errorf("search parameters were defined in another commit: %w", store.ErrConflict)

// Registry holds the table in force. A commit calls Hold, which keeps the table as it is, and
// Finish with its outcome. It is safe for concurrent use.
type Registry struct {
	store store.Store
	state store.State // nil for none
	index *index.Indexer
	clock func() time.Time

	// commits is held shared by every commit to the store, and exclusively by one that
	// changes the table: no commit has keys of another table.
	commits *semaphore.Weighted

	mu    sync.RWMutex
	table Table
	// uncertainUntil is until when a commit of unknown outcome may still change the table
	// in the store: until then each commit reads the table first.
	uncertainUntil time.Time
	work           chan struct{}
}

// exclusive is the weight of Registry.commits.
const exclusive = 1 << 30

// uncertainFor is for how long a commit of unknown outcome may still be carried out: MongoDB
// ends a transaction after a minute.
const uncertainFor = 2 * time.Minute

// New makes a Registry with an empty table. state holds the table; nil is for a store that
// keeps none.
func New(s store.Store, state store.State, x *index.Indexer, clock func() time.Time) *Registry {
	return &Registry{store: s, state: state, index: x, clock: clock, commits: semaphore.NewWeighted(exclusive), work: make(chan struct{}, 1)}
}

// Current returns the table in force.
func (r *Registry) Current() Table {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.table
}

// Parameters returns the search parameters that stored definitions bring.
func (r *Registry) Parameters() []Parameter { return r.Current().live() }

// Work has an element when a search parameter may have to be indexed.
func (r *Registry) Work() <-chan struct{} { return r.work }

// Load puts the table of the store into force.
func (r *Registry) Load(ctx context.Context) error {
	t, err := r.read(ctx)
	if err != nil {
		return err
	}
	return r.install(t)
}

// reload is Load, but does nothing if the table of the store is in force already.
func (r *Registry) reload(ctx context.Context) error {
	t, err := r.read(ctx)
	if err != nil || slices.Equal(t.stateWrite().Value, r.Current().stateWrite().Value) {
		return err
	}
	return r.install(t)
}

// read reads the table. For a store without one, which was restored from a backup or written
// by an older program, it is rebuilt from the stored definitions, and all parameters are to
// be indexed. The caller holds commits or is the only user.
func (r *Registry) read(ctx context.Context) (t Table, err error) {
	if r.state == nil {
		return t, nil
	}
	b, err := r.state.Lookup(ctx, tableKey)
	switch {
	case errors.Is(err, store.ErrNotFound):
		t, err = r.rebuild(ctx)
	case err == nil:
		err = json.Unmarshal(b, &t)
	}
	if err != nil {
		return t, fmt.Errorf("read the defined search parameters: %w", err)
	}
	// A parameter that an older program accepted may be one of the standard in this program.
	t.List = slices.DeleteFunc(t.List, func(p Parameter) bool { return r.index.Check(p.DefinedParam) != nil })
	return t, nil
}

// rebuild makes the table from the stored definitions, and stores it.
func (r *Registry) rebuild(ctx context.Context) (t Table, err error) {
	err = r.store.Read(ctx, func(snap store.Snapshot) error {
		t = Table{}
		for d, err := range snap.Scan(ctx, store.Query{Type: Type, Where: store.And{}}) {
			if err != nil {
				return err
			}
			def, err := read(d, "")
			if err != nil {
				continue // stored before definitions were checked: it defines nothing
			}
			if next, changes, err := t.with(r.index, []definition{def}, r.clock()); err == nil && changes {
				t = next
			}
		}
		return nil
	})
	if err != nil || len(t.List) == 0 {
		return t, err
	}
	_, err = r.store.Commit(ctx, store.Batch{State: []store.StateWrite{t.stateWrite()}})
	return t, err
}

// install puts a table into force.
func (r *Registry) install(t Table) error {
	d, err := t.compile(r.index)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.index.Install(d)
	r.table = t
	r.mu.Unlock()
	if len(t.Indexing()) > 0 {
		select {
		case r.work <- struct{}{}:
		default: // the channel has an element
		}
	}
	return nil
}

// Written is a version of a SearchParameter that a batch writes.
type Written struct {
	Doc      store.Doc
	Location string // of its entry in a bundle, for errors; empty outside
}

// Define returns the table after a batch that writes some versions; nil where the table does
// not change. The error is a *fhir.Error.
func (r *Registry) Define(written []Written) (*Table, error) {
	var defs []definition
	for _, w := range written {
		def, err := read(w.Doc, w.Location)
		if err != nil {
			return nil, err
		}
		defs = append(defs, def)
	}
	next, changes, err := r.Current().with(r.index, defs, r.clock())
	if err != nil || !changes {
		return nil, err
	}
	return &next, nil
}

// Check returns why a body cannot be stored under an address as the definition of a search
// parameter, a *fhir.Error, or nil. It returns nil for every other type.
func (r *Registry) Check(ref store.Ref, body []byte) error {
	if ref.Type != Type {
		return nil
	}
	_, err := r.Define([]Written{{Doc: store.Doc{Ref: ref, Body: body}}})
	return err
}

// Hold keeps the table as it is until released. A batch that changes the table holds it
// exclusively: next is the table that the batch brings, or nil, and completed are the numbers of
// the parameters that are complete with the batch. It returns the table to pass to Finish, and
// the state that the batch has to write. keyedWith are the parameters that the documents of the batch were
// keyed with: ErrTableChanged if they are no longer in force.
func (r *Registry) Hold(ctx context.Context, keyedWith *index.Definitions, next *Table, completed []uint16) (t *Table, writes []store.StateWrite, release func(), err error) {
	if release, err = r.lock(ctx, next != nil || len(completed) > 0); err != nil {
		return nil, nil, nil, err
	}
	if r.index.Installed() != keyedWith {
		release()
		return nil, nil, nil, ErrTableChanged
	}
	if len(completed) > 0 {
		t := r.Current().withComplete(completed, r.clock())
		next = &t
	}
	if next != nil {
		writes = []store.StateWrite{next.stateWrite()}
	}
	return next, writes, release, nil
}

// lock keeps the table until released, and reads it again while it is uncertain.
func (r *Registry) lock(ctx context.Context, alone bool) (release func(), err error) {
	if !alone {
		release, err = r.acquire(ctx, 1)
		if err != nil || !r.uncertain() {
			return release, err
		}
		release() // while it is uncertain all commits are made one by one
	}
	release, err = r.acquire(ctx, exclusive)
	if err != nil || !r.uncertain() {
		return release, err
	}
	if err := r.reload(ctx); err != nil {
		release()
		return nil, fmt.Errorf("read which search parameters are defined: %w", errors.Join(err, store.ErrUnavailable))
	}
	return release, nil
}

func (r *Registry) acquire(ctx context.Context, weight int64) (release func(), err error) {
	if err := r.commits.Acquire(ctx, weight); err != nil {
		return nil, fmt.Errorf("wait for a commit in flight: %w", err)
	}
	return func() { r.commits.Release(weight) }, nil
}

func (r *Registry) uncertain() bool {
	now := r.clock()
	r.mu.RLock()
	defer r.mu.RUnlock()
	return now.Before(r.uncertainUntil)
}

func (r *Registry) setUncertain() {
	until := r.clock().Add(uncertainFor)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.uncertainUntil = until
}

// Finish puts the table of a batch into force that was committed, or reads the table again
// where the outcome is unknown. The caller holds the table exclusively.
func (r *Registry) Finish(t *Table, committed error) {
	switch {
	case t == nil || errors.Is(committed, store.ErrConflict):
	case committed == nil:
		if r.install(*t) != nil { // it is committed: the next commit reads it
			r.setUncertain()
		}
	case errors.Is(committed, store.ErrUnknown):
		r.setUncertain()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = r.reload(ctx) // else the next commit does
	}
}

// CheckMemory compares the table in force with the stored one. The error describes the difference.
func (r *Registry) CheckMemory(ctx context.Context) error {
	if r.state == nil {
		return nil
	}
	var stored Table
	raw, err := r.state.Lookup(ctx, tableKey)
	if err == nil {
		err = json.Unmarshal(raw, &stored)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("read the defined search parameters: %w", err)
	}
	if a, b := string(r.Current().stateWrite().Value), string(stored.stateWrite().Value); a != b {
		return fmt.Errorf("the table of search parameters differs from the store: it is %s, the store has %s", a, b)
	}
	return nil
}
