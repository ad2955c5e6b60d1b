package consent

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"carerecord/consent/backlog"
	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/store"
)

// A commit that changes which rows of a person are labelled changes which references are cut in other rows
// about the person. As with owners, it adds an entry to the backlog, and the marks of these rows are
// renewed after it. The rows are not hidden in the meantime: Views look up every reference of them.
//
// A commit that only writes rows about the person marks them by its snapshot. It does not require that no
// label changes: otherwise a source system could block the writes of others. Where a label may have
// changed since the snapshot, it adds the entry itself.

// labelChanges is the in-flight commits by the persons about whom they write rows. It is safe for
// concurrent use.
type labelChanges struct {
	mu       sync.Mutex
	changing map[string]int                    // commits that change which rows of a person are labelled
	writing  map[string]map[chan struct{}]bool // other commits; their channels are closed when they end
}

func newLabelChanges() *labelChanges {
	return &labelChanges{changing: map[string]int{}, writing: map[string]map[chan struct{}]bool{}}
}

// begin registers a commit that changes the labelled rows of some persons and writes rows about others,
// until end is called. uncertain are those of the others whose labelled rows another commit is changing.
// running are earlier commits that did not see this one: the caller must wait for them, so that later
// readers of the store see their rows.
func (l *labelChanges) begin(changes, writes []string) (uncertain []string, running []chan struct{}, end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range changes {
		for commit := range l.writing[name] {
			running = append(running, commit)
		}
		l.changing[name]++
	}
	done := make(chan struct{})
	for _, name := range writes {
		if l.changing[name] > 0 {
			uncertain = append(uncertain, name)
			continue
		}
		if l.writing[name] == nil {
			l.writing[name] = map[chan struct{}]bool{}
		}
		l.writing[name][done] = true
	}
	return uncertain, running, func() { l.end(changes, writes, done) }
}

func (l *labelChanges) end(changes, writes []string, done chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range changes {
		if l.changing[name]--; l.changing[name] == 0 {
			delete(l.changing, name)
		}
	}
	for _, name := range writes {
		if delete(l.writing[name], done); len(l.writing[name]) == 0 {
			delete(l.writing, name)
		}
	}
	close(done)
}

// beginLabelChange registers a batch, and adds entries for the persons whose rows it may have marked by
// outdated labels.
func (g *Guard) beginLabelChange(ctx context.Context, prepared *preparedCommit) (end func(), err error) {
	var changes, writes []string
	for name := range prepared.staleNames {
		if person, labels := strings.CutPrefix(name, backlog.LabelsPrefix); labels {
			changes = append(changes, person)
		}
	}
	for i := range prepared.Writes {
		if !prepared.Writes[i].Doc.Deleted() {
			writes = append(writes, facts.Persons(prepared.Writes[i].Doc.Keys)...)
		}
	}
	writes = slices.DeleteFunc(facts.Distinct(writes), func(name string) bool { return slices.Contains(changes, name) })
	uncertain, running, end := g.labelChanges.begin(changes, writes)
	for _, commit := range running {
		select {
		case <-commit:
		case <-ctx.Done():
			end()
			return nil, fmt.Errorf("wait for rows of a person whose labels change: %w", ctx.Err())
		}
	}
	for _, name := range writes { // after begin: a commit that ended before it has added its entries
		if slices.Contains(uncertain, name) || g.backlog.AddedSince(backlog.LabelsPrefix+name, prepared.epoch) {
			prepared.addStale(backlog.LabelsPrefix+name, backlog.Entry{})
		}
	}
	return end, nil
}

// addStale adds an entry, or merges it with the present one.
func (prepared *preparedCommit) addStale(name string, s backlog.Entry) {
	if prepared.staleNames == nil {
		prepared.staleNames = map[string]backlog.Entry{}
	}
	prepared.staleNames[name] = s.Merge(prepared.staleNames[name])
}

// markAll marks the live documents of the batch, and adds entries for persons whose labelled rows it
// changes.
func (c *commitBuilder) markAll(ctx context.Context) error {
	rows := c.view.guard.keyer.LabelledRows(c.view.snap, c.pending)
	for _, ref := range c.order {
		w := c.pending[ref]
		if !w.Doc.Deleted() {
			var err error
			if w.Doc.Keys, err = rows.Mark(ctx, w.Doc.Keys, w.Doc.RowID.Partition, w.Doc.Body); err != nil {
				return err
			}
		}
		for _, name := range personsRelabelled(c.replaced[ref], w.Doc) {
			c.staleNames[backlog.LabelsPrefix+name] = c.staleNames[backlog.LabelsPrefix+name].Merge(backlog.Entry{})
		}
	}
	return nil
}

// personsRelabelled returns the names of persons of whom only one of two versions is a labelled row. No
// stored row refers to a document with a new id.
func personsRelabelled(before, now store.Doc) []string {
	if before.Version == 0 && now.Origin == store.Created {
		return nil
	}
	of := func(d store.Doc) []string {
		if d.Version == 0 || d.Deleted() {
			return nil
		}
		return index.Names(d.Keys, index.LabelledPrefix())
	}
	was, is := of(before), of(now)
	return slices.DeleteFunc(facts.Distinct(was, is), func(name string) bool {
		return slices.Contains(was, name) && slices.Contains(is, name)
	})
}

// markPage adds the documents to the batch whose mark changes.
func (c *commitBuilder) markPage(ctx context.Context, docs []store.Doc, rows *facts.LabelledRows) error {
	for _, d := range docs {
		keys, err := rows.Mark(ctx, d.Keys, d.RowID.Partition, d.Body)
		if err != nil {
			return err
		}
		if !slices.Equal(keys, d.Keys) {
			before := d
			d.Keys = keys
			c.put(store.Write{Doc: d, Expect: d.Version, KeyRevision: d.KeyRevision, Rekey: true}, before)
		}
	}
	return nil
}
