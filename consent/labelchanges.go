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

// A commit that changes which rows of a person are labelled changes what references in
// other rows lead to. As with owners (backlog.go) the commit adds a stale name, and the
// rows about the person are marked behind it. These rows are not hidden meanwhile: Views
// look up the references of each of them.
//
// A commit that only writes rows about the person marks them by its snapshot, and does
// not demand that no label changes: else a feed could hold up the writes of others.
// Where a label may have changed since the snapshot, it adds the stale name itself.

// labelChanges is the commits under way, by the persons whose rows they write. It is safe
// for concurrent use.
type labelChanges struct {
	mu       sync.Mutex
	changing map[string]int                    // commits that change labelled rows of a person
	writing  map[string]map[chan struct{}]bool // the others, each with what is closed when it is over
}

func newLabelChanges() *labelChanges {
	return &labelChanges{changing: map[string]int{}, writing: map[string]map[chan struct{}]bool{}}
}

// begin begins the last part of a commit that changes labelled rows of some persons and
// writes rows about others; over ends it. doubtful are those of the others whose labelled
// rows another commit changes now. earlier are the commits under way that did not see
// this one: it has to wait for these, so that what is stored behind it sees them.
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

// beginLabelChange departs with a batch, and adds the stale names of the persons whose rows it
// may have marked by labels that are not those of now.
func (g *Guard) beginLabelChange(ctx context.Context, prepared *preparedCommit) (over func(), err error) {
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
	uncertain, running, over := g.labelChanges.begin(changes, writes)
	for _, commit := range running {
		select {
		case <-commit:
		case <-ctx.Done():
			over()
			return nil, fmt.Errorf("wait for rows of a person whose labels change: %w", ctx.Err())
		}
	}
	for _, name := range writes { // behind depart: who arrived before it has said what changed
		if slices.Contains(uncertain, name) || g.backlog.AddedSince(backlog.LabelsPrefix+name, prepared.epoch) {
			prepared.addStale(backlog.LabelsPrefix+name, backlog.Entry{})
		}
	}
	return over, nil
}

// addStale adds a stale name, or what else is said of it.
func (prepared *preparedCommit) addStale(name string, s backlog.Entry) {
	if prepared.staleNames == nil {
		prepared.staleNames = map[string]backlog.Entry{}
	}
	prepared.staleNames[name] = s.Merge(prepared.staleNames[name])
}

// markAll completes the keys of the live documents of the batch, and notes of whom it
// changes the labelled rows.
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

// personsRelabelled are the names of persons of whom a new version is labelled and the one before
// was not, or the reverse. No stored row refers to one whose id was made for it.
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

// markPage puts documents of a person into the batch, as far as they are to be marked
// otherwise.
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
