package clients_test

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"strings"
	"testing"

	"carerecord/consent/audit/audittest"
	"carerecord/interop/smart/clients"
)

// picture is a PNG of one colour and a size, with bytes behind its end.
func picture(t *testing.T, side int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, side, side))); err != nil {
		t.Fatal(err)
	}
	return append(b.Bytes(), "trailing data"...)
}

// TestLogoIsApproved: a logo is part of what is proposed and approved, written anew by the registry, and known by its digest to nobody before the
// approval and while the client is not served (SMART-055, 066, 067).
func TestLogoIsApproved(t *testing.T) {
	o := newOffice(t)
	c := app()
	c.Logo = picture(t, 200)
	added, err := o.Add(t.Context(), "ann", c)
	if err != nil {
		t.Fatal(err)
	}
	made := added.Proposed.With.LogoDigest
	if made == "" || bytes.Contains(added.Proposed.With.Logo, []byte("trailing")) {
		t.Errorf("SMART-067: got the digest %q and %q", made, added.Proposed.With.Logo)
	}
	known := func(digest string) bool {
		t.Helper()
		png, err := o.Logo(t.Context(), digest)
		if err != nil && !errors.Is(err, clients.ErrUnknown) {
			t.Fatal(err)
		}
		return len(png) > 0
	}
	if known(made) || o.LogoPath(added) != "" {
		t.Error("SMART-066: the logo of a proposal is served")
	}
	active, err := o.Approve(t.Context(), "bob", added.ID, added.Digest())
	if err != nil {
		t.Fatal(err)
	}
	if !known(made) || o.LogoPath(active) != clients.LogoPath+made+".png" || known("") || known(strings.Repeat("0", 64)) {
		t.Errorf("SMART-055: after the approval: got %q", o.LogoPath(active))
	}
	other := *active
	other.Logo = picture(t, 40)
	bare := *active
	bare.Logo = nil
	without, err := o.Change(t.Context(), "ann", added.ID, bare)
	if err != nil {
		t.Fatal(err)
	}
	changed, err := o.Change(t.Context(), "ann", added.ID, other)
	if err != nil {
		t.Fatal(err)
	}
	if without.Digest() == changed.Digest() {
		t.Error("SMART-066: the digest of a proposal does not depend on its logo")
	}
	next := changed.Proposed.With.LogoDigest
	if next == made || known(next) || !known(made) {
		t.Errorf("SMART-066: before its approval, a new logo %s is served in place of %s", next, made)
	}
	if _, err := o.Approve(t.Context(), "bob", added.ID, changed.Digest()); err != nil {
		t.Fatal(err)
	}
	if !known(next) || known(made) {
		t.Error("SMART-066: after its approval, the old logo is served")
	}
	exported, err := o.Get(t.Context(), added.ID)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := newOffice(t)
	forged := *exported
	forged.LogoDigest = made
	restored, err := elsewhere.Restore(t.Context(), "ann", forged)
	if err != nil || restored.LogoDigest != next || !bytes.Equal(restored.Logo, exported.Logo) {
		t.Errorf("SMART-499: an exported logo: got %q (%v), want %q", restored.LogoDigest, err, next)
	}
	if _, err := o.Suspend(t.Context(), "ann", added.ID); err != nil {
		t.Fatal(err)
	}
	if known(next) {
		t.Error("SMART-055: the logo of a suspended client is served")
	}
	records, _ := audittest.RecordsAfter(t, o.engine, 0)
	told := false
	for _, r := range records {
		for _, f := range r.Changed {
			told = told || f.Field == "proposed.logoDigest" && strings.Contains(string(f.New), next)
			if strings.HasSuffix(f.Field, "logo") {
				t.Errorf("SMART-052: the record %s has an image", r.Interaction)
			}
		}
	}
	if !told {
		t.Error("SMART-052: no record has the digest of the logo")
	}
}

// TestLogoRefused: a registration with something else than an image is refused by each way into the registry, and so is one of a backend client (SMART-067).
func TestLogoRefused(t *testing.T) {
	o := newOffice(t)
	kept := o.add(t, app())
	bad := *kept
	bad.Logo = []byte("<svg/>")
	_, errAdd := o.Add(t.Context(), "ann", bad)
	_, errChange := o.Change(t.Context(), "ann", kept.ID, bad)
	errImport := newOffice(t).Import(t.Context(), "ann", bad)
	backend := clients.Client{Name: "b", Kind: clients.Backend, Scopes: "system/*.rs", Purposes: []string{"TREAT"}, Logo: picture(t, 10)}
	_, errBackend := o.Add(t.Context(), "ann", backend)
	for name, err := range map[string]error{"add": errAdd, "change": errChange, "import": errImport, "restore": o.Restorable(bad), "a backend client": errBackend} {
		if !errors.Is(err, clients.ErrRefused) || !strings.Contains(err.Error(), "logo: ") {
			t.Errorf("SMART-067: %s: got %v", name, err)
		}
	}
}
