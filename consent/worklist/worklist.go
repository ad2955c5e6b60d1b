// Package worklist finds the Patients whose identity a region has to settle (IDN-107): those that are contradicted,
// persons whose Patients have different birth dates, and Patients of one source that are one person.
//
// A walk reads the Patients of the record in the order of the store. All Patients of a person are in one partition
// (IDN-113), except of persons with a superseded number: it keeps those of one partition in memory, and these to the end. It reads page by page, each in a snapshot of its own: a
// Patient that moves during the walk may be missed. Entries have ids of Patients and ODS codes of their sources; they
// never have a national number, a name or a birth date.
package worklist

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tidwall/gjson"

	"carerecord/consent"
	"carerecord/consent/facts"
	"carerecord/fhir/index"
	"carerecord/store"
)

// List is the name of a work list.
type List string

// The work lists.
const (
	Contradicted List = "contradicted" // Patients whose number counts and is not believed
	Differing    List = "differing"    // joined Patients of one person with different birth dates
	Duplicates   List = "duplicates"   // Patients of one source that are one person
)

// Lists returns all work lists.
func Lists() []List { return []List{Contradicted, Differing, Duplicates} }

// Entry is one case of a work list.
type Entry struct {
	Reason   string    `json:"reason"`
	Patients []Patient `json:"patients"`
}

// Patient is a Patient of a case.
type Patient struct {
	Reference string `json:"reference"`        // Patient/id
	Source    string `json:"source,omitempty"` // ODS code; empty for unknown

	person, birthDate string
}

// Reasons of entries, in addition to those of package facts.
const (
	differingReason = "the birth dates of these Patients of one person differ"
	duplicateReason = "these Patients of one source are one person"
	settledReason   = "it is no longer contradicted, and its documents wait to be rekeyed"
)

// ErrNoPolicy says that the record has no identity policy, so that no Patient is joined.
var ErrNoPolicy = errors.New("the record has no identity policy (identity.json): every Patient is a person of its own")

// ErrUnknown says that there is no work list of a name.
var ErrUnknown = errors.New("the list must be contradicted, differing or duplicates")

const (
	pageSize     = 1000   // Patients read in one snapshot
	maxPartition = 10_000 // Patients of one partition that are compared with each other
)

// Check returns why a list cannot be made, or nil.
func Check(guard *consent.Guard, list List) error {
	switch {
	case !slices.Contains(Lists(), list):
		return ErrUnknown
	case guard.Identity() == nil:
		return ErrNoPolicy
	}
	return nil
}

// Walk calls emit for each entry of a list. It ends with the first error of emit, or of pause, which it calls before
// each page.
func Walk(ctx context.Context, guard *consent.Guard, list List, pause func() error, emit func(Entry) error) error {
	if err := Check(guard, list); err != nil {
		return err
	}
	w := &walk{list: list, guard: guard}
	where := store.Pred(store.And{})
	if list == Contradicted {
		where = store.Eq{Key: index.FactKey(index.FactContradicted)}
	}
	page := consent.Page{Type: "Patient", Size: pageSize}
	for n := pageSize; n == pageSize; {
		if err := pause(); err != nil {
			return err
		}
		var found []Entry // emitted after the snapshot: a slow reader does not keep it open
		w.emit = func(e Entry) error { found = append(found, e); return nil }
		var err error
		n, page.After, err = guard.PatientPage(ctx, page, where, w.patient)
		if err == nil && n < pageSize {
			err = w.end()
		}
		if err != nil {
			return fmt.Errorf("list Patients: %w", err)
		}
		for _, e := range found {
			if err := emit(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// walk is one walk over the Patients.
type walk struct {
	list      List
	emit      func(Entry) error
	partition store.Partition
	patients  []Patient // of the partition
	spread    []Patient // of persons who may be in several partitions
	guard     *consent.Guard
}

// end emits the entries of the last partition, and of the persons who may be in several.
func (w *walk) end() error {
	if err := w.endPartition(); err != nil {
		return err
	}
	w.patients = w.spread
	return w.endPartition()
}

// patient takes the next Patient in the order of the store.
func (w *walk) patient(d store.Doc, person string, explain func() (facts.PersonState, error)) error {
	p := Patient{Reference: d.Ref.String(), Source: d.Source, person: person}
	if w.list == Contradicted {
		state, err := explain()
		if err != nil {
			return err
		}
		reason := string(state.Reason)
		if !state.Contradicted {
			reason = settledReason
		}
		return w.emit(Entry{Reason: reason, Patients: []Patient{p}})
	}
	if len(w.patients) > 0 && (w.partition != d.RowID.Partition || len(w.patients) == maxPartition) {
		if err := w.endPartition(); err != nil {
			return err
		}
	}
	p.birthDate = gjson.GetBytes(d.Body, "birthDate").Str
	if w.guard.MaySpread(person) {
		w.spread = append(w.spread, p)
		return nil
	}
	w.partition, w.patients = d.RowID.Partition, append(w.patients, p)
	return nil
}

// endPartition emits the entries of the Patients of a partition.
func (w *walk) endPartition() error {
	slices.SortFunc(w.patients, func(a, b Patient) int {
		return cmp.Or(cmp.Compare(a.person, b.person), cmp.Compare(a.Source, b.Source), cmp.Compare(a.Reference, b.Reference))
	})
	defer func() { w.patients = w.patients[:0] }()
	for person := range chunksBy(w.patients, func(a, b Patient) bool { return a.person == b.person }) {
		switch {
		case len(person) < 2:
		case w.list == Differing:
			if datesDiffer(person) {
				if err := w.emit(Entry{differingReason, slices.Clone(person)}); err != nil {
					return err
				}
			}
		default:
			for source := range chunksBy(person, func(a, b Patient) bool { return a.Source == b.Source }) {
				if len(source) < 2 || source[0].Source == "" {
					continue
				}
				if err := w.emit(Entry{duplicateReason, slices.Clone(source)}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// datesDiffer reports whether two Patients have birth dates that cannot be of one day.
func datesDiffer(patients []Patient) bool {
	dates := make([]string, len(patients))
	for i, p := range patients {
		dates[i] = p.birthDate
	}
	slices.SortFunc(dates, func(a, b string) int { return len(a) - len(b) })
	for i := 1; i < len(dates); i++ { // if each date is a prefix of the next, it is one of all that follow
		if !facts.SameDate(dates[i-1], dates[i]) {
			return true
		}
	}
	return false
}

// chunksBy yields the runs of equal neighbours of a list.
func chunksBy(list []Patient, same func(a, b Patient) bool) func(func([]Patient) bool) {
	return func(yield func([]Patient) bool) {
		for start, i := 0, 1; i <= len(list); i++ {
			if i < len(list) && same(list[start], list[i]) {
				continue
			}
			if !yield(list[start:i]) {
				return
			}
			start = i
		}
	}
}
