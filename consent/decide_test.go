package consent_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"carerecord/consent"
	"carerecord/consent/consenttest"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/fhir/index"
	"carerecord/store"
	"carerecord/store/storetest"
)

const site = "http://record.test"

// region is a Guard over the reference store, with two organisations.
type region struct {
	*testing.T
	guard   *consent.Guard
	db      *hooked
	decider *consenttest.Decider
}

func newRegion(t *testing.T, relationship string) *region {
	t.Helper()
	clock := func() time.Time { return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC) }
	x, err := index.New(index.Config{Base: site + "/fhir", Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	decider := consenttest.New(x)
	db := &hooked{Reference: storetest.NewReference(clock)}
	g, err := consent.Open(context.Background(), consent.Config{Store: db, State: db, Index: x, Clock: clock, PublicURL: site, Decider: decider,
		Policy: &policy.Folder{Agreement: policy.Agreement{Organisations: []string{"A", "G"}, Relationship: relationship}, Identity: policy.DefaultIdentity("A", "G")}})
	if err != nil {
		t.Fatal(err)
	}
	return &region{T: t, guard: g, db: db, decider: decider}
}

func scopes(t *testing.T, text string) consent.Scopes {
	t.Helper()
	s, err := consent.ParseScopes(text, func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (r *region) source(ods string) consent.Principal {
	return consent.Principal{Kind: consent.SourceSystem, Subject: ods, Organisation: ods, Purpose: "TREAT", ClientPurposes: []string{"TREAT"},
		Flow: consent.FlowIngest, IDPrefix: ods + ".", Scopes: scopes(r.T, "system/*.cruds")}
}

func (r *region) staff(ods string, activities ...string) consent.Principal {
	return consent.Principal{Kind: consent.Staff, Subject: "c", Organisation: ods, Role: "R", Activities: append(activities, policy.ActivityRead),
		Purpose: "TREAT", ClientPurposes: []string{"TREAT"}, Scopes: scopes(r.T, "user/*.cruds")}
}

func (r *region) patient(id string) consent.Principal {
	return consent.Principal{Kind: consent.Patient, Subject: "p", Patient: id, Purpose: "PATRQT", ClientPurposes: []string{"PATRQT"}, Scopes: scopes(r.T, "patient/*.cruds")}
}

// put writes a resource as somebody and returns the error.
func (r *region) put(p consent.Principal, body string) error { return r.putAfter(p, body, func() {}) }

// putAfter is put that calls between after its read and before its commit.
func (r *region) putAfter(p consent.Principal, body string, between func()) error {
	res, err := fhir.Parse([]byte(body))
	if err != nil {
		r.Fatal(err)
	}
	req := consent.Request{Interaction: consent.Update, Type: res.Type, Permission: consent.PermitUpdate, Write: true}
	return r.guard.Read(context.Background(), p, req, func(v *consent.View) error {
		between()
		_, err := v.Commit(context.Background(), []consent.Change{{Kind: consent.ChangeUpdate, Ref: store.Ref{Type: res.Type, ID: res.ID}, Body: res.Body}}, nil)
		return err
	})
}

func (r *region) mustPut(p consent.Principal, body string) {
	r.Helper()
	if err := r.put(p, body); err != nil {
		r.Fatalf("put %s: %v", body, err)
	}
}

// create writes a new resource under the id that it has.
func (r *region) create(p consent.Principal, body string) {
	r.Helper()
	if err := r.tryCreate(p, body); err != nil {
		r.Fatalf("create %s: %v", body, err)
	}
}

func (r *region) tryCreate(p consent.Principal, body string) error {
	res, err := fhir.Parse([]byte(body))
	if err != nil {
		return err
	}
	req := consent.Request{Interaction: consent.Create, Type: res.Type, Permission: consent.PermitCreate, Write: true}
	return r.guard.Read(context.Background(), p, req, func(v *consent.View) error {
		_, err := v.Commit(context.Background(), []consent.Change{{Kind: consent.ChangeCreate, Ref: store.Ref{Type: res.Type, ID: res.ID}, Body: res.Body}}, nil)
		return err
	})
}

// count returns how many documents of a type a View shows, for a named patient or none.
func (r *region) count(p consent.Principal, typ, named string) (n int, withheld bool, err error) {
	req := consent.Request{Interaction: consent.Search, Type: typ, Permission: consent.PermitSearch, Named: consent.NamedPatient{ID: named}}
	where := store.Pred(store.And{})
	if named != "" {
		where = store.Eq{Key: index.PatientKey(named)}
	}
	err = r.guard.Read(context.Background(), p, req, func(v *consent.View) error {
		var err error
		n, err = v.Count(context.Background(), store.Query{Type: typ, Where: where}, 0)
		_, withheld = v.WithheldNotice()
		return err
	})
	return n, withheld, err
}

func optOut(id, patient string) string {
	return `{"resourceType":"Consent","id":"` + id + `","status":"active","scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},` +
		`"category":[{"coding":[{"system":"http://snomed.info/sct","code":"416409005"}]}],"patient":{"reference":"Patient/` + patient + `"},` +
		`"policyRule":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"OPTOUT"}]}}`
}

func observation(id, patient, extra string) string {
	return `{"resourceType":"Observation","id":"` + id + `",` + extra + `"status":"final","code":{"text":"x"},"subject":{"reference":"Patient/` + patient + `"}}`
}

// TestPipeline walks the decision order: each case stops exactly at its step
// (CON-401).
func TestPipeline(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	r.mustPut(r.source("G"), `{"resourceType":"Patient","id":"G.1","active":true}`)
	r.mustPut(r.source("G"), optOut("G.c", "G.1"))
	with := func(p consent.Principal, change func(*consent.Principal)) consent.Principal {
		change(&p)
		return p
	}
	search := consent.Request{Interaction: consent.Search, Type: "Observation", Permission: consent.PermitSearch, Named: consent.NamedPatient{ID: "G.1"}}
	write := consent.Request{Interaction: consent.Create, Type: "Observation", Permission: consent.PermitCreate, Write: true}
	for _, c := range []struct {
		name   string
		p      consent.Principal
		req    consent.Request
		step   int
		reason string
	}{
		{"1 nobody", consent.Principal{}, search, 1, "UNAUTHENTICATED"},
		{"2 no purpose (CON-301)", with(r.staff("A"), func(p *consent.Principal) { p.Purpose = "" }), search, 2, consent.PurposeRefused},
		{"2 a purpose the client lacks", with(r.staff("A"), func(p *consent.Principal) { p.Purpose = "ETREAT" }), search, 2, consent.PurposeRefused},
		{"2 secondary use is no direct care", with(r.staff("A"), func(p *consent.Principal) { p.Purpose, p.ClientPurposes = "POPHLTH", []string{"POPHLTH"} }), search, 2, consent.PurposeRefused},
		{"2 BTG proves nothing (CON-304)", with(r.staff("A"), func(p *consent.Principal) { p.Purpose, p.ClientPurposes = "BTG", []string{"BTG"} }), search, 2, consent.PurposeRefused},
		{"5 a backend without a flow", with(r.source("A"), func(p *consent.Principal) { p.Kind = consent.Backend }), search, 5, consent.FlowNotApproved},
		{"6 an organisation outside the agreement", r.staff("X"), search, 6, consent.NoAgreement},
		{"6 no role chosen (CON-203)", with(r.staff("A"), func(p *consent.Principal) { p.Role = "" }), search, 6, consent.RoleNotAllowed},
		{"6 a person writes clinical data", r.staff("A"), write, 6, consent.RoleNotAllowed},
		{"11 no scope for the type", with(r.staff("A"), func(p *consent.Principal) { p.Scopes = scopes(t, "user/Patient.rs") }), search, 11, consent.ScopeNotGranted},
		{"11 no scope with the permission", with(r.staff("A"), func(p *consent.Principal) { p.Scopes = scopes(t, "user/Observation.r") }), search, 11, consent.ScopeNotGranted},
		{"7 opt-out, with signal S1 to a person who may break the glass (CON-1702)", r.staff("A", policy.ActivityBreakGlass), search, 7, consent.NoPatientConsent},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := r.guard.Read(context.Background(), c.p, c.req, func(*consent.View) error { return nil })
			refusal, ok := consent.AsRefusal(err)
			if !ok || refusal.Step != c.step || refusal.Reason != c.reason {
				t.Errorf("got %v, want a refusal at step %d with %s", err, c.step, c.reason)
			}
		})
	}
	if n, _, err := r.count(r.staff("A"), "Patient", "G.1"); n != 0 || err != nil {
		t.Errorf("CON-1702: who may not break the glass: got %d, %v, want absence", n, err)
	}
	unrelated := newRegion(t, "")
	_, _, err := unrelated.count(unrelated.staff("A"), "Patient", "")
	if refusal, ok := consent.AsRefusal(err); !ok || refusal.Reason != consent.NoRelationship {
		t.Errorf("CON-404: got %v, want %s", err, consent.NoRelationship)
	}
}

// TestVisibility checks the predicates of where.go, one row a rule.
func TestVisibility(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	g, a := r.source("G"), r.source("A")
	r.mustPut(g, observation("G.early", "G.late", "")) // its Patient arrives afterwards
	if n, _, _ := r.count(r.staff("A"), "Observation", ""); n != 0 {
		t.Errorf("CON-406: a row whose owner is not there is seen by %d others", n)
	}
	r.mustPut(g, `{"resourceType":"Patient","id":"G.late","active":true}`)
	if n, _, _ := r.count(r.staff("A"), "Observation", ""); n != 1 {
		t.Errorf("CON-406: when the owner is created: got %d rows, want 1", n)
	}
	r.mustPut(g, `{"resourceType":"Patient","id":"G.1","active":true}`)
	r.mustPut(g, observation("G.o", "G.1", ""))
	r.mustPut(g, observation("G.r", "G.1", `"meta":{"security":[{"code":"R"}]},`))
	r.mustPut(g, observation("G.n", "G.1", `"meta":{"security":[{"code":"NOPAT"}]},"note":[{"text":"n"}],`))
	r.mustPut(a, observation("A.o", "G.1", ""))
	glass := policy.ActivityBreakGlass
	for _, c := range []struct {
		name     string
		p        consent.Principal
		n        int
		withheld bool
	}{
		{"CON-1301 a source system sees its own rows, labelled ones too", g, 3, false},
		{"CON-701 a labelled row is withheld from people, and S2 says so", r.staff("A", glass), 3, true},
		{"CON-701 from those of its own source too", r.staff("G", glass), 3, true},
		{"CON-1101 the patient does not see NOPAT, and gets no signal", r.patient("G.1"), 2, false},
		{"CON-205 another patient sees nothing", r.patient("G.late"), 0, false},
	} {
		if n, withheld, err := r.count(c.p, "Observation", "G.1"); n != c.n || withheld != c.withheld || err != nil {
			t.Errorf("%s: got %d rows, S2 %v, %v; want %d, %v", c.name, n, withheld, err, c.n, c.withheld)
		}
	}
	r.mustPut(g, observation("G.p", "G.late", `"performer":[{"reference":"Patient/G.1"}],`))
	if n, _, err := r.count(r.patient("G.1"), "Observation", "G.late"); n != 0 || err != nil {
		t.Errorf("SMART-255: a patient who performed what is about another sees it: got %d, %v", n, err)
	}
	r.mustPut(g, optOut("G.c", "G.1"))
	if n, withheld, err := r.count(r.staff("A", glass), "Observation", "G.1"); n != 1 || !withheld || err != nil {
		t.Errorf("CON-501: own-source rows under an opt-out: got %d, S2 %v, %v; want 1, true", n, withheld, err)
	}
	if n, _, err := r.count(r.patient("G.1"), "Observation", ""); n != 2 || err != nil {
		t.Errorf("CON-501: the patient's own view: got %d, %v; want 2", n, err)
	}
	if n, _, _ := r.count(r.staff("A", glass), "Consent", ""); n != 0 {
		t.Errorf("CON-409: another organisation sees the directive: %d", n)
	}
	if n, _, _ := r.count(r.staff("G", glass), "Consent", ""); n != 1 {
		t.Errorf("CON-409: the organisation that recorded it sees %d directives, want 1", n)
	}
}

// TestWritesOfStrangers: an id outside the rows and the id space of a source system has one answer, and other
// requesters never create by PUT (CON-1303, VIS-007, SMART-287).
func TestWritesOfStrangers(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	r.mustPut(r.source("G"), `{"resourceType":"Patient","id":"G.1","active":true}`)
	exists := r.put(r.source("A"), `{"resourceType":"Patient","id":"G.1","active":false}`)
	absent := r.put(r.source("A"), `{"resourceType":"Patient","id":"G.2","active":false}`)
	if e, ok := fhir.AsError(exists); !ok || e.Status != 403 || exists.Error() != absent.Error() {
		t.Errorf("CON-1303: got %v for an existing and %v for an absent id, want one 403", exists, absent)
	}
	err := r.put(r.staff("G", policy.ActivityOptOut), optOut("never", "G.1"))
	if e, ok := fhir.AsError(err); !ok || e.Status != 405 {
		t.Errorf("VIS-007: PUT of a person to an absent id: got %v, want 405", err)
	}
}

// TestCutElementsReturn: elements that are cut in a patient's view of the own Consent are kept when the
// patient writes it (CON-1306).
func TestCutElementsReturn(t *testing.T) {
	r := newRegion(t, policy.RelationshipAssumed)
	r.mustPut(r.source("G"), `{"resourceType":"Patient","id":"G.1","active":true}`)
	told := `"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">told</div>"},`
	r.create(r.patient("G.1"), strings.Replace(optOut("G.c", "G.1"), `"status"`, told+`"status"`, 1))
	r.mustPut(r.patient("G.1"), strings.Replace(optOut("G.c", "G.1"), "active", "inactive", 1))
	err := r.guard.Read(context.Background(), consent.Principal{Kind: consent.System}, consent.Request{Interaction: consent.Read, Type: "Consent", Permission: consent.PermitRead}, func(v *consent.View) error {
		d, err := v.Get(context.Background(), store.Ref{Type: "Consent", ID: "G.c"})
		if err == nil && (!strings.Contains(string(d.Body), told) || !strings.Contains(string(d.Body), `"inactive"`)) {
			t.Errorf("CON-1306: got %s", d.Body)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
