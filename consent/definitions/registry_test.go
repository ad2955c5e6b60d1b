package definitions

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"carerecord/conformance/wait"
	"carerecord/fhir/index"
	"carerecord/store"
	"carerecord/store/storetest"
)

// opened returns a Registry on a store, with a clock.
func opened(t *testing.T, db *storetest.Reference) (*Registry, *storetest.Clock) {
	t.Helper()
	clock := storetest.NewClock()
	r := New(db, db, newIndexer(t), clock.Now)
	if err := r.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r, clock
}

// hold calls Hold for a batch that brings a table and fails the test at an error.
func hold(t *testing.T, r *Registry, next *Table, completed ...uint16) (*Table, []store.StateWrite, func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait.Patience)
	defer cancel()
	table, writes, release, err := r.Hold(ctx, r.index.Installed(), next, completed)
	if err != nil {
		t.Fatal(err)
	}
	return table, writes, release
}

func define(t *testing.T, r *Registry, docs ...store.Doc) *Table {
	t.Helper()
	var written []Written
	for _, d := range docs {
		written = append(written, Written{Doc: d})
	}
	next, err := r.Define(written)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// TestFinish: the outcome of a commit decides whether its table comes into force.
func TestFinish(t *testing.T) {
	for _, c := range []struct {
		name   string
		stored bool // whether the commit was carried out
		err    error
		want   string
	}{
		{"a commit that was made", true, nil, "Patient nick 0 indexing"},
		{"a conflict", false, store.ErrConflict, ""},
		{"an error that is no ErrUnknown", false, store.ErrUnavailable, ""},
		{"an unknown outcome of a commit that was made", true, store.ErrUnknown, "Patient nick 0 indexing"},
		{"an unknown outcome of a commit that was not made", false, store.ErrUnknown, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := storetest.NewReference(nil)
			r, _ := opened(t, db)
			table, writes, release := hold(t, r, define(t, r, stored("a", "active", "nick", "string", nickname, "Patient")))
			if c.stored {
				if _, err := db.Commit(t.Context(), store.Batch{State: writes}); err != nil {
					t.Fatal(err)
				}
			}
			r.Finish(table, c.err)
			release()
			if got := spell(r.Current()); got != c.want {
				t.Errorf("table in force: got %q, want %q", got, c.want)
			}
			if err := r.CheckMemory(t.Context()); err != nil {
				t.Error(err)
			}
			select {
			case <-r.Work():
				if c.want == "" {
					t.Error("there is work without a parameter to index")
				}
			default:
				if c.want != "" {
					t.Error("there is no work for a parameter to index")
				}
			}
		})
	}
}

// TestUncertain: after a commit of unknown outcome each commit reads the table again, until the commit
// cannot be carried out any more.
func TestUncertain(t *testing.T) {
	for wait, want := range map[time.Duration]string{uncertainFor - time.Second: "Patient nick 0 indexing", uncertainFor: ""} {
		db := storetest.NewReference(nil)
		r, clock := opened(t, db)
		table, writes, release := hold(t, r, define(t, r, stored("a", "active", "nick", "string", nickname, "Patient")))
		r.Finish(table, store.ErrUnknown)
		release()
		if _, err := db.Commit(t.Context(), store.Batch{State: writes}); err != nil { // it is carried out late
			t.Fatal(err)
		}
		clock.Advance(wait)
		keyedWith := r.index.Installed()
		_, _, release, err := r.Hold(t.Context(), keyedWith, nil, nil)
		if changed := want != ""; errors.Is(err, ErrTableChanged) != changed || err != nil && !changed {
			t.Errorf("after %v: Hold for documents with the keys of the former table: got %v, want ErrTableChanged: %v", wait, err, changed)
		}
		if err == nil {
			release()
		}
		if got := spell(r.Current()); got != want {
			t.Errorf("after %v: table in force: got %q, want %q", wait, got, want)
		}
	}
}

// TestHold: documents are never committed with the keys of a table that is no longer in force.
func TestHold(t *testing.T) { synctest.Test(t, testHold) }

func testHold(t *testing.T) {
	r, _ := opened(t, storetest.NewReference(nil))
	former := r.index.Installed()
	_, _, shared := hold(t, r, nil)
	_, _, alsoShared := hold(t, r, nil) // commits that do not change the table do not wait for each other
	waits := func(name string, next *Table, completed ...uint16) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // ends at once if Hold blocks: the time is that of synctest
		defer cancel()
		if _, _, _, err := r.Hold(ctx, former, next, completed); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v, want to wait", name, err)
		}
	}
	next := define(t, r, stored("a", "active", "nick", "string", nickname, "Patient"))
	waits("a commit that changes the table while others are in flight", next)
	waits("the last commit of a walk while others are in flight", nil, index.FirstDefined)
	shared()
	alsoShared()
	table, writes, release := hold(t, r, next)
	if len(writes) != 1 || table != next {
		t.Errorf("Hold: got %d writes and table %v, want one write and the table of the batch", len(writes), table)
	}
	waits("a commit while the table changes", nil)
	r.Finish(table, nil)
	release()
	if _, _, _, err := r.Hold(t.Context(), former, nil, nil); !errors.Is(err, ErrTableChanged) {
		t.Errorf("documents with the keys of the former table: got %v, want ErrTableChanged", err)
	}
	table, _, release = hold(t, r, nil, index.FirstDefined) // the error released the table
	r.Finish(table, nil)
	release()
	if got := spell(r.Current()); got != "Patient nick 0 complete" {
		t.Errorf("after the last page of the walk: got %s", got)
	}
}

// TestLoad: a store without a table, which was restored from a backup, gets one from its definitions, and
// all parameters are to be indexed (SRCH-243).
func TestLoad(t *testing.T) {
	db := storetest.NewReference(nil)
	active, invalid := stored("a", "active", "nick", "string", nickname, "Patient"), stored("b", "active", "pet", "string", "name.(", "Patient")
	unread := stored("aa", "active", "usage", "string", nickname, "Patient") // stored before definitions were checked
	unread.Body = append(unread.Body[:len(unread.Body)-1], `,"xpathUsage":"phonetic"}`...)
	for i, d := range []store.Doc{unread, active, invalid, stored("c", "draft", "other", "string", family, "Patient")} {
		d.RowID.Partition = store.Partition(i)
		if _, err := db.Commit(t.Context(), store.Batch{Writes: []store.Write{{Doc: d}}}); err != nil {
			t.Fatal(err)
		}
	}
	r, _ := opened(t, db)
	if got := spell(r.Current()); got != "Patient nick 0 indexing" {
		t.Errorf("rebuilt table: got %s", got)
	}
	table, writes, release := hold(t, r, nil, index.FirstDefined)
	if _, err := db.Commit(t.Context(), store.Batch{State: writes}); err != nil {
		t.Fatal(err)
	}
	r.Finish(table, nil)
	release()
	again, _ := opened(t, db)
	if got := spell(again.Current()); got != "Patient nick 0 complete" {
		t.Errorf("table after a restart: got %s", got)
	}
	if err := again.install(Table{}); err != nil {
		t.Fatal(err)
	}
	if err := again.CheckMemory(t.Context()); err == nil || !strings.Contains(err.Error(), "differs from the store") {
		t.Errorf("CheckMemory of another table: got %v", err)
	}
}

// TestCheck: only SearchParameters are checked, and an update of one is checked against the others.
func TestCheck(t *testing.T) {
	r, _ := opened(t, storetest.NewReference(nil))
	if err := r.install(*define(t, r, stored("a", "active", "nick", "string", nickname, "Patient"))); err != nil {
		t.Fatal(err)
	}
	body := stored("", "active", "nick", "string", family, "Patient").Body
	for ref, want := range map[store.Ref]int{{Type: Type, ID: "a"}: 0, {Type: Type, ID: "b"}: 409, {Type: "Basic", ID: "b"}: 0} {
		if err := r.Check(ref, body); status(err) != want || err != nil && want == 0 {
			t.Errorf("%s: got %v, want status %d", ref, err, want)
		}
	}
	if got := define(t, r, stored("c", "draft", "pet", "string", family, "Patient")); got != nil {
		t.Errorf("a draft: got the table %s, want none", spell(*got))
	}
}
