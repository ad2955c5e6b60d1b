package rest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/conformance/wait"
	"carerecord/consent"
	"carerecord/consent/reindex"
	"carerecord/store"
	"carerecord/store/storetest"
)

// TestIndexingResumes: writes go on while documents are walked, a walk that breaks
// off goes on in the next process, what is defined meanwhile waits for a walk of
// its own, and the answer is that of a scan (SRCH-242, 244).
func TestIndexingResumes(t *testing.T) {
	onBoth(t, func(d *defining) {
		n := 0
		add := func() {
			n++
			d.add("Patient", fmt.Sprintf(`"name":[{"use":"%s","given":["Bob%d"]}]`, []string{"nickname", "official"}[n%2], n))
		}
		for range 230 {
			add()
		}
		d.want(201, "PUT", "/SearchParameter/nick", definition("nick", "active", "nickname", "string", nickname, "Patient"))
		killed := errors.New("killed")
		pages := 0
		err := d.walk(func(at reindex.Walk) error {
			add()
			d.indexing("Patient?nickname=bob")
			if pages++; pages == 2 {
				d.want(201, "PUT", "/SearchParameter/off", definition("off", "active", "official", "string", "Patient.name.where(use = 'official').given", "Patient"))
				return killed
			}
			return nil
		})
		if !errors.Is(err, killed) {
			t.Fatalf("the walk ended with %v", err)
		}
		next := define(d.t, d.db) // the next process
		d.guard, d.Handler = next.guard, next.Handler
		d.indexing("Patient?nickname=bob")
		read := 0
		if err := d.walk(func(at reindex.Walk) error {
			add()
			if at.Done && len(at.Parameters) == 1 && read == 0 {
				if read = at.Read; at.Resumed != 1 || !slices.Equal(at.Types, []string{"Patient"}) {
					t.Errorf("SRCH-242: the walk that broke off: %+v", at)
				}
				d.want(200, "GET", "/Patient?nickname=bob", "")
				d.indexing("Patient?official=bob")
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for i, name := range []string{"nickname", "official"} {
			if got, want := len(d.found("Patient?"+name+"=bob&_count=1000")), (n+i)/2; got != want {
				t.Errorf("SRCH-244: %s: got %d, a scan gives %d", name, got, want)
			}
		}
		d.sound()
	})
}

// TestKeyedBefore: a document that was keyed before a parameter was defined, and is
// committed when all others were walked, is not taken (SRCH-244).
func TestKeyedBefore(t *testing.T) {
	onBoth(t, func(d *defining) {
		ctx := context.Background()
		body := []byte(`{"resourceType":"Patient","name":[{"use":"nickname","given":["Bob"]}]}`)
		write := func(meanwhile func()) error {
			return d.guard.Read(ctx, consent.Principal{Kind: consent.System}, consent.Request{Interaction: consent.Create, Type: "Patient", Write: true}, func(v *consent.View) error {
				_, err := v.Commit(ctx, []consent.Change{{Kind: consent.ChangeCreate, Ref: store.Ref{Type: "Patient", ID: consent.NewID()}, Body: body}}, func([]consent.Result) ([][]byte, error) {
					meanwhile()
					return nil, nil
				})
				return err
			})
		}
		if err := write(func() {}); err != nil {
			t.Fatal(err)
		}
		err := write(func() {
			d.want(201, "PUT", "/SearchParameter/nick", definition("nick", "active", "nickname", "string", nickname, "Patient"))
			d.complete()
		})
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("SRCH-244: got %v, want a conflict", err)
		}
		if err := write(func() {}); err != nil {
			t.Fatal(err)
		}
		if got := d.found("Patient?nickname=bob"); len(got) != 2 {
			t.Errorf("got %v", got)
		}
		d.sound()
	})
}

// TestDefinitionsRestored: a store without a table, as a restore makes it, gets it
// from the definitions that stand, and answers from none before it was walked.
func TestDefinitionsRestored(t *testing.T) {
	onBoth(t, func(d *defining) {
		id := d.add("Patient", `"name":[{"use":"nickname","given":["Bob"]}]`)
		d.want(201, "PUT", "/SearchParameter/nick", definition("nick", "active", "nickname", "string", nickname, "Patient"))
		d.want(201, "PUT", "/SearchParameter/draft", definition("draft", "draft", "other", "string", nickname, "Patient"))
		d.complete()
		if _, err := d.db.Take(context.Background(), "index/parameters"); err != nil {
			t.Fatal(err)
		}
		next := define(d.t, d.db)
		next.indexing("Patient?nickname=bob")
		next.complete()
		if got := next.found("Patient?nickname=bob"); !slices.Equal(got, []string{id}) {
			t.Errorf("got %v", got)
		}
		next.sound()
	})
}

// TestReindexCompletes: a walk over all documents completes what was defined
// before it began.
func TestReindexCompletes(t *testing.T) {
	onBoth(t, func(d *defining) {
		id := d.add("Patient", `"name":[{"use":"nickname","given":["Bob"]}]`)
		d.want(201, "PUT", "/SearchParameter/nick", definition("nick", "active", "nickname", "string", nickname, "Patient"))
		_, err := reindex.New(d.guard, d.db, time.Now).All(context.Background(), func(_ context.Context, at reindex.Walk) error {
			if !at.Done && at.Round == 0 && at.Type == "Account" {
				d.want(201, "PUT", "/SearchParameter/off", definition("off", "active", "official", "string", nickname, "Patient"))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := d.found("Patient?nickname=bob"); !slices.Equal(got, []string{id}) {
			t.Errorf("got %v", got)
		}
		d.indexing("Patient?official=bob")
		d.complete()
		d.sound()
	})
}

// TestDefinitionsRaced: writes, definitions and walks at once leave nothing out
// (SRCH-244).
func TestDefinitionsRaced(t *testing.T) {
	onBoth(t, func(d *defining) {
		var group sync.WaitGroup
		end := time.Now().Add(time.Second)
		var walks atomic.Int64 // that ended
		for w := range 3 {
			group.Go(func() {
				for i := 0; time.Now().Before(end); i++ {
					d.add("Patient", fmt.Sprintf(`"name":[{"use":"nickname","given":["Bob%d-%d"]}]`, w, i))
				}
			})
		}
		group.Go(func() {
			for i := 0; time.Now().Before(end); i++ {
				d.want([]int{201, 200}[min(i, 1)], "PUT", "/SearchParameter/nick", definition("nick", "active", "nickname", "string", []string{nickname, nickname + " | Patient.name.family"}[i%2], "Patient"))
				if i%2 == 1 { // every other definition meets the walk of the one before
					from := walks.Load()
					wait.Until(func() bool { return walks.Load() > from || time.Now().After(end) })
				}
			}
		})
		group.Go(func() {
			for time.Now().Before(end) {
				if err := d.walk(nil); err != nil {
					t.Error(err)
				}
				walks.Add(1)
				before := gjson.Get(d.want(200, "GET", "/Patient?_summary=count", "").Body.String(), "total").Int()
				if w := send(d, "GET", "/Patient?nickname=bob&_summary=count", ""); w.Code == 200 {
					if got := gjson.Get(w.Body.String(), "total").Int(); got < before {
						t.Errorf("SRCH-243: %d of at least %d from half an index", got, before)
					}
				}
			}
		})
		group.Wait()
		d.complete()
		want := gjson.Get(d.want(200, "GET", "/Patient?_summary=count", "").Body.String(), "total").Int()
		if got := gjson.Get(d.want(200, "GET", "/Patient?nickname=bob&_summary=count", "").Body.String(), "total").Int(); got != want || want == 0 {
			t.Errorf("SRCH-244: got %d of %d", got, want)
		}
		d.sound()
	})
}

// forgetful is a store that commits once without saying so, or later, and whose State
// does not answer for a while.
type forgetful struct {
	engine
	forgets, silent, later bool
	kept                   store.Batch // what is to be committed later
}

func (f *forgetful) Commit(ctx context.Context, b store.Batch) (uint64, error) {
	if f.forgets && f.later {
		f.forgets, f.kept = false, b
		return 0, errors.Join(store.ErrUnavailable, store.ErrUnknown)
	}
	seq, err := f.engine.Commit(ctx, b)
	if f.forgets && err == nil {
		f.forgets = false
		return 0, errors.Join(store.ErrUnavailable, store.ErrUnknown)
	}
	return seq, err
}

func (f *forgetful) Lookup(ctx context.Context, key string) ([]byte, error) {
	if f.silent {
		return nil, store.ErrUnavailable
	}
	return f.engine.Lookup(ctx, key)
}

// TestDefinitionLate: a definition of which nobody knew whether it was stored is in force
// when it is carried out behind other commits (SRCH-242).
func TestDefinitionLate(t *testing.T) {
	f := &forgetful{engine: storetest.NewReference(time.Now)}
	d := define(t, f)
	d.want(201, "PUT", "/SearchParameter/alias", definition("alias", "active", "alias", "string", nickname, "Patient"))
	f.forgets, f.later = true, true
	d.want(503, "PUT", "/SearchParameter/nick", definition("nick", "active", "nickname", "string", nickname, "Patient"))
	d.add("Patient", `"name":[{"use":"nickname","given":["Al"]}]`)
	if _, err := f.engine.Commit(t.Context(), f.kept); err != nil {
		t.Fatal(err)
	}
	id := d.add("Patient", `"name":[{"use":"nickname","given":["Bob"]}]`)
	d.indexing("Patient?nickname=bob")
	d.complete()
	for _, name := range []string{"nickname", "alias"} {
		if got := d.found("Patient?" + name + "=bob"); !slices.Equal(got, []string{id}) {
			t.Errorf("%s: got %v", name, got)
		}
	}
	d.sound()
}

// TestDefinitionUnknown: where nobody knows whether a definition was stored, no
// document is written before the table was read again.
func TestDefinitionUnknown(t *testing.T) {
	for _, silent := range []bool{false, true} {
		f := &forgetful{engine: storetest.NewReference(time.Now)}
		d := define(t, f)
		f.forgets, f.silent = true, silent
		d.want(503, "PUT", "/SearchParameter/nick", definition("nick", "active", "nickname", "string", nickname, "Patient"))
		if silent {
			d.want(503, "POST", "/Patient", `{"resourceType":"Patient"}`)
			f.silent = false
		}
		id := d.add("Patient", `"name":[{"use":"nickname","given":["Bob"]}]`)
		d.indexing("Patient?nickname=bob")
		d.complete()
		if got := d.found("Patient?nickname=bob"); !slices.Equal(got, []string{id}) {
			t.Errorf("got %v", got)
		}
		d.sound()
	}
}
