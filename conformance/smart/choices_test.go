package smart

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/consent/policy"
	"carerecord/interop/smart"
	"carerecord/interop/smart/printed"
	"carerecord/store/storetest"
)

// own returns a browser in which a patient has signed in at the own pages.
func (w *world) own(path, user string) *browser {
	w.Helper()
	b := w.browser()
	b.open(site + path)
	b.submit("sign-in", url.Values{"kind": {"patient"}})
	b.signIn(user)
	return b
}

// seen returns how many Conditions of Ann somebody sees who wrote none of them.
func (w *world) seen(token string) string {
	w.Helper()
	a := w.get(token, "Condition?patient=t1.ann&_summary=count")
	return gjson.Get(a.text, "total").Raw
}

// TestCON1804: a patient refuses on the own page, and it holds in the next request of staff; the patient allows again, in the same number
// of steps. The page says what holds, and since when.
func TestCON1804(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.put("Condition", "ann-c9", `"subject":{"reference":"Patient/t1.ann"},"code":{"text":"cough"}`)
	staff := w.practitioner()
	if got := w.seen(staff); got == "0" || got == "" {
		t.Fatalf("before: staff see %q", got)
	}
	b := w.own("/my/choices", "ann")
	has := func(texts ...string) {
		t.Helper()
		for _, text := range texts {
			if !strings.Contains(b.page.text, text) {
				t.Errorf("CON-506, 1802: the page lacks %q: %d %s", text, b.page.code, b.page.text)
			}
		}
	}
	has("Your record is shared for your care.", "Nobody has recorded", "nhs.uk/your-nhs-data-matters", "Your GP practice keeps your choice", "It does not stop the sharing of your record for your care")
	for _, c := range []struct{ sharing, ask, then, seen string }{
		{"refuse", "Do you want to stop sharing your record?", "Your record is not shared.", "0"},
		{"allow", "Do you want to share your record?", "Your record is shared for your care.", ""},
	} {
		b.submit("choices", url.Values{"sharing": {c.sharing}})
		if has(c.ask); c.seen == "0" && w.seen(staff) == "0" {
			t.Error("CON-1804: a choice holds before it is confirmed")
		}
		b.submit("choices", url.Values{"confirm": {"yes"}})
		has(c.then, "We recorded on", "You recorded on")
		if got := w.seen(staff); (got == "0" || got == "") != (c.seen == "0") {
			t.Errorf("CON-1401: after %s staff see %q", c.sharing, got)
		}
		if !w.audited(map[string]string{"refuse": "sharing-refused", "allow": "sharing-allowed"}[c.sharing], "Consent") {
			t.Errorf("CON-1804: %s is not in the audit trail", c.sharing)
		}
		w.now = w.now.Add(2 * time.Minute)
		if b.open(site + "/my/choices"); strings.Contains(b.page.text, "We recorded") {
			t.Error("the page says two minutes later that something was recorded")
		}
	}
	has("It ended on")
	if n := w.countOf("Consent"); n != 1 {
		t.Errorf("CON-1804: there are %d Consents", n)
	}
}

// practitioner returns the token of the GP practice's locum, who wrote nothing in the record, with some more scopes.
func (w *world) practitioner(more ...string) string {
	w.Helper()
	b := w.browser()
	b.ask("clinical", strings.Join(append(more, "user/*.rs"), " "))
	b.inRole("locum", "G1 R3")
	return w.exchange("clinical", sentBack(w.TB, b.allow()).Get("code")).str("access_token")
}

// TestCON1804JSON: the same as JSON, by GET and PUT.
func TestCON1804JSON(t *testing.T) {
	w := newWorld(t, nil, 1)
	staff := w.practitioner()
	b := w.own("/my/choices", "ann")
	send := func(method, body string, change func(http.Header)) (int, gjson.Result) {
		r := w.request(method, site+"/my/choices", body)
		r.Header.Set("Accept", "application/json")
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Origin", site)
		if change != nil {
			change(r.Header)
		}
		for name, value := range b.cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		a := w.do(r)
		if strings.Contains(a.Header().Get("Content-Type"), "json") && !strings.Contains(a.Header().Get("Cache-Control"), "no-store") {
			t.Errorf("CON-1405: %s: got %v", method, a.Header())
		}
		return a.Code, gjson.Parse(a.Body.String())
	}
	code, now := send("GET", "", nil)
	if code != 200 || now.Get("sharing.refused").Raw != "false" || now.Get("sharing.statements.#").Int() != 0 || now.Get("csrf").Str == "" {
		t.Fatalf("CON-1804: got %d %s", code, now.Raw)
	}
	token := func(h http.Header) { h.Set("Carerecord-Csrf", now.Get("csrf").Str) }
	for what, c := range map[string]struct {
		body   string
		change func(http.Header)
		code   int
	}{
		"no value against CSRF":     {`{"sharing":"refuse"}`, nil, 403},
		"that of another session":   {`{"sharing":"refuse"}`, func(h http.Header) { h.Set("Carerecord-Csrf", "cr_xs_x") }, 403},
		"another origin":            {`{"sharing":"refuse"}`, func(h http.Header) { token(h); h.Set("Origin", "https://evil.example") }, 403},
		"no session":                {`{"sharing":"refuse"}`, func(h http.Header) { token(h); h.Set("Cookie", "") }, 403},
		"another choice":            {`{"sharing":"sometimes"}`, token, 400},
		"an unknown member":         {`{"sharing":"refuse","until":"2027"}`, token, 400},
		"no JSON":                   {`refuse`, token, 400},
		"a member twice":            {`{"sharing":"allow","sharing":"refuse"}`, token, 400},
		"another spelling":          {`{"Sharing":"refuse"}`, token, 400},
		"too long a body":           {`{"sharing":"refuse"` + strings.Repeat(" ", 5000) + `}`, token, 400},
		"two objects":               {`{"sharing":"refuse"}{"sharing":"allow"}`, token, 400},
		"a form":                    {`sharing=refuse`, func(h http.Header) { token(h); h.Set("Content-Type", "application/x-www-form-urlencoded") }, 400},
		"a body without an object":  {``, token, 400},
		"a body with another shape": {`["refuse"]`, token, 400},
	} {
		saved := b.cookies
		if what == "no session" {
			b.cookies = nil
		}
		if code, _ := send("PUT", c.body, c.change); code != c.code {
			t.Errorf("CON-1804: %s: got %d, want %d", what, code, c.code)
		}
		b.cookies = saved
	}
	if n := w.countOf("Consent"); n != 0 {
		t.Fatalf("CON-1804: refused requests recorded %d Consents", n)
	}
	for range 2 { // twice is once
		if code, now := send("PUT", `{"sharing":"refuse"}`, token); code != 200 || now.Get("sharing.refused").Raw != "true" || now.Get("sharing.statements.#").Int() != 1 || now.Get("sharing.statements.0.active").Raw != "true" || now.Get("sharing.statements.0.recordedBy").Exists() {
			t.Errorf("CON-1804: got %d %s", code, now.Raw)
		}
	}
	if got := w.seen(staff); got != "0" && got != "" {
		t.Errorf("CON-1401: staff see %s", got)
	}
	for range 2 {
		if code, now := send("PUT", `{"sharing":"allow"}`, token); code != 200 || now.Get("sharing.refused").Raw != "false" || now.Get("sharing.statements.0.active").Raw != "false" || !now.Get("sharing.statements.0.ended").Exists() {
			t.Errorf("CON-1804: got %d %s", code, now.Raw)
		}
	}
}

// TestChoicesAreLimited: somebody changes a choice so many times in a minute and no more, and another method changes nothing (SMART-482).
func TestChoicesAreLimited(t *testing.T) {
	w := openWorld(t, func(clock func() time.Time) engine { return storetest.NewReference(clock) }, 1, func(c *smart.Config) { c.Failures = 3 })
	b := w.own("/my/choices", "ann")
	b.submit("choices", url.Values{"sharing": {"refuse"}})
	f := b.forms()["choices"]
	for n := range 4 {
		b.send(f, url.Values{"confirm": {"yes"}})
		if over := b.page.code == http.StatusTooManyRequests; over != (n == 3) {
			t.Errorf("SMART-482: choice %d: got %d", n+1, b.page.code)
		}
	}
	for _, method := range []string{"DELETE", "PATCH"} {
		if b.follow(w.request(method, site+"/my/choices", "")); b.page.code != http.StatusMethodNotAllowed {
			t.Errorf("CON-1804: %s: got %d", method, b.page.code)
		}
	}
}

// TestSavedByOthers: the page says that a choice was recorded for one that a person made, not for what a feed has ended (CON-1805).
func TestSavedByOthers(t *testing.T) {
	w := newWorld(t, nil, 1)
	body := func(status string) string {
		text := string(policy.NewOptOut("t1.ann", "", w.now))
		return strings.Replace(strings.TrimPrefix(strings.TrimSuffix(text, "}"), "{"), `"status":"active"`, `"status":"`+status+`"`, 1)
	}
	strip := strings.NewReplacer(`"resourceType":"Consent",`, "")
	w.put("Consent", "c", strip.Replace(body("active")))
	w.put("Consent", "c", strip.Replace(body("inactive")))
	if b := w.own("/my/choices", "ann"); !strings.Contains(b.page.text, "Your record is shared for your care.") || strings.Contains(b.page.text, "We recorded") || !strings.Contains(b.page.text, "It ended on") {
		t.Errorf("CON-1805: a feed has ended its statement: got %d %s", b.page.code, b.page.text)
	}
}

// TestChoicesOfOthers: a refusal that a feed sent is shown, with who can end it, and holds whatever the patient does on the page. A token of
// an app, staff, a proxy and a cookie of another kind read and change no choice here.
func TestChoicesOfOthers(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.put("Consent", "c", `"status":"active","patient":{"reference":"Patient/t1.ann"},"scope":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/consentscope","code":"patient-privacy"}]},`+
		`"category":[{"coding":[{"system":"http://snomed.info/sct","code":"416409005"}]}],"policyRule":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"OPTOUT"}]}`)
	b := w.own("/my/choices", "ann")
	if !strings.Contains(b.page.text, "Your record is not shared.") || !strings.Contains(b.page.text, "Trust has recorded that you do not want to share. Only they can change this.") {
		t.Errorf("CON-502: got %d %s", b.page.code, b.page.text)
	}
	b.submit("choices", url.Values{"sharing": {"allow"}})
	if b.submit("choices", url.Values{"confirm": {"yes"}}); !strings.Contains(b.page.text, "Your record is not shared.") || strings.Contains(b.page.text, "We recorded") {
		t.Errorf("CON-502: after allowing: got %d %s", b.page.code, b.page.text)
	}

	token := w.exchange("app", w.browser().journey("app", "patient/*.cruds", "ann", "").Get("code")).str("access_token")
	printed, _, err := w.smart[0].Printed.Issue(t.Context(), "test", printed.Request{Client: w.ids["app"], User: "ann"})
	w.must(err)
	for _, bearer := range []string{token, printed} {
		for _, method := range []string{"GET", "PUT", "POST"} {
			r := w.request(method, site+"/my/choices", `{"sharing":"allow"}`)
			r.Header.Set("Authorization", "Bearer "+bearer)
			r.Header.Set("Accept", "application/json")
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Origin", site)
			if a := w.do(r); a.Code != 403 || strings.Contains(a.Body.String(), "sharing") {
				t.Errorf("CON-1804: %s with the token of an app: got %d %s", method, a.Code, a.Body)
			}
		}
	}
	proxy := w.own("/my/choices", "carer")
	if proxy.open(site + "/my/choices"); proxy.page.code != 403 || !strings.Contains(proxy.page.text, "You cannot act for another person here") {
		t.Errorf("CON-502: a proxy: got %d %s", proxy.page.code, proxy.page.text)
	}
	staff := w.browser()
	staff.open(site + "/my/apps")
	staff.submit("sign-in", url.Values{"kind": {"staff"}})
	staff.signIn("doctor")
	if staff.open(site + "/my/choices"); staff.at != "/my/choices/sign-in" {
		t.Errorf("CON-1804: staff: got %d at %s", staff.page.code, staff.at)
	}
}

// TestChoiceOfAPractice: what the practice recorded for the patient is shown with its name, and the patient ends it (CON-502).
func TestChoiceOfAPractice(t *testing.T) {
	w := newWorld(t, nil, 1)
	for i := range w.policy.Roles {
		if r := &w.policy.Roles[i]; r.Code == "R3" {
			r.Activities = append(r.Activities, policy.ActivityOptOut)
		}
	}
	if a := w.send("PUT", "practice-feed", "Patient/g1.ann", `"identifier":[{"system":"`+nhs+`","value":"`+annsNumber+`"}],"birthDate":"1960-01-02","name":[{"text":"Ann Other","family":"Other"}],`+
		`"generalPractitioner":[{"identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"G1"}}]`); a.Code != 201 {
		t.Fatalf("put the practice's Patient: %d %s", a.Code, a.Body)
	}
	staff := w.practitioner("user/Consent.c")
	r := w.request("POST", base+"/Consent", string(policy.NewOptOut("g1.ann", "", w.now)))
	r.Header.Set("Content-Type", "application/fhir+json")
	r.Header.Set("Authorization", "Bearer "+staff)
	if a := w.do(r); a.Code != 201 {
		t.Fatalf("CON-502: the practice records a refusal: got %d %s", a.Code, a.Body)
	}
	b := w.own("/my/choices", "ann")
	if !strings.Contains(b.page.text, "Your record is not shared.") || !strings.Contains(b.page.text, "Practice recorded on") || strings.Contains(b.page.text, "Only they can change this") {
		t.Errorf("CON-1802: got %s", b.page.text)
	}
	b.submit("choices", url.Values{"sharing": {"allow"}})
	if b.submit("choices", url.Values{"confirm": {"yes"}}); !strings.Contains(b.page.text, "Your record is shared for your care.") || !strings.Contains(b.page.text, "It ended on") {
		t.Errorf("CON-502: the patient ends it: got %d %s", b.page.code, b.page.text)
	}
	if got := w.seen(staff); got == "0" || got == "" {
		t.Errorf("CON-1401: staff see %q", got)
	}
}

// TestRefusalWithoutARecord: somebody who is identified refuses by number where there is no record (IDN-131). What arrives afterwards is not
// shared.
func TestRefusalWithoutARecord(t *testing.T) {
	w := newWorld(t, nil, 1)
	b := w.own("/my/choices", "stranger")
	b.submit("choices", url.Values{"sharing": {"refuse"}})
	if b.submit("choices", url.Values{"confirm": {"yes"}}); b.page.code != 200 || !strings.Contains(b.page.text, "Your record is not shared.") {
		t.Fatalf("IDN-131: got %d %s %s", b.page.code, b.page.text, w.log.String())
	}
	w.put("Patient", "late", `"identifier":[{"system":"https://fhir.nhs.uk/Id/nhs-number","value":"9990000034"}]`)
	w.put("Condition", "late", `"subject":{"reference":"Patient/t1.late"},"code":{"text":"cough"}`)
	if a := w.get(w.practitioner(), "Condition?patient=t1.late&_summary=count"); gjson.Get(a.text, "total").Int() != 0 {
		t.Errorf("IDN-131: staff see what arrived after the refusal: %d %s", a.code, a.text)
	}
	b.submit("choices", url.Values{"sharing": {"allow"}})
	if b.submit("choices", url.Values{"confirm": {"yes"}}); !strings.Contains(b.page.text, "Your record is shared") {
		t.Errorf("IDN-131: allowing again: got %d %s", b.page.code, b.page.text)
	}
}
