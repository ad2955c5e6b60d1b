package smart_test

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
	"carerecord/consent/policy"
	"carerecord/fhir"
	"carerecord/interop/smart"
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

// fakeState records inserted values, and can be unavailable.
type fakeState struct {
	store.State
	down     bool
	inserted [][2]string
}

func (w *fakeState) Insert(ctx context.Context, key string, value []byte, expires time.Time) error {
	w.inserted = append(w.inserted, [2]string{key, string(value)})
	return w.State.Insert(ctx, key, value, expires)
}

func (w *fakeState) Lookup(ctx context.Context, key string) ([]byte, error) {
	if w.down {
		return nil, store.ErrUnavailable
	}
	return w.State.Lookup(ctx, key)
}

// tokenDesk issues and verifies tokens at a time that the test sets.
type tokenDesk struct {
	*smart.Tokens
	state  *fakeState
	policy *policy.Folder
	now    time.Time
}

func newTokenDesk() *tokenDesk {
	d := &tokenDesk{policy: region(), now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return d.now }
	d.state = &fakeState{State: storetest.NewReference(clock)}
	d.Tokens = smart.New(smart.Config{State: d.state, Policy: d.policy, Clock: clock,
		SignIn: func(_ context.Context, number, _ string) (consent.SignIn, error) {
			return consent.SignIn{Patient: map[string]string{"9999999468": "ann-1"}[number]}, nil
		}})
	return d
}

func (d *tokenDesk) issue(t *testing.T, request smart.TokenRequest) string {
	t.Helper()
	token, err := d.Issue(context.Background(), request)
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
	d := newTokenDesk()
	scopes := func(text string) consent.Scopes {
		s, err := consent.ParseScopes(text, func(string) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for name, c := range map[string]struct {
		spec smart.TokenRequest
		want consent.Principal
	}{
		"a clinician": {smart.TokenRequest{User: "doctor", Client: "ehr"}, consent.Principal{Kind: consent.Staff, Subject: "s-doctor", Organisation: "T1", Parents: []string{"ICB"},
			Role: "R1", Activities: []string{policy.ActivityRead, policy.ActivityBreakGlass}, Purpose: "TREAT", Client: "ehr", ClientClass: "confidential", ClientPurposes: []string{"TREAT"},
			Scopes: scopes("user/*.cruds"), Level: 3}},
		"a patient": {smart.TokenRequest{User: "ann", Client: "app"}, consent.Principal{Kind: consent.Patient, Subject: "s-ann", Patient: "ann-1", Number: "9999999468", Purpose: "PATRQT",
			Client: "app", ClientClass: "public", ClientPurposes: []string{"PATRQT"}, Scopes: scopes("patient/*.rs"), Level: 9}},
		"a patient without a record is bound to none": {smart.TokenRequest{User: "stranger", Client: "app"}, consent.Principal{Kind: consent.Patient, Subject: "s-stranger", Purpose: "PATRQT",
			Client: "app", ClientClass: "public", ClientPurposes: []string{"PATRQT"}, Scopes: scopes("patient/*.rs")}},
		"a feed": {smart.TokenRequest{Client: "feed"}, consent.Principal{Kind: consent.SourceSystem, Subject: "feed", Organisation: "T1", Flow: consent.FlowIngest, IDPrefix: "t1.", Purpose: "TREAT",
			Client: "feed", ClientClass: "backend", ClientPurposes: []string{"TREAT"}, Scopes: scopes("system/*.cruds")}},
		"another backend": {smart.TokenRequest{Client: "reader"}, consent.Principal{Kind: consent.Backend, Subject: "reader", Organisation: "G1", Flow: "care", Purpose: "TREAT",
			Client: "reader", ClientClass: "backend", ClientPurposes: []string{"TREAT"}, Scopes: scopes("system/Patient.rs")}},
		"SMART-236: scopes are cut to the ceiling": {smart.TokenRequest{User: "doctor", Client: "ehr", Scope: "user/Observation.rs system/*.cruds patient/Patient.r"}, consent.Principal{
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
	d := newTokenDesk()
	one, two := d.issue(t, smart.TokenRequest{User: "doctor", Client: "ehr"}), d.issue(t, smart.TokenRequest{User: "doctor", Client: "ehr"})
	if len(one) != 43 || one == two {
		t.Errorf("got %q and %q, want 43 letters each, and not the same", one, two)
	}
	for _, kept := range d.state.inserted {
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
		"SMART-412: no token":             {header: func(string) []string { return nil }, code: "login", www: need},
		"SMART-411: unknown":              {header: func(string) []string { return []string{"Bearer " + strings.Repeat("A", 43)} }, code: "login", www: bad},
		"one letter is another":           {header: func(tok string) []string { return []string{"Bearer " + changed(tok)} }, code: "login", www: bad},
		"SMART-410: two headers":          {header: func(tok string) []string { return []string{"Bearer " + tok, "Bearer " + tok} }, code: "login", www: bad},
		"another scheme":                  {header: func(tok string) []string { return []string{"Basic " + tok} }, code: "login", www: bad},
		"no scheme":                       {header: func(tok string) []string { return []string{tok} }, code: "login", www: bad},
		"no token after the scheme":       {header: func(string) []string { return []string{"Bearer "} }, code: "login", www: bad},
		"white space within":              {header: func(tok string) []string { return []string{"Bearer  " + tok} }, code: "login", www: bad},
		"SMART-412: ended":                {meantime: func(d *tokenDesk) { d.now = d.now.Add(12 * time.Hour) }, code: "expired", www: bad},
		"ended long ago, and forgotten":   {meantime: func(d *tokenDesk) { d.now = d.now.Add(37 * time.Hour) }, code: "login", www: bad},
		"SMART-411: the client is gone":   {meantime: func(d *tokenDesk) { d.policy.Clients = d.policy.Clients[1:] }, code: "login", www: bad},
		"SMART-411: the person has left":  {meantime: func(d *tokenDesk) { d.policy.People = d.policy.People[1:] }, code: "login", www: bad},
		"a moment before its end it does": {meantime: func(d *tokenDesk) { d.now = d.now.Add(12*time.Hour - time.Millisecond) }},
	} {
		d := newTokenDesk()
		token := d.issue(t, smart.TokenRequest{User: "doctor", Client: "ehr"})
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

// changed returns a token that differs in its first letter.
func changed(token string) string {
	first := "A"
	if token[0] == 'A' {
		first = "B"
	}
	return first + token[1:]
}

// TestUnavailableState: while the store does not answer, no token is accepted, and none is called
// invalid (SMART-413).
func TestUnavailableState(t *testing.T) {
	d := newTokenDesk()
	token := d.issue(t, smart.TokenRequest{User: "doctor", Client: "ehr"})
	d.state.down = true
	_, err := d.verify("Bearer " + token)
	var e *fhir.Error
	if !errors.As(err, &e) || e.Status != 503 || e.Header["Retry-After"] == "" || e.Header["WWW-Authenticate"] != "" {
		t.Errorf("SMART-413: got %v, want 503 with Retry-After", err)
	}
}

// TestCurrentRole: organisation, role and parents are those at the time of the request, not of
// the token (CON-1403).
func TestCurrentRole(t *testing.T) {
	d := newTokenDesk()
	token := d.issue(t, smart.TokenRequest{User: "doctor", Client: "ehr"})
	d.policy.People[0].Organisation, d.policy.People[0].Role = "G1", "gone"
	p, err := d.verify("Bearer " + token)
	if err != nil || p.Organisation != "G1" || p.Parents != nil || p.Activities != nil {
		t.Errorf("got %+v, %v, want G1 with no parents and nothing allowed", p, err)
	}
}

// TestNotIssued: no token is issued beyond the rights of the client and the person.
func TestNotIssued(t *testing.T) {
	for name, c := range map[string]struct {
		spec smart.TokenRequest
		want string
	}{
		"no such client":                        {smart.TokenRequest{Client: "nobody"}, "no client"},
		"no such person":                        {smart.TokenRequest{User: "nobody", Client: "ehr"}, "no user"},
		"a backend acts for no person":          {smart.TokenRequest{User: "doctor", Client: "feed"}, "acts for no person"},
		"an app needs a person":                 {smart.TokenRequest{Client: "ehr"}, "does not act for"},
		"a clinician in the app of patients":    {smart.TokenRequest{User: "doctor", Client: "app"}, "does not act for"},
		"a purpose that is not registered":      {smart.TokenRequest{User: "doctor", Client: "ehr", Purpose: "HRESCH"}, "not registered for the purpose"},
		"SMART-236: beyond the ceiling":         {smart.TokenRequest{Client: "reader", Scope: "system/Observation.rs"}, "may not have any"},
		"SMART-242: a level that does not fit":  {smart.TokenRequest{User: "doctor", Client: "ehr", Scope: "patient/*.rs"}, "may not have any"},
		"a scope that is not understood":        {smart.TokenRequest{User: "doctor", Client: "ehr", Scope: "user/Observation.sr"}, "in that order"},
		"launch context is refused, not served": {smart.TokenRequest{User: "doctor", Client: "ehr", Patient: "ann-1"}, "not built yet"},
	} {
		token, err := newTokenDesk().Issue(context.Background(), c.spec)
		if token != "" || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %q, %v, want an error with %q", name, token, err, c.want)
		}
	}
}
