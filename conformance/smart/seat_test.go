package smart

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// seat is a browser of a walk, with what the model knows of it.
type seat struct {
	*browser
	name     string
	visit    int
	sessions map[string]*modelSession // by kind
	tx       *modelTransaction        // of the page that is shown; nil for none
	page     []*shown                 // forms of the page
}

// shown is a form as a page showed it.
type shown struct {
	form
	name    string
	by      *seat
	visit   int
	tx      *modelTransaction
	session *modelSession
	binding int // of the session, when the page was shown
}

// ticks is what a form of the consent page says.
type ticks struct {
	tx                         *modelTransaction
	honest                     bool // posted in the browser and the session in which the page was shown
	allow, offline             bool
	groups, categories, writes []string
	offered                    []string // categories
}

// kindOf returns the kind of session that a person has.
func kindOf(personKind string) string {
	if personKind == "clinician" {
		return "staff"
	}
	return "patient"
}

// cookie returns the session cookie of a kind.
func (b *seat) cookie(kind string) string { return b.cookies["carerecord-"+kind] }

// saw takes note of the page that a browser shows, and of the activity of its sessions.
func (w *walk) saw(b *seat) {
	w.Helper()
	b.page = nil
	for i := len(b.visited) - 1; i >= 0; i-- {
		if rest, ok := strings.CutPrefix(b.visited[i], "/oauth/transaction/"); ok {
			id, _, _ := strings.Cut(rest, "/")
			b.tx = w.transaction(id)
			break
		}
	}
	for _, s := range b.sessions {
		if alive, _ := s.alive(w.now); alive {
			s.last = w.now
		}
	}
	forms := b.forms()
	if b.browser.page.code != 200 && !has(forms, "another") {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(forms)) {
		f := &shown{form: forms[name], name: name, by: b, visit: b.visit, tx: b.tx}
		if f.offers["person"] != nil {
			f.name = "sign-in"
		}
		switch f.name {
		case "decision", "patient", "search", "kind", "sign-in", "role", "encounter", "another", "leave":
		default:
			continue // the page header has a form too
		}
		if b.tx != nil && f.name != "sign-in" && b.tx.kind != "" {
			if f.session = b.sessions[b.tx.kind]; f.session != nil {
				f.session.touched, f.binding = w.now, f.session.binding
			}
		}
		b.page = append(b.page, f)
		w.forms = append(w.forms, f)
	}
	if len(w.forms) > 12 {
		w.forms = w.forms[len(w.forms)-12:]
	}
}

// arrived takes note of an address to which the browser was sent away. act is the form that led to it; nil for none.
func (w *walk) arrived(b *seat, location string, act *ticks) {
	w.Helper()
	u, err := url.Parse(location)
	if err != nil || !strings.HasPrefix(location, redirect+"?") {
		w.Errorf("SMART-083, T16: the browser was sent to %s", location)
		return
	}
	q := u.Query()
	i := slices.IndexFunc(w.transactions, func(tx *modelTransaction) bool { return tx.state == q.Get("state") })
	code := q.Get("code")
	if i < 0 {
		if code != "" {
			w.Errorf("SMART-090: a code for a request that was not taken: %s", location)
		}
		return
	}
	tx := w.transactions[i]
	if b.tx, b.page = nil, nil; code == "" {
		w.note("→ %s", q.Get("error"))
		if tx.browser == b {
			tx.done = true
		}
		return
	}
	w.note("→ code of %s", tx.state)
	s := b.sessions[tx.kind]
	if problem := w.mayGrant(b, tx, act, w.now); problem != "" {
		w.Errorf("SMART-090, 093, 094, 163: a code arrived in browser %s for %+v: %s", b.name, *tx, problem)
		return
	}
	tx.done = true
	g := &modelGrant{client: tx.client, user: s.user, requested: tx.scope, ticks: act, launched: tx.launch != nil, session: s, made: w.now, ends: w.now.Add(codeAndToken)}
	person, _ := w.policy.Person(s.user)
	g.patient, g.role = tx.patientOf(person), tx.roleIn(person)
	if choosesEncounter(tx) && tx.encounter != "none" {
		g.encounter = tx.encounter
	}
	asked := strings.Fields(tx.scope)
	g.offline = slices.Contains(asked, "offline_access") && offline(tx.client) && (act == nil || act.offline)
	// A client that may have offline access, and whose person refuses it, has no online access either.
	g.online = slices.Contains(asked, "online_access") && tx.launch != nil && !(slices.Contains(asked, "offline_access") && offline(tx.client))
	switch {
	case g.offline:
		g.ends = w.now.Add(year)
	case g.online:
		g.ends = s.started.Add(twelveHours)
	}
	w.stored(g, code)
	w.grants = append(w.grants, g)
	w.codes = append(w.codes, &modelCode{value: code, client: tx.client, tx: tx, grant: g, ends: w.now.Add(minute)})
}

// stored checks what the server has stored of a new grant. One that was made without a page is within an earlier decision
// (SMART-221, 222).
func (w *walk) stored(g *modelGrant, code string) {
	w.Helper()
	read, err := w.smart[0].Grants.ReadCode(w.Context(), code)
	if err == nil {
		stored, err := w.smart[0].Grants.Get(w.Context(), read.Content.Grant)
		g.id, g.decision = stored.ID, strings.TrimPrefix(stored.Decision, "grant/")
		if g.scope = stored.Scopes; err != nil && !w.safe {
			w.Errorf("SMART-221: the grant of a new code: %v", err)
		}
	} else if !w.safe {
		w.Errorf("SMART-090: a new code: %v", err)
	}
	w.checkScope(g, g.scope, "")
	if g.ticks != nil || g.scope == "" {
		return
	}
	if strings.HasPrefix(g.decision, "approval/") {
		person, _ := w.policy.Person(g.user)
		g.approvedBy = approver(g.client, g.role, person)
		// An approval that another walker gave at the same time is in force for a year.
		if ends, own := w.approvals[g.approvedBy]; (own || !w.safe) && ends.Before(g.ends) {
			g.ends = ends
		}
		return
	}
	g.repeated = true
	got, others := split(g.scope)
	var ends time.Time
	for _, before := range w.earlier(g.client, g.user, g.patient, g.role, w.now) {
		granted, other := split(before.scope)
		if granted.Covers(got) && !slices.ContainsFunc(others, func(o string) bool { return !slices.Contains(other, o) }) {
			g.doubt = g.doubt || before.doubt && g.offline // it may not be the one that counted
			if before.ends.After(ends) {
				ends = before.ends
			}
		}
	}
	if ends.IsZero() && !w.safe { // the decision may be of the other walk
		w.Errorf("SMART-222: %+v was made without a page, and no earlier decision covers %q", *g, g.scope)
	}
	if g.offline && !ends.IsZero() && ends.Before(g.ends) {
		g.ends = ends
	}
}

// offline reports whether a client may have offline access.
func offline(client string) bool { return client == "app" || client == "secret" }
