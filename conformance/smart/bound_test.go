package smart

import (
	"context"
	"iter"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"carerecord/interop/smart"
	"carerecord/interop/smart/grants"
	"carerecord/store"
	"carerecord/store/storetest"
)

// failingState fails to store new values with a prefix while it is on.
type failingState struct {
	store.State
	prefix string
	on     bool
}

func (s *failingState) Insert(ctx context.Context, key string, value []byte, expires time.Time) error {
	if s.on && strings.HasPrefix(key, s.prefix) {
		return store.ErrUnavailable
	}
	return s.State.Insert(ctx, key, value, expires)
}

// TestRoleWithoutRotation: where the id of the session cannot be changed, no role is chosen (SMART-161).
func TestRoleWithoutRotation(t *testing.T) {
	failing := &failingState{prefix: "session"}
	w := openWorld(t, func(clock func() time.Time) engine { return storetest.NewReference(clock) }, 1, func(c *smart.Config) {
		failing.State = c.State
		c.State = failing
	})
	b := w.browser()
	b.ask("clinical", "user/Condition.rs")
	b.signIn("locum")
	cookie, f := b.cookies["carerecord-staff"], b.forms()["role"]
	failing.on = true
	if b.send(f, url.Values{"role": {"G1 R3"}}); b.page.code != 503 {
		t.Fatalf("SMART-161: the choice while nothing can be stored: got %d", b.page.code)
	}
	failing.on = false
	if b.open(site + strings.TrimSuffix(f.action, "/role")); !has(b.forms(), "role") || b.cookies["carerecord-staff"] != cookie {
		t.Errorf("SMART-161: afterwards: got %d, and not the page of roles", b.page.code)
	}
	b.submit("role", url.Values{"role": {"G1 R3"}})
	if sentBack(t, b.allow()).Get("code") == "" || b.cookies["carerecord-staff"] == cookie {
		t.Error("SMART-161: the role chosen again: there is no code, or the session id is the same")
	}
}

// countedState counts how often the values with a prefix are listed.
type countedState struct {
	store.State
	prefix string
	n      atomic.Int64
}

func (s *countedState) Values(ctx context.Context, prefix string) iter.Seq2[store.StateValue, error] {
	if strings.HasPrefix(prefix, s.prefix) {
		s.n.Add(1)
	}
	return s.State.Values(ctx, prefix)
}

// TestGrantsAreListedOnce: a request of an authorization reads the grants of its user at most once: each reading costs as much as there are
// grants.
func TestGrantsAreListedOnce(t *testing.T) {
	counted := &countedState{prefix: "smart/user-grant/"}
	w := openWorld(t, func(clock func() time.Time) engine { return storetest.NewReference(clock) }, 1, func(c *smart.Config) {
		counted.State = c.State
		c.State = counted
	})
	const scope = "launch/patient patient/Condition.rs offline_access"
	listed := func(what string, f func() string) (location string) {
		t.Helper()
		before := counted.n.Load()
		location = f()
		if n := counted.n.Load() - before; n != 1 {
			t.Errorf("%s: the grants were listed %d times", what, n)
		}
		return location
	}
	first := w.browser()
	first.ask("app", scope)
	first.signIn("bob")
	sentBack(t, listed("the first decision of somebody without grants", first.allow))
	b := w.browser()
	w.exchange("app", b.journey("app", scope, "ann", "").Get("code"))
	sentBack(t, listed("an authorization that repeats a decision", func() string { return b.ask("app", scope) }))
	b.ask("app", scope, prompt("consent"))
	sentBack(t, listed("a decision", b.allow))
}

// TestGrantsAreForgotten: what has ended, and what nobody took a token of, is listed no more, and soon forgotten: any page can lead the
// browser of a person to one more grant that repeats a decision (SMART-482).
func TestGrantsAreForgotten(t *testing.T) {
	w := newWorld(t, nil, 1)
	const scope = "launch/patient patient/Condition.rs offline_access"
	count := func(prefix string) (n int) {
		t.Helper()
		for _, err := range w.engine.Values(t.Context(), prefix) {
			w.must(err)
			n++
		}
		return n
	}
	b := w.browser()
	w.exchange("app", b.journey("app", scope, "ann", "").Get("code"))
	const more = 150
	for range more {
		sentBack(t, b.ask("app", scope))
	}
	if n := count("smart/user-grant/ann/"); n > grants.MaxOfApp {
		t.Errorf("SMART-482: %d entries of a user who may have %d grants", n, grants.MaxOfApp)
	}
	w.now = w.now.Add(2 * time.Minute)
	if n := count("smart/user-grant/ann/"); n != 1 {
		t.Errorf("SMART-482: %d entries after the codes have ended, want that of which a token was taken", n)
	}
	w.now = w.now.Add(25 * time.Hour)
	for _, prefix := range []string{"smart/grant/", "smart/code/"} {
		if n := count(prefix); n > 2 { // of the app, and the token of the feed that filled the record
			t.Errorf("SMART-482: %d values of %s a day later", n, prefix)
		}
	}
	list, err := w.smart[0].Grants.OfUser(t.Context(), "ann")
	if err != nil || len(list) != 1 {
		t.Fatalf("SMART-405: got %v (%v)", list, err)
	}
	w.must(w.smart[0].Grants.End(t.Context(), list[0].ID, list[0].Event("grant-end", "", ""), "test"))
	w.now = w.now.Add(25 * time.Hour)
	if n := count("smart/user-grant/") + count("smart/grant/"); n != 0 {
		t.Errorf("SMART-482: %d values of a grant that has ended a day ago", n)
	}
}

// TestGrantsOfAnApp: a user has at most a hundred grants of one app. One more ends the one that was not used for longest, and of those
// that repeat a decision before the decision itself (SMART-222, 347).
func TestGrantsOfAnApp(t *testing.T) {
	w := newWorld(t, nil, 1)
	const scope = "launch/patient patient/Condition.rs offline_access"
	b := w.browser()
	first := w.exchange("app", b.journey("app", scope, "ann", "").Get("code"))
	list := func() []grants.Listed {
		t.Helper()
		all, err := w.smart[0].Grants.OfUser(t.Context(), "ann")
		w.must(err)
		return all
	}
	decision := list()[0].Grant
	w.now = w.now.Add(time.Second)
	used := w.exchange("app", sentBack(t, b.ask("app", scope)).Get("code")) // repeats the decision, before all others
	var ids []string
	for range grants.MaxOfApp - 2 {
		w.now = w.now.Add(time.Second)
		g := decision
		g.ID, g.Decision, g.Made = grants.NewID(), grants.RepeatOf(decision.ID), w.now
		_, err := w.smart[0].Grants.Authorize(t.Context(), g.Event("authorization", "", ""), g, grants.Code{}, time.Hour, func(string) ([]store.StateWrite, error) { return nil, nil })
		w.must(err)
		ids = append(ids, g.ID)
	}
	if n := len(list()); n != grants.MaxOfApp {
		t.Fatalf("got %d grants", n)
	}
	w.exchange("both", w.browser().journey("both", scope, "ann", "").Get("code")) // another app
	w.now = w.now.Add(time.Second)
	w.exchange("app", sentBack(t, b.ask("app", scope)).Get("code"))
	now, has := list(), map[string]bool{}
	for _, g := range now {
		has[g.ID] = true
	}
	if len(now) != grants.MaxOfApp+1 || has[ids[0]] || !has[ids[1]] || !has[decision.ID] {
		t.Errorf("got %d grants; the oldest repeat: %v, the next: %v, the decision: %v", len(now), has[ids[0]], has[ids[1]], has[decision.ID])
	}
	if !w.audited("grant-end", "grant/"+ids[0]) {
		t.Error("SMART-494: the end of the oldest grant is not in the audit trail")
	}
	if got := w.token("app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {used.str("refresh_token")}}); got.code != 200 {
		t.Errorf("a device in use was displaced by authorizations of which no token was taken: got %s", got.text)
	}
	if got := w.token("app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.str("refresh_token")}}); got.code != 200 {
		t.Errorf("the first device: got %s", got.text)
	}
}
