package clients_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"carerecord/consent/audit/audittest"
	"carerecord/interop/smart/clients"
)

const day = 24 * time.Hour

// TestSMART066Evidence: a client becomes active with the evidence that the policy demands, and is not served after the end of its
// agreement or the day of its review, of which operators are told before (SMART-055, 066).
func TestSMART066Evidence(t *testing.T) {
	o, ctx := newOffice(t), t.Context()
	o.Rules.Evidence = []string{clients.EvidenceDTAC, clients.EvidenceDPIA, clients.EvidenceAgreement}
	for name, c := range map[string]struct {
		change func(*clients.Client)
		lacks  string
	}{
		"nothing":              {func(*clients.Client) {}, "dtac, dpia, agreement"},
		"an ended agreement":   {func(c *clients.Client) { c.AgreementEnds = o.now }, "agreement"},
		"an empty reference":   {func(c *clients.Client) { c.Evidence["dpia"] = "" }, "dpia"},
		"all that is demanded": {func(*clients.Client) {}, ""},
	} {
		proposed := app()
		if name != "nothing" {
			proposed.Evidence, proposed.AgreementEnds = map[string]string{"dtac": "D-1", "dpia": "P-1"}, o.now.Add(100*day)
		}
		c.change(&proposed)
		added, err := o.Add(ctx, "ann", proposed)
		if err != nil {
			t.Fatal(err)
		}
		_, err = o.Approve(ctx, "bob", added.ID, added.Digest())
		if c.lacks != "" && (!errors.Is(err, clients.ErrRefused) || !strings.HasSuffix(err.Error(), ": "+c.lacks)) || c.lacks == "" && err != nil {
			t.Errorf("SMART-066: %s: got %v, want it to name %q", name, err, c.lacks)
		}
		if _, err := o.Serving(ctx, added.ID); (err == nil) != (c.lacks == "") {
			t.Errorf("SMART-066: %s: served: %v", name, err)
		}
	}
	unknown := app()
	unknown.Evidence = map[string]string{"iso": "x"}
	if _, err := o.Add(ctx, "ann", unknown); err == nil {
		t.Error("SMART-066: evidence of an unknown kind was accepted")
	}
	if err := o.Import(ctx, "policy folder", clients.Client{ID: "demo-x", Name: "X", Kind: clients.Backend, Purposes: []string{"TREAT"}, Scopes: "system/*.rs"}); err != nil {
		t.Fatal(err)
	}
	if c, err := o.Get(ctx, "demo-x"); err != nil || c.Status != clients.Pending || c.Proposed == nil {
		t.Errorf("SMART-066: a client of a policy folder without its evidence: got %+v, %v, want it pending", c, err)
	}
}

// TestSMART066Dates: operators are told thirty days before a client stops, and from the day itself it is not served.
func TestSMART066Dates(t *testing.T) {
	for _, field := range []string{"review", "agreement"} {
		o, ctx := newOffice(t), t.Context()
		dated, ends := app(), o.now.Add(60*day)
		if dated.Review = ends; field == "agreement" {
			dated.Review, dated.AgreementEnds = time.Time{}, ends
		}
		c := o.add(t, dated)
		for _, step := range []struct {
			at     time.Time
			notice string
			served bool
		}{
			{ends.Add(-30*day - time.Second), "", true}, {ends.Add(-30 * day), "is suspended on 2026-06-30 unless its " + field, true}, {ends.Add(-time.Second), "is suspended on", true}, {ends, "is suspended since 2026-06-30: its " + field, false},
		} {
			o.now = step.at
			notices, err := o.Notices(ctx)
			if got := strings.Join(notices[c.ID], "; "); err != nil || !strings.Contains(got, step.notice) || step.notice == "" && got != "" {
				t.Errorf("SMART-066: %s at %s: got the notice %q, %v, want %q", field, step.at, got, err, step.notice)
			}
			if _, err := o.Serving(ctx, c.ID); (err == nil) != step.served {
				t.Errorf("SMART-066: %s at %s: got %v, want it served: %t", field, step.at, err, step.served)
			}
		}
	}
}

// TestSMART059: operators are told when inline keys are a year old, and at the review; new keys begin a new year.
func TestSMART059(t *testing.T) {
	o, ctx := newOffice(t), t.Context()
	signer := app()
	signer.Kind, signer.Keys, signer.Contact = clients.Asymmetric, []byte(publicKeys(t)), "support@app.example"
	c := o.add(t, signer)
	notices := func() string {
		t.Helper()
		all, err := o.Notices(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(all[c.ID], "; ")
	}
	o.now = o.now.Add(365*day - time.Second)
	if got := notices(); got != "" {
		t.Errorf("SMART-059: before a year: got %q", got)
	}
	o.now = o.now.Add(time.Second)
	if got := notices(); !strings.Contains(got, "its keys are in force since 2026-05-01: its owner (support@app.example) should") {
		t.Errorf("SMART-059: after a year: got %q", got)
	}
	proposed, err := o.SetKeys(ctx, "ann", c.ID, []byte(publicKeys(t)), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Approve(ctx, "bob", c.ID, proposed.Digest()); err != nil {
		t.Fatal(err)
	}
	if got := notices(); got != "" {
		t.Errorf("SMART-059: with new keys: got %q", got)
	}
	reviewed := *proposed
	reviewed.Keys, reviewed.Review = proposed.Proposed.With.Keys, o.now.Add(40*day)
	if proposed, err = o.Change(ctx, "ann", c.ID, reviewed); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Approve(ctx, "bob", c.ID, proposed.Digest()); err != nil {
		t.Fatal(err)
	}
	o.now = o.now.Add(15 * day)
	if got := notices(); !strings.Contains(got, "look at them with its owner (support@app.example) at the review") {
		t.Errorf("SMART-059: at the review: got %q", got)
	}
}

// TestSMART067Likeness: the approver is told of a name that looks like NHS or like that of another client, however it is written.
func TestSMART067Likeness(t *testing.T) {
	o, ctx := newOffice(t), t.Context()
	other := app()
	other.Name = "Patient Viewer"
	o.add(t, other)
	for name, notice := range map[string]string{
		"My NHS":                 "close to NHS",
		"n-h-s record":           "close to NHS",
		"\u041dНS Hospital tool": "", // two letters of another script, that look like HH
		"N\u041d\u0405 App":      "close to NHS",
		"Patient Viewer":         "close to that of the client",
		"Pat1ent V1ewer":         "close to that of the client",
		"Pati\u00e9nt  vıewer":   "close to that of the client",
		"Patient Vlewers":        "close to that of the client",
		"Patients Reviewed":      "",
		"Something else":         "",
	} {
		proposed := app()
		proposed.Name = name
		c, err := o.Add(ctx, "ann", proposed)
		if err != nil {
			t.Fatal(err)
		}
		all, err := o.Notices(ctx)
		if got := strings.Join(all[c.ID], "; "); err != nil || !strings.Contains(got, notice) || notice == "" && strings.Contains(got, "close") {
			t.Errorf("SMART-067: %q: got %q, %v, want %q", name, got, err, notice)
		}
		if _, err := o.Change(ctx, "ann", c.ID, clients.Client{Name: "Withdrawn " + c.ID, Kind: app().Kind, Audience: app().Audience, RedirectURIs: app().RedirectURIs, Scopes: app().Scopes, Purposes: app().Purposes}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSMART064: a registration that does not say whether there is offline access has it for an app of patients alone.
func TestSMART064(t *testing.T) {
	for text, want := range map[string]bool{
		`{"kind":"public","audience":["patient"]}`:                                   true,
		`{"kind":"confidential-symmetric","audience":["patient"]}`:                   true,
		`{"kind":"public","audience":["patient"],"offline":false}`:                   false,
		`{"kind":"public","audience":["clinician"]}`:                                 false,
		`{"kind":"public","audience":["patient","clinician"]}`:                       false,
		`{"kind":"confidential-asymmetric","audience":["clinician"],"offline":true}`: true,
		`{"kind":"backend"}`: false,
	} {
		c, err := clients.Decode([]byte(text))
		if err != nil || c.Offline != want {
			t.Errorf("SMART-064: %s: got %t, %v, want %t", text, c.Offline, err, want)
		}
	}
	for _, text := range []string{`{"nonsense":1}`, `{} {}`, `[]`, ``, `{"offline":"yes"}`} {
		if _, err := clients.Decode([]byte(text)); err == nil {
			t.Errorf("%q was read as a registration", text)
		}
	}
	printed, err := json.Marshal(clients.Client{Kind: clients.Public, Audience: []string{clients.ForPatients}})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := clients.Decode(printed); err != nil || again.Offline {
		t.Errorf("SMART-064: a printed registration without offline access: read with it: %v", err)
	}
}

// TestSMART052Values: the audit record of each change has the values before and after, and neither a secret nor its digest.
func TestSMART052Values(t *testing.T) {
	o, ctx := newOffice(t), t.Context()
	c := o.add(t, app())
	for range 2 {
		if _, err := o.RotateSecret(ctx, "ann", c.ID); err != nil {
			t.Fatal(err)
		}
	}
	wider := app()
	wider.Scopes = "patient/*.cruds"
	proposed, err := o.Change(ctx, "ann", c.ID, wider)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Approve(ctx, "bob", c.ID, proposed.Digest()); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Suspend(ctx, "ann", c.ID); err != nil {
		t.Fatal(err)
	}
	now, err := o.Get(ctx, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	records, _ := audittest.RecordsAfter(t, o.engine, 0)
	values := map[string]string{}
	for _, r := range records {
		text, err := json.Marshal(r.Changed)
		if err != nil {
			t.Fatal(err)
		}
		values[r.Interaction] += string(text)
		for _, s := range now.Secrets {
			if strings.Contains(string(text), s.Digest) {
				t.Errorf("SMART-052: the record of %s has the digest of a secret", r.Interaction)
			}
		}
	}
	for event, want := range map[string]string{
		"client-add":           `{"field":"name","new":"An app"}`,
		"client-rotate-secret": `{"field":"secrets[0]","new":{"digest":"","made":"2026-05-01T12:00:00Z"`,
		"client-change":        `{"field":"proposed.scopes","new":"patient/*.cruds"}`,
		"client-approve":       `{"field":"scopes","old":"patient/*.rs","new":"patient/*.cruds"}`,
		"client-suspend":       `{"field":"status","old":"active","new":"suspended"}`,
	} {
		if !strings.Contains(values[event], want) {
			t.Errorf("SMART-052: %s: got the values %s, want %s", event, values[event], want)
		}
	}
}

// publicKeys returns a JWK set of a new key.
func publicKeys(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k"}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
