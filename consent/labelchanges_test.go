package consent_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"carerecord/consent"
	"carerecord/fhir/index"
	"carerecord/store"
)

// member is an observation that refers to A.o.
func member(id string) string {
	return observation(id, "A.1", `"hasMember":[{"reference":"Observation/A.o","display":"secret"}],`)
}

// TestLabelsNeverBlockAWrite: a row is written from a snapshot in which the row that it refers to has no label
// yet. The write succeeds at the first attempt, and the reference is cut (LIM-002, CON-1201).
func TestLabelsNeverBlockAWrite(t *testing.T) {
	r := newRegion(t, "assumed")
	r.mustPut(r.source("A"), patientWith("A.1", number))
	r.mustPut(r.source("A"), observation("A.o", "A.1", ""))
	err := r.putAfter(r.source("A"), member("A.r"), func() {
		r.mustPut(r.source("A"), observation("A.o", "A.1", sensitive))
	})
	if err != nil {
		t.Fatalf("a write during a change of labels: %v", err)
	}
	r.cuts("Observation", member("A.r"), observation("A.r", "A.1", ""))
}

// TestLabelsWaitForEarlierWrites: a row is labelled while a commit of a row that refers to it is in flight. The
// label is committed after it, so that the row is marked with the others. A later row that does not see the
// label adds an entry for itself.
func TestLabelsWaitForEarlierWrites(t *testing.T) {
	r := newRegion(t, "assumed")
	r.mustPut(r.source("A"), patientWith("A.1", number))
	r.mustPut(r.source("A"), observation("A.o", "A.1", ""))
	reached, release := make(chan struct{}), make(chan struct{})
	later, marked := make(chan struct{}), make(chan struct{})
	var landed atomic.Bool
	r.db.set(func(b store.Batch) error {
		for _, w := range b.Writes {
			switch w.Doc.Ref.ID {
			case "A.r":
				if !w.Rekey {
					close(reached)
					<-release
					landed.Store(true)
				}
			case "A.later":
				if w.Rekey {
					break
				}
				close(later)
				if !r.guard.AddsStale() {
					<-marked
				}
			case "A.o":
				if !landed.Load() {
					t.Error("the label lands before the row that did not see it")
				}
			}
		}
		return nil
	}, nil)
	var all sync.WaitGroup
	all.Go(func() { r.mustPut(r.source("A"), member("A.r")) })
	<-reached
	var labelled atomic.Bool
	all.Go(func() {
		r.mustPut(r.source("A"), observation("A.o", "A.1", sensitive))
		labelled.Store(true)
		close(marked)
	})
	for !r.guard.Relabels("nhs:"+number) && !labelled.Load() {
		runtime.Gosched()
	}
	all.Go(func() { r.mustPut(r.source("A"), member("A.later")) })
	<-later
	close(release)
	all.Wait()
	r.cuts("Observation", member("A.r"), observation("A.r", "A.1", ""))
	if got := r.shown(r.staff("G"), "Observation", "A.later"); got != observation("A.later", "A.1", "") {
		t.Errorf("the later row is shown as\n%s", got)
	}
}

// TestConcurrentLabelsAndRows: rows are written, labels are set and removed, and people read, at the same time.
// No View shows a reference to a row that it hides, and in the end all marks are those of a rebuild.
func TestConcurrentLabelsAndRows(t *testing.T) {
	r := newRegion(t, "assumed")
	r.mustPut(r.source("A"), patientWith("A.1", number))
	r.mustPut(r.source("A"), observation("A.o", "A.1", ""))
	const writers, writes = 3, 40
	var all, readers sync.WaitGroup
	var over atomic.Bool
	again := func(write func() error) {
		for {
			if err := write(); err == nil {
				return
			} else if !errors.Is(err, store.ErrConflict) {
				t.Error(err)
				return
			}
		}
	}
	for w := range writers {
		draw := rand.New(rand.NewPCG(uint64(w), 1))
		all.Go(func() {
			for range writes {
				id := fmt.Sprintf("A.r%d.%d", w, draw.IntN(4))
				again(func() error { return r.put(r.source("A"), member(id)) })
			}
		})
	}
	all.Go(func() {
		for n := range writes {
			label := consent.Change{Kind: consent.ChangeUpdate, Ref: store.Ref{Type: "Observation", ID: "A.o"}, ExactMeta: true,
				Body: []byte(observation("A.o", "A.1", []string{"", sensitive}[n%2]))}
			again(func() error { return r.change(r.source("A"), label) })
		}
	})
	for range 2 {
		readers.Go(func() {
			for !over.Load() {
				r.consistent()
			}
		})
	}
	all.Wait()
	over.Store(true)
	readers.Wait()
	r.consistent()
	r.checked()
}

func (r *region) change(p consent.Principal, change consent.Change) error {
	req := consent.Request{Interaction: consent.Update, Type: change.Ref.Type, Permission: consent.PermitUpdate, Write: true}
	return r.guard.Read(context.Background(), p, req, func(v *consent.View) error {
		_, err := v.Commit(context.Background(), []consent.Change{change}, nil)
		return err
	})
}

// consistent checks that a View that hides A.o shows no reference to it, and one that shows it shows every
// reference.
func (r *region) consistent() {
	r.within(r.staff("G"), func(v *consent.View) {
		_, err := v.Get(context.Background(), store.Ref{Type: "Observation", ID: "A.o"})
		for d, failed := range v.Scan(context.Background(), store.Query{Type: "Observation", Where: store.And{}}) {
			if told := strings.Contains(string(d.Body), "secret"); failed != nil || d.Ref.ID != "A.o" && told != (err == nil) {
				r.Errorf("A.o is hidden: %v; %s is shown as %s (%v)", err != nil, d.Ref, d.Body, failed)
			}
		}
	})
}

// TestManyLabelledRows: with more labelled rows of a person than are listed, references are looked up one by
// one.
func TestManyLabelledRows(t *testing.T) {
	r := newRegion(t, "assumed")
	r.mustPut(r.source("A"), patientWith("A.1", number))
	for n := range 120 {
		r.create(r.source("A"), observation(fmt.Sprintf("l%d", n), "A.1", sensitive))
	}
	r.mustPut(r.source("A"), observation("A.o", "A.1", sensitive))
	c := referring["entry of a List"]
	r.mustPut(r.source("A"), observation("A.p", "A.1", ""))
	r.mustPut(r.source("A"), c.body)
	r.cuts("List", c.body, c.cut)
}

// TestWalkMarks: a walk marks documents that were keyed before marks existed, also a row that it reads before
// the labelled row.
func TestWalkMarks(t *testing.T) {
	r := newRegion(t, "assumed")
	r.mustPut(r.source("A"), patientWith("A.1", number))
	r.mustPut(r.source("A"), observation("A.p", "A.1", ""))
	body := `{"resourceType":"AllergyIntolerance","id":"A.r",%s"patient":{"reference":"Patient/A.1"}}`
	whole := fmt.Sprintf(body, `"extension":[{"url":"http://e","valueReference":{"reference":"Observation/A.o","display":"secret"}}],`)
	r.mustPut(r.source("A"), whole)
	r.mustPut(r.source("A"), observation("A.o", "A.1", sensitive))
	older := func(keys []store.Key) []store.Key {
		return slices.DeleteFunc(slices.Clone(keys), func(k store.Key) bool {
			return strings.HasPrefix(string(k), string(index.LabelledPrefix())) || k == index.FactKey("points")
		})
	}
	r.rekey("AllergyIntolerance", "A.r", older)
	r.rekey("Observation", "A.o", older)
	r.restart()
	r.reindex()
	r.cuts("AllergyIntolerance", whole, fmt.Sprintf(body, ""))
}
