package consent_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"carerecord/consent/policy"
	"carerecord/store"
)

// inState returns the values of the backlog in State, and whether there is the list of an older program.
func (r *region) inState() (values []store.StateValue, listed bool) {
	r.Helper()
	for v, err := range r.db.Values(context.Background(), "index/backlog/") {
		if err != nil {
			r.Fatal(err)
		}
		values = append(values, v)
	}
	_, err := r.db.Lookup(context.Background(), "index/backlog")
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		r.Fatal(err)
	}
	return values, err == nil
}

// TestBacklogOfAnOlderProgram: entries that an older program left in one list are processed like others, also
// after a restart, and the first commit that changes the backlog moves them.
func TestBacklogOfAnOlderProgram(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	r.mustPut(r.source("G"), body("Patient", "G.1", ""))
	r.named(many, func(i int) string { return observation(fmt.Sprintf("A.%d", i), "G.1", "") })
	r.delete(r.source("G"), "Patient", "G.1")
	values, _ := r.inState()
	if len(values) == 0 {
		t.Fatal("nothing waits: the test tests nothing")
	}
	var list []string
	b := store.Batch{}
	for _, v := range values {
		list = append(list, string(v.Value))
		b.State = append(b.State, store.StateWrite{Key: v.Key, Expires: time.Unix(0, 0)})
	}
	b.State = append(b.State, store.StateWrite{Key: "index/backlog", Value: []byte("[" + strings.Join(list, ",") + "]")})
	if _, err := r.db.Commit(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r.restart()
		r.checked()
		if n, _ := r.guard.Backlog(); n != len(values) {
			t.Errorf("%d names wait, want %d", n, len(values))
		}
		if r.sees(r.staff("G"), "Observation", r.last("Observation")) {
			t.Error("another organisation sees what is not keyed yet")
		}
	}
	err := r.guard.CatchUp(context.Background(), func(context.Context, int) error { return errStop })
	if !errors.Is(err, errStop) {
		t.Fatalf("the first page: %v", err)
	}
	r.checked()
	if got, listed := r.inState(); listed || len(got) != len(values) {
		t.Errorf("State holds %d names, want %d; there is a list: %v", len(got), len(values), listed)
	}
	r.restart()
	r.caughtUp()
	r.checked()
	if got, listed := r.inState(); listed || len(got) > 0 {
		t.Errorf("State holds %d names when all is keyed; there is a list: %v", len(got), listed)
	}
}

// TestBacklogIsWrittenByName: a commit writes only the entries that it changes (LIM-002).
func TestBacklogIsWrittenByName(t *testing.T) {
	const n = 400
	r := newRegion(t, policy.RelationshipAssumed)
	r.mustPut(r.source("G"), body("Patient", "G.1", ""))
	r.named(n, func(i int) string { return observation(fmt.Sprintf("A.%d", i), "G.1", "") })
	for i := range n {
		r.mustPut(r.source("A"), listOf(fmt.Sprintf("A.l%d", i), 1, func(int) string { return fmt.Sprintf("Observation/A.%d", i) }))
	}
	var changed []int // bytes of the backlog in each commit
	most := 0
	r.db.set(nil, func(b store.Batch, err error) error {
		written, waiting := 0, 0
		for _, w := range b.State {
			if strings.HasPrefix(w.Key, "index/backlog") {
				written += len(w.Value)
			}
		}
		changed = append(changed, written)
		values, _ := r.inState()
		for _, v := range values {
			waiting += len(v.Value)
		}
		most = max(most, waiting)
		return err
	})
	r.delete(r.source("G"), "Patient", "G.1")
	r.caughtUp()
	r.db.set(nil, nil)
	// A page of fifty documents adds fifty names.
	if got := slices.Max(changed); got*3 > most {
		t.Errorf("a commit writes %d bytes of %d that wait: %v", got, most, changed)
	}
	r.checked()
}
