package search

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"carerecord/fhir/index"
	"carerecord/fhir/search/join"
	"carerecord/store"
)

// A search of the type Patient returns each person once where the View joins Patients to people: of the visible Patients
// that match, the best (IDN-121, 122). The rows are grouped above the View, so a hidden Patient shapes nothing. All
// Patients of a person are in the partition of the person (IDN-113), so one partition at a time is grouped. A person's
// position in the result is the partition and a hash of the person key: it depends on no Patient, so a page resumes after a
// person whichever Patients come or go.

// groupsPersons reports whether the rows are persons: a search of Patients that names none by id.
func (x *execution) groupsPersons() bool {
	return len(x.Types) == 1 && x.Type() == "Patient" && !x.byID && x.view.Joins()
}

// personCountBudget is how many persons are counted without a request for the total: each match is read.
const personCountBudget = 1000

// personRow is the best matching Patient of a person, and the position of the person.
type personRow struct {
	doc store.Doc
	at  store.RowID
}

// persons yields the persons after a position. The documents have keys and may have no bodies.
func (x *execution) persons(ctx context.Context, after *store.RowID) iter.Seq2[personRow, error] {
	return func(yield func(personRow, error) bool) {
		var group []store.Doc
		flush := func() bool {
			for _, row := range x.bestOfEach(group) {
				if after != nil && row.at.Compare(*after) <= 0 {
					continue
				}
				if !yield(row, nil) {
					return false
				}
			}
			group = group[:0]
			return true
		}
		for d, err := range x.patients(ctx, after) {
			if err != nil {
				yield(personRow{}, err)
				return
			}
			if len(group) > 0 && group[0].RowID.Partition != d.RowID.Partition && !flush() {
				return
			}
			group = append(group, d)
		}
		flush()
	}
}

// patients yields the matching Patients from the partition of a position on.
func (x *execution) patients(ctx context.Context, from *store.RowID) iter.Seq2[store.Doc, error] {
	if from != nil {
		from = &store.RowID{Partition: from.Partition}
	}
	//law:persons-grouped
	if x.stream != nil {
		return x.stream.Rows(ctx, from)
	}
	q := store.Query{Type: "Patient", Where: x.resolved[0].Where, After: from, KeysOnly: true}
	if x.needsWalk() {
		return join.Walk(ctx, x.view, q, x.lim.ScanMaximum)
	}
	return x.view.Scan(ctx, q)
}

// bestOfEach returns the best Patient of each person in one partition, in the order of the persons.
func (x *execution) bestOfEach(patients []store.Doc) []personRow {
	best := map[string]store.Doc{}
	//law:persons-best
	for _, d := range patients {
		key := x.view.PersonKeyOf(d)
		if b, known := best[key]; !known || x.view.Prefers(d, b) {
			best[key] = d
		}
	}
	out := make([]personRow, 0, len(best))
	for key, d := range best {
		out = append(out, personRow{d, index.PersonRowID(d.RowID.Partition, key)})
	}
	slices.SortFunc(out, func(a, b personRow) int { return a.at.Compare(b.at) })
	return out
}

// personsInOrder fills a page in the order of the store.
func (x *execution) personsInOrder(ctx context.Context, at Cursor, page *Page) error {
	var rows []personRow
	for row, err := range x.persons(ctx, at.After) {
		if err != nil {
			return fmt.Errorf("search: %w", err)
		}
		if len(rows) == x.Count {
			last := rows[x.Count-1].at
			page.Next = &Cursor{After: &last}
			break
		}
		rows = append(rows, row)
	}
	docs, err := x.withBodies(ctx, rows)
	if err != nil {
		return err
	}
	for i, d := range docs {
		position := rows[i].at
		page.Matches, page.Cursors = append(page.Matches, d), append(page.Cursors, Cursor{After: &position})
	}
	return nil
}

// withBodies reads the Patients of some rows, in their order.
func (x *execution) withBodies(ctx context.Context, rows []personRow) ([]store.Doc, error) {
	refs := make([]store.Ref, len(rows))
	for i, row := range rows {
		refs[i] = row.doc.Ref
	}
	byRef := map[store.Ref]store.Doc{}
	for d, err := range x.view.All(ctx, refs) {
		if err != nil {
			return nil, fmt.Errorf("read the Patients of a page: %w", err)
		}
		byRef[d.Ref] = d
	}
	out := make([]store.Doc, len(rows))
	for i, ref := range refs {
		d, found := byRef[ref]
		if !found {
			return nil, fmt.Errorf("a row of a page is missing: %w", store.ErrUnavailable)
		}
		out[i] = d
	}
	return out, nil
}

// countPersons counts the persons, at most max of them if max > 0.
func (x *execution) countPersons(ctx context.Context, max int) (int, error) {
	n := 0
	for _, err := range x.persons(ctx, nil) {
		if err != nil {
			return 0, err
		}
		if n++; n == max {
			break
		}
	}
	return n, nil
}
