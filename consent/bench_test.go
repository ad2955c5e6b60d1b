package consent_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
	"carerecord/store/pebble"
)

// BenchmarkScan measures a query of staff over rows of which few refer to labelled ones: of one patient, and
// of all by a negation.
func BenchmarkScan(b *testing.B) {
	ctx := context.Background()
	db, err := pebble.Open(pebble.Config{Dir: "bench", FS: vfs.NewMem(), Cache: 8 << 20})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	x, err := index.New(index.Config{Base: site + "/fhir"})
	if err != nil {
		b.Fatal(err)
	}
	guard, err := consent.Open(ctx, consent.Config{Store: db, State: db, Index: x, PublicURL: site, Clock: time.Now,
		Policy: &policy.Folder{Agreement: policy.Agreement{Organisations: []string{"A"}, Relationship: policy.RelationshipAssumed}, Identity: policy.DefaultIdentity("A", "G")}})
	if err != nil {
		b.Fatal(err)
	}
	every := consent.Scopes{{Level: "user", Type: "*", Permissions: "cruds"}}
	for p := range 100 {
		patient := fmt.Sprintf("p%d", p)
		bodies := []string{fmt.Sprintf(`{"resourceType":"Patient","id":"%s"}`, patient)}
		for n := range 50 {
			extra := ""
			switch {
			case p >= 50: // half of the patients have no labelled rows
			case n == 0:
				extra = `"meta":{"security":[{"code":"HIV"}]},`
			case n == 1:
				extra = fmt.Sprintf(`"hasMember":[{"reference":"Observation/o%d.0"}],`, p)
			}
			bodies = append(bodies, observation(fmt.Sprintf("o%d.%d", p, n), patient, extra))
		}
		var changes []consent.Change
		for _, body := range bodies {
			res, err := fhir.Parse([]byte(body))
			if err != nil {
				b.Fatal(err)
			}
			changes = append(changes, consent.Change{Kind: consent.ChangeCreate, Ref: store.Ref{Type: res.Type, ID: res.ID}, Body: res.Body})
		}
		err := guard.Read(ctx, consent.Principal{Kind: consent.System}, consent.Request{Interaction: consent.Transaction, Write: true}, func(v *consent.View) error {
			_, err := v.Commit(ctx, changes, nil)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	staff := consent.Principal{Kind: consent.Staff, Subject: "c", Organisation: "A", Role: "R", Activities: []string{policy.ActivityRead},
		Purpose: "TREAT", ClientPurposes: []string{"TREAT"}, Scopes: every}
	req := consent.Request{Interaction: consent.Search, Type: "Observation", Permission: consent.PermitSearch}
	for _, c := range []struct {
		name    string
		q       index.Query
		subject string
	}{
		{"of a patient without labels", index.Query{Type: "Observation", Name: "subject", Values: []string{"Patient/p77"}}, "p77"},
		{"of a patient with a reference to cut", index.Query{Type: "Observation", Name: "subject", Values: []string{"Patient/p7"}}, "p7"},
		{"by a negation", index.Query{Type: "Observation", Name: "status", Modifier: "not", Values: []string{"amended"}}, ""},
	} {
		where, err := x.Predicate(c.q)
		if err != nil {
			b.Fatal(err)
		}
		req.Named = consent.NamedPatient{ID: c.subject}
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				err := guard.Read(ctx, staff, req, func(v *consent.View) error {
					for _, err := range v.Scan(ctx, store.Query{Type: "Observation", Where: where}) {
						if err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
