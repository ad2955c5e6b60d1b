package smart

import (
	"net/url"
	"slices"
	"strings"
)

// answer fills in the form of the page that a browser shows.
func (w *walk) answer() {
	for _, i := range w.Perm(len(w.seats)) {
		if b := w.seats[i]; len(b.page) > 0 {
			w.post(b, one(w, b.page), false)
			return
		}
	}
	w.open()
}

// oldForm posts a form that was shown before, in this or in the other browser, perhaps with another CSRF value, origin, or
// transaction.
func (w *walk) oldForm() {
	if len(w.forms) == 0 {
		return
	}
	w.post(one(w, w.seats), one(w, w.forms), true)
}

// fill chooses what a form is posted with.
func (w *walk) fill(f *shown) url.Values {
	switch f.name {
	case "sign-in":
		return url.Values{"person": {one(w, f.offers["person"])}}
	case "another", "leave":
		return url.Values{}
	case "kind":
		return url.Values{"kind": {one(w, []string{"patient", "staff"})}}
	case "search":
		return url.Values{"number": {one(w, []string{annsNumber, bobsNumber, bobsNumber, "9990000042"})}}
	case "role":
		return url.Values{"role": {one(w, append(f.offers["role"], "X1 R1"))}}
	case "encounter":
		return url.Values{"encounter": {one(w, append(f.offers["encounter"], "t1.bob-e"))}}
	case "patient":
		chosen := f.offers["patient"]
		if w.IntN(8) == 0 {
			chosen = []string{"t1.ann", "t1.bob"}
		}
		return url.Values{"patient": {one(w, chosen)}}
	}
	some := func(list []string) (out []string) {
		for _, v := range list {
			if w.IntN(3) > 0 {
				out = append(out, v)
			}
		}
		return out
	}
	out := url.Values{"decision": {"allow"}, "group": f.offers["group"], "category": f.offers["category"], "write": f.offers["write"], "offline": {"yes"}}
	switch w.IntN(6) {
	case 0:
		out.Set("decision", "refuse")
	case 1, 2:
		out["group"], out["category"], out["write"] = some(out["group"]), some(out["category"]), some(out["write"])
		if w.IntN(2) == 0 {
			out.Del("offline")
		}
	}
	return out
}

// post posts a form. hostile lets it be changed.
func (w *walk) post(b *seat, f *shown, hostile bool) {
	w.Helper()
	fields, tx := w.fill(f), f.tx
	honest := f.by == b && f.visit == b.visit && tx != nil && tx.open(b, w.now)
	certain := honest && !w.safe && !tx.doubt && !w.suspended[tx.client] && !hostile
	if honest && f.name != "sign-in" && (f.session != b.sessions[tx.kind] || f.session != nil && f.binding != f.session.binding) {
		honest, certain = false, false
	}
	if s := f.session; s != nil {
		alive, known := s.alive(w.now)
		honest, certain = honest && alive, certain && alive && known
	}
	posted := f.form
	if hostile {
		switch w.IntN(6) {
		case 0:
			posted.fields, honest = changed(f.fields), false
		case 1:
			b.origin = one(w, []string{"https://evil.example", "null", ""})
			defer func() { b.origin = site }()
			honest = false
		case 2:
			if other := w.someTransaction(); other != nil && tx != nil && other != tx && f.name != "sign-in" {
				posted.action, honest = strings.Replace(f.action, tx.id, other.id, 1), false
			}
		}
	}
	w.note("%s of %s in %s (honest %v): %v", f.name, f.by.name, b.name, honest, fields)
	before := [2]string{b.cookie("patient"), b.cookie("staff")}
	act := w.apply(b, f, fields, honest)
	location := b.send(posted, fields)
	b.tx, b.page = nil, nil
	w.signedIn(b, f, fields, before)
	if w.saw(b); location != "" {
		w.arrived(b, location, act)
	} else if certain && act != nil && act.allow && len(act.groups) == len(f.offers["group"]) && len(act.categories) == len(f.offers["category"]) && len(act.writes) == len(f.offers["write"]) {
		w.Errorf("SMART-088: browser %s allows everything in %+v: got %d %.300s", b.name, *tx, b.browser.page.code, b.browser.page.text)
	}
	asksFirst := slices.ContainsFunc(b.page, func(s *shown) bool { return s.name == "kind" || s.name == "role" }) // a page that changes nothing
	if !honest && location == "" && b.browser.page.code < 400 && len(b.visited) == 1 && f.name != "sign-in" && !asksFirst {
		w.Errorf("SMART-163, T10: a form that is old, changed or another's: got %d", b.browser.page.code)
	}
	if honest && f.name == "search" {
		for _, shown := range b.page {
			if shown.name == "patient" && tx == shown.tx {
				tx.offered, tx.offeredTo = shown.offers["patient"], b.sessions[tx.kind].user
			}
		}
	}
}

func (w *walk) someTransaction() *modelTransaction {
	if len(w.transactions) == 0 {
		return nil
	}
	return one(w, w.transactions)
}

// apply changes the model as an honest form changes a transaction, and returns what a form of the consent page says.
func (w *walk) apply(b *seat, f *shown, fields url.Values, honest bool) *ticks {
	tx := f.tx
	switch f.name {
	case "kind":
		if honest && tx.kind == "" {
			tx.kind = fields.Get("kind")
		}
	case "patient":
		chosen := fields.Get("patient")
		if s := b.sessions[tx.kind]; honest && s != nil && tx.launch == nil && !(tx.patient != "" && tx.chooser == s.user) && tx.offeredTo == s.user && slices.Contains(tx.offered, chosen) {
			tx.patient, tx.chooser, tx.offered = chosen, s.user, nil
		}
	case "role":
		if s := b.sessions[tx.kind]; honest && s != nil && tx.roleOf != s.user && slices.Contains(f.offers["role"], fields.Get("role")) {
			tx.role, tx.roleOf = fields.Get("role"), s.user
		}
	case "encounter":
		if s := b.sessions[tx.kind]; honest && s != nil {
			person, _ := w.policy.Person(s.user)
			if patient := tx.patientOf(person); tx.encounterOf != patient && slices.Contains(f.offers["encounter"], fields.Get("encounter")) {
				tx.encounter, tx.encounterOf = fields.Get("encounter"), patient
			}
		}
	case "decision":
		return &ticks{tx: tx, honest: honest, allow: fields.Get("decision") == "allow", offline: fields.Get("offline") == "yes", groups: fields["group"], categories: fields["category"], writes: fields["write"],
			offered: f.offers["category"]}
	}
	return nil
}

// signedIn takes note of a sign-in: the browser has another session cookie.
func (w *walk) signedIn(b *seat, f *shown, fields url.Values, before [2]string) {
	w.Helper()
	for i, kind := range []string{"patient", "staff"} {
		if b.cookie(kind) == before[i] || b.cookie(kind) == "" {
			continue
		}
		if f.name == "role" && kind == "staff" && f.tx.roleOf == b.sessions[kind].user {
			b.sessions[kind].binding++ // SMART-161
			continue
		}
		if f.name != "sign-in" || f.by != b || f.visit != b.visit {
			w.Errorf("SMART-164, T11: browser %s has a new session after a form %s of browser %s", b.name, f.name, f.by.name)
		}
		user := ""
		for _, p := range w.policy.People {
			if strings.Contains(fields.Get("person"), p.Subject) && kindOf(p.Kind) == kind {
				user = p.User
			}
		}
		w.sessionReplaced(b, kind, user, f.tx, before[i] != "", w.now)
		w.sessionEnded(b.sessions[kind], w.now)
		b.sessions[kind] = &modelSession{user: user, started: w.now, touched: w.now, last: w.now}
		w.note("→ %s", user)
	}
}
