package clients_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"carerecord/consent/audit"
	"carerecord/consent/audit/audittest"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/ledger"
	"carerecord/interop/smart/secret"
	"carerecord/store/storetest"
)

// office is a registry over a store whose time the test sets.
type office struct {
	*clients.Registry
	engine *storetest.Reference
	now    time.Time
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return o.now }
	o.engine = storetest.NewReference(clock)
	writer, err := audit.New(o.engine, bytes.Repeat([]byte("k"), 32), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	digester, err := secret.NewDigester(bytes.Repeat([]byte("d"), 32))
	if err != nil {
		t.Fatal(err)
	}
	o.Registry = &clients.Registry{Ledger: &ledger.Ledger{State: o.engine, Commit: o.engine, Audit: writer, Clock: clock}, Secrets: digester,
		Rules: clients.Rules{Organisation: func(ods string) bool { return ods == "T1" }}}
	return o
}

func app() clients.Client {
	return clients.Client{Name: "An app", Kind: clients.Symmetric, Audience: []string{clients.ForPatients}, RedirectURIs: []string{"https://app.example/back"},
		Scopes: "patient/*.rs", Purposes: []string{"PATRQT"}, Organisation: "T1"}
}

// TestWithoutRedirect: an app that people use is registered and changed with a redirect URI alone. One of the policy folder has none yet
// (SMART-056).
func TestWithoutRedirect(t *testing.T) {
	o, ctx := newOffice(t), t.Context()
	without := app()
	without.RedirectURIs = nil
	if _, err := o.Add(ctx, "ann", without); !errors.Is(err, clients.ErrRefused) || !strings.Contains(err.Error(), "redirectURIs: ") {
		t.Errorf("SMART-056: an app without a redirect URI: got %v", err)
	}
	without.ID = "of-policy"
	if err := o.Import(ctx, "policy folder", without); err != nil {
		t.Errorf("an app of the policy folder: %v", err)
	}
	if _, err := o.Change(ctx, "ann", without.ID, without); !errors.Is(err, clients.ErrRefused) {
		t.Errorf("SMART-056: a change to an app without a redirect URI: got %v", err)
	}
	if _, err := o.Change(ctx, "ann", without.ID, app()); err != nil {
		t.Errorf("a change that gives the app a redirect URI: %v", err)
	}
}

// add registers a client and approves it.
func (o *office) add(t *testing.T, c clients.Client) *clients.Client {
	t.Helper()
	added, err := o.Add(t.Context(), "ann", c)
	if err != nil {
		t.Fatal(err)
	}
	if added, err = o.Approve(t.Context(), "bob", added.ID, added.Digest()); err != nil {
		t.Fatal(err)
	}
	return added
}

// TestSecondApproval: a client is served once somebody else has approved exactly what was proposed, and
// a change has no effect before that (SMART-050, 066).
func TestSecondApproval(t *testing.T) {
	o, ctx := newOffice(t), t.Context()
	c, err := o.Add(ctx, "ann", app())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Serving(ctx, c.ID); !errors.Is(err, clients.ErrUnknown) {
		t.Errorf("SMART-050: a pending client: got %v", err)
	}
	for name, err := range map[string]error{
		"by who proposed it": second(o.Approve(ctx, "ann", c.ID, c.Digest())),
		"another digest":     second(o.Approve(ctx, "bob", c.ID, strings.Repeat("0", 64))),
		"no digest":          second(o.Approve(ctx, "bob", c.ID, "")),
	} {
		if !errors.Is(err, clients.ErrRefused) || strings.Contains(err.Error(), c.Digest()) {
			t.Errorf("SMART-066: %s: got %v, want a refusal that does not tell the digest", name, err)
		}
	}
	if shown := c.Proposed.Shown(); shown.Digest != c.Digest() || shown.With.Status != clients.Pending || c.Proposed.Digest != "" {
		t.Errorf("SMART-066: who approves sees the digest of what is proposed: got %+v", shown)
	}
	if _, err := o.Approve(ctx, "bob", c.ID, c.Digest()); err != nil {
		t.Fatal(err)
	}
	wider := app()
	wider.Scopes = "patient/*.cruds"
	proposed, err := o.Change(ctx, "bob", c.ID, wider)
	if err != nil {
		t.Fatal(err)
	}
	if now, err := o.Serving(ctx, c.ID); err != nil || now.Scopes != "patient/*.rs" {
		t.Errorf("SMART-066: a change that nobody approved: got %v, %v", now, err)
	}
	o.now = o.now.Add(time.Hour)
	if _, err := o.Approve(ctx, "ann", c.ID, proposed.Digest()); err != nil {
		t.Fatal(err)
	}
	if now, err := o.Serving(ctx, c.ID); err != nil || now.Scopes != "patient/*.cruds" || !now.NotBefore.Equal(o.now) {
		t.Errorf("SMART-066: the change after its approval: got %+v, %v", now, err)
	}
	if _, err := o.Approve(ctx, "ann", c.ID, proposed.Digest()); !errors.Is(err, clients.ErrRefused) {
		t.Errorf("an approval of nothing: got %v", err)
	}
	other := app()
	other.Kind = clients.Public
	if _, err := o.Change(ctx, "ann", c.ID, other); !errors.Is(err, clients.ErrRefused) {
		t.Errorf("SMART-054: another kind: got %v", err)
	}
	records, _ := audittest.RecordsAfter(t, o.engine, 0)
	var names []string
	for _, r := range records {
		names = append(names, r.Interaction+" "+r.Agent.Subject)
	}
	if got := strings.Join(names, ", "); got != "client-add ann, client-approve bob, client-change bob, client-approve ann" {
		t.Errorf("SMART-494: got the records %s", got)
	}
}

func second(_ *clients.Client, err error) error { return err }

// TestRestore: an exported client is proposed under its own id, once, and without its secrets.
func TestRestore(t *testing.T) {
	o, ctx := newOffice(t), t.Context()
	c := o.add(t, app())
	if _, err := o.RotateSecret(ctx, "ann", c.ID); err != nil {
		t.Fatal(err)
	}
	exported, err := o.Get(ctx, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Restore(ctx, "ann", *exported); !errors.Is(err, clients.ErrRefused) {
		t.Errorf("an id in use: got %v", err)
	}
	restored := newOffice(t)
	got, err := restored.Restore(ctx, "ann", *exported)
	if err != nil || got.ID != c.ID || got.Status != clients.Pending || got.Secrets != nil || got.Approved != nil {
		t.Errorf("got %+v, %v, want it pending under its id", got, err)
	}
	if got, err = restored.Approve(ctx, "bob", c.ID, got.Digest()); err != nil || got.Status != clients.Active || got.Proposed != nil {
		t.Errorf("SMART-066: after the approval: got %+v, %v", got, err)
	}
	for _, id := range []string{"", "demo-app", "app-", "app-../x", "app-ABCDEFGHIJKLMNOPQRSTUVWXYZ"} {
		other := *exported
		other.ID = id
		if _, err := restored.Restore(ctx, "ann", other); !errors.Is(err, clients.ErrRefused) {
			t.Errorf("SMART-053: the id %q: got %v", id, err)
		}
	}
}

// TestSuspension: a suspended client is not served, and its earlier grants stay ended when it is resumed
// (SMART-065). A passed review date stops it too.
func TestSuspension(t *testing.T) {
	o, ctx := newOffice(t), t.Context()
	c := o.add(t, app())
	if _, err := o.Suspend(ctx, "ann", c.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Serving(ctx, c.ID); !errors.Is(err, clients.ErrUnknown) {
		t.Errorf("SMART-065: suspended: got %v", err)
	}
	suspended := o.now
	o.now = o.now.Add(time.Hour)
	if _, err := o.Resume(ctx, "ann", c.ID); err != nil {
		t.Fatal(err)
	}
	if now, err := o.Serving(ctx, c.ID); err != nil || !now.NotBefore.Equal(suspended) {
		t.Errorf("SMART-065: resumed: got %+v, %v, want grants of before %s ended", now, err, suspended)
	}
	reviewed := app()
	reviewed.Review = o.now.Add(24 * time.Hour)
	c = o.add(t, reviewed)
	o.now = o.now.Add(24 * time.Hour)
	if _, err := o.Serving(ctx, c.ID); !errors.Is(err, clients.ErrUnknown) {
		t.Errorf("SMART-066: after the date of its review: got %v", err)
	}
}

// TestSecrets: a secret is shown once, stored as a digest, and two are valid during a rotation (SMART-063).
func TestSecrets(t *testing.T) {
	o, ctx := newOffice(t), t.Context()
	c := o.add(t, app())
	var secrets []string
	for range 3 {
		s, err := o.RotateSecret(ctx, "ann", c.ID)
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, s)
	}
	valid := func() (out []bool) {
		now, err := o.Serving(ctx, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range append(secrets, "", "wrong") {
			out = append(out, o.HasSecret(now, s))
		}
		return out
	}
	for _, step := range []struct {
		after time.Duration
		want  []bool
	}{{0, []bool{false, true, true, false, false}}, {7 * 24 * time.Hour, []bool{false, false, true, false, false}}, {365 * 24 * time.Hour, []bool{false, false, false, false, false}}} {
		o.now = o.now.Add(step.after)
		if got := valid(); !equal(got, step.want) {
			t.Errorf("SMART-063: after %s: got %v, want %v", step.after, got, step.want)
		}
	}
	for v, err := range o.engine.Values(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range secrets {
			if bytes.Contains(v.Value, []byte(s)) {
				t.Errorf("SMART-490: the store holds a secret: %s", v.Value)
			}
		}
	}
	public := app()
	public.Kind = clients.Public
	if _, err := o.RotateSecret(ctx, "ann", o.add(t, public).ID); !errors.Is(err, clients.ErrRefused) {
		t.Errorf("SMART-063: a public client: got %v", err)
	}
}

func equal(a, b []bool) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}
