package join

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"carerecord/fhir/index"
	"carerecord/store"
)

// referredPatients yields the Patients to whom documents of a type refer, in the order of the store.
// Those documents are in the partitions of their patients, so one scan of them yields the Patients in
// order. Documents that refer to a Patient in another partition have a key for it
// (index.CrossPartitionRefs); they are read first.
type referredPatients struct {
	exec      *Executor
	has       Has
	referrers *Stream
	budget    int                    // rows that loadStrays may take from referrers
	strays    []store.RowID          // of Patients to whom another partition refers, sorted
	strayIDs  map[store.RowID]string // their ids; nil before loadStrays
}

// errOverBudget: so many documents refer to a Patient in another partition that the forward scan may be
// cheaper. It does not leave the package.
var errOverBudget = errors.New("join: too many documents refer to another partition")

// loadStrays reads the documents that refer to a Patient in another partition. It returns errOverBudget if
// they are more than the budget.
func (r *referredPatients) loadStrays(ctx context.Context) error {
	if r.strayIDs != nil {
		return nil
	}
	stray, err := r.exec.view.Index().CrossPartitionRefs(r.has.Type, r.has.Param)
	if err != nil {
		return err
	}
	referrers := *r.referrers
	referrers.where = append(slices.Clone(referrers.where), stray)
	var docs []store.Doc
	ids := idSet{}
	take := func() error {
		to, err := r.has.targetsOf(ctx, r.exec, docs)
		for id := range to {
			ids[id] = true
		}
		docs = docs[:0]
		return err
	}
	read := 0
	for d, err := range referrers.Rows(ctx, nil) {
		if read++; err == nil && read > r.budget {
			return errOverBudget
		}
		if docs = append(docs, d); err == nil && len(docs) == LookupChunk {
			err = take()
		}
		if err != nil {
			return fmt.Errorf("stream _has: %w", err)
		}
	}
	if err := take(); err != nil {
		return fmt.Errorf("stream _has: %w", err)
	}
	found := map[store.RowID]string{}
	for chunk := range slices.Chunk(ids.list(), LookupChunk) {
		q, err := byIDs(r.exec.view.Index(), "Patient", chunk)
		if err != nil {
			return err
		}
		q.KeysOnly = true
		for d, err := range r.exec.scan(ctx, q) {
			if err != nil {
				return fmt.Errorf("stream _has: %w", err)
			}
			found[d.RowID] = d.Ref.ID
		}
	}
	r.strayIDs, r.strays = found, slices.SortedFunc(maps.Keys(found), store.RowID.Compare)
	return nil
}

// addReferred adds the Patients to whom a document refers, as if all were in its partition. Those who are not are in
// strays too, and no row is found for their RowID here.
func (r *referredPatients) addReferred(d store.Doc, to map[store.RowID]string) error {
	ids, err := r.has.targets(r.exec, d)
	for _, id := range ids {
		to[index.PatientRowID(d.RowID.Partition, id)] = id
	}
	return err
}

// after yields the Patients after a row, each once, in order.
func (r *referredPatients) after(ctx context.Context, row *store.RowID) iter.Seq2[endPatient, error] {
	return func(yield func(endPatient, error) bool) {
		if err := r.loadStrays(ctx); err != nil {
			yield(endPatient{}, err)
			return
		}
		strays := r.strays
		if row != nil && r.exec.followsPersons("Patient") {
			row = partitionStart(row)
		}
		if row != nil {
			i, found := slices.BinarySearchFunc(strays, *row, store.RowID.Compare)
			if found {
				i++
			}
			strays = strays[i:]
		}
		for p, err := range r.samePartition(ctx, row) {
			for err == nil && len(strays) > 0 && strays[0].Compare(p.row) <= 0 {
				if strays[0] != p.row && !yield(endPatient{row: strays[0], id: r.strayIDs[strays[0]]}, nil) {
					return
				}
				strays = strays[1:]
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
		for _, id := range strays {
			if !yield(endPatient{row: id, id: r.strayIDs[id]}, nil) {
				return
			}
		}
	}
}

// samePartition yields the Patients after a row to whom a document of their own partition refers,
// each once, in order.
func (r *referredPatients) samePartition(ctx context.Context, after *store.RowID) iter.Seq2[endPatient, error] {
	return func(yield func(endPatient, error) bool) {
		referred, partition := map[store.RowID]string{}, store.Partition(0)
		persons := r.exec.followsPersons("Patient") // another Patient of the person may be after the row
		flush := func() bool {
			for _, row := range slices.SortedFunc(maps.Keys(referred), store.RowID.Compare) {
				if row.Partition == partition && (after == nil || persons || row.Compare(*after) > 0) && !yield(endPatient{row: row, id: referred[row]}, nil) {
					return false
				}
			}
			clear(referred)
			return true
		}
		for d, err := range r.referrers.Rows(ctx, partitionStart(after)) {
			if err == nil && d.RowID.Partition != partition {
				if !flush() {
					return
				}
				partition = d.RowID.Partition
			}
			if err == nil {
				err = r.addReferred(d, referred)
			}
			if err != nil {
				yield(endPatient{}, err)
				return
			}
		}
		flush()
	}
}
