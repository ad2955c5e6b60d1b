package resource_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"carerecord/consent"
	"carerecord/consent/audit"
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/printed"
	"carerecord/interop/smart/resource"
	"carerecord/interop/smart/secret"
	"carerecord/store"
	"carerecord/store/storetest"
)

// region returns a policy with one client of each kind, and a trust that has a parent.
func region() *policy.Folder {
	return &policy.Folder{
		Organisations: []policy.Organisation{{ODS: "T1", Parent: "ICB"}, {ODS: "G1"}},
		Roles:         []policy.Role{{Code: "R1", Activities: []string{policy.ActivityRead, policy.ActivityBreakGlass}}},
		People: []policy.Person{
			{User: "doctor", Subject: "s-doctor", Kind: "clinician", Organisation: "T1", Role: "R1", Level: 3},
			{User: "ann", Subject: "s-ann", Kind: "patient", Patient: "9999999468", Level: 9},
			{User: "unproved", Subject: "s-unproved", Kind: "patient", Patient: "9999999468", Level: 5},
			{User: "stranger", Subject: "s-stranger", Kind: "patient", Patient: "9999999999"},
		},
		Clients: []policy.Client{
			{ID: "ehr", Kind: "confidential", People: []string{"clinician"}, Purposes: []string{"TREAT"}, Scopes: "user/*.cruds patient/*.rs"},
			{ID: "app", Kind: "public", People: []string{"patient"}, Purposes: []string{"PATRQT"}, Scopes: "patient/*.rs"},
			{ID: "feed", Kind: "backend", Organisation: "T1", Purposes: []string{"TREAT"}, Scopes: "system/*.cruds", Flow: consent.FlowIngest, IDPrefix: "t1."},
			{ID: "reader", Kind: "backend", Organisation: "G1", Purposes: []string{"TREAT"}, Scopes: "system/Patient.rs", Flow: "care"},
		},
	}
}

// fakeState records what is stored, and can be unavailable.
type fakeState struct {
	*storetest.Reference
	down   bool
	stored [][2]string
}

func (w *fakeState) Commit(ctx context.Context, b store.Batch) (uint64, error) {
	for _, one := range b.State {
		w.stored = append(w.stored, [2]string{one.Key, string(one.Value)})
	}
	for _, record := range b.Log {
		w.stored = append(w.stored, [2]string{"log", string(record)})
	}
	return w.Reference.Commit(ctx, b)
}

func (w *fakeState) Lookup(ctx context.Context, key string) ([]byte, error) {
	if w.down {
		return nil, store.ErrUnavailable
	}
	return w.Reference.Lookup(ctx, key)
}

// tokenDesk issues and verifies tokens at a time that the test sets.
type tokenDesk struct {
	*resource.Verifier
	issuer *printed.Issuer
	state  *fakeState
	policy *policy.Folder
	now    time.Time
}

func newTokenDesk(t *testing.T) *tokenDesk {
	t.Helper()
	d := &tokenDesk{policy: region(), now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return d.now }
	d.state = &fakeState{Reference: storetest.NewReference(clock)}
	writer, err := audit.New(d.state, bytes.Repeat([]byte("k"), 32), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	digester, err := secret.NewDigester(bytes.Repeat([]byte("d"), 32))
	if err != nil {
		t.Fatal(err)
	}
	registry := &clients.Registry{Ledger: &ledger.Ledger{State: d.state, Commit: d.state, Audit: writer, Clock: clock}, Secrets: digester}
	for _, c := range d.policy.Clients {
		if err := registry.Import(t.Context(), "test", clients.OfPolicy(c)); err != nil {
			t.Fatal(err)
		}
	}
	tokens := &grants.Store{Ledger: registry.Ledger, Secrets: digester, Clients: registry}
	d.issuer = &printed.Issuer{Grants: tokens, Clients: registry, Policy: d.policy, PersonKey: func(_ context.Context, _ grants.Grant, _ *clients.Client, patient string) (string, error) {
		return map[string]string{"ann-1": "key of ann"}[patient], nil
	}}
	d.Verifier = &resource.Verifier{Grants: tokens, Policy: d.policy, Clock: clock,
		SignIn: func(_ context.Context, number, _ string) (consent.SignIn, error) {
			return consent.SignIn{Patient: map[string]string{"9999999468": "ann-1"}[number]}, nil
		}}
	return d
}

func (d *tokenDesk) issue(t *testing.T, request printed.Request) string {
	t.Helper()
	token, _, err := d.issuer.Issue(context.Background(), "test", request)
	if err != nil {
		t.Fatalf("issue %+v: %v", request, err)
	}
	return token
}

func (d *tokenDesk) verify(values ...string) (consent.Principal, error) {
	h := http.Header{}
	for _, v := range values {
		h.Add("Authorization", v)
	}
	return d.Verify(context.Background(), h, "192.0.2.1")
}

// TestPrincipal: the Principal depends on the token, the registry and the policy folder alone
// (CON-201), and has all fields of CON-202 that exist.
func TestPrincipal(t *testing.T) {
	d := newTokenDesk(t)
	scopes := func(text string) consent.Scopes {
		s, err := consent.ParseScopes(text, func(string) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for name, c := range map[string]struct {
		spec printed.Request
		want consent.Principal
	}{
		"a clinician": {printed.Request{User: "doctor", Client: "ehr"}, consent.Principal{Kind: consent.Staff, Subject: "s-doctor", Organisation: "T1", Parents: []string{"ICB"},
			Role: "R1", Activities: []string{policy.ActivityRead, policy.ActivityBreakGlass}, Purpose: "TREAT", Client: "ehr", ClientClass: "confidential", ClientPurposes: []string{"TREAT"},
			Scopes: scopes("user/*.cruds"), Level: 3}},
		"a patient": {printed.Request{User: "ann", Client: "app"}, consent.Principal{Kind: consent.Patient, Subject: "s-ann", Patient: "ann-1", Number: "9999999468", Purpose: "PATRQT",
			Client: "app", ClientClass: "public", ClientPurposes: []string{"PATRQT"}, Scopes: scopes("patient/*.rs"), Level: 9}},
		"a patient without a record is bound to none": {printed.Request{User: "stranger", Client: "app"}, consent.Principal{Kind: consent.Patient, Subject: "s-stranger", Purpose: "PATRQT",
			Client: "app", ClientClass: "public", ClientPurposes: []string{"PATRQT"}, Scopes: scopes("patient/*.rs")}},
		"SMART-440: a patient whose identity was not proved is bound to none": {printed.Request{User: "unproved", Client: "app"}, consent.Principal{Kind: consent.Patient, Subject: "s-unproved", Purpose: "PATRQT",
			Client: "app", ClientClass: "public", ClientPurposes: []string{"PATRQT"}, Scopes: scopes("patient/*.rs"), Level: 5}},
		"a feed": {printed.Request{Client: "feed"}, consent.Principal{Kind: consent.SourceSystem, Subject: "feed", Organisation: "T1", Flow: consent.FlowIngest, IDPrefix: "t1.", Purpose: "TREAT",
			Client: "feed", ClientClass: "backend", ClientPurposes: []string{"TREAT"}, Scopes: scopes("system/*.cruds")}},
		"another backend": {printed.Request{Client: "reader"}, consent.Principal{Kind: consent.Backend, Subject: "reader", Organisation: "G1", Flow: "care", Purpose: "TREAT",
			Client: "reader", ClientClass: "backend", ClientPurposes: []string{"TREAT"}, Scopes: scopes("system/Patient.rs")}},
		"a clinician with a patient in context": {printed.Request{User: "doctor", Client: "ehr", Patient: "ann-1"}, consent.Principal{Kind: consent.Staff, Subject: "s-doctor", Organisation: "T1", Parents: []string{"ICB"},
			Role: "R1", Activities: []string{policy.ActivityRead, policy.ActivityBreakGlass}, Purpose: "TREAT", Client: "ehr", ClientClass: "confidential", ClientPurposes: []string{"TREAT"},
			Scopes: scopes("user/*.cruds patient/*.rs"), Context: consent.Context{Patient: "ann-1", Person: "key of ann"}, Level: 3}},
		"SMART-236: scopes are cut to the ceiling": {printed.Request{User: "doctor", Client: "ehr", Scope: "user/Observation.rs system/*.cruds patient/Patient.r"}, consent.Principal{
			Kind: consent.Staff, Subject: "s-doctor", Organisation: "T1", Parents: []string{"ICB"}, Role: "R1", Activities: []string{policy.ActivityRead, policy.ActivityBreakGlass},
			Purpose: "TREAT", Client: "ehr", ClientClass: "confidential", ClientPurposes: []string{"TREAT"}, Scopes: scopes("user/Observation.rs"), Level: 3}},
	} {
		got, err := d.verify("Bearer " + d.issue(t, c.spec))
		if err != nil {
			t.Errorf("CON-202: %s: got %v", name, err)
			continue
		}
		if got.Token == "" || got.Session == "" {
			t.Errorf("CON-202: %s: token id %q, session %q", name, got.Token, got.Session)
		}
		c.want.Token, c.want.Session, c.want.Address, c.want.At = got.Token, got.Session, "192.0.2.1", d.now
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("CON-202: %s (-want +got):\n%s", name, diff)
		}
	}
}

// TestOpaque: a token is 256 random bits without a meaning, and the store has only its hash.
func TestOpaque(t *testing.T) {
	d := newTokenDesk(t)
	one, two := d.issue(t, printed.Request{User: "doctor", Client: "ehr"}), d.issue(t, printed.Request{User: "doctor", Client: "ehr"})
	if len(one) != 49 || one == two {
		t.Errorf("got %q and %q, want 49 letters each, and not the same", one, two)
	}
	for _, kept := range d.state.stored {
		for _, token := range []string{one, two} {
			if strings.Contains(kept[0], token) || strings.Contains(kept[1], token) {
				t.Errorf("the store holds the token itself: %v", kept)
			}
		}
	}
	p, err := d.verify("Bearer " + one)
	if err != nil || p.Token == one || bytes.Contains([]byte(one), []byte(p.Token)) {
		t.Errorf("CON-202: the Principal carries %q, want an id that is not the token; %v", p.Token, err)
	}
}

// TestRefused: expired, unknown and misplaced tokens are refused with one text; only the code of
// an expired one differs (SMART-410 to 412).
func TestRefused(t *testing.T) {
	const need, bad = `Bearer realm="carerecord"`, `Bearer realm="carerecord", error="invalid_token"`
	for name, c := range map[string]struct {
		header   func(token string) []string
		meantime func(*tokenDesk)
		code     string
		www      string
	}{
		"SMART-412: no token":           {header: func(string) []string { return nil }, code: "login", www: need},
		"SMART-411: unknown":            {header: func(string) []string { return []string{"Bearer cr_at_" + strings.Repeat("A", 43)} }, code: "login", www: bad},
		"one letter is another":         {header: func(tok string) []string { return []string{"Bearer " + changed(tok)} }, code: "login", www: bad},
		"SMART-410: two headers":        {header: func(tok string) []string { return []string{"Bearer " + tok, "Bearer " + tok} }, code: "login", www: bad},
		"another scheme":                {header: func(tok string) []string { return []string{"Basic " + tok} }, code: "login", www: bad},
		"no scheme":                     {header: func(tok string) []string { return []string{tok} }, code: "login", www: bad},
		"no token after the scheme":     {header: func(string) []string { return []string{"Bearer "} }, code: "login", www: bad},
		"white space within":            {header: func(tok string) []string { return []string{"Bearer  " + tok} }, code: "login", www: bad},
		"SMART-412: ended":              {meantime: func(d *tokenDesk) { d.now = d.now.Add(12 * time.Hour) }, code: "expired", www: bad},
		"ended long ago, and forgotten": {meantime: func(d *tokenDesk) { d.now = d.now.Add(37 * time.Hour) }, code: "login", www: bad},
		"SMART-050: the client is suspended": {meantime: func(d *tokenDesk) {
			if _, err := d.Grants.Clients.Suspend(context.Background(), "test", "ehr"); err != nil {
				t.Error(err)
			}
		}, code: "login", www: bad},
		"SMART-065: the client was suspended and resumed": {meantime: func(d *tokenDesk) {
			for _, change := range []func(context.Context, string, string) (*clients.Client, error){d.Grants.Clients.Suspend, d.Grants.Clients.Resume} {
				if _, err := change(context.Background(), "test", "ehr"); err != nil {
					t.Error(err)
				}
			}
		}, code: "login", www: bad},
		"SMART-402: all grants of the organisation ended": {meantime: ended(t, grants.Of{Organisation: "T1"}), code: "login", www: bad},
		"SMART-402: all grants of the user ended":         {meantime: ended(t, grants.Of{User: "doctor"}), code: "login", www: bad},
		"SMART-402: all grants ended":                     {meantime: ended(t, grants.Of{}), code: "login", www: bad},
		"SMART-402: grants of others ended":               {meantime: ended(t, grants.Of{Organisation: "G1"})},
		"SMART-388: a refresh token":                      {header: func(tok string) []string { return []string{"Bearer cr_rt_" + tok[6:]} }, code: "login", www: bad},
		"SMART-388: a code":                               {header: func(tok string) []string { return []string{"Bearer cr_ac_" + tok[6:]} }, code: "login", www: bad},
		"SMART-411: the person has left":                  {meantime: func(d *tokenDesk) { d.policy.People = d.policy.People[1:] }, code: "login", www: bad},
		"a moment before its end it does":                 {meantime: func(d *tokenDesk) { d.now = d.now.Add(12*time.Hour - time.Millisecond) }},
	} {
		d := newTokenDesk(t)
		token := d.issue(t, printed.Request{User: "doctor", Client: "ehr"})
		if c.meantime != nil {
			c.meantime(d)
		}
		header := []string{"Bearer " + token}
		if c.header != nil {
			header = c.header(token)
		}
		p, err := d.verify(header...)
		if c.code == "" {
			if err != nil {
				t.Errorf("%s: got %v", name, err)
			}
			continue
		}
		var e *fhir.Error
		if !errors.As(err, &e) || e.Status != 401 || e.Issues[0].Code != c.code || e.Header["WWW-Authenticate"] != c.www {
			t.Errorf("%s: got %v, want 401 %s and %s", name, err, c.code, c.www)
			continue
		}
		if c.www == bad && e.Issues[0].Text != "The access token is not valid." {
			t.Errorf("SMART-412: %s: got %q, want one text for all reasons", name, e.Issues[0].Text)
		}
		if diff := cmp.Diff(consent.Principal{}, p); diff != "" {
			t.Errorf("%s: a Principal came with the refusal: %s", name, diff)
		}
	}
}

// changed returns a token that differs in one letter.
func changed(token string) string {
	at, other := len("cr_at_"), "A"
	if token[at] == 'A' {
		other = "B"
	}
	return token[:at] + other + token[at+1:]
}

// ended ends grants of a kind.
func ended(t *testing.T, of grants.Of) func(*tokenDesk) {
	return func(d *tokenDesk) {
		if err := d.Grants.EndAll(context.Background(), "test", of); err != nil {
			t.Error(err)
		}
	}
}

// TestUnavailableState: while the store does not answer, no token is accepted, and none is called
// invalid (SMART-413).
func TestUnavailableState(t *testing.T) {
	d := newTokenDesk(t)
	token := d.issue(t, printed.Request{User: "doctor", Client: "ehr"})
	d.state.down = true
	_, err := d.verify("Bearer " + token)
	var e *fhir.Error
	if !errors.As(err, &e) || e.Status != 503 || e.Header["Retry-After"] == "" || e.Header["WWW-Authenticate"] != "" {
		t.Errorf("SMART-413: got %v, want 503 with Retry-After", err)
	}
}

// TestCurrentRole: a token holds for the role and the organisation with which it was issued, as long as the person has
// them (SMART-205); what the role permits is that of the request (CON-1403).
func TestCurrentRole(t *testing.T) {
	d := newTokenDesk(t)
	token := d.issue(t, printed.Request{User: "doctor", Client: "ehr"})
	d.policy.Roles[0].Activities = nil
	if p, err := d.verify("Bearer " + token); err != nil || p.Activities != nil {
		t.Errorf("CON-1403: got %+v, %v, want nothing allowed", p, err)
	}
	d.policy.People[0].Organisation = "G1"
	if p, err := d.verify("Bearer " + token); err == nil {
		t.Errorf("SMART-205: in another organisation: got %+v", p)
	}
}

// TestNotIssued: no token is issued beyond the rights of the client and the person.
func TestNotIssued(t *testing.T) {
	for name, c := range map[string]struct {
		spec printed.Request
		want string
	}{
		"no such client":                       {printed.Request{Client: "nobody"}, "no client"},
		"no such person":                       {printed.Request{User: "nobody", Client: "ehr"}, "no user"},
		"a backend acts for no person":         {printed.Request{User: "doctor", Client: "feed"}, "acts for no person"},
		"an app needs a person":                {printed.Request{Client: "ehr"}, "does not act for"},
		"a clinician in the app of patients":   {printed.Request{User: "doctor", Client: "app"}, "does not act for"},
		"a purpose that is not registered":     {printed.Request{User: "doctor", Client: "ehr", Purpose: "HRESCH"}, "not registered for the purpose"},
		"SMART-236: beyond the ceiling":        {printed.Request{Client: "reader", Scope: "system/Observation.rs"}, "may not have any"},
		"SMART-242: a level that does not fit": {printed.Request{User: "doctor", Client: "ehr", Scope: "patient/*.rs"}, "may not have any"},
		"a scope that is not understood":       {printed.Request{User: "doctor", Client: "ehr", Scope: "user/Observation.sr"}, "in that order"},
		"a Patient whom the user may not see":  {printed.Request{User: "doctor", Client: "ehr", Patient: "nobody"}, "no Patient"},
		"a Patient in context of a patient":    {printed.Request{User: "ann", Client: "app", Patient: "ann-1"}, "needs no name"},
	} {
		token, _, err := newTokenDesk(t).issuer.Issue(context.Background(), "test", c.spec)
		if token != "" || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %q, %v, want an error with %q", name, token, err, c.want)
		}
	}
}
