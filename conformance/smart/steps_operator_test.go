package smart

import (
	"net/url"
	"strings"
	"time"

	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/grants"
)

// announceLaunch announces a launch of an app for staff.
func (w *walk) announceLaunch() {
	own := w.ehr("__launch")
	if own.code != 200 {
		if !w.suspended["ehr"] && !w.safe {
			w.Errorf("SMART-362: got %d %s", own.code, own.text)
		}
		return
	}
	l := &modelLaunch{client: one(w, []string{"clinical", "signer"}), user: one(w, []string{"doctor", "nurse"}), patient: one(w, []string{"t1.ann", "t1.bob"}), ends: w.now.Add(5 * time.Minute)}
	a := w.announce(own.str("access_token"), map[string]any{"client_id": w.ids[l.client], "user": l.user, "patient": l.patient})
	w.note("%s for %s: %d", l.client, l.user, a.code)
	if l.handle = a.str("launch"); l.handle != "" {
		w.launches = append(w.launches, l)
	} else if !w.suspended[l.client] && !w.safe {
		w.Errorf("SMART-120: got %d %s", a.code, a.text)
	}
}

// credentials gets a token for a backend client.
func (w *walk) credentials() {
	a := w.token("ehr", url.Values{"grant_type": {"client_credentials"}, "scope": {"system/*.cruds"}})
	if a.code != 200 {
		if !w.suspended["ehr"] && !w.safe {
			w.Errorf("SMART-362: got %d %s", a.code, a.text)
		}
		return
	}
	g := &modelGrant{client: "ehr", requested: "system/*.cruds", made: w.now, ends: w.now.Add(5 * time.Minute)}
	w.grants = append(w.grants, g)
	w.access = append(w.access, &modelAccess{value: a.str("access_token"), scope: a.str("scope"), grant: g, ends: g.ends})
	w.checkScope(g, a.str("scope"), "")
}

// suspend suspends a client, or ends its tokens.
func (w *walk) suspend() {
	client := one(w, append(userClients(), "ehr"))
	registry, err := w.smart[0].Clients, error(nil)
	if w.IntN(3) == 0 {
		_, err = registry.RevokeTokens(w.Context(), "test", w.ids[client])
	} else {
		_, err = registry.Suspend(w.Context(), "test", w.ids[client])
		if w.suspended[client] = true; client == "signer" {
			clear(w.approvals)
		}
	}
	w.note("%s: %v, suspended %v", client, err, w.suspended[client])
	if err == nil {
		w.notBefore[client] = w.now
	}
}

// resume makes the suspended clients active again.
func (w *walk) resume() {
	for _, client := range append(userClients(), "ehr") {
		if w.suspended[client] {
			_, err := w.smart[0].Clients.Resume(w.Context(), "test", w.ids[client])
			w.note("%s: %v", client, err)
			w.suspended[client] = false
		}
	}
}

// approveApp approves an app for the staff of an organisation, or withdraws the approval.
func (w *walk) approveApp() {
	organisation := one(w, []string{"T1", "G1"})
	if _, has := w.approvals[organisation]; has && w.IntN(2) == 0 {
		_, err := w.smart[0].Clients.Withdraw(w.Context(), "manager", w.ids["signer"], organisation)
		w.withdrawn(organisation)
		w.note("withdrawn by %s: %v", organisation, err)
		return
	}
	ends := w.now.AddDate(1, 0, 0)
	_, err := w.smart[0].Clients.ApproveFor(w.Context(), "manager", w.ids["signer"], clients.OrganisationApproval{Organisation: organisation, Scopes: everything, Purpose: "TREAT", Ends: ends})
	w.note("approved by %s: %v", organisation, err)
	if err == nil {
		w.approvals[organisation] = ends
	} else if !w.suspended["signer"] && !w.safe {
		w.Errorf("SMART-220: got %v", err)
	}
}

// endAll ends all grants of a user, of an organisation, or of everybody.
func (w *walk) endAll() {
	of := one(w, []grants.Of{{User: "ann"}, {User: "doctor"}, {User: "bob"}, {Organisation: "T1"}, {}})
	w.must(w.smart[0].Grants.EndAll(w.Context(), "test", of))
	users := []string{of.User}
	if of.Organisation != "" {
		users = []string{"doctor", "nurse"}
		w.notBefore["ehr"] = w.now // its backend grants are of the organisation
		for _, g := range w.grants {
			g.ended = g.ended || g.user == "locum" && strings.HasPrefix(g.role, of.Organisation+" ")
		}
	}
	for _, user := range users {
		w.cutoffs[user] = w.now
	}
	w.note("%+v", of)
}

// clock moves the clock, by seconds to months.
func (w *walk) clock() {
	if w.safe {
		return
	}
	by := one(w, []time.Duration{20 * time.Second, 58 * time.Second, time.Minute, 4 * time.Minute, 5 * time.Minute, 9 * time.Minute, 15 * time.Minute, 15 * time.Minute, 31 * time.Minute, 12 * time.Hour, 89 * 24 * time.Hour,
		91 * 24 * time.Hour, year})
	w.now = w.now.Add(by)
	w.note("%s", by)
	var err error
	w.secrets["secret"], err = w.smart[0].Clients.RotateSecret(w.Context(), "test", w.ids["secret"]) // it ends after a year (SMART-063)
	w.must(err)
}
