package consent_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"carerecord/consent"
	"carerecord/consent/consenttest"
	"carerecord/fhir/index"
	"carerecord/store"
)

// mixedRegion is a region with a few directives and irregular documents of every kind: labelled, without an
// existing owner, with several owners, in a partition of their own, with mentions, or directives.
func mixedRegion(t *testing.T, r *rand.Rand) *region {
	t.Helper()
	reg := newRegion(t, "assumed")
	const patients = 24
	for i := range patients {
		g := reg.source([]string{"A", "G"}[r.IntN(2)])
		label := ""
		if r.IntN(10) == 0 {
			label = `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]},`
		}
		reg.mustPut(g, fmt.Sprintf(`{"resourceType":"Patient","id":"%s%d",%s"gender":"male"}`, g.IDPrefix, i, label))
		own := fmt.Sprintf("%s%d", g.IDPrefix, i)
		for n := range 8 {
			g := reg.source([]string{"A", "G"}[r.IntN(2)])
			id, extra, subject := fmt.Sprintf("%so%d.%d", g.IDPrefix, i, n), "", own
			switch r.IntN(8) {
			case 0:
				extra = `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]},`
			case 3:
				extra = fmt.Sprintf(`"hasMember":[{"reference":"Observation/%so%d.%d"}],`, []string{"A.", "G."}[r.IntN(2)], i, r.IntN(n+1))
			case 1:
				extra = fmt.Sprintf(`"performer":[{"reference":"Patient/%s%d"}],`, []string{"A.", "G."}[r.IntN(2)], r.IntN(patients))
			case 2:
				subject = "A.nobody"
			}
			reg.mustPut(g, observation(id, subject, extra))
			reg.mustPut(g, fmt.Sprintf(`{"resourceType":"Appointment","id":"%sa%d.%d","status":"booked","participant":[{"actor":{"reference":"Patient/%s"},"status":"accepted"},{"actor":{"reference":"Patient/%s%d"},"status":"accepted"}]}`,
				g.IDPrefix, i, n, own, []string{"A.", "G."}[r.IntN(2)], r.IntN(i+1)))
			if r.IntN(6) == 0 {
				reg.mustPut(g, fmt.Sprintf(`{"resourceType":"Provenance","id":"%sp%d.%d","target":[{"reference":"Observation/%s"}],"recorded":"2026-01-01T00:00:00Z","agent":[{"who":{"display":"x"}}]}`, g.IDPrefix, i, n, id))
			}
		}
		if r.IntN(6) == 0 {
			reg.mustPut(reg.source("G"), optOut(fmt.Sprintf("G.c%d", i), own))
		}
	}
	for i := range 5 {
		reg.mustPut(reg.source("A"), fmt.Sprintf(`{"resourceType":"Organization","id":"A.org%d","active":true,"name":"x"}`, i))
	}
	return reg
}

// missing is the predicate of a query for Observations by :missing.
func missing(t *testing.T, name, value string) store.Pred {
	t.Helper()
	x, err := index.New(index.Config{Base: site + "/fhir"})
	if err != nil {
		t.Fatal(err)
	}
	where, err := x.Predicate(index.Query{Type: "Observation", Name: name, Modifier: "missing", Values: []string{value}})
	if err != nil {
		t.Fatal(err)
	}
	return where
}

// TestCountIsWhatScanYields: a count by complement is the number of rows that Scan yields (VIS-002, SRCH-210).
func TestCountIsWhatScanYields(t *testing.T) {
	made, criteria := 0, 0
	for seed := range uint64(12) {
		reg := mixedRegion(t, rand.New(rand.NewPCG(seed, 1)))
		for _, ods := range []string{"A", "G"} {
			for _, typ := range []string{"Patient", "Observation", "Appointment", "Provenance", "Organization", "Consent", "Condition"} {
				members, none := store.Pred(store.And{}), store.Pred(store.And{})
				if typ == "Observation" {
					members, none = missing(t, "has-member", "false"), missing(t, "has-member", "true")
				}
				for _, where := range []store.Pred{members, none, store.And{}, store.And{store.Eq{Key: index.SourceKey("A")}}, store.Or{store.Eq{Key: index.SourceKey("A")}, store.Eq{Key: index.SourceKey("G")}}} {
					req := consent.Request{Interaction: consent.Search, Type: typ, Permission: consent.PermitSearch}
					err := reg.guard.Read(context.Background(), reg.staff(ods), req, func(v *consent.View) error {
						q := store.Query{Type: typ, Where: where}
						rows := 0
						for _, err := range v.Scan(context.Background(), q) {
							if err != nil {
								return err
							}
							rows++
						}
						for _, max := range []int{0, 1, 30, 1000} {
							want := rows
							if max > 0 {
								want = min(rows, max)
							}
							if n, err := v.Count(context.Background(), q, max); err != nil || n != want {
								t.Errorf("seed %d: %s of %s, at most %d: counted %d (%v), and there are %d", seed, typ, ods, max, n, err, want)
							}
						}
						criteria++
						if n, ok, err := v.CountByComplement(context.Background(), q); ok {
							made++
							if n != rows || err != nil {
								t.Errorf("seed %d: %s of %s: the count by complement is %d (%v), and there are %d", seed, typ, ods, n, err, rows)
							}
						}
						return nil
					})
					if err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	t.Logf("%d counts, %d of them by complement", criteria, made)
	if made < criteria/4 {
		t.Errorf("only %d of %d counts were made of the whole", made, criteria)
	}
}

// TestRulesAreCountedOneByOne: where a Decider hides or cuts, a count reads each document.
func TestRulesAreCountedOneByOne(t *testing.T) {
	reg := mixedRegion(t, rand.New(rand.NewPCG(1, 1)))
	for _, d := range []consenttest.Decision{
		{Rules: []consenttest.Rule{{Trait: consenttest.Trait{Type: "Observation"}, Hide: true}}},
		{NoRecord: []string{"A.0", "G.0", "A.1", "G.1"}},
		{Permissions: map[string]string{"Observation": "r"}},
	} {
		reg.decider.Set(d)
		req := consent.Request{Interaction: consent.Search, Type: "Observation", Permission: consent.PermitSearch}
		err := reg.guard.Read(context.Background(), reg.staff("A"), req, func(v *consent.View) error {
			if _, ok, err := v.CountByComplement(context.Background(), store.Query{Type: "Observation", Where: store.And{}}); ok || err != nil {
				t.Errorf("%+v: the count is made of the whole (%v)", d, err)
			}
			return nil
		})
		if _, refused := consent.AsRefusal(err); err != nil && !refused {
			t.Fatal(err)
		}
	}
}
