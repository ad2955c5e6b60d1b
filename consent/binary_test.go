package consent_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"carerecord/consent"
	"carerecord/consent/consenttest"
	"carerecord/fhir/index"
	"carerecord/store"
)

// TestBinaryNeedsVisibleParent: a Binary is visible to everybody who sees a document that attaches it, or the
// target of its securityContext, and to nobody else (SMART-257, CON-1206): in reads, searches, counts and
// histories.
func TestBinaryNeedsVisibleParent(t *testing.T) {
	r := newRegion(t, "assumed")
	g := r.source("A")
	r.mustPut(g, `{"resourceType":"Patient","id":"A.1"}`)
	r.mustPut(g, seen)
	r.mustPut(g, `{"resourceType":"Binary","id":"A.attached","contentType":"text/plain","data":"b25l"}`)
	r.mustPut(g, `{"resourceType":"Binary","id":"A.governed","contentType":"text/plain","securityContext":{"reference":"Observation/A.o"},"data":"b25l"}`)
	r.mustPut(g, `{"resourceType":"Binary","id":"A.alone","contentType":"text/plain","data":"b25l"}`)
	r.mustPut(g, `{"resourceType":"DocumentReference","id":"A.d","status":"current","subject":{"reference":"Patient/A.1"},"content":[{"attachment":{"title":"t","url":"Binary/A.attached"}}]}`)
	document := consenttest.Trait{Type: "DocumentReference"}
	one := consenttest.Trait{Type: "Observation", Param: "code", Value: "one"}
	cut := consenttest.Rule{Patient: "A.1", Trait: document, Cut: []string{"DocumentReference.content.attachment.url"}}
	for _, c := range []struct {
		name, scopes              string
		decision                  consenttest.Decision
		attached, governed, alone bool
	}{
		{"nothing is decided", "user/*.rs", consenttest.Decision{}, true, true, true},
		{"no scope on the parent", "user/Binary.rs", consenttest.Decision{}, false, false, true},
		{"a search of documents", "user/Binary.rs user/DocumentReference.s", consenttest.Decision{}, true, false, true},
		{"a read of documents", "user/Binary.rs user/DocumentReference.r", consenttest.Decision{}, true, false, true},
		{"writing documents", "user/Binary.rs user/DocumentReference.cud", consenttest.Decision{}, false, false, true},
		{"no permission left on documents", "user/*.rs", consenttest.Decision{Permissions: map[string]string{"DocumentReference": ""}}, false, true, true},
		{"documents of everybody hidden", "user/*.rs", consenttest.Decision{Rules: []consenttest.Rule{{Trait: document, Hide: true}}}, false, true, true},
		{"documents of the patient hidden", "user/*.rs", consenttest.Decision{Rules: []consenttest.Rule{{Patient: "A.1", Trait: document, Hide: true}}}, false, true, true},
		{"the address cut", "user/*.rs", consenttest.Decision{Rules: []consenttest.Rule{cut}}, false, true, true},
		{"the observation hidden", "user/*.rs", consenttest.Decision{Rules: []consenttest.Rule{{Patient: "A.1", Trait: one, Hide: true}}}, true, false, true},
	} {
		r.decider.Set(c.decision)
		p := r.staff("A")
		p.Scopes = scopes(t, c.scopes)
		want := map[string]bool{"A.attached": c.attached, "A.governed": c.governed, "A.alone": c.alone}
		req := consent.Request{Interaction: consent.Search, Type: "Binary", Permission: consent.PermitSearch}
		err := r.guard.Read(context.Background(), p, req, func(v *consent.View) error { r.seesBinaries(v, c.name, want); return nil })
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// seesBinaries queries a View for Binaries in every possible way.
func (r *region) seesBinaries(v *consent.View, name string, want map[string]bool) {
	r.Helper()
	ctx, found, n := context.Background(), map[string]bool{}, 0
	for d, err := range v.Scan(ctx, store.Query{Type: "Binary", Where: store.And{}}) {
		if err != nil {
			r.Fatal(err)
		}
		found[d.Ref.ID] = true
	}
	for id, there := range want {
		ref := store.Ref{Type: "Binary", ID: id}
		_, read := v.Get(ctx, ref)
		_, past := v.Version(ctx, ref, 1)
		listed := 0
		for _, err := range v.History(ctx, store.HistoryQuery{Type: "Binary", ID: id}) {
			if err != nil {
				r.Fatal(err)
			}
			listed++
		}
		if there {
			n++
		}
		for how, got := range map[string]bool{"a search": found[id], "a read": !errors.Is(read, store.ErrNotFound), "a version": !errors.Is(past, store.ErrNotFound), "the history": listed == 1} {
			if got != there {
				r.Errorf("SMART-257: %s: %s finds %s: %v, want %v", name, how, ref, got, there)
			}
		}
	}
	if got, err := v.Count(ctx, store.Query{Type: "Binary", Where: store.And{}}, 0); got != n || err != nil {
		r.Errorf("SMART-257: %s: a count is %d (%v), want %d", name, got, err, n)
	}
}

// TestConcurrentBinaryAndDocument: a document that attaches a Binary and the Binary are stored at the same
// time. The slower commit is a conflict, so the Binary never lacks the owner of its document (CON-406,
// SMART-257).
func TestConcurrentBinaryAndDocument(t *testing.T) {
	for typ, document := range map[string]string{
		"DocumentReference": `{"resourceType":"DocumentReference","id":"A.d","status":"current","subject":{"reference":"Patient/A.1"},"content":[{"attachment":{"url":"Binary/A.b"}}]}`,
		"Media":             `{"resourceType":"Media","id":"A.d","status":"completed","subject":{"reference":"Patient/A.1"},"content":{"url":"Binary/A.b"}}`,
		"DiagnosticReport":  `{"resourceType":"DiagnosticReport","id":"A.d","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/A.1"},"presentedForm":[{"url":"Binary/A.b"}]}`,
	} {
		binary := `{"resourceType":"Binary","id":"A.b","contentType":"text/plain","data":"b25l"}`
		for _, c := range []struct{ slow, quick string }{{binary, document}, {document, binary}} {
			r := newRegion(t, "assumed")
			g := r.source("A")
			r.mustPut(g, `{"resourceType":"Patient","id":"A.1"}`)
			err := r.putAfter(g, c.slow, func() { r.mustPut(g, c.quick) })
			if !errors.Is(err, store.ErrConflict) {
				t.Errorf("%s: what was stored meanwhile is not noticed: %v", typ, err)
			}
			r.mustPut(g, c.slow)
			if owners := r.ownersOf("Binary", "A.b"); !slices.Equal(owners, []string{"A.1"}) {
				t.Errorf("%s: the Binary is about %v, want A.1", typ, owners)
			}
		}
	}
}

// ownersOf returns the owners of a stored document.
func (r *region) ownersOf(typ, id string) (owners []string) {
	r.Helper()
	err := r.db.Read(context.Background(), func(s store.Snapshot) error {
		d, err := s.Get(context.Background(), store.Ref{Type: typ, ID: id})
		owners = index.Owners(d.Keys)
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
	return owners
}
