package consent_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/consent/reindex"
	"carerecord/store"
)

// sees reports whether a View shows a document.
func (r *region) sees(p consent.Principal, typ, id string) bool {
	r.Helper()
	_, err := r.get(p, typ, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		r.Fatal(err)
	}
	return err == nil
}

func (r *region) checked() {
	r.Helper()
	if err := r.guard.CheckMemory(context.Background()); err != nil {
		r.Error(err)
	}
	r.verified()
}

// once is a hook for the first commit that has a write of a document.
func once(typ, id string, f func()) func(store.Batch) bool {
	done := false
	return func(b store.Batch) bool {
		for _, w := range b.Writes {
			if !done && w.Doc.Ref == (store.Ref{Type: typ, ID: id}) {
				done = true
				f()
				return true
			}
		}
		return false
	}
}

// TestRegisterFollowsTheStore: a Consent is updated while documents are rekeyed. The version that the rekeying
// read does not replace the new one in memory (issue 15, item 1; CON-1603).
func TestRegisterFollowsTheStore(t *testing.T) {
	for _, moment := range []string{"after the read", "after the commit"} {
		r := newRegion(t, policy.RelationshipAssumed)
		r.mustPut(r.source("G"), `{"resourceType":"Patient","id":"G.1"}`)
		r.mustPut(r.source("G"), observation("G.o", "G.1", ""))
		r.mustPut(r.source("G"), strings.Replace(optOut("G.c", "G.1"), "active", "inactive", 1))
		r.unkey("Consent", "G.c")
		acknowledged := make(chan struct{})
		update := func() {
			defer close(acknowledged)
			for errors.Is(r.put(r.source("G"), optOut("G.c", "G.1")), store.ErrConflict) {
			}
		}
		before := func(reindex.Walk) {}
		if moment == "after the read" {
			before = func(next reindex.Walk) {
				if next.Type == "Consent" && r.db.read == nil {
					r.db.read = update
				}
			}
		} else {
			begin := once("Consent", "G.c", func() { go update() })
			r.db.set(nil, func(b store.Batch, err error) error { begin(b); return err })
		}
		r.reindexing(before)
		<-acknowledged
		r.db.set(nil, nil)
		if r.sees(r.staff("A"), "Observation", "G.o") {
			t.Errorf("%s: an acknowledged opt-out is not in force", moment)
		}
		r.checked()
	}
}

// unkey gives a document other keys, as an older program would.
func (r *region) unkey(typ, id string) {
	r.Helper()
	r.rekey(typ, id, func(keys []store.Key) []store.Key { return append(keys[:1:1], keys[2:]...) })
}

// rekey gives a document the keys that change returns.
func (r *region) rekey(typ, id string, change func([]store.Key) []store.Key) {
	r.Helper()
	ref := store.Ref{Type: typ, ID: id}
	err := r.db.Reference.Read(context.Background(), func(s store.Snapshot) error {
		d, err := s.Get(context.Background(), ref)
		if err != nil {
			return err
		}
		d.Keys = change(d.Keys)
		_, err = r.db.Reference.Commit(context.Background(), store.Batch{Writes: []store.Write{{Doc: d, Expect: d.Version, KeyRevision: d.KeyRevision, Rekey: true}}})
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
}

// TestUnknownOutcomes: if the outcome of a commit is unknown, what it denies is in force and what it permits is
// not, until the document is committed again.
func TestUnknownOutcomes(t *testing.T) {
	for _, made := range []bool{true, false} {
		t.Run(fmt.Sprintf("made %v", made), func(t *testing.T) {
			r := newRegion(t, policy.RelationshipAssumed)
			r.mustPut(r.source("G"), `{"resourceType":"Patient","id":"G.1"}`)
			r.mustPut(r.source("G"), observation("G.o", "G.1", ""))
			unknown := fmt.Errorf("%w: %w", store.ErrUnavailable, store.ErrUnknown)
			lose := func() {
				if made {
					r.db.set(nil, func(_ store.Batch, err error) error { return errors.Join(err, unknown) })
				} else {
					r.db.set(func(store.Batch) error { return unknown }, nil)
				}
			}
			lose()
			if err := r.put(r.source("G"), optOut("G.c", "G.1")); !errors.Is(err, store.ErrUnknown) {
				t.Fatalf("got %v", err)
			}
			r.db.set(nil, nil)
			if r.sees(r.staff("A"), "Observation", "G.o") {
				t.Error("an opt-out of unknown outcome is not in force")
			}
			r.mustPut(r.source("G"), optOut("G.c", "G.1"))
			lose()
			if err := r.put(r.source("G"), strings.Replace(optOut("G.c", "G.1"), "active", "inactive", 1)); !errors.Is(err, store.ErrUnknown) {
				t.Fatalf("got %v", err)
			}
			r.db.set(nil, nil)
			if r.sees(r.staff("A"), "Observation", "G.o") {
				t.Error("the end of an opt-out, of unknown outcome, is in force")
			}
			r.mustPut(r.source("G"), strings.Replace(optOut("G.c", "G.1"), "active", "entered-in-error", 1))
			if !r.sees(r.staff("A"), "Observation", "G.o") {
				t.Error("the opt-out has ended, and is in force")
			}
			r.checked()
		})
	}
}

// TestNoInstantWithoutARefusal: while a commit is made, and before its writer gets the answer, nobody sees what
// an acknowledged directive covers (CON-1401).
func TestNoInstantWithoutARefusal(t *testing.T) {
	for name, c := range map[string]struct{ prepare, happens func(*region) }{
		"a Patient is created whose number a directive refuses": {
			func(r *region) { r.mustPut(r.source("A"), directive("A.c", "opt-out", logic)) },
			func(r *region) { r.mustPut(r.source("G"), patientWith("G.1", number)) },
		},
		"the Patient comes to bear the number": {
			func(r *region) {
				r.mustPut(r.source("G"), patientWith("G.1", "9990000077"))
				r.mustPut(r.source("A"), directive("A.c", "opt-out", logic))
				r.mustPut(r.source("A"), directive("A.d", "opt-out", `{"reference":"Patient/G.1"}`))
			},
			func(r *region) { r.mustPut(r.source("G"), patientWith("G.1", number)) },
		},
		"the Patient is deleted": {
			func(r *region) {
				r.mustPut(r.source("G"), patientWith("G.1", number))
				r.mustPut(r.source("A"), directive("A.c", "opt-out", logic))
			},
			func(r *region) { r.delete(r.source("G"), "Patient", "G.1") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRegion(t, policy.RelationshipAssumed)
			r.mustPut(r.source("G"), observation("G.o", "G.1", ""))
			r.mustPut(r.source("G"), byNumber("G.n", number))
			c.prepare(r)
			r.db.set(nil, func(b store.Batch, err error) error {
				for _, id := range []string{"G.o", "G.n"} {
					if r.sees(r.staff("A"), "Observation", id) {
						t.Errorf("%s is seen the moment that %v is stored", id, b.Writes[0].Doc.Ref)
					}
				}
				return err
			})
			c.happens(r)
			r.db.set(nil, nil)
			r.checked()
		})
	}
}

// TestPatientsOfUnknownOutcome: a Patient whose commit has an unknown outcome is covered by directives about
// the number, later ones too, whatever the outcome of other attempts.
func TestPatientsOfUnknownOutcome(t *testing.T) {
	for _, first := range []bool{true, false} {
		r := newRegion(t, policy.RelationshipAssumed)
		r.mustPut(r.source("G"), observation("G.o", "G.1", ""))
		refuse := func() { r.mustPut(r.source("A"), directive("A.c", "opt-out", logic)) }
		if first {
			refuse()
		}
		// The commit is made, and shows itself later than its error.
		var late store.Batch
		r.db.set(func(b store.Batch) error {
			late = b
			return fmt.Errorf("%w: %w", store.ErrUnavailable, store.ErrUnknown)
		}, nil)
		if err := r.put(r.source("G"), patientWith("G.1", number)); !errors.Is(err, store.ErrUnknown) {
			t.Fatalf("got %v", err)
		}
		r.db.set(func(store.Batch) error { return store.ErrUnavailable }, nil)
		if err := r.put(r.source("G"), patientWith("G.1", number)); err == nil {
			t.Fatal("the second attempt succeeds")
		}
		r.db.set(nil, nil)
		if !first {
			refuse()
		}
		if _, err := r.db.Reference.Commit(context.Background(), late); err != nil {
			t.Fatal(err)
		}
		r.mustPut(r.source("G"), observation("G.p", "G.1", ""))
		if r.sees(r.staff("A"), "Observation", "G.p") {
			t.Errorf("refused first %v: a row of a Patient whose number is refused is seen", first)
		}
		r.mustPut(r.source("G"), strings.Replace(patientWith("G.1", number), `"id"`, `"active":true,"id"`, 1))
		if r.sees(r.staff("A"), "Observation", "G.p") {
			t.Errorf("refused first %v: after another version it is seen", first)
		}
	}
}

// TestDenialsCoverDependents: a row by number, and its indirect dependents, are hidden from staff of their
// source from the instant on at which a Patient who denies everything gets the number.
func TestDenialsCoverDependents(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	r.mustPut(r.source("G"), byNumber("G.n", number))
	r.mustPut(r.source("G"), `{"resourceType":"List","id":"G.l","entry":[{"item":{"reference":"Observation/G.n"}}]}`)
	r.mustPut(r.source("G"), `{"resourceType":"Provenance","id":"G.p","target":[{"reference":"List/G.l"}]}`)
	r.mustPut(r.source("G"), directive("G.c", "denial", `{"reference":"Patient/A.1"}`))
	looks := 0
	r.db.set(nil, func(b store.Batch, err error) error {
		looks++
		for _, ref := range []store.Ref{{Type: "Observation", ID: "G.n"}, {Type: "List", ID: "G.l"}, {Type: "Provenance", ID: "G.p"}} {
			if r.sees(r.staff("G"), ref.Type, ref.ID) {
				t.Errorf("%s is visible after commit %d", ref, looks)
			}
		}
		return err
	})
	r.mustPut(r.source("A"), patientWith("A.1", number))
	r.db.set(nil, nil)
	if looks < 2 {
		t.Errorf("got %d commits, want the write and a page after it", looks)
	}
	r.checked()
}
