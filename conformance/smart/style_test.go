package smart

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/interop/smart"
	"carerecord/interop/smart/capabilities"
	"carerecord/interop/smart/clients"
	"carerecord/store/storetest"
)

// styled opens a world whose EHR has a web origin, with some optional capabilities.
func styled(t *testing.T, with ...string) *world {
	t.Helper()
	set, err := capabilities.Set{}.With(with...)
	if err != nil {
		t.Fatal(err)
	}
	w := openWorld(t, func(clock func() time.Time) engine { return storetest.NewReference(clock) }, 1, func(c *smart.Config) { c.Capabilities = set })
	w.changeClient("ehr", func(c *clients.Client) { c.Origins = []string{"https://ehr.example"} })
	w.now = w.now.Add(time.Second)
	return w
}

// TestSMART131: the style of the EHR reaches the app, where the capability is on: it is off by default, and nothing of it works then. The
// address is on a web origin of the EHR, so no launch makes an app load a style from elsewhere (SMART-120, 131).
func TestSMART131(t *testing.T) {
	const style = "https://ehr.example/styles/7.json"
	w := styled(t, capabilities.ContextStyle)
	launch := func(style string) answer {
		return w.announce(w.backend("ehr", "__launch"), map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob", "style_url": style})
	}
	advertised := func(w *world) bool {
		return slices.ContainsFunc(gjson.Get(w.configuration(), "capabilities").Array(), func(r gjson.Result) bool { return r.Str == capabilities.ContextStyle })
	}
	if !advertised(w) {
		t.Error("SMART-131: the capability is on, and is not advertised")
	}
	handle := launch(style).str("launch")
	got := w.exchange("clinical", w.browser().journey("clinical", "launch patient/Observation.rs online_access", "doctor", "", func(v url.Values) { v.Set("launch", handle) }).Get("code"))
	if got.str("smart_style_url") != style {
		t.Errorf("SMART-131: got %d %s", got.code, got.text)
	}
	if again := w.token("clinical", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.str("refresh_token")}}); again.str("smart_style_url") != style {
		t.Errorf("SMART-131: a refresh: got %d %s", again.code, again.text)
	}
	plain := launch("").str("launch")
	if got := w.exchange("clinical", w.browser().journey("clinical", "launch patient/Observation.rs", "doctor", "", func(v url.Values) { v.Set("launch", plain) }).Get("code")); strings.Contains(got.text, "style") {
		t.Errorf("SMART-131: a launch without a style: got %s", got.text)
	}
	for _, wrong := range []string{"http://ehr.example/a.json", "https://evil.example/a.json", "https://ehr.example.evil.example/a", "https://ehr.example:444/a", "https://ehr.example@evil.example/a", "https://me@ehr.example/a", "//ehr.example/a",
		"/styles/7.json", "styles/7.json", "javascript:alert(1)", "https://ehr.example\\@evil.example/", "https://ehr.example/a#b", "https://ehr.example/" + strings.Repeat("a", 2000), "https://EHR.example/a", "https://app.example/a"} {
		if got := launch(wrong); got.code != 400 || got.str("error") != "invalid_request" || got.str("launch") != "" {
			t.Errorf("SMART-131: %.60s: got %d %s", wrong, got.code, got.text)
		}
	}

	w = styled(t)
	if got := launch(style); got.code != 400 || advertised(w) {
		t.Errorf("SMART-006, 131: by default: got %d %s", got.code, got.text)
	}
	if _, err := (capabilities.Set{}).With(capabilities.LaunchEHR); err == nil {
		t.Error("SMART-006: a capability that is on by default can be switched on")
	}
	off, err := capabilities.Without(capabilities.LaunchEHR)
	if err == nil {
		off, err = off.With(capabilities.ContextStyle)
	}
	if err != nil || off.Has(capabilities.ContextStyle) {
		t.Errorf("SMART-006: a style without EHR launches: %v", err)
	}
}

// TestStyleOfGrants: a grant that has a style gives it no more once the capability was switched off (SMART-006, 131).
func TestStyleOfGrants(t *testing.T) {
	on, err := capabilities.Set{}.With(capabilities.ContextStyle)
	if err != nil {
		t.Fatal(err)
	}
	opened := 0
	w := openWorld(t, func(clock func() time.Time) engine { return storetest.NewReference(clock) }, 2, func(c *smart.Config) {
		if opened++; opened == 1 {
			c.Capabilities = on
		}
	})
	w.changeClient("ehr", func(c *clients.Client) { c.Origins = []string{"https://ehr.example"} })
	w.now = w.now.Add(time.Second)
	all := w.servers
	w.servers = all[:1]
	handle := w.announce(w.backend("ehr", "__launch"), map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob", "style_url": "https://ehr.example/a"}).str("launch")
	got := w.exchange("clinical", w.browser().journey("clinical", "launch patient/Observation.rs online_access", "doctor", "", func(v url.Values) { v.Set("launch", handle) }).Get("code"))
	w.servers = all[1:]
	if again := w.token("clinical", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.str("refresh_token")}}); again.code != 200 || again.str("smart_style_url") != "" {
		t.Errorf("SMART-006, 131: got %d %s", again.code, again.text)
	}
}
