package consent_test

import (
	"context"
	"errors"
	"testing"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/fhir/index"
	"carerecord/store"
)

// TestVersionsFollowTheNewest: a version from before a label is hidden with the newest one, in vread and in both
// histories (VIS-005).
func TestVersionsFollowTheNewest(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	g := r.source("G")
	r.mustPut(g, `{"resourceType":"Patient","id":"G.1","active":true}`)
	r.mustPut(g, observation("G.o", "G.1", ""))
	r.mustPut(g, observation("G.o", "G.1", `"meta":{"security":[{"code":"R"}]},`))
	ref := store.Ref{Type: "Observation", ID: "G.o"}
	for _, c := range []struct {
		name string
		p    consent.Principal
		want int
	}{{"its source", g, 2}, {"staff", r.staff("A"), 0}} {
		err := r.guard.Read(context.Background(), c.p, consent.Request{Interaction: consent.HistoryOfType, Type: "Observation"}, func(v *consent.View) error {
			if _, err := v.Version(context.Background(), ref, 1); (err == nil) != (c.want > 0) || err != nil && !errors.Is(err, store.ErrNotFound) {
				t.Errorf("VIS-005: vread by %s: got %v", c.name, err)
			}
			for _, q := range []store.HistoryQuery{{Type: "Observation"}, {Type: "Observation", ID: "G.o"}} {
				n := 0
				for _, err := range v.History(context.Background(), q) {
					if err != nil {
						return err
					}
					n++
				}
				if n != c.want {
					t.Errorf("VIS-005: history %v by %s: got %d versions, want %d", q, c.name, n, c.want)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestTracesOfDirectives: only the recorder of a Consent sees its Provenance (CON-409).
func TestTracesOfDirectives(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	g := r.source("G")
	r.mustPut(g, `{"resourceType":"Patient","id":"G.1","active":true}`)
	r.mustPut(g, observation("G.o", "G.1", ""))
	r.mustPut(g, `{"resourceType":"Consent","id":"G.c","status":"inactive","patient":{"reference":"Patient/G.1"}}`)
	for id, target := range map[string]string{"G.pc": "Consent/G.c", "G.po": "Observation/G.o"} {
		r.mustPut(g, `{"resourceType":"Provenance","id":"`+id+`","target":[{"reference":"`+target+`"}]}`)
	}
	for ods, want := range map[string]int{"G": 2, "A": 1} {
		if n, _, err := r.count(r.staff(ods), "Provenance", ""); n != want || err != nil {
			t.Errorf("CON-409: organisation %s sees %d Provenances, %v; want %d", ods, n, err, want)
		}
	}
}

// TestConditionalCreateLosesItsRace: a match that appears between the read and the commit is a conflict, and a
// hidden one is no match (REST-126, CON-1304).
func TestConditionalCreateLosesItsRace(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	key := index.DependsOnKey("Observation/never")
	create := func(p consent.Principal, between func()) error {
		req := consent.Request{Interaction: consent.Create, Type: "Provenance", Permission: consent.PermitCreate, Write: true}
		return r.guard.Read(context.Background(), p, req, func(v *consent.View) error {
			between()
			_, err := v.Commit(context.Background(), []consent.Change{{Kind: consent.ChangeCreate, Ref: store.Ref{Type: "Provenance", ID: consent.NewID()},
				Body: []byte(`{"resourceType":"Provenance","target":[{"reference":"Observation/never"}]}`), Absent: store.Eq{Key: key}, Claims: []store.Key{key}}}, nil)
			return err
		})
	}
	nothing := func() {}
	err := create(r.source("G"), func() {
		if err := create(r.source("G"), nothing); err != nil {
			t.Fatal(err)
		}
	})
	if !errors.Is(err, store.ErrConflict) {
		t.Errorf("REST-126: the slower of two: got %v, want a conflict", err)
	}
	if err := create(r.source("A"), nothing); err != nil {
		t.Errorf("CON-1304: a row of another source is no match: got %v", err)
	}
}
