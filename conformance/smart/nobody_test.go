package smart

import (
	"net/url"
	"testing"
	"time"

	"carerecord/interop/smart"
	"carerecord/store/storetest"
)

// TestSMART320Nobody: a server that has no people any more gives no tokens of their grants, offline ones too, and goes on.
func TestSMART320Nobody(t *testing.T) {
	opened := 0
	w := openWorld(t, func(clock func() time.Time) engine { return storetest.NewReference(clock) }, 2, func(c *smart.Config) {
		c.Demo = opened == 0 // the second server has none
		opened++
	})
	w.servers = w.servers[:1]
	all := w.smart
	a := w.exchange("app", w.browser().journey("app", "openid patient/Observation.rs offline_access", "ann", "").Get("code"))
	staff, err := w.smart[0].Clients.Get(t.Context(), w.ids["clinical"])
	w.must(err)
	offline := *staff
	offline.Offline = true
	w.add("offline", offline)
	handle := w.announce(w.backend("ehr", "__launch"), map[string]any{"client_id": w.ids["offline"], "user": "doctor", "patient": "t1.bob"}).str("launch")
	b := w.exchange("offline", w.browser().journey("offline", "launch patient/Observation.rs offline_access", "doctor", "", func(v url.Values) { v.Set("launch", handle) }).Get("code"))
	w.servers[0] = all[1]
	for name, issued := range map[string]answer{"app": a, "offline": b} {
		refresh := issued.str("refresh_token")
		if got := w.token(name, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}); refresh == "" || got.code != 400 || got.str("error") != "invalid_grant" {
			t.Errorf("SMART-320: a refresh of %s: got %d %s", name, got.code, got.text)
		}
	}
}
