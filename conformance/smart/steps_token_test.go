package smart

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// refreshToken uses a refresh token, rightly or wrongly.
func (w *walk) refreshToken() {
	if len(w.refresh) == 0 {
		return
	}
	r := one(w, w.refresh[max(0, len(w.refresh)-3):])
	client := w.other(r.grant.client)
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r.value}}
	narrower, wider := "", w.IntN(8) == 0
	if wider {
		form.Set("scope", "patient/*.cruds user/*.cruds")
	} else if w.IntN(4) == 0 {
		i := slices.IndexFunc(w.access, func(a *modelAccess) bool { return a.grant == r.grant })
		narrower = one(w, strings.Fields(w.access[i].scope))
		form.Set("scope", narrower)
	}
	a := w.token(client, form)
	takes, known := w.takes(r.grant)
	live := w.live(r.grant, w.now)
	want, reused := false, false
	switch {
	case w.refused(client, a):
	case client != r.grant.client || !live:
	case r.used:
		reused = true
	case !w.now.Before(r.ends) || wider:
	default:
		want = takes
	}
	w.note("of %s by %s, wider %v, narrower %q: %d %s", r.grant.client, client, wider, narrower, a.code, a.str("error"))
	if a.code == 200 && !want || a.code != 200 && want && known && !w.safe {
		w.Errorf("SMART-341 to 348, T19: a refresh of %+v by %s, used %v: got %d %s, want success: %v", *r.grant, client, r.used, a.code, a.text, want)
	}
	if reused {
		r.grant.ended = true
	}
	if a.code != 200 {
		return
	}
	r.used = true
	if r.grant.online {
		r.grant.session.last, r.grant.session.touched = w.now, w.now
	}
	w.issued(a, r.grant, narrower)
}

// revoke revokes a token, by its client or by another.
func (w *walk) revoke() {
	var value string
	var g *modelGrant
	var end func()
	switch {
	case len(w.refresh) > 0 && w.IntN(2) == 0:
		r := one(w, w.refresh)
		value, g, end = r.value, r.grant, func() { r.grant.ended = true }
	case len(w.access) > 0:
		a := one(w, w.access)
		value, g, end = a.value, a.grant, func() { a.revoked = true }
	default:
		return
	}
	if g.user == "" {
		return
	}
	client := w.other(g.client)
	form, change := w.as(client, url.Values{"token": {value}})
	a := w.sendForm("/oauth/revoke", form, change)
	w.note("of %s by %s: %d", g.client, client, a.code)
	if client == g.client && (!w.suspended[client] || w.safe) {
		if a.code == 200 {
			end()
		} else if !w.safe {
			w.Errorf("SMART-400: a client revokes its token: got %d %s", a.code, a.text)
		}
	}
}

// sendForm is post of the world: post of the walk posts a form of a page.
func (w *walk) sendForm(path string, form url.Values, change ...func(*http.Request)) answer {
	return w.world.post(path, form, change...)
}

// introspect asks about an access token.
func (w *walk) introspect() {
	if len(w.access) == 0 || w.suspended["ehr"] {
		return
	}
	t := one(w, w.access)
	own := w.ehr("__introspect")
	if own.code != 200 {
		if !w.safe {
			w.Errorf("SMART-362: got %d %s", own.code, own.text)
		}
		return
	}
	a := w.sendForm("/oauth/introspect", url.Values{"token": {t.value}}, bearer(own.str("access_token")))
	active := a.body["active"] == true
	want := w.active(t, w.now)
	if active && !want || want && !active && !t.grant.doubt && !w.safe {
		w.Errorf("SMART-392, 394: a token of %+v: got %s, want active: %v", *t.grant, a.text, want)
	}
	if active && (a.str("scope") != t.scope || a.str("client_id") != w.ids[t.grant.client]) {
		w.Errorf("SMART-392: got %s, want the scope %q of %s", a.text, t.scope, t.grant.client)
	}
}
