package smart

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
	"golang.org/x/net/html"

	"carerecord/interop/smart/printed"
)

// browseAs signs somebody in without an app.
func (b *browser) browseAs(user string) {
	b.w.Helper()
	b.open(site + "/browse/")
	kind := "patient"
	if p, _ := b.w.policy.Person(user); p.Kind == "clinician" {
		kind = "staff"
	}
	if b.at != "/browse/sign-in" {
		b.open(site + "/browse/sign-in")
	}
	b.submit("sign-in", url.Values{"kind": {kind}})
	b.signIn(user)
}

// links returns the targets of all links, forms and resources of the page.
func (b *browser) links() (out []string) {
	b.w.Helper()
	root, err := html.Parse(strings.NewReader(b.page.text))
	b.w.must(err)
	for n := range root.Descendants() {
		for _, a := range n.Attr {
			if a.Key == "href" || a.Key == "src" || a.Key == "action" || a.Key == "formaction" || a.Key == "srcset" {
				out = append(out, a.Val)
			}
		}
	}
	return out
}

// TestBrowse: readable answers of FHIR for the person who has signed in, with no more than the person's own view, in a demonstration.
func TestBrowse(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.put("Condition", "hostile", `"code":{"text":"<script>alert(1)</script>\u202e\" onfocus=\"x"},"subject":{"reference":"Patient/t1.ann"},
		"recorder":{"reference":"Practitioner/t1.doctor"},"asserter":{"reference":"https://evil.example/Patient/1"},"encounter":{"reference":"`+base+`/Encounter/t1.ann-e"},
		"note":[{"text":"`+base+`.evil.example/Patient/1"}],"extension":[{"url":"javascript:alert(1)","valueString":"x"},{"url":"//evil.example/x","valueString":"x"},{"url":"`+base+`/../my/apps","valueString":"x"}]`)
	b := w.browser()
	if b.open(site + "/browse/patient/Patient"); b.at != "/browse/sign-in" {
		t.Fatalf("nobody: got %s", b.at)
	}
	if b.submit("sign-in", url.Values{}); b.page.code != http.StatusBadRequest {
		t.Errorf("without a choice: got %d", b.page.code)
	}
	b.browseAs("ann")
	if b.at != "/browse/" || !strings.Contains(b.page.text, "/browse/patient/Condition") {
		t.Fatalf("got %s: %.600s", b.at, b.page.text)
	}
	for _, link := range b.links() {
		if strings.HasPrefix(link, "/browse/") && link != "/browse/sign-in" {
			if b.open(site + link); b.page.code != http.StatusOK {
				t.Errorf("the link %s of the start: got %d", link, b.page.code)
			}
		}
	}
	b.open(site + "/browse/patient/Condition/t1.hostile")
	if b.page.code != http.StatusOK || strings.Contains(b.page.text, "<script") || strings.ContainsRune(b.page.text, '\u202e') || !strings.Contains(b.page.text, "&lt;script&gt;alert(1)&lt;/script&gt;") {
		t.Errorf("SMART-168: got %d %s", b.page.code, b.page.text)
	}
	root, err := html.Parse(strings.NewReader(b.page.text))
	w.must(err)
	for n := range root.Descendants() {
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || n.Data == "script" || n.Data == "style" {
				t.Errorf("SMART-167: an element %s has %s", n.Data, a.Key)
			}
		}
	}
	local := 0
	for _, link := range b.links() {
		if !strings.HasPrefix(link, "/") && !strings.HasPrefix(link, "#") || strings.HasPrefix(link, "//") || strings.Contains(link, "..") {
			t.Errorf("a link leads to %q", link)
		}
		if strings.HasPrefix(link, "/browse/patient/") {
			local++
		}
	}
	if csp := b.page.header.Get("Content-Security-Policy"); local != 3 || !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "script-src") {
		t.Errorf("got %d links to the record, want patient, recorder and encounter; CSP %q", local, csp)
	}
	for path, want := range map[string]int{"Patient/t1.ann": 200, "Patient/t1.bob": 404, "Condition/t1.bob-c": 404, "Nothing": 404, "Observation?category=laboratory": 200, "metadata": 200} {
		if b.open(site + "/browse/patient/" + path); b.page.code != want {
			t.Errorf("a patient: %s: got %d, want %d", path, b.page.code, want)
		}
	}
	for _, path := range []string{"/browse/T1.R1/Patient/t1.ann", "/browse/nobody/Patient/t1.ann", "/browse/PATIENT/Patient/t1.ann"} {
		if b.open(site + path); b.page.code != http.StatusNotFound {
			t.Errorf("%s: got %d", path, b.page.code)
		}
	}
	// A second person of another kind in the same browser: the path says who reads.
	b.open(site + "/browse/sign-in")
	b.submit("sign-in", url.Values{"kind": {"staff"}})
	b.signIn("locum")
	if b.open(site + "/browse/"); !strings.Contains(b.page.text, "<bdi>locum</bdi>, <bdi>Consultant</bdi>, <bdi>Trust</bdi></h2>") || !strings.Contains(b.page.text, ">Condition</a>") {
		t.Errorf("SMART-163: the start does not name the role and the organisation: %s", b.page.text)
	}
	for path, want := range map[string]int{"T1.R1/Condition/t1.bob-c": 200, "G1.R3/Condition/t1.bob-c": 200, "patient/Condition/t1.bob-c": 404, "T1.R3/Condition/t1.bob-c": 404} {
		if b.open(site + "/browse/" + path); b.page.code != want {
			t.Errorf("SMART-163: %s: got %d, want %d", path, b.page.code, want)
		}
	}
	for user, reason := range map[string]string{"carer": "You cannot act for another person here", "newcomer": "You have no role here"} {
		other := w.browser()
		other.browseAs(user)
		if other.at != "/browse/" || other.page.code != http.StatusForbidden || !strings.Contains(other.page.text, reason) || !has(other.forms(), "sign-out") {
			t.Errorf("SMART-143, 203: %s: got %d at %s", user, other.page.code, other.at)
		}
		if strings.Contains(other.page.text, "/browse/patient") || strings.Contains(other.page.text, "/browse/T1") {
			t.Errorf("SMART-143, 203: %s may browse", user)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
		r := w.request(method, site+"/browse/patient/Condition/t1.hostile", `{"resourceType":"Condition"}`)
		for name, value := range b.cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		if got := read(w.do(r)); got.code != http.StatusMethodNotAllowed {
			t.Errorf("%s: got %d", method, got.code)
		}
	}
	if b.open(site + "/browse/patient/Condition/t1.hostile"); !strings.Contains(b.page.text, "t1.hostile") || b.page.code != 200 {
		t.Errorf("after the writes: got %d", b.page.code)
	}
	b.open(site + "/my/apps")
	b.submit("sign-out", url.Values{})
	if b.open(site + "/browse/patient/Condition/t1.hostile"); b.at != "/browse/sign-in" {
		t.Errorf("SMART-161: after the sign-out: got %s", b.at)
	}
	if b.open(site + "/"); !strings.Contains(b.page.text, `href="/browse/"`) {
		t.Error("the page at / has no link")
	}
	if !strings.Contains(b.page.text, "__launch") {
		t.Error("the page at / does not name the rights of clients")
	}
}

// TestBrowseIsTheOwnView: what a page shows is what a token of the same user with user/*.rs gets, and is audited.
func TestBrowseIsTheOwnView(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.put("Condition", "restricted", `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"V"}]},"code":{"text":"secret"},"subject":{"reference":"Patient/t1.ann"}`)
	w.put("Patient", "bob", `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"R"}]},"identifier":[{"system":"`+nhs+`","value":"`+bobsNumber+`"}]`)
	for user, c := range map[string]struct{ as, client string }{"ann": {"patient", "app"}, "doctor": {"T1.R1", "clinical"}, "outsider": {"X1.R1", "clinical"}} {
		token, _, err := w.smart[0].Printed.Issue(t.Context(), "test", printed.Request{Client: w.ids[c.client], User: user, Scope: "user/*.rs"})
		w.must(err)
		b := w.browser()
		b.browseAs(user)
		for _, path := range []string{"Patient/t1.ann", "Patient/t1.bob", "Condition", "Condition/t1.restricted", "Observation", "Encounter?patient=t1.bob", "Encounter", "Practitioner/t1.doctor", "Condition/t1.bob-c", "Nothing/x"} {
			want := w.get(token, path)
			if b.open(site + "/browse/" + c.as + "/" + path); b.page.code != want.code {
				t.Errorf("%s: %s: got %d, want %d as with a token", user, path, b.page.code, want.code)
			}
			for _, entry := range gjson.Get(want.text, "entry.#.resource.id").Array() {
				if !strings.Contains(b.page.text, entry.Str) {
					t.Errorf("%s: %s: the page lacks %s", user, path, entry.Str)
				}
			}
			for _, id := range []string{"t1.restricted", "t1.bob", "t1.bob-c", "t1.bob-e", "t1.bob-laboratory"} {
				if strings.Contains(b.page.text, id) != strings.Contains(want.text, id) && !strings.Contains(path, id) {
					t.Errorf("%s: %s: the page and the answer differ in %s", user, path, id)
				}
			}
		}
	}
	found := map[string]bool{}
	for r, err := range w.engine.Records(t.Context(), 1) {
		w.must(err)
		if at := gjson.ParseBytes(r.Payload); at.Get("client.id").Str == "browse" {
			found[at.Get("interaction").Str+" "+at.Get("agent.purpose").Str] = true
		}
	}
	if !found["read TREAT"] || !found["search-type TREAT"] && !found["search TREAT"] || !found["read PATRQT"] {
		t.Errorf("the audit trail has %v of the pages", found)
	}
}

// changing is what differs between two answers to one request.
var changing = regexp.MustCompile(`"(id|fullUrl)":"[0-9a-f-]{16,}"`)

// TestCookiesChangeNothing: the FHIR API and the endpoints of tokens answer the same with and without the cookies of people who have
// signed in, so no other web site can use them.
func TestCookiesChangeNothing(t *testing.T) {
	w := newWorld(t, nil, 1)
	b := w.browser()
	b.browseAs("ann")
	b.open(site + "/browse/sign-in")
	b.submit("sign-in", url.Values{"kind": {"staff"}})
	b.signIn("doctor")
	if b.open(site + "/browse/T1.R1/Patient/t1.ann"); b.page.code != 200 || len(b.cookies) < 3 {
		t.Fatalf("got %d and the cookies %v", b.page.code, b.cookies)
	}
	token := w.backend("loader", "system/Patient.rs")
	bundle, err := json.Marshal(map[string]any{"resourceType": "Bundle", "type": "batch", "entry": []any{map[string]any{"request": map[string]any{"method": "GET", "url": "Patient/t1.ann"}}}})
	w.must(err)
	type call struct{ method, path, typ, body, token string }
	var calls []call
	for _, path := range []string{"", "/metadata", "/Patient", "/Patient/t1.ann", "/Patient/t1.ann/_history", "/Patient/t1.ann/_history/1", "/Patient/_history", "/_history", "/Patient/t1.ann/$everything", "/Observation/$lastn",
		"/Patient/t1.ann/Observation", "/Observation?subject:Patient._id=t1.ann", "/?_type=Patient", "/Binary/x", "/Nothing", "/$ihe-pix?sourceIdentifier=x", "/.well-known/smart-configuration", "/.well-known/openid-configuration"} {
		for _, with := range []string{"", token} {
			calls = append(calls, call{"GET", "/fhir" + path, "", "", with}, call{"HEAD", "/fhir" + path, "", "", with}, call{"DELETE", "/fhir" + path, "", "", with})
		}
	}
	for _, path := range []string{"", "/Patient", "/Patient/_search", "/_search", "/Patient/$validate", "/Patient/t1.ann/$meta-add"} {
		calls = append(calls, call{"POST", "/fhir" + path, "application/fhir+json", string(bundle), ""}, call{"POST", "/fhir" + path, "application/x-www-form-urlencoded", "_id=t1.ann", token})
	}
	calls = append(calls, call{"PUT", "/fhir/Patient/t1.ann", "application/fhir+json", `{"resourceType":"Patient","id":"t1.ann"}`, ""}, call{"PATCH", "/fhir/Patient/t1.ann", "application/json-patch+json", `[]`, ""})
	for _, path := range []string{"/oauth/token", "/oauth/introspect", "/oauth/revoke", "/oauth/launch", "/oauth/jwks.json", "/oauth/none"} {
		for _, method := range []string{"GET", "POST", "OPTIONS"} {
			calls = append(calls, call{method, path, "application/x-www-form-urlencoded", "token=" + token + "&grant_type=authorization_code&code=x&redirect_uri=x&client_id=" + w.ids["app"], ""},
				call{method, path, "application/json", "{}", token})
		}
	}
	answerOf := func(c call, cookies bool) string {
		r := w.request(c.method, site+c.path, c.body)
		r.RemoteAddr = "192.0.2.1:9"
		if c.typ != "" {
			r.Header.Set("Content-Type", c.typ)
		}
		if c.token != "" {
			r.Header.Set("Authorization", "Bearer "+c.token)
		}
		if cookies {
			r.Header.Set("Origin", site)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			for name, value := range b.cookies {
				r.AddCookie(&http.Cookie{Name: name, Value: value})
			}
		} else {
			r.Header.Set("Origin", site)
		}
		got := read(w.do(r))
		id := got.header.Get("X-Request-Id")
		got.header.Del("X-Request-Id")
		got.header.Del("Date")
		header, err := json.Marshal(got.header)
		w.must(err)
		return strings.ReplaceAll(strings.Join([]string{http.StatusText(got.code), string(header), changing.ReplaceAllString(got.text, "")}, "\n"), id, "")
	}
	for _, c := range calls {
		if with, without := answerOf(c, true), answerOf(c, false); with != without {
			t.Errorf("%s %s (token %v): with cookies:\n%.500s\nwithout:\n%.500s", c.method, c.path, c.token != "", with, without)
		}
	}
}
