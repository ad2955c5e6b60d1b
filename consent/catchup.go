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
	// catchUpNames is of how many names one commit keys what depends on them. What
	// depends on many, such as a List of many rows, is keyed once for all of these.
	catchUpNames = 500
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
		queue := g.backlog.list()
		if len(queue) == 0 {
			return nil
		}
		for len(queue) > 0 {
			p, err := g.keyPage(ctx, queue)
			if err != nil {
				return fmt.Errorf("key what depends on a write: %w", err)
			}
			queue = append(queue[p.ended:], p.added...)
			if err := rest(ctx, p.looked); err != nil {
				return err
			}
		}
	}
}

// page is what keyPage did.
type page struct {
	looked int      // documents that were looked at
	added  []string // names that the page changed in turn
	ended  int      // how many of the names are done
}

// catchUpInline keys what depends on names that a write changed, where that is
// little. The write is committed, so that a failure is for the background.
func (g *Guard) catchUpInline(ctx context.Context, stale map[string]staleName) {
	queue := slices.Sorted(maps.Keys(stale))
	for left := catchUpMost; left > 0 && len(queue) > 0; {
		p, err := g.keyPage(ctx, queue)
		if err != nil {
			return
		}
		left -= max(1, p.looked)
		queue = append(queue[p.ended:], p.added...)
	}
}

// keyPage keys the next page of what depends on the first of some names, and on those that
// follow as long as there is room, in one commit with where it ends.
func (g *Guard) keyPage(ctx context.Context, names []string) (p page, err error) {
	for try := 0; ; try++ {
		size, most := catchUpPage, catchUpNames
		if try >= catchUpSingly {
			size, most = 1, 1
		}
		p, err = g.keyPageOnce(ctx, names[:min(most, len(names))], size)
		if !errors.Is(err, store.ErrConflict) || try == catchUpTries || ctx.Err() != nil {
			return p, err
		}
	}
}

func (g *Guard) keyPageOnce(ctx context.Context, names []string, size int) (p page, err error) {
	err = g.store.Read(ctx, func(snap store.Snap) error {
		c := (&View{guard: g, index: g.index, snap: snap}).newCommit()
		var pages []*keyedPage
		met := map[store.Ref]bool{}
		for _, name := range names {
			s, there := g.backlog.get(name)
			if !there {
				p.ended++
				continue
			}
			of := &keyedPage{from: s}
			n, err := c.keyDependents(ctx, of, size-p.looked, met)
			if err != nil {
				return err
			}
			p.looked, pages = p.looked+n, append(pages, of)
			if !of.done {
				break
			}
			if p.ended++; p.looked == size {
				break
			}
		}
		if len(pages) == 0 {
			return nil
		}
		if err := c.follow(ctx, c.order); err != nil {
			return err
		}
		p.added = slices.Sorted(maps.Keys(c.stale))
		l := c.landing()
		l.pages = pages
		return g.land(ctx, l)
	})
	return p, err
}

// keyDependents puts the next page of what depends on a name into the batch, as far
// as it stands under other keys than it should, and says where the page ends. It
// returns how many documents were looked at, without those that are in met, which were
// looked at for this batch before: what changed since is noted as a name of its own.
func (c *commit) keyDependents(ctx context.Context, page *keyedPage, size int, met map[store.Ref]bool) (n int, err error) {
	page.to = page.from
	var docs []store.Doc
	var last store.DocID
	for d, err := range c.view.snap.Scan(ctx, c.view.guard.dependents(page.to)) {
		if err != nil {
			return 0, fmt.Errorf("find what depends on a write: %w", err)
		}
		last = d.ID
		if met[d.Ref] {
			continue
		}
		met[d.Ref] = true
		if docs = append(docs, d); len(docs) == size {
			break
		}
	}
	page.to.Done += len(docs)
	if len(docs) == size {
		page.to.After = &last
	} else {
		page.done = !page.to.nextType(c.view.guard.types.list())
	}
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
		}
	}
	return len(docs), nil
}

// drop takes the last document out of the batch again.
func (c *commit) drop(ref store.Ref) {
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
