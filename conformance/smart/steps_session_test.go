package smart

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// signOut ends the sessions of a browser.
func (w *walk) signOut() {
	b := one(w, w.seats)
	w.note("in %s", b.name)
	b.browser.open(site + "/my/apps")
	b.tx, b.page = nil, nil
	if b.browser.page.code != 200 || !has(b.forms(), "sign-out") {
		return
	}
	b.submit("sign-out", url.Values{})
	if b.browser.page.code != http.StatusOK || b.cookie("patient")+b.cookie("staff") != "" {
		w.Errorf("SMART-169: after the sign-out: got %d %v", b.browser.page.code, b.cookies)
	}
	for kind, s := range b.sessions {
		w.sessionEnded(s, w.now)
		delete(b.sessions, kind)
	}
	b.visit++
}

// stop ends the newest grant of a user on the page of the apps.
func (w *walk) stop() {
	b := one(w, w.seats)
	b.browser.open(site + "/my/apps")
	b.tx, b.page = nil, nil
	patient, staff := b.sessions["patient"], b.sessions["staff"]
	alive, known := patient.alive(w.now)
	s := patient
	if !alive {
		s = staff
		var too bool
		alive, too = staff.alive(w.now)
		known = known && too
	}
	if b.browser.at != "/my/apps" || b.browser.page.code != 200 {
		if alive && known {
			w.Errorf("SMART-405: browser %s of %s: got %d", b.name, s.user, b.browser.page.code)
		}
		return
	}
	if !alive {
		w.Errorf("SMART-162: browser %s has no session and got the page of apps", b.name)
		return
	}
	if w.safe || !known {
		if has(b.forms(), "apps") {
			b.submit("apps", nil)
			for _, g := range w.grants {
				g.doubt = true
			}
		}
		return
	}
	s.last, s.touched = w.now, w.now
	var list []*modelGrant
	for _, g := range w.grants {
		if g.user == s.user && g.doubt {
			return
		}
		if g.user == s.user && w.live(g, w.now) && g.listed(w.now) {
			list = append(list, g)
		}
	}
	all := list
	list = slices.DeleteFunc(slices.Clone(all), func(g *modelGrant) bool { // what repeats a decision is part of it
		return slices.ContainsFunc(all, func(d *modelGrant) bool { return d.id == g.decision })
	})
	if n := strings.Count(b.browser.page.text, `name="grant"`); n != len(list) {
		w.Errorf("SMART-405: %s sees %d grants, want %d", s.user, n, len(list))
		return
	}
	w.note("one of %d of %s in %s", len(list), s.user, b.name)
	if len(list) > 0 {
		b.submit("apps", nil)
		newest := list[len(list)-1]
		newest.ended = true
		for _, g := range all {
			g.ended = g.ended || g.decision == newest.id
		}
	}
}
