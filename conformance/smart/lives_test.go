package smart

import (
	"net/url"
	"testing"
	"time"

	"carerecord/interop/smart/clients"
)

// TestSMART347PerClient: a client may have a shorter life of offline access than the server, without use and in all, and never a longer
// one.
func TestSMART347PerClient(t *testing.T) {
	const day = 24 * time.Hour
	w := newWorld(t, nil, 2)
	app, err := w.smart[0].Clients.Get(t.Context(), w.ids["app"])
	w.must(err)
	for _, wrong := range [][2]int{{91, 0}, {0, 366}, {-1, 0}} {
		with := *app
		with.OfflineUnused, with.OfflineTotal = wrong[0], wrong[1]
		if _, err := w.smart[0].Clients.Change(t.Context(), "ann", app.ID, with); err == nil {
			t.Errorf("SMART-347: %d days unused and %d in all were accepted", wrong[0], wrong[1])
		}
	}
	w.changeClient("app", func(c *clients.Client) { c.OfflineUnused, c.OfflineTotal = 7, 20 })
	refresh := func(token string) answer {
		return w.token("app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
	}
	start := func() answer {
		t.Helper()
		a := w.exchange("app", w.browser().journey("app", "patient/Observation.rs offline_access", "ann", "", func(v url.Values) { v.Set("prompt", "consent") }).Get("code")) // a new decision each time
		if a.str("refresh_token") == "" {
			t.Fatalf("no refresh token: %d %s", a.code, a.text)
		}
		return a
	}
	unused := start()
	w.now = w.now.Add(7 * day)
	if got := refresh(unused.str("refresh_token")); got.str("error") != "invalid_grant" {
		t.Errorf("SMART-347: seven days unused: got %d %s", got.code, got.text)
	}
	used := start()
	for passed := 6 * day; passed < 20*day; passed += 6 * day {
		w.now = w.now.Add(6 * day)
		if used = refresh(used.str("refresh_token")); used.code != 200 {
			t.Fatalf("SMART-347: after %s: got %d %s", passed, used.code, used.text)
		}
	}
	w.now = w.now.Add(2 * day)
	if got := refresh(used.str("refresh_token")); got.str("error") != "invalid_grant" {
		t.Errorf("SMART-347: after twenty days in all: got %d %s", got.code, got.text)
	}
}

// changeClient changes a registration, with the approval of somebody else.
func (w *world) changeClient(name string, change func(*clients.Client)) {
	w.Helper()
	now, err := w.smart[0].Clients.Get(w.Context(), w.ids[name])
	w.must(err)
	with := *now
	change(&with)
	proposed, err := w.smart[0].Clients.Change(w.Context(), "ann", now.ID, with)
	w.must(err)
	_, err = w.smart[0].Clients.Approve(w.Context(), "bob", now.ID, proposed.Digest())
	w.must(err)
	w.now = w.now.Add(time.Second)
}
