package consent

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

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

// labelsName begins the stale names of persons of whom other rows are labelled than were;
// behind it stands the name of the person.
const labelsName = "labels:"

// labelling is the commits under way, by the persons whose rows they write. It is safe
// for concurrent use.
type labelling struct {
	mu       sync.Mutex
	changing map[string]int                    // commits that change labelled rows of a person
	writing  map[string]map[chan struct{}]bool // the others, each with what is closed when it is over
}

func newLabelling() *labelling {
	return &labelling{changing: map[string]int{}, writing: map[string]map[chan struct{}]bool{}}
}

// depart begins the last part of a commit that changes labelled rows of some persons and
// writes rows about others; over ends it. doubtful are those of the others whose labelled
// rows another commit changes now. earlier are the commits under way that did not see
// this one: it has to wait for these, so that what is stored behind it sees them.
func (l *labelling) depart(changes, writes []string) (doubtful []string, earlier []chan struct{}, over func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range changes {
		for commit := range l.writing[name] {
			earlier = append(earlier, commit)
		}
		l.changing[name]++
	}
	ended := make(chan struct{})
	for _, name := range writes {
		if l.changing[name] > 0 {
			doubtful = append(doubtful, name)
			continue
		}
		if l.writing[name] == nil {
			l.writing[name] = map[chan struct{}]bool{}
		}
		l.writing[name][ended] = true
	}
	return doubtful, earlier, func() { l.end(changes, writes, ended) }
}

func (l *labelling) end(changes, writes []string, ended chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range changes {
		if l.changing[name]--; l.changing[name] == 0 {
			delete(l.changing, name)
		}
	}
	for _, name := range writes {
		if delete(l.writing[name], ended); len(l.writing[name]) == 0 {
			delete(l.writing, name)
		}
	}
	close(ended)
}

// keepLabels departs with a batch, and adds the stale names of the persons whose rows it
// may have marked by labels that are not those of now.
func (g *Guard) keepLabels(ctx context.Context, l *landing) (over func(), err error) {
	var changes, writes []string
	for name := range l.stale {
		if person, labels := strings.CutPrefix(name, labelsName); labels {
			changes = append(changes, person)
		}
	}
	for i := range l.Writes {
		if !l.Writes[i].Doc.Deleted() {
			writes = append(writes, persons(l.Writes[i].Doc.Keys)...)
		}
	}
	writes = slices.DeleteFunc(distinctNames(writes), func(name string) bool { return slices.Contains(changes, name) })
	doubtful, earlier, over := g.labelling.depart(changes, writes)
	for _, commit := range earlier {
		select {
		case <-commit:
		case <-ctx.Done():
			over()
			return nil, fmt.Errorf("wait for rows of a person whose labels change: %w", ctx.Err())
		}
	}
	for _, name := range writes { // behind depart: who arrived before it has said what changed
		if slices.Contains(doubtful, name) || g.backlog.addedSince(labelsName+name, l.began) {
			l.addStale(labelsName+name, staleName{})
		}
	}
	return over, nil
}

// addStale adds a stale name, or what else is said of it.
func (l *landing) addStale(name string, s staleName) {
	if l.stale == nil {
		l.stale = map[string]staleName{}
	}
	l.stale[name] = s.with(l.stale[name])
}

// mark completes the keys of the live documents of the batch, and notes of whom it
// changes the labelled rows.
func (c *commit) mark(ctx context.Context) error {
	rows := c.view.guard.labelled(c.view.snap, c.pending)
	for _, ref := range c.order {
		w := c.pending[ref]
		if !w.Doc.Deleted() {
			var err error
			if w.Doc.Keys, err = rows.marked(ctx, w.Doc.Keys, w.Doc.RowID.Partition, w.Doc.Body); err != nil {
				return err
			}
		}
		for _, name := range relabels(c.before[ref], w.Doc) {
			c.stale[labelsName+name] = c.stale[labelsName+name].with(staleName{})
		}
	}
	return nil
}

// relabels are the names of persons of whom a new version is labelled and the one before
// was not, or the reverse. No stored row refers to one whose id was made for it.
func relabels(before, now store.Doc) []string {
	if before.Version == 0 && now.Origin == store.Created {
		return nil
	}
	of := func(d store.Doc) []string {
		if d.Version == 0 || d.Deleted() {
			return nil
		}
		return names(d.Keys, index.LabelledPrefix())
	}
	was, is := of(before), of(now)
	return slices.DeleteFunc(distinctNames(was, is), func(name string) bool {
		return slices.Contains(was, name) && slices.Contains(is, name)
	})
}

// markDocs puts documents of a person into the batch, as far as they are to be marked
// otherwise.
func (c *commit) markDocs(ctx context.Context, docs []store.Doc, rows *labelled) error {
	for _, d := range docs {
		keys, err := rows.marked(ctx, d.Keys, d.RowID.Partition, d.Body)
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
