package consent

import (
	"context"
	"fmt"

	"github.com/tidwall/gjson"

	"carerecord/consent/facts"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

// SignIn is a Patient to whom a patient's sign-in leads, and the person key that the sign-in proves: of the number, where
// numbers join. The person key must not leave the server.
type SignIn struct{ Patient, Person string }

// SignIn finds the Patient of a person who signs in by NHS number and, if birthDate is not empty, by birth date
// (IDN-131): among the live Patients that are joined by the number, the best by rank, if the birth date is that of the patient
// index's Patient, or without one of any of them. It returns the zero SignIn for none. Without an identity policy it is the one
// live Patient with the number in use, if there is exactly one. The result must not reach a client.
func (g *Guard) SignIn(ctx context.Context, number, birthDate string) (SignIn, error) {
	digits, ok := fhir.CleanNHSNumber(number)
	if !ok {
		return SignIn{}, nil
	}
	if err := g.aliases.Settle(ctx, g.store); err != nil {
		return SignIn{}, unavailable(err)
	}
	var best store.Doc
	born := map[string]bool{} // birth dates of the Patients
	err := g.store.Read(ctx, func(snap store.Snapshot) error {
		where, group, err := g.whereSignIn(ctx, snap, digits)
		if err != nil {
			return err
		}
		for p, err := range snap.Scan(ctx, store.Query{Type: "Patient", Where: where}) {
			if err != nil {
				return fmt.Errorf("find the patient who signs in: %w", err)
			}
			if g.keyer.Identity == nil && !facts.HasNumberNow(p.Body, digits, g.clock()) {
				continue
			}
			born[gjson.GetBytes(p.Body, "birthDate").Str] = true
			switch {
			case best.Version == 0:
				best = p
			case g.keyer.Identity == nil:
				best = store.Doc{}
				return nil
			case g.prefers(p, best, group):
				best = p
			}
		}
		return nil
	})
	if err != nil || best.Version == 0 {
		return SignIn{}, unavailable(err)
	}
	agrees := born[birthDate]
	if g.keyer.Identity.IsIndex(best.Source) {
		of := gjson.GetBytes(best.Body, "birthDate").Str
		agrees = of != "" && facts.SameDate(of, birthDate)
	}
	if birthDate != "" && !agrees {
		return SignIn{}, nil
	}
	person := personKey(best)
	if g.keyer.Identity != nil {
		person = facts.IdentifierName(fhir.NHSNumberSystem, digits)
	}
	return SignIn{Patient: best.Ref.ID, Person: person}, nil
}

// whereSignIn matches the Patients of a number and of those that act as one with it, and returns these.
func (g *Guard) whereSignIn(ctx context.Context, snap store.Snapshot, digits string) (store.Pred, []string, error) {
	if g.keyer.Identity != nil {
		group, err := g.groupOf(ctx, snap, facts.IdentifierName(fhir.NHSNumberSystem, digits))
		return store.And{ownedBy(group), fact(index.FactResolved)}, group, err
	}
	where, err := g.index.Predicate(index.Query{Type: "Patient", Name: "identifier", Values: []string{fhir.NHSNumberSystem + "|" + digits}})
	if err != nil {
		return nil, nil, fmt.Errorf("look up an NHS number: %w", err)
	}
	return where, nil, nil
}

// prefers reports whether a Patient comes before another one of the same person, whose keys are a group with the surviving one
// first (IDN-122). Of the patient index's own, one with the surviving number comes first.
func (g *Guard) prefers(a, b store.Doc, group []string) bool {
	if ra, rb := g.policy.Rank(a.Source), g.policy.Rank(b.Source); ra != rb {
		return ra < rb
	}
	if len(group) > 1 && g.keyer.Identity.IsIndex(a.Source) && g.keyer.Identity.IsIndex(b.Source) {
		if sa, sb := personKey(a) == group[0], personKey(b) == group[0]; sa != sb {
			return sa
		}
	}
	return a.Ref.ID < b.Ref.ID
}

// personKey returns the person key of a Patient, from its keys; empty for a Patient without an owner.
func personKey(patient store.Doc) string {
	if owners := index.Owners(patient.Keys); len(owners) == 1 {
		return owners[0]
	}
	return ""
}
