package consent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"carerecord/fhir/index"
	"carerecord/store"
)

// How many documents that depend on a write are keyed anew in one commit, and how
// many before the write is answered; the rest follows in the background.
const (
	catchUpPage = 50
	catchUpMost = 200
	// catchUpTries is how often a page that lost a race is tried again; from
	// catchUpSingly on it is one document.
	catchUpTries  = 100
	catchUpSingly = 5
)

// Backlog is how many names there are whose dependents are not all keyed anew, and
// how many documents were looked at for these so far. It is for metrics.
func (g *Guard) Backlog() (names, done int) {
	g.backlog.mu.RLock()
	defer g.backlog.mu.RUnlock()
	for _, s := range g.backlog.stale {
		done += s.Done
	}
	return len(g.backlog.stale), done
}

// WakeBacklog has an element when documents may have to be keyed anew.
func (g *Guard) WakeBacklog() <-chan struct{} { return g.backlog.wake }

// CatchUp keys anew all documents that depend on what was written, until none is
// left. An interrupted one goes on. rest is called between pages, with how many
// documents were looked at since the last time, and may wait.
func (g *Guard) CatchUp(ctx context.Context, rest func(ctx context.Context, looked int) error) error {
	for {
		names := g.backlog.list()
		if len(names) == 0 {
			return nil
		}
		for _, name := range names {
			if err := g.catchUpWith(ctx, name, rest); err != nil {
				return err
			}
		}
	}
}

// page is what keyPage did.
type page struct {
	looked int      // documents that were looked at
	added  []string // names that the page changed in turn
	more   bool     // the name is not done
}

func (g *Guard) catchUpWith(ctx context.Context, name string, rest func(context.Context, int) error) error {
	for {
		p, err := g.keyPage(ctx, name)
		if err != nil {
			return fmt.Errorf("key what depends on a write: %w", err)
		}
		if err := rest(ctx, p.looked); err != nil || !p.more {
			return err
		}
	}
}

// catchUpInline keys what depends on names that a write changed, where that is
// little. The write is committed, so that a failure is for the background.
func (g *Guard) catchUpInline(ctx context.Context, stale map[string]staleName) {
	queue := slices.Sorted(maps.Keys(stale))
	for left := catchUpMost; left > 0 && len(queue) > 0; {
		p, err := g.keyPage(ctx, queue[0])
		if err != nil {
			return
		}
		left -= max(1, p.looked)
		if queue = append(queue, p.added...); !p.more {
			queue = queue[1:]
		}
	}
}

// keyPage keys the next page of what depends on a name, in one commit with where it
// ends.
func (g *Guard) keyPage(ctx context.Context, name string) (p page, err error) {
	for try := 0; ; try++ {
		size := catchUpPage
		if try >= catchUpSingly {
			size = 1
		}
		s, there := g.backlog.get(name)
		if !there {
			return page{}, nil
		}
		p, err = g.keyPageOnce(ctx, s, size)
		if !errors.Is(err, store.ErrConflict) || try == catchUpTries || ctx.Err() != nil {
			return p, err
		}
	}
}

func (g *Guard) keyPageOnce(ctx context.Context, s staleName, size int) (p page, err error) {
	err = g.store.Read(ctx, func(snap store.Snap) error {
		c := (&View{guard: g, index: g.index, snap: snap}).newCommit()
		of := &keyedPage{from: s}
		if p.looked, err = c.keyDependents(ctx, of, size); err != nil {
			return err
		}
		p.more, p.added = !of.done, slices.Sorted(maps.Keys(c.stale))
		l := c.landing()
		l.page = of
		return g.land(ctx, l)
	})
	return p, err
}

// keyDependents puts the next page of what depends on a name into the batch, as far
// as it stands under other keys than it should, and says where the page ends. It
// returns how many documents were looked at.
func (c *commit) keyDependents(ctx context.Context, page *keyedPage, size int) (n int, err error) {
	page.to = page.from
	q := c.view.guard.dependents(page.to)
	var docs []store.Doc
	for d, err := range c.view.snap.Scan(ctx, q) {
		if err != nil {
			return 0, fmt.Errorf("find what depends on a write: %w", err)
		}
		if docs = append(docs, d); len(docs) == size {
			break
		}
	}
	page.to.Done += len(docs)
	if len(docs) == size {
		page.to.After = &docs[size-1].ID
	} else {
		page.done = !page.to.nextType(c.view.guard.types.list())
	}
	var refs []store.Ref
	for _, d := range docs {
		if c.pending[d.Ref] != nil {
			continue
		}
		c.put(store.Write{Doc: d, Expect: d.Version, Keying: d.Keying, Rekey: true}, d)
		if err := c.key(ctx, c.pending[d.Ref]); err != nil {
			return 0, err
		}
		if w := c.pending[d.Ref]; w.Doc.ID == d.ID && slices.Equal(w.Doc.Keys, d.Keys) {
			c.drop(d.Ref)
			continue
		}
		refs = append(refs, d.Ref)
	}
	return len(docs), c.follow(ctx, refs)
}

// drop takes the last document out of the batch again. Other documents of the batch may
// follow from it, so the batch demands that it stays as it is.
func (c *commit) drop(ref store.Ref) {
	c.checked(c.before[ref])
	delete(c.pending, ref)
	delete(c.before, ref)
	c.order = c.order[:len(c.order)-1]
	for _, waiting := range c.waiting {
		delete(waiting, ref)
	}
}

// dependents is the question for the documents of a stale name, from where it stands.
func (g *Guard) dependents(s staleName) store.Query {
	if id, owned := strings.CutPrefix(s.Name, ownerName); owned {
		typ := s.Type
		if typ == "" {
			typ = g.types.list()[0]
		}
		return store.Query{Type: typ, Where: store.Eq{Key: index.OwnerKey(id)}, After: s.After}
	}
	return store.Query{Where: store.Eq{Key: index.DependsKey(s.Name)}, After: s.After}
}

// nextType moves the documents of a deleted Patient on to the next type, if there is
// one.
func (s *staleName) nextType(types []string) bool {
	if !strings.HasPrefix(s.Name, ownerName) {
		return false
	}
	at := 0
	if s.Type != "" {
		at, _ = slices.BinarySearch(types, s.Type)
	}
	if at+1 >= len(types) {
		return false
	}
	s.Type, s.After = types[at+1], nil
	return true
}
