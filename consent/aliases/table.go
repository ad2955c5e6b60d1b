// Package aliases is the in-memory table of superseded national numbers (IDN-134). The patient index says that a number
// supersedes another by Patient.link between its Patients of the two. Both persons then act as one. Nothing is rekeyed for
// it: whoever reads asks the table which numbers are one person's, and confirms the answer with the documents of the same
// snapshot (Table.Group).
package aliases

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/store"
)

// Table has the Patients of the patient index that have a link to another one, and those to which one links. It is a function
// of the committed documents: Load rebuilds it, and Committed follows each commit before that is acknowledged. It is safe for
// concurrent use.
type Table struct {
	keyer *facts.Keyer

	mu       sync.RWMutex
	patients map[string]patient         // by id
	linkedTo map[string]map[string]bool // by id: the ids of the Patients with a link to it
	numbers  map[string]map[string]bool // by the name of a number: the ids of its Patients
	order    []position                 // of numbers, by partition
	versions map[string]uint64          // by id: the newest version that was read
	expected map[string]int             // by id: how many commits in flight link to it
	// doubtful are ids whose entries may be outdated, with the number of the commit that made them so: Settle reads them.
	doubtful map[string]uint64
	marks    uint64
}

// patient is a Patient of the patient index.
type patient struct {
	version uint64
	number  string   // facts.Keyer.AliasNumber
	links   []string // ids of the Patients that it replaces or that replace it
}

// position is where the documents of a number are.
type position struct {
	partition store.Partition
	number    string
}

// New makes an empty Table.
func New(keyer *facts.Keyer) *Table {
	return &Table{keyer: keyer, patients: map[string]patient{}, linkedTo: map[string]map[string]bool{}, numbers: map[string]map[string]bool{}, versions: map[string]uint64{}, expected: map[string]int{}, doubtful: map[string]uint64{}}
}

// Load reads the table from a store.
func (t *Table) Load(ctx context.Context, s store.Store) error {
	prefix := t.keyer.IndexTiePrefix()
	if prefix == "" {
		return nil
	}
	var docs []store.Doc
	err := s.Read(ctx, func(snap store.Snapshot) error {
		var ids []string
		for d, err := range snap.Scan(ctx, store.Query{Type: "Patient", Where: store.WithPrefix(prefix), KeysOnly: true}) {
			if err != nil {
				return err
			}
			ids = append(ids, d.Ref.ID)
		}
		var err error
		docs, err = t.withLinked(ctx, snap, ids)
		return err
	})
	if err != nil {
		return fmt.Errorf("load superseded numbers: %w", err)
	}
	t.put(docs)
	return nil
}

// Begin notes the links of the writes of a commit, before the commit, so that a commit that writes the Patient at their other end
// at the same time is followed too. Committed must be called when the commit has ended.
func (t *Table) Begin(writes []store.Write) { t.expect(writes, +1) }

func (t *Table) expect(writes []store.Write, by int) {
	for i := range writes {
		d := &writes[i].Doc
		if !t.linked(d) {
			continue
		}
		t.mu.Lock()
		for _, to := range t.linksOf(*d) {
			if t.expected[to] += by; t.expected[to] == 0 {
				delete(t.expected, to)
			}
		}
		t.mu.Unlock()
	}
}

// Committed follows a commit that was made, or may have been: err is its outcome. It returns before the commit is acknowledged,
// so the next request sees the table with it.
func (t *Table) Committed(ctx context.Context, s store.Store, writes []store.Write, err error) {
	defer t.expect(writes, -1)
	ids := t.concerned(writes)
	if len(ids) == 0 || err != nil && !errors.Is(err, store.ErrUnknown) {
		return
	}
	t.mu.Lock()
	t.marks++
	mark := t.marks
	for _, id := range ids {
		t.doubtful[id] = mark
	}
	t.mu.Unlock()
	if err != nil || t.read(context.WithoutCancel(ctx), s, ids) != nil {
		return // it may be carried out later, or must be read again: Settle
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range ids {
		if t.doubtful[id] == mark {
			delete(t.doubtful, id)
		}
	}
}

// linked reports whether a document is a Patient of the patient index that has or had a link.
func (t *Table) linked(d *store.Doc) bool {
	prefix := t.keyer.IndexTiePrefix()
	return d.Ref.Type == "Patient" && prefix != "" && t.keyer.Identity.IsIndex(d.Source) && store.Match(store.WithPrefix(prefix), d.Keys)
}

// concerned returns the ids of the Patients among some writes that have or had a link, or to which one links.
func (t *Table) concerned(writes []store.Write) (ids []string) {
	for i := range writes {
		d := &writes[i].Doc
		if d.Ref.Type != "Patient" || !t.keyer.Identity.IsIndex(d.Source) {
			continue
		}
		t.mu.RLock()
		_, known := t.patients[d.Ref.ID]
		known = known || len(t.linkedTo[d.Ref.ID]) > 0 || t.expected[d.Ref.ID] > 0
		t.mu.RUnlock()
		if known || t.linked(d) {
			ids = append(ids, d.Ref.ID)
		}
	}
	return ids
}

// Settle reads the Patients whose entries may be outdated: those of commits of unknown outcome, until another version of them
// is committed.
func (t *Table) Settle(ctx context.Context, s store.Store) error {
	t.mu.RLock()
	ids := slices.Collect(maps.Keys(t.doubtful))
	t.mu.RUnlock()
	if len(ids) == 0 {
		return nil
	}
	return t.read(ctx, s, ids)
}

// read reads some Patients and those to which they link, and replaces their entries.
func (t *Table) read(ctx context.Context, s store.Store, ids []string) error {
	var docs []store.Doc
	err := s.Read(ctx, func(snap store.Snapshot) (err error) {
		docs, err = t.withLinked(ctx, snap, ids)
		return err
	})
	if err != nil {
		return fmt.Errorf("read superseded numbers: %w", err)
	}
	t.put(docs)
	return nil
}

// withLinked returns some Patients and those to which they link, with bodies.
func (t *Table) withLinked(ctx context.Context, snap store.Snapshot, ids []string) (docs []store.Doc, err error) {
	for read := map[string]bool{}; len(ids) > 0; {
		refs := make([]store.Ref, len(ids))
		for i, id := range ids {
			refs[i], read[id] = store.Ref{Type: "Patient", ID: id}, true
		}
		var linked []string
		for d, err := range snap.All(ctx, refs) {
			if err != nil {
				return nil, err
			}
			docs, linked = append(docs, d), append(linked, t.linksOf(d)...)
		}
		ids = slices.DeleteFunc(facts.Distinct(linked), func(id string) bool { return read[id] })
	}
	return docs, nil
}

// linksOf returns the ids to which a version of a Patient of the patient index links, sorted and distinct.
func (t *Table) linksOf(d store.Doc) []string {
	if d.Deleted() || !t.keyer.Identity.IsIndex(d.Source) {
		return nil
	}
	replaces, replacedBy := t.keyer.Links(d.Body)
	return facts.Distinct(replaces, replacedBy)
}

// put replaces the entries of Patients by those of versions, unless these are of newer ones.
func (t *Table) put(docs []store.Doc) {
	t.mu.Lock()
	defer t.mu.Unlock()
	next := map[string]patient{} // first all links: an entry needs a link to or from another Patient
	for _, d := range docs {
		id := d.Ref.ID
		if t.versions[id] > d.Version {
			continue
		}
		t.versions[id] = d.Version
		now := patient{version: d.Version, number: t.keyer.AliasNumber(d), links: t.linksOf(d)}
		for _, to := range t.patients[id].links {
			remove(t.linkedTo, to, id)
			if _, read := next[to]; !read {
				next[to] = t.patients[to]
			}
		}
		for _, to := range now.links {
			add(t.linkedTo, to, id)
		}
		next[id] = now
	}
	changed := map[string]bool{} // numbers
	for id, now := range next {
		changed[t.patients[id].number], changed[now.number] = true, true
		t.set(id, now)
	}
	t.reorder(slices.Collect(maps.Keys(changed)))
}

// set replaces the entry of a Patient. One without a link to or from another has none.
func (t *Table) set(id string, now patient) {
	remove(t.numbers, t.patients[id].number, id)
	if delete(t.patients, id); now.version > 0 && (len(now.links) > 0 || len(t.linkedTo[id]) > 0) {
		t.patients[id] = now
		if now.number != "" {
			add(t.numbers, now.number, id)
		}
	}
}

// reorder brings some numbers into order, or removes them.
func (t *Table) reorder(numbers []string) {
	order := slices.DeleteFunc(slices.Clone(t.order), func(p position) bool { return slices.Contains(numbers, p.number) }) // others may be reading t.order
	for _, number := range numbers {
		if len(t.numbers[number]) > 0 {
			order = append(order, positionOf(number))
		}
	}
	slices.SortFunc(order, comparePositions)
	t.order = order
}

func positionOf(number string) position { return position{index.PartitionOf(number), number} }

func comparePositions(a, b position) int {
	if a.partition != b.partition {
		if a.partition < b.partition {
			return -1
		}
		return 1
	}
	return strings.Compare(a.number, b.number)
}

func add(sets map[string]map[string]bool, name, id string) {
	if sets[name] == nil {
		sets[name] = map[string]bool{}
	}
	sets[name][id] = true
}

func remove(sets map[string]map[string]bool, name, id string) {
	if delete(sets[name], id); len(sets[name]) == 0 {
		delete(sets, name)
	}
}

// Has reports whether a number may be one of several of a person. It is false for all other person keys.
func (t *Table) Has(number string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.numbers[number]) > 0
}

// Between returns the numbers that links may connect to a number whose partition is between two, these included: the documents
// about their persons may be in that partition.
func (t *Table) Between(first, last store.Partition) []string {
	t.mu.RLock()
	order := t.order
	t.mu.RUnlock()
	at, _ := slices.BinarySearchFunc(order, position{partition: first}, comparePositions)
	var out []string
	for _, p := range order[at:] {
		if p.partition > last {
			break
		}
		out = append(append(out, p.number), t.connectedNumbers(p.number)...)
	}
	return facts.Distinct(out)
}

// connectedNumbers returns the numbers that links connect to a number.
func (t *Table) connectedNumbers(number string) (out []string) {
	ids := t.connected(number)
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, id := range ids {
		if n := t.patients[id].number; n != "" {
			out = append(out, n)
		}
	}
	return out
}
