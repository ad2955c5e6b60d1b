package consent_test

import (
	"context"
	"testing"

	"carerecord/consent"
	"carerecord/consent/policy"
	"carerecord/consent/reindex"
	"carerecord/store"
)

const numbered = `"identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000018"}]`

// verified fails the test where the stored keys of a document differ from a rebuild.
func (r *region) verified() {
	r.Helper()
	if _, err := reindex.Verify(context.Background(), r.guard, func(err error) { r.Error(err) }); err != nil {
		r.Fatal(err)
	}
}

// delete writes a tombstone.
func (r *region) delete(p consent.Principal, typ, id string) {
	r.Helper()
	req := consent.Request{Interaction: consent.Delete, Type: typ, Permission: consent.PermitDelete, Write: true}
	err := r.guard.Read(context.Background(), p, req, func(v *consent.View) error {
		_, err := v.Commit(context.Background(), []consent.Change{{Kind: consent.ChangeDelete, Ref: store.Ref{Type: typ, ID: id}}}, nil)
		return err
	})
	if err != nil {
		r.Fatalf("delete %s/%s: %v", typ, id, err)
	}
}

// TestPatientsWhoNameThemselves: a Patient whose link has its own NHS number mentions nobody, when it is new
// and when it is updated (CON-407).
func TestPatientsWhoNameThemselves(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	for _, gender := range []string{"female", "male", "other"} {
		r.mustPut(r.source("G"), `{"resourceType":"Patient","id":"G.1","gender":"`+gender+`",`+numbered+`,"link":[{"type":"seealso","other":{"identifier":{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000018"}}}]}`)
		for name, p := range map[string]consent.Principal{"the patient": r.patient("G.1"), "staff": r.staff("A")} {
			if n, _, err := r.count(p, "Patient", "G.1"); n != 1 || err != nil {
				t.Errorf("gender %s: %s sees %d Patients (%v), want 1", gender, name, n, err)
			}
		}
		r.verified()
	}
}

// TestTombstonesFollowTheirMembers: what refers to a deleted List has the owners that the entries of the List
// have now (decision 019), whatever changes these.
func TestTombstonesFollowTheirMembers(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	g := r.source("G")
	r.mustPut(g, `{"resourceType":"Patient","id":"G.1"}`)
	r.mustPut(g, `{"resourceType":"Patient","id":"G.2"}`)
	r.mustPut(g, `{"resourceType":"Consent","id":"G.c","status":"active","scope":{"coding":[{"code":"patient-privacy"}]},"patient":{"reference":"Patient/G.2"}}`) // denies everything
	r.mustPut(g, observation("G.o", "G.1", ""))
	r.mustPut(g, `{"resourceType":"List","id":"G.l","entry":[{"item":{"reference":"Observation/G.o"}},{"item":{"reference":"List/G.m"}}]}`)
	r.mustPut(g, `{"resourceType":"List","id":"G.m","entry":[{"item":{"reference":"List/G.l"}}]}`)
	r.mustPut(g, `{"resourceType":"Provenance","id":"G.p","target":[{"reference":"List/G.l"}]}`)
	sees := func(when string, want int) {
		t.Helper()
		if n, _, err := r.count(r.staff("G"), "Provenance", ""); n != want || err != nil {
			t.Errorf("%s: staff of the source see %d Provenances (%v), want %d", when, n, err, want)
		}
		r.verified()
	}
	sees("before", 1)
	r.delete(g, "List", "G.m")
	r.delete(g, "List", "G.l") // they name one another
	sees("after the List was deleted", 1)
	r.mustPut(g, observation("G.o", "G.2", ""))
	sees("after its entry was moved to somebody who denies", 0)
	r.delete(g, "Patient", "G.2")
	sees("after that patient was deleted, which reopens nothing", 0)
	r.mustPut(g, `{"resourceType":"Patient","id":"G.2"}`)
	sees("after that patient came back", 0)
	r.delete(g, "Observation", "G.o")
	sees("after the entry was deleted", 0)
	r.mustPut(g, observation("G.o", "G.1", ""))
	sees("after the entry came back with its right patient", 1)
}

// TestTombstonesOfBinaries: the same for a deleted Binary, which has the owners of the documents that attach
// it.
func TestTombstonesOfBinaries(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	g := r.source("G")
	r.mustPut(g, `{"resourceType":"Patient","id":"G.1"}`)
	r.mustPut(g, `{"resourceType":"Patient","id":"G.2"}`)
	r.mustPut(g, `{"resourceType":"Consent","id":"G.c","status":"active","scope":{"coding":[{"code":"patient-privacy"}]},"patient":{"reference":"Patient/G.2"}}`)
	document := func(patient string) {
		r.mustPut(g, `{"resourceType":"DocumentReference","id":"G.d","status":"current","subject":{"reference":"Patient/`+patient+`"},"content":[{"attachment":{"url":"Binary/G.b"}}]}`)
	}
	r.mustPut(g, `{"resourceType":"Binary","id":"G.b","contentType":"text/plain","data":"b25l"}`)
	document("G.1")
	r.mustPut(g, `{"resourceType":"Provenance","id":"G.p","target":[{"reference":"Binary/G.b"}]}`)
	r.delete(g, "Binary", "G.b")
	for patient, want := range map[string]int{"G.2": 0, "G.1": 1} {
		document(patient)
		if n, _, err := r.count(r.staff("G"), "Provenance", ""); n != want || err != nil {
			t.Errorf("after its document was moved to %s: %d Provenances are seen (%v), want %d", patient, n, err, want)
		}
		r.verified()
	}
}

// TestBinaryHasLabelsOfItsPatient: a Binary whose securityContext is a Patient is rekeyed when the labels of
// that Patient change (SMART-257).
func TestBinaryHasLabelsOfItsPatient(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	g := r.source("G")
	r.mustPut(g, `{"resourceType":"Patient","id":"G.1"}`)
	r.mustPut(g, `{"resourceType":"Binary","id":"G.b","contentType":"text/plain","securityContext":{"reference":"Patient/G.1"},"data":"b25l"}`)
	for _, label := range []string{`"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"MH"}]},`, ``, `"meta":{"security":[{"code":"NOPAT"}]},`} {
		r.mustPut(g, `{"resourceType":"Patient",`+label+`"id":"G.1"}`)
		r.verified()
	}
}
