package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"carerecord/interop/smart/secret"
	"carerecord/interop/smart/session"
	"carerecord/store"
	"carerecord/store/storetest"
)

// world has two servers over one State, which take turns.
type world struct {
	*testing.T
	mu      sync.Mutex
	now     time.Time
	state   *storetest.Reference
	servers []*session.Sessions
	turn    int
}

func newWorld(t *testing.T, secure bool) *world {
	t.Helper()
	w := &world{T: t, now: time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)}
	w.state = storetest.NewReference(w.clock)
	digests, err := secret.NewDigester([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s, err := session.New(session.Config{State: w.state, Digests: digests, Clock: w.clock, Secure: secure})
		if err != nil {
			t.Fatal(err)
		}
		w.servers = append(w.servers, s)
	}
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// server returns the servers in turn.
func (w *world) server() *session.Sessions {
	w.turn++
	return w.servers[w.turn%len(w.servers)]
}

// jar is a browser: it keeps cookies by name.
type jar map[string]*http.Cookie

// request returns a request with the cookies of the browser.
func (j jar) request() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://record.example/", nil)
	for _, c := range j {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	return r
}

// keep keeps the cookies of an answer.
func (j jar) keep(w *httptest.ResponseRecorder) {
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(j, c.Name)
		} else {
			j[c.Name] = c
		}
	}
}

func identity(kind session.Kind, subject string) session.Identity {
	return session.Identity{User: session.User{Issuer: "https://issuer.example", Subject: subject, Kind: kind}, Account: "account-" + subject,
		AuthTime: time.Date(2026, 11, 30, 8, 59, 0, 0, time.UTC), Level: 3}
}

func (w *world) signIn(j jar, id session.Identity) (started, before *session.Session) {
	w.Helper()
	answer := httptest.NewRecorder()
	started, before, err := w.server().SignIn(answer, j.request(), id)
	if err != nil {
		w.Fatalf("sign in: %v", err)
	}
	j.keep(answer)
	return started, before
}

// want checks whether the browser has a live session, and returns it.
func (w *world) want(j jar, kind session.Kind, live bool) *session.Session {
	w.Helper()
	s, err := w.server().Current(j.request(), kind)
	if live && err != nil || !live && !errors.Is(err, session.ErrNone) {
		w.Fatalf("current session: got %v, %v, want live: %v", s, err, live)
	}
	return s
}

// TestCookies: the attributes of each cookie, on https and on loopback; the store has no value of a cookie.
func TestCookies(t *testing.T) {
	for _, secure := range []bool{true, false} {
		w, j := newWorld(t, secure), jar{}
		answer := httptest.NewRecorder()
		w.server().Browser(answer, j.request())
		j.keep(answer)
		w.signIn(j, identity(session.Patient, "1"))
		w.signIn(j, identity(session.Staff, "2"))
		if len(j) != 3 {
			t.Fatalf("the browser has %d cookies, want one before the sign-in, one of the patient, one of staff", len(j))
		}
		for name, c := range j {
			if strings.HasPrefix(name, "__Host-") != secure || c.Secure != secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
				t.Errorf("https %v: the cookie has wrong attributes: %v", secure, c)
			}
			if !secret.Session.Is(c.Value) {
				t.Errorf("the cookie %s is not a random value alone", name)
			}
			for v, err := range w.state.Values(context.Background(), "") {
				if err != nil || strings.Contains(v.Key+string(v.Value), c.Value) {
					t.Errorf("the store has the value of the cookie %s: %v", name, err)
				}
			}
		}
	}
}

// TestSessionIDChanges: the value of the cookie changes at sign-in, role choice and sign-out, and the old value is dead at
// once on every server (SMART-161, SMART-T36).
func TestSessionIDChanges(t *testing.T) {
	w, j := newWorld(t, true), jar{}
	planted := jar{"x": {Name: "__Host-carerecord-staff", Value: secret.New(secret.Session)}}
	w.want(planted, session.Staff, false)
	before, _ := w.signIn(planted, identity(session.Staff, "1"))
	if planted["x"].Value == planted["__Host-carerecord-staff"].Value {
		t.Error("SMART-T36: the sign-in keeps a value that was set before it")
	}
	if before.Role != "" {
		t.Errorf("a new session has the role %q", before.Role)
	}

	w.signIn(j, identity(session.Staff, "1"))
	first := jar{"c": j["__Host-carerecord-staff"]}
	w.want(first, session.Staff, true)

	answer := httptest.NewRecorder()
	chosen, err := w.server().ChooseRole(answer, j.request(), session.Staff, "R0260", "A81001")
	if err != nil {
		t.Fatal(err)
	}
	j.keep(answer)
	second := jar{"c": j["__Host-carerecord-staff"]}
	w.want(first, session.Staff, false)
	if got := w.want(second, session.Staff, true); got.Role != "R0260" || got.Organisation != "A81001" || got.ID != chosen.ID || got.Account != "account-1" {
		t.Errorf("after the role choice: got %+v", got)
	}

	_, ended := w.signIn(j, identity(session.Staff, "2"))
	if ended == nil || ended.Subject != "1" {
		t.Errorf("the sign-in as another user returns the session %+v, want that of the user before", ended)
	}
	w.want(second, session.Staff, false)
	third := jar{"c": j["__Host-carerecord-staff"]}

	answer = httptest.NewRecorder()
	if out, err := w.server().SignOut(answer, j.request(), session.Staff); err != nil || out.Subject != "2" {
		t.Fatalf("sign out: got %v, %v", out, err)
	}
	j.keep(answer)
	w.want(third, session.Staff, false)
	if len(j) != 0 {
		t.Errorf("after the sign-out the browser has the cookies %v", j)
	}
	if _, err := w.server().SignOut(httptest.NewRecorder(), third.request(), session.Staff); !errors.Is(err, session.ErrNone) {
		t.Errorf("a second sign-out: got %v, want ErrNone", err)
	}
	if _, err := w.server().ChooseRole(httptest.NewRecorder(), third.request(), session.Staff, "R", "O"); !errors.Is(err, session.ErrNone) {
		t.Errorf("a role choice after the sign-out: got %v, want ErrNone", err)
	}
}

// TestFixation: values that a browser did not get from a sign-in give nothing (SMART-T36).
func TestFixation(t *testing.T) {
	w, j := newWorld(t, true), jar{}
	w.signIn(j, identity(session.Patient, "1"))
	value := j["__Host-carerecord-patient"].Value
	for name, cookies := range map[string]string{
		"without the prefix, as a sub-domain can set it": "carerecord-patient=" + value,
		"of the other kind":                "__Host-carerecord-staff=" + value,
		"of before the sign-in":            "__Host-carerecord-browser=" + value,
		"twice":                            "__Host-carerecord-patient=" + value + "; __Host-carerecord-patient=" + secret.New(secret.Session),
		"with more letters":                "__Host-carerecord-patient=" + value + "A",
		"a token of another kind":          "__Host-carerecord-patient=" + secret.New(secret.AccessToken),
		"empty":                            "__Host-carerecord-patient=",
		"the id of a session in the lists": "__Host-carerecord-patient=" + w.want(j, session.Patient, true).ID,
	} {
		r := httptest.NewRequest(http.MethodGet, "https://record.example/", nil)
		r.Header.Set("Cookie", cookies)
		for _, kind := range []session.Kind{session.Patient, session.Staff, "other"} {
			if s, err := w.server().Current(r, kind); !errors.Is(err, session.ErrNone) {
				t.Errorf("SMART-T36: a cookie %s: got %v, %v, want ErrNone", name, s, err)
			}
		}
	}
}

// TestLimits: a session ends after 30 minutes without activity, and after 12 hours in any case (SMART-162).
func TestLimits(t *testing.T) {
	t.Run("activity keeps it for 30 minutes", func(t *testing.T) {
		w, j := newWorld(t, true), jar{}
		w.signIn(j, identity(session.Patient, "1"))
		w.advance(30*time.Minute - time.Second)
		w.want(j, session.Patient, true)
		w.advance(30*time.Minute - time.Second)
		w.want(j, session.Patient, true)
		w.advance(30 * time.Minute)
		w.want(j, session.Patient, false)
	})
	t.Run("12 hours end it", func(t *testing.T) {
		w, j := newWorld(t, true), jar{}
		started, _ := w.signIn(j, identity(session.Staff, "1"))
		for range 47 {
			w.advance(15 * time.Minute)
			w.want(j, session.Staff, true)
		}
		answer := httptest.NewRecorder()
		chosen, err := w.server().ChooseRole(answer, j.request(), session.Staff, "R", "O")
		if err != nil || !chosen.Ends.Equal(started.Ends) {
			t.Fatalf("SMART-162: a role choice moves the end: got %v, %v, want %v", chosen, err, started.Ends)
		}
		j.keep(answer)
		w.advance(15*time.Minute - time.Second)
		w.want(j, session.Staff, true)
		w.advance(time.Second)
		w.want(j, session.Staff, false)
	})
	t.Run("the bounds cannot be raised", func(t *testing.T) {
		w := newWorld(t, true)
		digests, err := secret.NewDigester([]byte(strings.Repeat("k", 32)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := session.New(session.Config{State: w.state, Clock: w.clock}); err == nil {
			t.Error("sessions without a key of digests are made")
		}
		for _, c := range []struct {
			idle, total time.Duration
			ok          bool
		}{{0, 0, true}, {time.Minute, time.Hour, true}, {30*time.Minute + 1, 0, false}, {0, 12*time.Hour + 1, false}, {-1, 0, false}} {
			_, err := session.New(session.Config{State: w.state, Digests: digests, Clock: w.clock, Idle: c.idle, Total: c.total})
			if (err == nil) != c.ok {
				t.Errorf("SMART-162: idle %s, total %s: got %v, want accepted: %v", c.idle, c.total, err, c.ok)
			}
		}
	})
}

// TestBrowser: the binding of a browser stays the same on both servers and differs between browsers.
func TestBrowser(t *testing.T) {
	w, j := newWorld(t, true), jar{}
	if got := w.server().KnownBrowser(j.request()); got != "" {
		t.Errorf("a new browser has the binding %q", got)
	}
	answer := httptest.NewRecorder()
	first := w.server().Browser(answer, j.request())
	j.keep(answer)
	again := httptest.NewRecorder()
	if got := w.server().Browser(again, j.request()); got != first || len(again.Result().Cookies()) != 0 || w.server().KnownBrowser(j.request()) != first {
		t.Errorf("the binding changes: got %q, want %q", got, first)
	}
	if other := w.server().Browser(httptest.NewRecorder(), jar{}.request()); other == first {
		t.Error("two browsers have one binding")
	}
	answer = httptest.NewRecorder()
	once := w.server().Browser(answer, jar{}.request())
	if twice := w.server().Browser(answer, jar{}.request()); twice != once || len(answer.Result().Cookies()) != 1 {
		t.Errorf("two calls for one answer: got %q and %q with the cookies %v", once, twice, answer.Result().Cookies())
	}
	post := jar{}.request()
	post.Method = http.MethodPost
	answer = httptest.NewRecorder()
	if got := w.server().Browser(answer, post); got != "" || len(answer.Result().Cookies()) != 0 {
		t.Errorf("a post without a cookie gets the binding %q and the cookies %v", got, answer.Result().Cookies())
	}
	post = j.request()
	post.Method = http.MethodPost
	if got := w.server().Browser(answer, post); got != first {
		t.Errorf("a post with the cookie: got %q, want %q", got, first)
	}
	if strings.Contains(first, j["__Host-carerecord-browser"].Value) {
		t.Error("the binding has the value of the cookie")
	}
}

// TestUserSessions: a user can list the own sessions, and end one or all of them.
func TestUserSessions(t *testing.T) {
	w, one, two, other := newWorld(t, true), jar{}, jar{}, jar{}
	id := identity(session.Patient, "1")
	first, _ := w.signIn(one, id)
	w.advance(time.Minute)
	second, _ := w.signIn(two, id)
	w.signIn(other, identity(session.Patient, "2"))
	list, err := w.server().List(t.Context(), id.User)
	if err != nil || len(list) != 2 || list[0].ID != second.ID || list[1].ID != first.ID {
		t.Fatalf("list: got %v, %v, want the two sessions, the one used last first", list, err)
	}
	if got, err := w.server().Use(t.Context(), id.User, first.ID); err != nil || !got.LastUsed.Equal(w.clock()) {
		t.Errorf("use by a token: got %v, %v", got, err)
	}
	if err := w.server().End(t.Context(), identity(session.Patient, "2").User, first.ID); !errors.Is(err, session.ErrNone) {
		t.Errorf("another user ends a session: got %v, want ErrNone", err)
	}
	if err := w.server().End(t.Context(), session.User{Issuer: "https://other.example", Subject: "1", Kind: session.Patient}, first.ID); !errors.Is(err, session.ErrNone) {
		t.Errorf("a user of another issuer ends a session: got %v, want ErrNone", err)
	}
	w.want(one, session.Patient, true)
	if err := w.server().End(t.Context(), id.User, first.ID); err != nil {
		t.Fatal(err)
	}
	w.want(one, session.Patient, false)
	if _, err := w.server().Use(t.Context(), id.User, first.ID); !errors.Is(err, session.ErrNone) {
		t.Errorf("use after the end: got %v, want ErrNone", err)
	}
	w.want(two, session.Patient, true)
	w.signIn(one, id)
	ended, err := w.server().EndAll(t.Context(), id.User)
	if err != nil || len(ended) != 2 {
		t.Fatalf("end all: got %v, %v, want two sessions", ended, err)
	}
	w.want(one, session.Patient, false)
	w.want(two, session.Patient, false)
	w.want(other, session.Patient, true)
}

// TestEndAllDuringRoleChoices: a sign-out everywhere leaves no session, also if its cookie changes at the same time.
func TestEndAllDuringRoleChoices(t *testing.T) {
	w := newWorld(t, true)
	id := identity(session.Staff, "1")
	for range 50 {
		j := jar{}
		w.signIn(j, id)
		var wait sync.WaitGroup
		wait.Go(func() {
			for range 5 {
				answer := httptest.NewRecorder()
				if _, err := w.servers[0].ChooseRole(answer, j.request(), session.Staff, "R", "O"); err != nil {
					if !errors.Is(err, session.ErrNone) {
						t.Error(err)
					}
					return
				}
				j.keep(answer)
			}
		})
		if _, err := w.servers[1].EndAll(t.Context(), id.User); err != nil {
			t.Error(err)
		}
		wait.Wait()
		w.want(j, session.Staff, false)
	}
}

// failing is a State that cannot take a session.
type failing struct{ *storetest.Reference }

func (f failing) Take(ctx context.Context, key string) ([]byte, error) {
	if strings.HasPrefix(key, "session/") {
		return nil, store.ErrUnavailable
	}
	return f.Reference.Take(ctx, key)
}

// TestEndAllAgain: a sign-out everywhere that failed may be repeated: no session has left the list without its end (SMART-169).
func TestEndAllAgain(t *testing.T) {
	w, id := newWorld(t, true), identity(session.Staff, "1")
	digests, err := secret.NewDigester([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := session.New(session.Config{State: failing{w.state}, Digests: digests, Clock: w.clock, Secure: true})
	if err != nil {
		t.Fatal(err)
	}
	w.signIn(jar{}, id)
	if _, err := s.EndAll(t.Context(), id.User); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("SMART-169: a store that fails: got %v", err)
	}
	if ended, err := w.server().EndAll(t.Context(), id.User); err != nil || len(ended) != 1 {
		t.Errorf("SMART-169: the second time: got %v, %v, want the session", ended, err)
	}
}

// hooked is a State that calls a function before it stores a session.
type hooked struct {
	*storetest.Reference
	before func()
}

func (h *hooked) Insert(ctx context.Context, key string, value []byte, expires time.Time) error {
	if strings.HasPrefix(key, "session/") && h.before != nil {
		h.before()
	}
	return h.Reference.Insert(ctx, key, value, expires)
}

// TestEndAllBetweenTwoValues: a sign-out everywhere in the instant in which a role choice has ended the old value and has
// not stored the new one ends the new one too.
func TestEndAllBetweenTwoValues(t *testing.T) {
	w, j, id := newWorld(t, true), jar{}, identity(session.Staff, "1")
	h := &hooked{Reference: w.state}
	digests, err := secret.NewDigester([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := session.New(session.Config{State: h, Digests: digests, Clock: w.clock, Secure: true})
	if err != nil {
		t.Fatal(err)
	}
	w.signIn(j, id)
	h.before = func() {
		if _, err := w.server().EndAll(t.Context(), id.User); err != nil {
			t.Error(err)
		}
	}
	answer := httptest.NewRecorder()
	if got, err := s.ChooseRole(answer, j.request(), session.Staff, "R", "O"); !errors.Is(err, session.ErrNone) || len(answer.Result().Cookies()) != 0 {
		t.Errorf("the role choice: got %v, %v, want ErrNone", got, err)
	}
	if list, err := w.server().List(t.Context(), id.User); err != nil || len(list) != 0 {
		t.Errorf("after the sign-out everywhere: got %v, %v", list, err)
	}
}

// TestExpiryInCode: a store that removes nothing does not keep a session alive.
func TestExpiryInCode(t *testing.T) {
	w, j := newWorld(t, true), jar{}
	start := w.now
	state := storetest.NewReference(func() time.Time { return start })
	digests, err := secret.NewDigester([]byte(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	s, err := session.New(session.Config{State: state, Digests: digests, Clock: w.clock, Secure: true})
	if err != nil {
		t.Fatal(err)
	}
	w.servers, w.state = []*session.Sessions{s}, state
	w.signIn(j, identity(session.Patient, "1"))
	w.advance(30 * time.Minute)
	w.want(j, session.Patient, false)
	if list, err := s.List(t.Context(), identity(session.Patient, "1").User); err != nil || len(list) != 0 {
		t.Errorf("list: got %v, %v, want nothing", list, err)
	}
	if _, before := w.signIn(j, identity(session.Patient, "2")); before != nil {
		t.Errorf("the sign-in ends a session that had ended: %v", before)
	}
}

// TestStateDown: a session that cannot be read is an error, never "no session" and never a session.
func TestStateDown(t *testing.T) {
	w, j := newWorld(t, true), jar{}
	w.signIn(j, identity(session.Patient, "1"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := j.request().WithContext(ctx)
	if s, err := w.server().Current(r, session.Patient); err == nil || errors.Is(err, session.ErrNone) || s != nil {
		t.Errorf("got %v, %v, want an error of the store", s, err)
	}
	if _, err := w.server().SignOut(httptest.NewRecorder(), r, session.Patient); err == nil || errors.Is(err, session.ErrNone) {
		t.Errorf("sign-out: got %v, want an error of the store", err)
	}
	w.want(j, session.Patient, true)
}

// TestStoredText: no row of the store has the name of a user in a key, so that keys can be logged.
func TestStoredText(t *testing.T) {
	w, j := newWorld(t, true), jar{}
	w.signIn(j, identity(session.Patient, "subject-1"))
	var keys []string
	for v, err := range w.state.Values(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, v.Key)
	}
	if len(keys) != 2 || slices.ContainsFunc(keys, func(key string) bool { return strings.Contains(key, "subject-1") }) {
		t.Errorf("the keys are %q", keys)
	}
}
