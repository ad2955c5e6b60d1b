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
	doubtful map[string]bool            // ids whose entries may be outdated: each View reads them
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
	return &Table{keyer: keyer, patients: map[string]patient{}, linkedTo: map[string]map[string]bool{}, numbers: map[string]map[string]bool{}, versions: map[string]uint64{}, doubtful: map[string]bool{}}
}

// Load reads the table from a store.
func (t *Table) Load(ctx context.Context, s store.Store) error {
	prefix := t.keyer.IndexTiePrefix()
	if prefix == "" {
		return nil
	}
	var ids []string
	err := s.Read(ctx, func(snap store.Snapshot) error {
		ids = nil
		for d, err := range snap.Scan(ctx, store.Query{Type: "Patient", Where: store.WithPrefix(prefix), KeysOnly: true}) {
			if err != nil {
				return fmt.Errorf("load superseded numbers: %w", err)
			}
			if !d.Deleted() {
				ids = append(ids, d.Ref.ID)
			}
		}
		return t.readAll(ctx, snap, ids)
	})
	return err
}

// Committed follows a commit that was made, or may have been: err is its outcome. It returns before the commit is acknowledged,
// so the next request sees the table with it.
func (t *Table) Committed(ctx context.Context, s store.Store, writes []store.Write, err error) {
	ids := t.concerned(writes)
	if len(ids) == 0 || err != nil && !errors.Is(err, store.ErrUnknown) {
		return
	}
	t.mu.Lock()
	for _, id := range ids {
		t.doubtful[id] = true
	}
	t.mu.Unlock()
	if err != nil {
		return // it may be carried out later
	}
	err = s.Read(context.WithoutCancel(ctx), func(snap store.Snapshot) error { return t.readAll(ctx, snap, ids) })
	if err != nil {
		return // the next Views read them
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, id := range ids {
		delete(t.doubtful, id)
	}
}

// concerned returns the ids of the Patients among some writes that have or had a link, or to which one links.
func (t *Table) concerned(writes []store.Write) (ids []string) {
	for i := range writes {
		d := &writes[i].Doc
		if d.Ref.Type != "Patient" || t.keyer.Identity == nil || !t.keyer.Identity.IsIndex(d.Source) {
			continue
		}
		t.mu.RLock()
		_, known := t.patients[d.Ref.ID]
		known = known || len(t.linkedTo[d.Ref.ID]) > 0
		t.mu.RUnlock()
		if known || store.Match(store.WithPrefix(t.keyer.IndexTiePrefix()), d.Keys) {
			ids = append(ids, d.Ref.ID)
		}
	}
	return ids
}

// Settle reads the Patients whose entries may be outdated: those of commits of unknown outcome, until another version of them
// is committed.
func (t *Table) Settle(ctx context.Context, snap store.Snapshot) error {
	t.mu.RLock()
	ids := slices.Collect(maps.Keys(t.doubtful))
	t.mu.RUnlock()
	if len(ids) == 0 {
		return nil
	}
	return t.readAll(ctx, snap, ids)
}

// readAll reads some Patients and those to which they link.
func (t *Table) readAll(ctx context.Context, snap store.Snapshot, ids []string) error {
	for read := map[string]bool{}; len(ids) > 0; {
		refs := make([]store.Ref, len(ids))
		for i, id := range ids {
			refs[i], read[id] = store.Ref{Type: "Patient", ID: id}, true
		}
		var linked []string
		for d, err := range snap.All(ctx, refs) {
			if err != nil {
				return fmt.Errorf("read superseded numbers: %w", err)
			}
			linked = append(linked, t.put(d)...)
		}
		slices.Sort(linked)
		ids = slices.DeleteFunc(slices.Compact(linked), func(id string) bool { return read[id] })
	}
	return nil
}

// put replaces the entry of a Patient by that of a version, unless it is of a newer one. It returns the ids to which the
// version links.
func (t *Table) put(d store.Doc) (linked []string) {
	now := patient{version: d.Version, number: t.keyer.AliasNumber(d)}
	if !d.Deleted() && t.keyer.Identity.IsIndex(d.Source) {
		replaces, replacedBy := t.keyer.Links(d.Body)
		now.links = facts.Distinct(replaces, replacedBy)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	id, old := d.Ref.ID, t.patients[d.Ref.ID]
	if t.versions[id] > d.Version {
		return nil
	}
	t.versions[id] = d.Version
	for _, to := range old.links {
		remove(t.linkedTo, to, id)
	}
	for _, to := range now.links {
		add(t.linkedTo, to, id)
	}
	t.set(id, now)
	for _, to := range old.links {
		t.set(to, t.patients[to])
	}
	return now.links
}

// set replaces the entry of a Patient. One without a link to or from another has none.
func (t *Table) set(id string, now patient) {
	old := t.patients[id]
	remove(t.numbers, old.number, id)
	if delete(t.patients, id); now.version > 0 && (len(now.links) > 0 || len(t.linkedTo[id]) > 0) {
		t.patients[id] = now
		if now.number != "" {
			add(t.numbers, now.number, id)
		}
	}
	t.reorder(old.number, now.number)
}

// reorder brings some numbers into order, or removes them.
func (t *Table) reorder(numbers ...string) {
	for _, number := range numbers {
		at, found := slices.BinarySearchFunc(t.order, positionOf(number), comparePositions)
		switch there := len(t.numbers[number]) > 0; {
		case there && !found:
			t.order = slices.Insert(slices.Clone(t.order), at, positionOf(number)) // others may be reading
		case !there && found:
			t.order = slices.Delete(slices.Clone(t.order), at, at+1)
		}
	}
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
