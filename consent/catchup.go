package consent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
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

// BacklogWork has an element when documents may have to be keyed anew.
func (g *Guard) BacklogWork() <-chan struct{} { return g.backlog.wake }

// CatchUp keys anew all documents that depend on what was written, until none is
// left. An interrupted one goes on. rest is called between pages, with how many
// documents were looked at since the last time, and may wait. Where a name fails, what may
// follow it waits too: it would be keyed from old keys.
func (g *Guard) CatchUp(ctx context.Context, rest func(ctx context.Context, looked int) error) error {
	var failed []error
	for {
		all := g.backlog.list()
		if len(all) == 0 || len(failed) > 0 {
			return errors.Join(failed...)
		}
		queue, deepest := g.backlog.queue(all...), math.MaxInt
		for names := queue.take(catchUpNames); len(names) > 0; names = queue.take(catchUpNames) {
			if deep := slices.IndexFunc(names, func(name string) bool { return g.backlog.depth(name) > deepest }); deep == 0 {
				break
			} else if deep > 0 {
				names = names[:deep]
			}
			p, err := g.keyPage(ctx, names)
			if err != nil && ctx.Err() == nil {
				failed = append(failed, fmt.Errorf("key what depends on %s: %w", names[0], err))
				deepest = min(deepest, g.backlog.depth(names[0]))
				queue.add(names[1:]...)
				continue
			}
			if err != nil {
				return fmt.Errorf("key what depends on a write: %w", err)
			}
			queue.add(names[p.ended:]...)
			queue.add(slices.Sorted(maps.Keys(p.added))...)
			if err := rest(ctx, p.looked); err != nil {
				return err
			}
		}
	}
}

// page is what keyPage did.
type page struct {
	looked int                  // documents that were looked at
	ended  int                  // how many of the names are done
	added  map[string]staleName // names that the page changed in turn
	fresh  map[string]bool      // those of added that nobody else had added
}

// catchUpInline keys what depends on names that a write changed, where that is
// little. The write is committed, so that a failure is for the background. So is what
// follows other names too: these may come first.
func (g *Guard) catchUpInline(ctx context.Context, c *commit) {
	own := map[string]bool{}
	queue := g.backlog.queue()
	add := func(stale map[string]staleName, fresh map[string]bool) {
		for name, s := range stale {
			if own[name] = own[name] || fresh[name]; own[name] || s.Depth == 0 {
				queue.add(name)
			}
		}
	}
	add(c.stale, c.fresh)
	for left := catchUpMost; left > 0; {
		names := queue.take(catchUpNames)
		if len(names) == 0 {
			return
		}
		p, err := g.keyPage(ctx, names)
		if err != nil {
			return
		}
		left -= max(1, p.looked)
		queue.add(names[p.ended:]...)
		add(p.added, p.fresh)
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
		if err == nil || try >= catchUpTries || ctx.Err() != nil {
			return p, err
		}
		if !errors.Is(err, store.ErrConflict) {
			if most == 1 {
				return p, err
			}
			try = catchUpSingly - 1 // is it the first name, or one that came with it?
		}
	}
}

func (g *Guard) keyPageOnce(ctx context.Context, names []string, size int) (p page, err error) {
	defer g.readers.enter()()
	began := g.backlog.began()
	err = g.store.Read(ctx, func(snap store.Snap) error {
		c := (&View{guard: g, index: g.index, snap: snap, began: began}).newCommit()
		c.behind = true
		pages, err := c.keyNames(ctx, names, size, &p)
		if err != nil || len(pages) == 0 {
			return err
		}
		l := c.landing()
		l.pages = pages
		err = g.land(ctx, l)
		p.added, p.fresh = c.stale, l.fresh
		return err
	})
	return p, err
}

// keyNames puts the next pages of what depends on some names into the batch, as long as
// there is room. Names that labels brought are keyed apart from the others, since of
// their documents the marks alone may be old; and so are Binaries, which what attaches
// them in the same batch would make stale again.
func (c *commit) keyNames(ctx context.Context, names []string, size int, p *page) (pages []*keyedPage, err error) {
	labels, binaries := strings.HasPrefix(names[0], labelsName), strings.HasPrefix(names[0], attachedName)
	rows, met := c.view.guard.labelled(c.view.snap, nil), map[store.Ref]bool{}
	put := c.keyDocs
	if labels {
		put = c.markDocs
	}
	for _, name := range names {
		s, there := c.view.guard.backlog.get(name)
		if !there {
			p.ended++
			continue
		}
		if c.view.guard.backlog.addedSince(name, c.view.began) { // the snapshot may be from before
			return nil, fmt.Errorf("%s changed meanwhile: %w", name, store.ErrConflict)
		}
		if strings.HasPrefix(name, labelsName) != labels || strings.HasPrefix(name, attachedName) != binaries || p.looked == size {
			break
		}
		c.depth = max(c.depth, s.Depth+1)
		of := &keyedPage{from: s}
		docs, err := c.pageOf(ctx, of, size-p.looked, met)
		if err == nil {
			err = put(ctx, docs, rows)
		}
		if err != nil {
			return nil, err
		}
		p.looked, pages = p.looked+len(docs), append(pages, of)
		if !of.done {
			break
		}
		p.ended++
	}
	if labels || len(pages) == 0 {
		return pages, nil
	}
	if err := c.follow(ctx, c.order); err != nil {
		return nil, err
	}
	return pages, c.mark(ctx)
}

// keyDocs puts documents into the batch as far as they stand under other keys than they
// should.
func (c *commit) keyDocs(ctx context.Context, docs []store.Doc, rows *labelled) error {
	for _, d := range docs {
		if c.pending[d.Ref] != nil {
			continue
		}
		c.put(store.Write{Doc: d, Expect: d.Version, KeyRevision: d.KeyRevision, Rekey: true}, d)
		w := c.pending[d.Ref]
		if err := c.key(ctx, w); err != nil {
			return err
		}
		marked, err := rows.marked(ctx, w.Doc.Keys, w.Doc.RowID.Partition, d.Body)
		if err != nil {
			return err
		}
		if w.Doc.RowID == d.RowID && slices.Equal(marked, d.Keys) {
			if err := c.drop(d.Ref); err != nil {
				return err
			}
		}
	}
	return nil
}

// pageOf reads the next page of the documents of a stale name, and says where it ends.
// Documents that are in met are left out, since they were looked at for this batch
// before: what changed since is noted as a name of its own.
func (c *commit) pageOf(ctx context.Context, page *keyedPage, size int, met map[store.Ref]bool) (docs []store.Doc, err error) {
	page.to = page.from
	for !page.done {
		var last store.RowID
		for d, err := range c.view.snap.Scan(ctx, c.view.guard.dependents(page.to)) {
			if err != nil {
				return nil, fmt.Errorf("find what depends on a write: %w", err)
			}
			last = d.RowID
			if met[d.Ref] {
				continue
			}
			met[d.Ref] = true
			page.to.Done++
			if docs = append(docs, d); len(docs) == size {
				page.to.After = &last
				return docs, nil
			}
		}
		page.done = !page.to.nextType(c.view.guard.types.list())
	}
	return docs, nil
}

// drop takes the last document out of the batch again. Other documents of the batch may
// follow from it, so the batch demands that it gives them what it gives now.
func (c *commit) drop(ref store.Ref) error {
	if err := c.followed(c.before[ref]); err != nil {
		return err
	}
	delete(c.pending, ref)
	if ref.Type == "Patient" {
		delete(c.patients, ref.ID)
	}
	delete(c.before, ref)
	c.order = c.order[:len(c.order)-1]
	for _, waiting := range c.waiting {
		delete(waiting, ref)
	}
	return nil
}

// dependents is the question for the documents of a stale name, from where it stands.
func (g *Guard) dependents(s staleName) store.Query {
	typ := s.Type
	if typ == "" && byType(s.Name) {
		typ = g.types.list()[0]
	}
	if id, owned := strings.CutPrefix(s.Name, ownerName); owned {
		return store.Query{Type: typ, Where: store.Eq{Key: index.OwnerKey(id)}, After: s.After}
	}
	if person, labels := strings.CutPrefix(s.Name, labelsName); labels {
		return store.Query{Type: typ, Where: aboutPerson(person), After: s.After}
	}
	if id, attached := strings.CutPrefix(s.Name, attachedName); attached {
		return store.Query{Type: "Binary", Where: store.Eq{Key: g.backlog.binaryIDs + store.Key(id)}, After: s.After}
	}
	return store.Query{Where: store.Eq{Key: index.CrossTypeDependsOnKey(s.Name)}, After: s.After}
}

// byType reports whether the documents of a stale name are found type by type.
func byType(name string) bool {
	return strings.HasPrefix(name, ownerName) || strings.HasPrefix(name, labelsName)
}

// nextType moves the documents of a person on to the next type, if there is one.
func (s *staleName) nextType(types []string) bool {
	if !byType(s.Name) {
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
