package signin_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"carerecord/interop/pages"
	"carerecord/interop/smart/secret"
	"carerecord/interop/smart/session"
	"carerecord/interop/smart/signin"
	"carerecord/store/storetest"
)

const origin = "https://record.example"

// world has two servers over one State, and two issuers: of patients and of staff.
type world struct {
	*testing.T
	mu       sync.Mutex
	now      time.Time
	state    *storetest.Reference
	digests  secret.Digester
	patients *fakeIssuer
	staff    *fakeIssuer
	issuers  []signin.Issuer
	servers  []*signin.Upstream
	sessions *session.Sessions
	verified []signin.Identity
	refuse   error // the error of the function that gets the identity
}

func newWorld(t *testing.T, change ...func(*world)) *world {
	t.Helper()
	w := &world{T: t, now: time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)}
	w.state = storetest.NewReference(w.clock)
	var err error
	if w.digests, err = secret.NewDigester([]byte(strings.Repeat("k", 32))); err != nil {
		t.Fatal(err)
	}
	if w.sessions, err = session.New(session.Config{State: w.state, Digests: w.digests, Clock: w.clock, Secure: true}); err != nil {
		t.Fatal(err)
	}
	w.patients, w.staff = newFakeIssuer("https://patients.example", jose.RS512, w.clock), newFakeIssuer("https://staff.example", jose.RS256, w.clock)
	w.issuers = []signin.Issuer{w.issuer("patients", session.Patient, w.patients), w.issuer("staff", session.Staff, w.staff)}
	for _, f := range change {
		f(w)
	}
	for range 2 {
		u, err := signin.New(w.config())
		if err != nil {
			t.Fatal(err)
		}
		w.servers = append(w.servers, u)
	}
	return w
}

func (w *world) issuer(name string, kind session.Kind, f *fakeIssuer) signin.Issuer {
	return signin.Issuer{Name: name, Kind: kind, Issuer: f.issuer, ClientID: "carerecord", Scopes: []string{"profile"},
		Key:        jose.JSONWebKey{Key: testKeys()[1], KeyID: "client-1", Algorithm: "RS512"},
		Algorithms: []jose.SignatureAlgorithm{f.algorithm}, Assurance: signin.AssuranceSample, Levels: map[string]int{"good": 3},
		Claims: map[signin.Claim]string{signin.ClaimName: "name"}, Client: &http.Client{Transport: f}}
}

func (w *world) config() signin.Config {
	return signin.Config{Origin: origin, Issuers: w.issuers, State: w.state, Digests: w.digests, Clock: w.clock, Sessions: w.sessions, Demonstration: true,
		Verified: func(_ http.ResponseWriter, _ *http.Request, transaction string, id signin.Identity) error {
			if w.refuse != nil {
				return w.refuse
			}
			if transaction != "cr_tx_1" {
				w.Errorf("the identity is for the transaction %q", transaction)
			}
			w.verified = append(w.verified, id)
			return nil
		},
		Continue: func(transaction string) string { return "/oauth/continue/" + transaction },
	}
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

// jar is the cookies of a browser.
type jar []*http.Cookie

func (j jar) request(target string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for _, c := range j {
		r.AddCookie(c)
	}
	return r
}

// start starts a sign-in on the first server and returns the browser and the authorization request.
func (w *world) start(request signin.Request) (jar, url.Values) {
	w.Helper()
	answer := httptest.NewRecorder()
	request.Transaction = "cr_tx_1"
	if err := w.servers[0].Start(answer, httptest.NewRequest(http.MethodGet, origin+"/oauth/authorize", nil), request); err != nil {
		w.Fatalf("start: %v", err)
	}
	location, err := url.Parse(answer.Header().Get("Location"))
	if err != nil || answer.Code != http.StatusSeeOther {
		w.Fatalf("start: got %d to %q, want 303", answer.Code, location)
	}
	f := w.patients
	if request.Kind == session.Staff {
		f = w.staff
	}
	f.mu.Lock()
	f.nonce = location.Query().Get("nonce")
	f.mu.Unlock()
	return answer.Result().Cookies(), location.Query()
}

// call sends an answer of an issuer to the second server.
func (w *world) call(j jar, issuer string, answer url.Values) (*httptest.ResponseRecorder, error) {
	recorder := httptest.NewRecorder()
	err := w.servers[1].Callback(recorder, j.request(origin+"/oauth/callback/"+issuer+"?"+answer.Encode()))
	return recorder, err
}

// signIn runs a sign-in of a patient up to the result of the callback.
func (w *world) signIn() error {
	w.Helper()
	j, request := w.start(signin.Request{Kind: session.Patient})
	_, err := w.call(j, "patients", url.Values{"state": {request.Get("state")}, "code": {"upstream-code"}})
	return err
}

// wantReason checks the reason of an error, its page, and that its text has nothing secret.
func wantReason(t *testing.T, err error, reason signin.Reason, page pages.ErrorKind) {
	t.Helper()
	var e *signin.Error
	var f *pages.Failure
	if !errors.As(err, &e) || e.Reason != reason || !errors.As(err, &f) || f.Kind != page {
		t.Errorf("got %v, want the reason %s and the page %s", err, reason, page)
		return
	}
	for _, value := range []string{"upstream-access-token", "upstream-code", "cr_st_", "eyJ"} {
		if strings.Contains(err.Error(), value) {
			t.Errorf("the error has a secret value: %v", err)
		}
	}
}

// TestSignIn: one server sends the browser to the issuer with state, nonce and PKCE S256, the other receives the answer
// and sends the browser on (SMART-115, 181). The client authenticates by an assertion and sends no secret.
func TestSignIn(t *testing.T) {
	w := newWorld(t)
	j, request := w.start(signin.Request{Kind: session.Staff, Login: true})
	for name, form := range map[string]string{"response_type": "^code$", "client_id": "^carerecord$", "redirect_uri": "^https://record.example/oauth/callback/staff$", "scope": "^openid profile$",
		"state": `^cr_st_[A-Za-z0-9_-]{43}$`, "nonce": `^[0-9a-f]{64}$`, "code_challenge_method": "^S256$", "code_challenge": `^[A-Za-z0-9_-]{43}$`, "prompt": "^login$"} {
		if !regexp.MustCompile(form).MatchString(request.Get(name)) {
			t.Errorf("SMART-181: %s is %q, want %s", name, request.Get(name), form)
		}
	}
	got, err := w.call(j, "staff", url.Values{"state": {request.Get("state")}, "code": {"upstream-code"}, "iss": {"https://staff.example"}})
	if err != nil {
		t.Fatal(err)
	}
	if got.Code != http.StatusSeeOther || got.Header().Get("Location") != origin+"/oauth/continue/cr_tx_1" {
		t.Errorf("the callback sends the browser to %q with %d", got.Header().Get("Location"), got.Code)
	}
	id := w.verified[0]
	if id.Issuer != "https://staff.example" || id.Subject != "subject-1" || id.Kind != session.Staff || id.Level != 3 || !id.AuthTime.Equal(w.now) || id.Claims[signin.ClaimName] != "Ann" {
		t.Errorf("the identity is %+v", id)
	}

	form := w.staff.requests["/token"][0]
	if form.Get("client_secret") != "" || form.Get("Authorization") != "" || form.Get("code_verifier") == "" || form.Get("code") != "upstream-code" {
		t.Errorf("the token request is %v", form)
	}
	if form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		t.Errorf("the type of the assertion is %q", form.Get("client_assertion_type"))
	}
	assertion, err := jwt.ParseSigned(form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.RS512})
	if err != nil {
		t.Fatal(err)
	}
	var c jwt.Claims
	if err := assertion.Claims(&testKeys()[1].PublicKey, &c); err != nil {
		t.Fatal(err)
	}
	life := c.Expiry.Time().Sub(w.now)
	if c.Issuer != "carerecord" || c.Subject != "carerecord" || len(c.Audience) != 1 || c.Audience[0] != "https://staff.example/token" || c.ID == "" || life <= 0 || life > 5*time.Minute || assertion.Headers[0].KeyID != "client-1" {
		t.Errorf("the assertion says %+v", c)
	}
}

// TestAnswers: an answer is accepted in the browser that started the sign-in, once, at the callback of its issuer
// (SMART-164, SMART-181, SMART-T11).
func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		browser func(w *world, own jar) jar
		issuer  string
		answer  func(q url.Values)
		reason  signin.Reason
		page    pages.ErrorKind
		waits   bool // the sign-in still waits for its own answer
	}{
		"in another browser":                                   {browser: func(w *world, _ jar) jar { j, _ := w.start(signin.Request{Kind: session.Patient}); return j }, reason: signin.UnknownAnswer, page: pages.OtherBrowser, waits: true},
		"in a browser without one":                             {browser: func(*world, jar) jar { return nil }, reason: signin.UnknownAnswer, page: pages.OtherBrowser, waits: true},
		"with the state of another sign-in of another browser": {answer: func(q url.Values) { q.Set("state", q.Get("other")); q.Del("other") }, reason: signin.UnknownAnswer, page: pages.OtherBrowser, waits: true},
		"with an unknown state":                                {answer: func(q url.Values) { q.Set("state", secret.New(secret.State)) }, reason: signin.UnknownAnswer, page: pages.OtherBrowser, waits: true},
		"without a state":                                      {answer: func(q url.Values) { q.Del("state") }, reason: signin.UnknownAnswer, page: pages.OtherBrowser, waits: true},
		"at the callback of another issuer":                    {issuer: "staff", reason: signin.WrongIssuer, page: pages.OtherBrowser},
		"that names another issuer":                            {answer: func(q url.Values) { q.Set("iss", "https://staff.example") }, reason: signin.WrongIssuer, page: pages.OtherBrowser},
		"that names the issuer with a slash":                   {answer: func(q url.Values) { q.Set("iss", "https://patients.example/") }, reason: signin.WrongIssuer, page: pages.OtherBrowser},
		"that refuses":                                         {answer: func(q url.Values) { q.Set("error", "access_denied") }, reason: signin.Refused, page: pages.SignInRefused},
		"that says that the issuer is down":                    {answer: func(q url.Values) { q.Set("error", "temporarily_unavailable") }, reason: signin.Down, page: pages.ProviderDown},
		"that has neither a code nor an error code":            {answer: func(q url.Values) { q.Del("code") }, reason: signin.Invalid, page: pages.SignInRefused},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, other := w.start(signin.Request{Kind: session.Patient})
			j, request := w.start(signin.Request{Kind: session.Patient})
			q := url.Values{"state": {request.Get("state")}, "code": {"upstream-code"}, "other": {other.Get("state")}}
			if c.answer != nil {
				c.answer(q)
			}
			q.Del("other")
			own, issuer := j, "patients"
			if c.browser != nil {
				j = c.browser(w, j)
			}
			if c.issuer != "" {
				issuer = c.issuer
			}
			_, err := w.call(j, issuer, q)
			wantReason(t, err, c.reason, c.page)
			if len(w.verified) != 0 || w.patients.count("/token")+w.staff.count("/token") != 0 {
				t.Error("SMART-T11: the code of a refused answer was sent to an issuer")
			}
			w.patients.nonce = request.Get("nonce")
			_, err = w.call(own, "patients", url.Values{"state": {request.Get("state")}, "code": {"upstream-code"}})
			if c.waits && err != nil {
				t.Errorf("SMART-164: a foreign answer ended the sign-in of the first browser: %v", err)
			} else if !c.waits {
				wantReason(t, err, signin.UnknownAnswer, pages.OtherBrowser)
			}
		})
	}
}

// TestReplay: of 20 simultaneous answers to two servers one is accepted; a later one and a late one are refused
// (SMART-164, SMART-T11).
func TestReplay(t *testing.T) {
	w := newWorld(t)
	j, request := w.start(signin.Request{Kind: session.Patient})
	target := origin + "/oauth/callback/patients?" + url.Values{"state": {request.Get("state")}, "code": {"upstream-code"}}.Encode()
	var wait sync.WaitGroup
	errs := make([]error, 20)
	for i := range errs {
		wait.Go(func() { errs[i] = w.servers[i%2].Callback(httptest.NewRecorder(), j.request(target)) })
	}
	wait.Wait()
	for _, err := range append(errs, w.servers[0].Callback(httptest.NewRecorder(), j.request(target))) {
		if err != nil {
			wantReason(t, err, signin.UnknownAnswer, pages.OtherBrowser)
		}
	}
	if len(w.verified) != 1 || w.patients.count("/token") != 1 {
		t.Errorf("SMART-T11: %d answers were accepted", len(w.verified))
	}
	j, request = w.start(signin.Request{Kind: session.Patient})
	w.advance(10 * time.Minute)
	_, err := w.call(j, "patients", url.Values{"state": {request.Get("state")}, "code": {"upstream-code"}})
	wantReason(t, err, signin.UnknownAnswer, pages.OtherBrowser)
}

// TestExpiryInCode: a store that removes nothing does not make a late answer valid (SMART-164).
func TestExpiryInCode(t *testing.T) {
	w := newWorld(t, func(w *world) {
		start := w.now
		w.state = storetest.NewReference(func() time.Time { return start })
	})
	j, request := w.start(signin.Request{Kind: session.Patient})
	w.advance(10 * time.Minute)
	_, err := w.call(j, "patients", url.Values{"state": {request.Get("state")}, "code": {"upstream-code"}})
	wantReason(t, err, signin.UnknownAnswer, pages.OtherBrowser)
}

// TestPostWithoutCookie: a post of a browser without our cookie, which another site may have sent, starts no sign-in.
func TestPostWithoutCookie(t *testing.T) {
	w, answer := newWorld(t), httptest.NewRecorder()
	err := w.servers[0].Start(answer, httptest.NewRequest(http.MethodPost, origin+"/oauth/sign-in", nil), signin.Request{Transaction: "cr_tx_1", Kind: session.Patient})
	wantReason(t, err, signin.UnknownAnswer, pages.OtherBrowser)
	if len(answer.Header()) != 0 {
		t.Errorf("the answer has the header %v", answer.Header())
	}
}

// TestRequests: what is no answer gives a page and reads nothing.
func TestRequests(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		method, target string
		want           pages.ErrorKind
	}{
		"a post":               {http.MethodPost, "/oauth/callback/patients?state=a", pages.MethodRefused},
		"an unknown issuer":    {http.MethodGet, "/oauth/callback/other?state=a", pages.NotFound},
		"no issuer":            {http.MethodGet, "/oauth/callback/?state=a", pages.NotFound},
		"a repeated parameter": {http.MethodGet, "/oauth/callback/patients?state=a&state=b", pages.BadRequest},
		"a broken query":       {http.MethodGet, "/oauth/callback/patients?state=%zz", pages.BadRequest},
	} {
		err := w.servers[0].Callback(httptest.NewRecorder(), httptest.NewRequest(c.method, origin+c.target, nil))
		var f *pages.Failure
		if !errors.As(err, &f) || f.Kind != c.want {
			t.Errorf("%s: got %v, want the page %s", name, err, c.want)
		}
	}
}

// TestKindOfIssuer: a sign-in of patients is not started at an issuer of staff, whatever name is given.
func TestKindOfIssuer(t *testing.T) {
	w := newWorld(t)
	for _, request := range []signin.Request{{Transaction: "t", Kind: session.Patient, Issuer: "staff"}, {Transaction: "t", Kind: session.Staff, Issuer: "patients"},
		{Transaction: "t", Kind: session.Patient, Issuer: "other"}, {Transaction: "t", Kind: "other"}, {Kind: session.Patient}} {
		answer := httptest.NewRecorder()
		if err := w.servers[0].Start(answer, httptest.NewRequest(http.MethodGet, origin, nil), request); err == nil || answer.Header().Get("Location") != "" {
			t.Errorf("%+v: got %v and the location %q, want an error", request, err, answer.Header().Get("Location"))
		}
	}
	if got := w.servers[0].Names(session.Staff); len(got) != 1 || got[0] != "staff" {
		t.Errorf("the issuers of staff are %q", got)
	}
}

// TestCallerRefuses: the error of the caller is returned as it is, and the browser is not sent on.
func TestCallerRefuses(t *testing.T) {
	w := newWorld(t)
	w.refuse = pages.Fail(pages.Forbidden, nil)
	if err := w.signIn(); !errors.Is(err, w.refuse) {
		t.Errorf("got %v, want the error of the caller", err)
	}
}
