package consent_test

import (
	"context"
	"strings"
	"testing"

	"carerecord/consent"
	"carerecord/consent/consenttest"
	"carerecord/consent/policy"
	"carerecord/store"
)

// TestMentionsFollowTheDecision: a document that mentions a patient of whom a Decider says that there is no record is hidden, whoever
// the request names (CON-407).
func TestMentionsFollowTheDecision(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	r.mustPut(r.source("G"), `{"resourceType":"Patient","id":"G.2","active":true}`)
	r.mustPut(r.source("G"), `{"resourceType":"Patient","id":"G.3","active":true}`)
	r.mustPut(r.source("G"), `{"resourceType":"Patient","id":"G.1","link":[{"type":"seealso","other":{"reference":"Patient/G.2"}}]}`)
	r.mustPut(r.source("G"), strings.Replace(observation("G.o", "G.3", ""), `"status"`, `"focus":[{"reference":"Patient/G.2"}],"status"`, 1))
	r.mustPut(r.source("G"), optOut("G.c", "G.1"))
	r.caughtUp()
	r.decider.Set(consenttest.Decision{NoRecord: []string{"G.2"}})
	for _, named := range []string{"", "G.3", "G.1"} {
		req := consent.Request{Interaction: consent.Search, Type: "Observation", Permission: consent.PermitSearch, Named: consent.NamedPatient{ID: named}}
		err := r.guard.Read(context.Background(), r.staff("A"), req, func(v *consent.View) error {
			_, err := v.Get(context.Background(), store.Ref{Type: "Observation", ID: "G.o"})
			if err == nil {
				t.Errorf("named %q: a document that mentions a patient without a record is visible", named)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
