package smart

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"strings"
	"testing"

	"carerecord/interop/smart/clients"
)

// TestLogos: the logo of an app is on each page that names the app to its user, and is served from our origin by its digest, as a PNG that
// nothing can run, while the app is served (SMART-055, 067). Two servers that keep nothing give the same.
func TestLogos(t *testing.T) {
	w := newWorld(t, nil, 2)
	var drawn bytes.Buffer
	w.must(png.Encode(&drawn, image.NewGray(image.Rect(0, 0, 300, 300))))
	w.add("drawn", clients.Client{Kind: clients.Public, Audience: []string{clients.ForPatients}, Scopes: "patient/*.rs", Purposes: []string{"PATRQT"}, RedirectURIs: []string{redirect}, Offline: true, Logo: drawn.Bytes()})
	c, err := w.smart[0].Clients.Get(t.Context(), w.ids["drawn"])
	w.must(err)
	path := clients.LogoPath + c.LogoDigest + ".png"
	shown := `<img class="cr-logo" src="` + path + `" alt="" width="48" height="48">`
	b := w.browser()
	b.ask("drawn", "patient/*.rs offline_access")
	b.signIn("ann")
	if !strings.Contains(b.page.text, shown) || !strings.Contains(b.page.header.Get("Content-Security-Policy"), "img-src 'self'") {
		t.Errorf("SMART-067: the consent page has no logo: %s", b.page.text)
	}
	b.stay = true
	if b.allow(); !strings.Contains(b.page.text, shown) {
		t.Errorf("SMART-067: the page that leads back has no logo: %s", b.page.text)
	}
	if b.open(site + "/my/apps"); !strings.Contains(b.page.text, shown) {
		t.Errorf("SMART-067: the page of apps has no logo: %s", b.page.text)
	}
	get := func(method, path string) answer { return read(w.do(w.request(method, site+path, ""))) }
	got := get("GET", path)
	if got.code != 200 || !bytes.Equal([]byte(got.text), c.Logo) {
		t.Errorf("SMART-067: got %d", got.code)
	}
	for name, want := range map[string]string{"Content-Type": "image/png", "X-Content-Type-Options": "nosniff", "Cache-Control": "public, max-age=31536000, immutable",
		"Cross-Origin-Resource-Policy": "same-origin", "Set-Cookie": "", "Access-Control-Allow-Origin": ""} {
		if got.header.Get(name) != want {
			t.Errorf("SMART-067: %s is %q, want %q", name, got.header.Get(name), want)
		}
	}
	for _, unknown := range []string{clients.LogoPath, clients.LogoPath + ".png", path + "?x=1", strings.TrimSuffix(path, ".png"), path + "/", clients.LogoPath + w.ids["drawn"] + ".png", clients.LogoPath + strings.Repeat("0", 64) + ".png"} {
		if got := get("GET", unknown); got.code < 400 || got.header.Get("Content-Type") == "image/png" {
			t.Errorf("SMART-050, 067: %s: got %d", unknown, got.code)
		}
	}
	if got := get("POST", path); got.code != http.StatusMethodNotAllowed {
		t.Errorf("POST: got %d", got.code)
	}
	_, err = w.smart[0].Clients.Suspend(t.Context(), "ann", w.ids["drawn"])
	w.must(err)
	for range 2 { // on each server at once
		if got := get("GET", path); got.code != 404 {
			t.Errorf("SMART-065: the logo of a suspended client: got %d", got.code)
		}
	}
	if b.open(site + "/my/apps"); strings.Contains(b.page.text, "<img") {
		t.Errorf("SMART-065: the page of apps has the logo of a suspended client")
	}
}
