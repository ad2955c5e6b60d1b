package register_test

import (
	"errors"
	"testing"

	"carerecord/consent/register"
	"carerecord/fhir/index"
	"carerecord/store"
	"carerecord/store/storetest"
)

const number = "nhs:9434765919"

// consent is a version of a Consent with an opt-out of a person; an empty name is for none.
func consent(version uint64, name string) store.Doc {
	d := store.Doc{Ref: store.Ref{Type: "Consent", ID: "c"}, Version: version}
	if name != "" {
		d.Keys = store.Sorted([]store.Key{index.CoversKey(name), index.FactKey(index.FactOptOut)})
	}
	return d
}

// patient is a Patient with the number.
func patient(id string) store.Doc {
	return store.Doc{Ref: store.Ref{Type: "Patient", ID: id}, Version: 1, Keys: []store.Key{index.BearsKey(number)}}
}

// TestDenialsFirst: what a commit denies is in force before it, what it permits only after it,
// and what a commit of unknown outcome denies stays in force (CON-1603).
func TestDenialsFirst(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, next  store.Doc
		outcome       error
		during, after bool
	}{
		{"an opt-out", consent(1, ""), consent(2, "p"), nil, true, true},
		{"an opt-out that fails", consent(1, ""), consent(2, "p"), errors.New("disk"), true, false},
		{"an opt-out of unknown outcome", consent(1, ""), consent(2, "p"), store.ErrUnknown, true, true},
		{"its end", consent(1, "p"), consent(2, ""), nil, true, false},
		{"an end that fails", consent(1, "p"), consent(2, ""), errors.New("disk"), true, true},
		{"an end of unknown outcome", consent(1, "p"), consent(2, ""), store.ErrUnknown, true, true},
	} {
		r := register.New(func(name string) bool { return name == number }, func(string) bool { return false })
		commit(r, c.before)
		writes := []store.Write{{Doc: c.next}}
		r.Begin(writes)
		during := r.Observe().Sets().OptedOut.Has("p")
		r.End(writes, func(*store.Write) bool { return true }, c.outcome)
		after := r.Observe().Sets().OptedOut.Has("p")
		if during != c.during || after != c.after {
			t.Errorf("%s: in force during the commit %v, after it %v; want %v, %v", c.name, during, after, c.during, c.after)
		}
	}
}

// TestNumbers: a directive by number covers every Patient with the number, and one by the id of a
// Patient covers rows that name the Patient's number, but no other Patient (CON-406).
func TestNumbers(t *testing.T) {
	for name, want := range map[string]map[string]bool{
		number: {number: true, "a": true, "b": true, "c": false},
		"a":    {number: true, "a": true, "b": true, "c": false},
	} {
		r := register.New(func(name string) bool { return name == number }, func(string) bool { return false })
		commit(r, consent(1, name))
		commit(r, patient("a"))
		commit(r, patient("b"))
		for of, want := range want {
			if got := r.Observe().Sets().OptedOut.Has(of); got != want {
				t.Errorf("an opt-out of %s: %s is covered: %v, want %v", name, of, got, want)
			}
		}
	}
}

func commit(r *register.Register, d store.Doc) {
	writes := []store.Write{{Doc: d}}
	r.Begin(writes)
	r.End(writes, func(w *store.Write) bool { return r.NeedsOrder(store.Doc{}, w.Doc) }, nil)
}

// TestRestoredWhileForgotten: a deleted Patient with a restriction is restored while it is forgotten: a directive by a number that it
// had stays in force for it during the commit (CON-1603).
func TestRestoredWhileForgotten(t *testing.T) {
	r := register.New(func(name string) bool { return name == number }, func(string) bool { return false })
	commit(r, consent(1, number))
	ref := store.Ref{Type: "Patient", ID: "p"}
	live := store.Doc{Ref: ref, Version: 1, Origin: store.Updated, Keys: store.Sorted([]store.Key{index.BearsKey(number), index.FactKey(index.FactRestricted)})}
	commit(r, live)
	tombstone := live
	tombstone.Version, tombstone.Origin = 2, store.Deleted
	db := storetest.NewReference(nil)
	db.Seed([]store.Doc{live, tombstone})
	ordered := func(*store.Write) bool { return true }
	deletion := []store.Write{{Doc: tombstone}}
	r.Begin(deletion)
	deleted := r.End(deletion, ordered, nil)
	restored := live
	restored.Version, restored.Keys = 3, []store.Key{index.BearsKey(number)}
	restoring := []store.Write{{Doc: restored}}
	r.Begin(restoring)
	identifiers, patients := r.NewNames(restoring)
	if err := r.FindPatients(t.Context(), db, identifiers, patients); err != nil {
		t.Fatal(err)
	}
	r.Forget(deleted)
	if !r.Observe().Sets().OptedOut.Has("p") {
		t.Error("during the commit the directive does not cover the Patient")
	}
	r.End(restoring, ordered, nil)
	if !r.Observe().Sets().OptedOut.Has("p") {
		t.Error("after the commit the directive does not cover the Patient")
	}
}
