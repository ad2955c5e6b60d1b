package consent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"carerecord/consent/backlog"
	"carerecord/consent/facts"
	"carerecord/store"
)

// How many dependents are rekeyed in one commit, and how many before the write is answered; the
// others are rekeyed in the background.
const (
	catchUpPage      = 50
	catchUpInlineMax = 200
	// catchUpNames is for how many names one commit rekeys dependents. A document that depends on
	// many of them, for example a List, is rekeyed once for all.
	catchUpNames = 500
	// catchUpTries is how often a page is tried that conflicts with other commits; from
	// catchUpSingly on it has one document.
	catchUpTries  = 100
	catchUpSingly = 5
)

// Backlog returns the number of entries of the backlog, and how many documents have been read for them.
// It is for metrics.
func (g *Guard) Backlog() (names, done int) {
	return g.backlog.Size()
}

// BacklogWork has an element when documents may have to be rekeyed.
func (g *Guard) BacklogWork() <-chan struct{} { return g.backlog.Work() }

// CatchUp rekeys all documents of the backlog until it is empty. It calls pause between pages, with the
// number of documents read since the last call; pause may wait, and its error ends CatchUp. If an entry
// fails, deeper entries are left: they would be rekeyed from outdated keys.
func (g *Guard) CatchUp(ctx context.Context, pause func(ctx context.Context, read int) error) error {
	var failed []error
	for {
		all := g.backlog.Names()
		if len(all) == 0 || len(failed) > 0 {
			return errors.Join(failed...)
		}
		queue, deepest := g.backlog.NewQueue(all...), math.MaxInt
		for names := queue.Take(catchUpNames); len(names) > 0; names = queue.Take(catchUpNames) {
			if first := slices.IndexFunc(names, func(name string) bool { return g.backlog.Depth(name) > deepest }); first == 0 {
				break
			} else if first > 0 {
				names = names[:first]
			}
			p, err := g.keyPage(ctx, names)
			if err != nil && ctx.Err() == nil {
				failed = append(failed, fmt.Errorf("rekey the dependents of %s: %w", facts.ForLog(names[0]), err))
				deepest = min(deepest, g.backlog.Depth(names[0]))
				queue.Add(names[1:]...)
				continue
			}
			if err != nil {
				return fmt.Errorf("rekey the dependents of a write: %w", err)
			}
			queue.Add(names[p.ended:]...)
			queue.Add(slices.Sorted(maps.Keys(p.added))...)
			if err := pause(ctx, p.read); err != nil {
				return err
			}
		}
	}
}

// rekeyedPage is the outcome of keyPage.
type rekeyedPage struct {
	read       int                      // documents read
	ended      int                      // how many of the names have ended
	added      map[string]backlog.Entry // new entries
	newlyStale map[string]bool          // those of added that had no entry before
}

// catchUpInline rekeys the dependents of a committed write, if they are few. It ignores errors and leaves
// the rest to the background, and so entries that depend on those of other commits.
func (g *Guard) catchUpInline(ctx context.Context, c *commitBuilder) {
	own := map[string]bool{}
	queue := g.backlog.NewQueue()
	add := func(stale map[string]backlog.Entry, fresh map[string]bool) {
		for name, s := range stale {
			if own[name] = own[name] || fresh[name]; own[name] || s.Depth == 0 {
				queue.Add(name)
			}
		}
	}
	add(c.staleNames, c.newlyStale)
	for left := catchUpInlineMax; left > 0; {
		names := queue.Take(catchUpNames)
		if len(names) == 0 {
			return
		}
		p, err := g.keyPage(ctx, names)
		if err != nil {
			return
		}
		left -= max(1, p.read)
		queue.Add(names[p.ended:]...)
		add(p.added, p.newlyStale)
	}
}

// keyPage rekeys the next page of the first of some names, and of the next ones as long as there is room,
// in one commit with the new positions.
func (g *Guard) keyPage(ctx context.Context, names []string) (p rekeyedPage, err error) {
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
			try = catchUpSingly - 1 // try the first name alone
		}
	}
}

func (g *Guard) keyPageOnce(ctx context.Context, names []string, size int) (p rekeyedPage, err error) {
	defer g.reads.begin()()
	began := g.backlog.Epoch()
	err = g.store.Read(ctx, func(snap store.Snapshot) error {
		c := (&View{guard: g, index: g.index, snap: &cachedSnap{Snapshot: snap}, epoch: began}).newCommitBuilder()
		c.backlogPage = true
		pages, err := c.keyNames(ctx, names, size, &p)
		if err != nil || len(pages) == 0 {
			return err
		}
		prepared := c.prepared()
		prepared.pages = pages
		err = g.commitPrepared(ctx, prepared)
		p.added, p.newlyStale = c.staleNames, prepared.newlyStale
		return err
	})
	return p, err
}

// keyNames adds the next pages of some names to the batch, as long as there is room. Entries for labels
// have a batch of their own, since only marks change; so have those for Binaries, which their parents in
// the same batch would make stale again.
func (c *commitBuilder) keyNames(ctx context.Context, names []string, size int, p *rekeyedPage) (pages []*backlog.Page, err error) {
	ofLabels, binaries := strings.HasPrefix(names[0], backlog.LabelsPrefix), strings.HasPrefix(names[0], backlog.AttachedPrefix)
	rows, seen := c.view.guard.keyer.LabelledRows(c.view.snap, nil), map[store.Ref]bool{}
	put := c.keyPageDocs
	if ofLabels {
		put = c.markPage
	}
	for _, name := range names {
		s, there := c.view.guard.backlog.Get(name)
		if !there {
			p.ended++
			continue
		}
		if c.view.guard.backlog.AddedSince(name, c.view.epoch) { // the snapshot may be older
			return nil, fmt.Errorf("%s was changed by another commit: %w", facts.ForLog(name), store.ErrConflict)
		}
		if strings.HasPrefix(name, backlog.LabelsPrefix) != ofLabels || strings.HasPrefix(name, backlog.AttachedPrefix) != binaries || p.read == size {
			break
		}
		c.depth = max(c.depth, s.Depth+1)
		of := &backlog.Page{From: s}
		docs, err := c.pageOf(ctx, of, size-p.read, seen)
		if err == nil {
			err = put(ctx, docs, rows)
		}
		if err != nil {
			return nil, err
		}
		p.read, pages = p.read+len(docs), append(pages, of)
		if !of.Done {
			break
		}
		p.ended++
	}
	if ofLabels || len(pages) == 0 {
		return pages, nil
	}
	if err := c.propagate(ctx, c.order); err != nil {
		return nil, err
	}
	return pages, c.markAll(ctx)
}

// keyPageDocs adds the documents to the batch whose stored keys are outdated.
func (c *commitBuilder) keyPageDocs(ctx context.Context, docs []store.Doc, rows *facts.LabelledRows) error {
	for _, d := range docs {
		if c.pending[d.Ref] != nil {
			continue
		}
		c.put(store.Write{Doc: d, Expect: d.Version, KeyRevision: d.KeyRevision, Rekey: true}, d)
		w := c.pending[d.Ref]
		if err := c.keyLive(ctx, w); err != nil {
			return err
		}
		marked, err := rows.Mark(ctx, w.Doc.Keys, w.Doc.RowID.Partition, d.Body)
		if err != nil {
			return err
		}
		if w.Doc.RowID == d.RowID && slices.Equal(marked, d.Keys) {
			if err := c.dropLast(d.Ref); err != nil {
				return err
			}
		}
	}
	return nil
}

// pageOf reads the next page of an entry and sets its end. It omits documents in seen, which were read for
// this batch before: a later change of them has an entry of its own.
func (c *commitBuilder) pageOf(ctx context.Context, page *backlog.Page, size int, seen map[store.Ref]bool) (docs []store.Doc, err error) {
	page.To = page.From
	for !page.Done {
		var last store.RowID
		for d, err := range c.view.snap.Scan(ctx, c.view.guard.backlog.Dependents(page.To, c.view.guard.catalog.storedTypes())) {
			if err != nil {
				return nil, fmt.Errorf("look up dependents of a write: %w", err)
			}
			last = d.RowID
			if seen[d.Ref] {
				continue
			}
			seen[d.Ref] = true
			page.To.Done++
			if docs = append(docs, d); len(docs) == size {
				page.To.After = &last
				return docs, nil
			}
		}
		page.Done = !page.To.NextType(c.view.guard.catalog.storedTypes())
	}
	return docs, nil
}

// dropLast removes the last document from the batch. Other documents may have inherited from it, so the
// batch requires that it stays the same.
func (c *commitBuilder) dropLast(ref store.Ref) error {
	if err := c.RequireSame(c.replaced[ref]); err != nil {
		return err
	}
	delete(c.pending, ref)
	if ref.Type == "Patient" {
		delete(c.patients, ref.ID)
	}
	delete(c.replaced, ref)
	c.order = c.order[:len(c.order)-1]
	for _, waiting := range c.dependents {
		delete(waiting, ref)
	}
	return nil
}
