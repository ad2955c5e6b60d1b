package consent_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"carerecord/consent"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
)

const (
	sensitive = `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HIV"}]},`
	withheld  = `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"NOPAT"}]},`
)

// referring are rows that refer to the observation A.o, with the body without the reference; empty where
// nothing is left.
var referring = map[string]struct{ body, cut string }{
	"reason": {`{"resourceType":"MedicationRequest","id":"A.r","status":"active","intent":"order","medicationCodeableConcept":{"text":"m"},"subject":{"reference":"Patient/A.1"},"reasonReference":[{"reference":"Observation/A.o","display":"secret"}]}`,
		`{"resourceType":"MedicationRequest","id":"A.r","status":"active","intent":"order","medicationCodeableConcept":{"text":"m"},"subject":{"reference":"Patient/A.1"}}`},
	"encounter's diagnosis": {`{"resourceType":"Encounter","id":"A.r","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/A.1"},"diagnosis":[{"condition":{"reference":"Observation/A.o","display":"secret"},"rank":1}]}`,
		`{"resourceType":"Encounter","id":"A.r","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/A.1"}}`},
	"evidence": {`{"resourceType":"Condition","id":"A.r","subject":{"reference":"Patient/A.1"},"evidence":[{"code":[{"text":"secret"}],"detail":[{"reference":"Observation/A.o","display":"secret"}]}]}`,
		`{"resourceType":"Condition","id":"A.r","subject":{"reference":"Patient/A.1"}}`},
	"entry of a List": {`{"resourceType":"List","id":"A.r","status":"current","mode":"working","subject":{"reference":"Patient/A.1"},"entry":[{"item":{"reference":"Observation/A.o","display":"secret"}},{"item":{"reference":"Observation/A.p"}}]}`,
		`{"resourceType":"List","id":"A.r","status":"current","mode":"working","subject":{"reference":"Patient/A.1"},"entry":[{"item":{"reference":"Observation/A.p"}}]}`},
	"member, with narrative": {`{"resourceType":"Observation","id":"A.r","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">secret</div>"},"status":"final","code":{"text":"x"},"subject":{"reference":"Patient/A.1"},"hasMember":[{"reference":"` + site + `/fhir/Observation/A.o/_history/1","display":"secret"},{"reference":"Observation/A.p"}]}`,
		`{"resourceType":"Observation","id":"A.r","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/A.1"},"hasMember":[{"reference":"Observation/A.p"}]}`},
	"one of the targets": {`{"resourceType":"Provenance","id":"A.r","target":[{"reference":"Observation/A.o"},{"reference":"Observation/A.p"}],"recorded":"2026-01-01T00:00:00Z","agent":[{"who":{"display":"x"}}]}`,
		`{"resourceType":"Provenance","id":"A.r","target":[{"reference":"Observation/A.p"}],"recorded":"2026-01-01T00:00:00Z","agent":[{"who":{"display":"x"}}]}`},
	"the only target": {`{"resourceType":"Provenance","id":"A.r","target":[{"reference":"Observation/A.o"}],"recorded":"2026-01-01T00:00:00Z","agent":[{"who":{"display":"x"}}]}`, ``},
	"extension": {`{"resourceType":"Observation","id":"A.r","extension":[{"url":"http://e","valueReference":{"reference":"Observation/A.o","display":"secret"}}],"status":"final","code":{"text":"x"},"subject":{"reference":"Patient/A.1"}}`,
		`{"resourceType":"Observation","id":"A.r","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/A.1"}}`},
	"by number": {`{"resourceType":"Observation","id":"A.r","status":"final","code":{"text":"x"},"subject":` + logic + `,"derivedFrom":[{"reference":"Observation/A.o","display":"secret"}]}`,
		`{"resourceType":"Observation","id":"A.r","status":"final","code":{"text":"x"},"subject":` + logic + `}`},
}

// shown returns the body that a View shows, without the meta of the server; empty for a hidden one.
func (r *region) shown(p consent.Principal, typ, id string) string {
	r.Helper()
	d, err := r.get(p, typ, id)
	if errors.Is(err, store.ErrNotFound) {
		return ""
	}
	if err != nil {
		r.Fatal(err)
	}
	body := string(d.Body)
	at := strings.Index(body, `"meta":{"versionId":`)
	if at < 0 {
		r.Fatalf("no meta in %s", body)
	}
	end := at + strings.Index(body[at:], "},") + 2
	return body[:at] + body[end:]
}

func typeOf(body string) string {
	res, err := fhir.Parse([]byte(body))
	if err != nil {
		panic(err)
	}
	return res.Type
}

// TestReferencesToLabelledRows: a reference to a row that a label hides is cut at every place, whichever of the
// two was written first (CON-1201, 1202, 1206; issue 15, item 10). Source systems see what they wrote.
func TestReferencesToLabelledRows(t *testing.T) {
	o := observation("A.o", "A.1", sensitive)
	for name, c := range referring {
		for order, write := range map[string]func(*region){
			"the row first":       func(r *region) { r.mustPut(r.source("A"), o); r.mustPut(r.source("A"), c.body) },
			"the reference first": func(r *region) { r.mustPut(r.source("A"), c.body); r.mustPut(r.source("A"), o) },
			"both at once":        func(r *region) { r.putAll(r.source("A"), c.body, o) },
			"a label that comes later": func(r *region) {
				r.mustPut(r.source("A"), observation("A.o", "A.1", ""))
				r.mustPut(r.source("A"), c.body)
				r.mustPut(r.source("A"), o)
			},
			"a row that comes back": func(r *region) {
				r.mustPut(r.source("A"), o)
				r.delete(r.source("A"), "Observation", "A.o")
				r.mustPut(r.source("A"), c.body)
				r.mustPut(r.source("A"), o)
			},
			"a patient who comes later": func(r *region) {
				r.delete(r.source("A"), "Patient", "A.1")
				r.mustPut(r.source("A"), c.body)
				r.mustPut(r.source("A"), o)
				r.mustPut(r.source("A"), patientWith("A.1", number))
			},
		} {
			t.Run(name+", "+order, func(t *testing.T) {
				r := newRegion(t, "assumed")
				r.mustPut(r.source("A"), patientWith("A.1", number))
				r.mustPut(r.source("A"), observation("A.p", "A.1", ""))
				write(r)
				typ := typeOf(c.body)
				r.cuts(typ, c.body, c.cut)
				r.restart()
				r.reindex()
				r.cuts(typ, c.body, c.cut)
				r.exact(observation("A.o", "A.1", "")) // the label goes
				r.cuts(typ, c.body, c.body)
				r.mustPut(r.source("A"), o)
				r.cuts(typ, c.body, c.cut)
			})
		}
	}
}

// cuts checks the body of A.r for staff of the own organisation and of another, and for its source system.
func (r *region) cuts(typ, whole, cut string) {
	r.Helper()
	r.verified()
	r.checked()
	for _, ods := range []string{"A", "G"} {
		if got := r.shown(r.staff(ods), typ, "A.r"); got != cut {
			r.Errorf("staff of %s see\n%s, want\n%s", ods, got, cut)
		}
	}
	if got := r.shown(r.source("A"), typ, "A.r"); got != whole {
		r.Errorf("the source sees\n%s, want\n%s", got, whole)
	}
}

// exact writes a resource of A without the labels that it had.
func (r *region) exact(body string) {
	r.Helper()
	r.commit(r.source("A"), consent.Change{ExactMeta: true}, body)
}

// putAll writes several resources in one commit.
func (r *region) putAll(p consent.Principal, bodies ...string) {
	r.Helper()
	r.commit(p, consent.Change{}, bodies...)
}

func (r *region) commit(p consent.Principal, form consent.Change, bodies ...string) {
	r.Helper()
	var changes []consent.Change
	for _, body := range bodies {
		res, err := fhir.Parse([]byte(body))
		if err != nil {
			r.Fatal(err)
		}
		form.Kind, form.Ref, form.Body = consent.ChangeUpdate, store.Ref{Type: res.Type, ID: res.ID}, res.Body
		changes = append(changes, form)
	}
	req := consent.Request{Interaction: consent.Transaction, Write: true}
	err := r.guard.Read(context.Background(), p, req, func(v *consent.View) error {
		_, err := v.Commit(context.Background(), changes, nil)
		return err
	})
	if err != nil {
		r.Fatalf("put %d resources: %v", len(bodies), err)
	}
}

// TestReferencesThatPatientsAreShown: references to rows that are not released are cut for patients only.
func TestReferencesThatPatientsAreShown(t *testing.T) {
	r := newRegion(t, "assumed")
	r.mustPut(r.source("A"), patientWith("A.1", number))
	r.mustPut(r.source("A"), observation("A.p", "A.1", ""))
	r.mustPut(r.source("A"), observation("A.o", "A.1", withheld))
	c := referring["entry of a List"]
	r.mustPut(r.source("A"), c.body)
	if got := r.shown(r.patient("A.1"), "List", "A.r"); got != c.cut {
		t.Errorf("the patient is shown\n%s, want\n%s", got, c.cut)
	}
	r.cuts("List", c.body, c.body)
}

// refuseBacklogPages refuses commits that rekey documents.
func refuseBacklogPages(b store.Batch) error {
	if slices.ContainsFunc(b.Writes, func(w store.Write) bool { return !w.Rekey }) {
		return nil
	}
	return store.ErrUnavailable
}

// TestSearchByACutReference: no query finds or misses a row by a reference that is cut (CON-1207): by itself,
// :missing, joins and totals.
func TestSearchByACutReference(t *testing.T) {
	r := newRegion(t, "assumed")
	r.mustPut(r.source("A"), patientWith("A.1", number))
	r.mustPut(r.source("A"), observation("A.p", "A.1", ""))
	r.mustPut(r.source("A"), observation("A.o", "A.1", sensitive))
	member := `"hasMember":[{"reference":"Observation/%s"}],`
	r.mustPut(r.source("A"), observation("A.points", "A.1", fmt.Sprintf(member, "A.o")))
	r.mustPut(r.source("A"), observation("A.other", "A.1", fmt.Sprintf(member, "A.p")))
	for _, kind := range []string{"stored", "not marked yet"} {
		for _, c := range []struct {
			name, value string
			want        int
		}{{"has-member", "Observation/A.o", 0}, {"has-member", "Observation/A.p", 1}, {"has-member:missing", "true", 2}, {"has-member:missing", "false", 1}} {
			name, modifier, _ := strings.Cut(c.name, ":")
			r.within(r.staff("G"), func(v *consent.View) {
				where, err := v.Index().Predicate(index.Query{Type: "Observation", Name: name, Modifier: modifier, Values: []string{c.value}})
				if err != nil {
					t.Fatal(err)
				}
				q := store.Query{Type: "Observation", Where: where}
				for _, keysOnly := range []bool{true, false} {
					q.KeysOnly = keysOnly
					rows := 0
					for d, err := range v.Scan(context.Background(), q) {
						if err != nil || strings.Contains(string(d.Body), "A.o\"") {
							t.Errorf("%s, %s=%s yields %s (%v)", kind, c.name, c.value, d.Body, err)
						}
						rows++
					}
					n, err := v.Count(context.Background(), q, 0)
					if rows != c.want || n != c.want || err != nil {
						t.Errorf("%s, %s=%s: %d rows, %d counted (%v), want %d", kind, c.name, c.value, rows, n, err, c.want)
					}
				}
			})
		}
		r.exact(observation("A.o", "A.1", ""))
		r.db.set(refuseBacklogPages, nil)
		r.mustPut(r.source("A"), observation("A.o", "A.1", sensitive))
	}
}

// TestCutReferencesReturn: references that were cut for a writer are kept when the writer sends the rest back
// (CON-1306).
func TestCutReferencesReturn(t *testing.T) {
	r := newRegion(t, "assumed")
	r.mustPut(r.source("A"), patientWith("A.1", number))
	r.mustPut(r.source("A"), observation("A.o", "A.1", sensitive))
	source := `"sourceReference":{"reference":"Observation/A.o","display":"secret"},`
	body := strings.Replace(optOut("c", "A.1"), `"policyRule"`, source+`"policyRule"`, 1)
	r.create(r.patient("A.1"), body)
	got := r.shown(r.patient("A.1"), "Consent", "c")
	if want := optOut("c", "A.1"); got != want {
		t.Fatalf("the patient is shown\n%s, want\n%s", got, want)
	}
	r.mustPut(r.patient("A.1"), strings.Replace(got, "active", "inactive", 1))
	system := consent.Principal{Kind: consent.System}
	if got := r.shown(system, "Consent", "c"); !strings.Contains(got, source) || !strings.Contains(got, "inactive") {
		t.Errorf("CON-1306: stored is %s", got)
	}
}
