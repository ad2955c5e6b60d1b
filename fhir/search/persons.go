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
//
// The exception are persons with a superseded number (IDN-134), who may have a partition for each number. Such a person is in
// the first one that has a match, and the others are read for it.

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
			rows, err := x.bestOfEach(ctx, group)
			if err != nil {
				yield(personRow{}, err)
				return false
			}
			for _, row := range rows {
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

// bestOfEach returns the best of the Patients of each person whose first match is in this partition, in the order of the
// persons. The Patients are all matches in one partition.
func (x *execution) bestOfEach(ctx context.Context, patients []store.Doc) ([]personRow, error) {
	best := map[string]store.Doc{}  // by the surviving person key
	spread := map[string][]string{} // the groups of persons who may be in several partitions
	//law:persons-best
	for _, d := range patients {
		group, err := x.view.GroupOf(ctx, x.view.PersonKeyOf(d))
		if err != nil {
			return nil, err
		}
		if b, known := best[group[0]]; !known || x.view.Prefers(d, b) {
			best[group[0]] = d
		}
		if len(group) > 1 || x.view.MaySpread(group[0]) {
			spread[group[0]] = group
		}
	}
	out := make([]personRow, 0, len(best))
	for key, d := range best {
		row := personRow{d, index.PersonRowID(d.RowID.Partition, key)}
		if group := spread[key]; group != nil {
			var err error
			if row.doc, err = x.bestOfAll(ctx, group, d); err != nil {
				return nil, err
			}
		}
		if row.doc.Version > 0 {
			out = append(out, row)
		}
	}
	slices.SortFunc(out, func(a, b personRow) int { return a.at.Compare(b.at) })
	return out, nil
}

// bestOfAll returns the best of all matches of a person who may be in several partitions. best is the best match in one
// partition; the result is the zero Doc if an earlier partition has a match.
func (x *execution) bestOfAll(ctx context.Context, group []string, best store.Doc) (store.Doc, error) {
	here := best.RowID.Partition
	person, err := x.view.PersonByKey(ctx, group[0])
	if err != nil || person == nil {
		return best, err
	}
	elsewhere := slices.DeleteFunc(slices.Clone(person.Patients), func(d store.Doc) bool { return d.RowID.Partition == here })
	if x.stream != nil {
		elsewhere, err = x.stream.Satisfying(ctx, elsewhere)
	} else {
		elsewhere = slices.DeleteFunc(elsewhere, func(d store.Doc) bool { return !store.Match(x.resolved[0].Where, d.Keys) })
	}
	for _, d := range elsewhere {
		if d.RowID.Partition < here {
			return store.Doc{}, err
		}
		if x.view.Prefers(d, best) {
			best = d
		}
	}
	return best, err
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
	byRef, err := x.bodiesOf(ctx, rows)
	if err != nil {
		return err
	}
	for _, row := range rows {
		d, shown := byRef[row.doc.Ref]
		if !shown { // a refusal came in between
			continue
		}
		position := row.at
		page.Matches, page.Cursors = append(page.Matches, d), append(page.Cursors, Cursor{After: &position})
	}
	return nil
}

// bodiesOf reads the Patients of some rows.
func (x *execution) bodiesOf(ctx context.Context, rows []personRow) (map[store.Ref]store.Doc, error) {
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
	return byRef, nil
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
