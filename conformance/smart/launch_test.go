package smart

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/interop/smart/clients"
)

// announce asks the launch API for a launch.
func (w *world) announce(token string, body map[string]any) answer {
	w.Helper()
	text, err := json.Marshal(body)
	w.must(err)
	r := w.request("POST", site+"/oauth/launch", string(text))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	return read(w.do(r))
}

// TestLaunch: an EHR announces a launch, the app comes with its handle, and the token response has the context (SMART-120 to 130, 370
// to 375).
func TestLaunch(t *testing.T) {
	w := newWorld(t, nil, 2)
	token := w.backend("ehr", "__launch")
	launch := map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob", "encounter": "t1.bob-e", "need_patient_banner": false, "intent": "order-review", "tenant": "t-1",
		"fhirContext": []map[string]any{{"reference": "Condition/t1.bob-c"}}}
	a := w.announce(token, launch)
	u, err := url.Parse(a.str("url"))
	if a.code != 201 || err != nil || !strings.HasPrefix(a.str("url"), "https://app.example/launch?x=1&") || u.Query().Get("iss") != base || u.Query().Get("launch") != a.str("launch") {
		t.Fatalf("SMART-122: got %d %s", a.code, a.text)
	}
	with := func(handle string) func(url.Values) { return func(v url.Values) { v.Set("launch", handle) } }
	const scope = "launch patient/Observation.rs openid fhirUser online_access"
	b := w.browser()
	got := w.exchange("clinical", b.journey("clinical", scope, "doctor", "", with(a.str("launch"))).Get("code"))
	if got.code != 200 || got.str("patient") != "t1.bob" || got.str("encounter") != "t1.bob-e" || got.body["need_patient_banner"] != false || got.str("intent") != "order-review" || got.str("tenant") != "t-1" ||
		gjson.Get(got.text, "fhirContext.0.reference").Str != "Condition/t1.bob-c" {
		t.Errorf("SMART-370 to 375: got %d %s", got.code, got.text)
	}
	if n := gjson.Get(w.get(got.str("access_token"), "Observation").text, "total").Int(); n != 2 {
		t.Errorf("SMART-371: got %d observations, want the two of Bob", n)
	}
	refreshed := w.token("clinical", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.str("refresh_token")}})
	if refreshed.code != 200 || refreshed.str("encounter") != "t1.bob-e" || !strings.Contains(refreshed.str("scope"), "online_access") {
		t.Errorf("SMART-345, 348: got %d %s", refreshed.code, refreshed.text)
	}
	b.open(site + "/my/apps")
	b.submit("sign-out", url.Values{})
	if again := w.token("clinical", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshed.str("refresh_token")}}); again.str("error") != "invalid_grant" {
		t.Errorf("SMART-169, 348, T19: a refresh after the sign-out: got %s", again.text)
	}
	if after := w.get(refreshed.str("access_token"), "Observation"); after.code != 401 {
		t.Errorf("SMART-169: a token after the sign-out: got %d", after.code)
	}

	confirmed := w.announce(token, map[string]any{"client_id": w.ids["signer"], "user": "doctor", "patient": "t1.ann"})
	browser := w.browser()
	params := w.authorization("signer", scope)
	params.Set("launch", confirmed.str("launch"))
	browser.open(site + "/oauth/authorize?" + params.Encode())
	if back := sentBack(t, browser.signIn("doctor")); w.exchange("signer", back.Get("code")).str("patient") != "t1.ann" {
		t.Errorf("SMART-220: an app that an administrator confirmed: got %v, want no consent page", back)
	}
}

// TestLaunchRefused: a handle is for one client, one user, once and for five minutes; one error for all (SMART-121, 124, 125, T28). A
// launch that does not fit together is refused when it is announced (SMART-127).
func TestLaunchRefused(t *testing.T) {
	w := newWorld(t, nil, 1)
	token := w.backend("ehr", "__launch")
	handle := func() string {
		return w.announce(token, map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob"}).str("launch")
	}
	ask := func(client, handle string) url.Values {
		params := w.authorization(client, "launch patient/Observation.rs")
		params.Set("launch", handle)
		return sentBack(t, w.browser().open(site+"/oauth/authorize?"+params.Encode()))
	}
	used := handle()
	w.browser().journey("clinical", "launch patient/Observation.rs", "doctor", "", func(v url.Values) { v.Set("launch", used) })
	late := handle()
	w.now = w.now.Add(5 * time.Minute)
	token = w.backend("ehr", "__launch")
	texts := map[string]bool{}
	for name, c := range map[string][2]string{"used": {"clinical", used}, "late": {"clinical", late}, "another client's": {"app", handle()}, "guessed": {"clinical", "cr_lh_" + strings.Repeat("A", 43)}, "nonsense": {"clinical", "x"}} {
		got := ask(c[0], c[1])
		if texts[got.Get("error")+got.Get("error_description")] = true; got.Get("error") != "invalid_request" || got.Get("code") != "" {
			t.Errorf("SMART-124, T28: %s: got %v", name, got)
		}
	}
	if len(texts) != 1 {
		t.Errorf("SMART-124: there are %d texts: %v", len(texts), texts)
	}
	b := w.browser()
	params := w.authorization("clinical", "launch patient/Observation.rs")
	params.Set("launch", handle())
	b.open(site + "/oauth/authorize?" + params.Encode())
	if location := b.signIn("nurse"); location != "" || b.page.code != 403 || !strings.Contains(b.page.text, "This launch is for another person") || strings.Contains(b.page.text, "doctor") || strings.Contains(b.page.text, "ob Other") {
		t.Errorf("SMART-125: another user: got %d and %q: %s", b.page.code, location, b.page.text)
	}
	if got := sentBack(t, b.submit("leave", nil)); got.Get("error") != "access_denied" || strings.Contains(got.Encode(), "bob") {
		t.Errorf("SMART-125, T28: another user: got %v", got)
	}
	good := map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob", "encounter": "t1.bob-e"}
	for name, c := range map[string]struct {
		field  string
		value  any
		status int
	}{
		"nothing wrong":                            {"intent", "order-review", 201},
		"an unknown client":                        {"client_id", "app-none", 422},
		"a client without a launch URL":            {"client_id", w.ids["app"], 422},
		"another launch URL":                       {"launch_url", "https://evil.example", 422},
		"an unknown user":                          {"user", "nobody", 422},
		"a patient as the user":                    {"user", "ann", 422},
		"a user of another organisation":           {"user", "outsider", 422},
		"a patient who does not exist":             {"patient", "t1.nobody", 422},
		"an encounter of another patient":          {"encounter", "t1.ann-e", 422},
		"an encounter that does not exist":         {"encounter", "t1.none", 422},
		"a member that nobody knows":               {"extra", 1, 400},
		"SMART-373: a context without a reference": {"fhirContext", []map[string]any{{"type": "Patient"}}, 400},
		"SMART-373: an absolute reference":         {"fhirContext", []map[string]any{{"reference": "https://x.example/Condition/1"}}, 400},
		"SMART-374: an empty role":                 {"fhirContext", []map[string]any{{"reference": "Condition/1", "role": ""}}, 400},
		"SMART-374: another patient by identifier": {"fhirContext", []map[string]any{{"identifier": map[string]any{"system": nhs, "value": annsNumber}, "type": "Patient"}}, 400},
		"SMART-374: an encounter by identifier":    {"fhirContext", []map[string]any{{"identifier": map[string]any{"system": "https://x.example", "value": "y"}, "type": "Encounter"}}, 400},
		"SMART-374: a patient as a canonical":      {"fhirContext", []map[string]any{{"canonical": "https://x.example/Patient/1", "type": "Patient"}}, 400},
		"SMART-374: a role that is no URI":         {"fhirContext", []map[string]any{{"reference": "Condition/t1.bob-c", "role": "nonsense"}}, 400},
		"SMART-373: a relative canonical":          {"fhirContext", []map[string]any{{"canonical": "Questionnaire/1", "type": "Questionnaire"}}, 400},
		"SMART-373: an identifier that is none":    {"fhirContext", []map[string]any{{"identifier": true, "type": "Organization"}}, 400},
		"SMART-373: an identifier without a value": {"fhirContext", []map[string]any{{"identifier": map[string]any{"system": "https://x.example"}, "type": "Organization"}}, 400},
		"SMART-373: an identifier of an assigner":  {"fhirContext", []map[string]any{{"identifier": map[string]any{"system": "https://x.example", "value": "y", "assigner": map[string]any{"reference": "Patient/t1.ann"}}, "type": "Organization"}}, 400},
		"SMART-373: a type that is none":           {"fhirContext", []map[string]any{{"canonical": "https://x.example/q", "type": "nonsense"}}, 400},
		"SMART-373: another type":                  {"fhirContext", []map[string]any{{"reference": "Condition/t1.bob-c", "type": "Observation"}}, 400},
		"SMART-373: an organisation":               {"fhirContext", []map[string]any{{"identifier": map[string]any{"system": "https://x.example", "value": "y"}, "type": "Organization"}}, 201},
		"SMART-373: a questionnaire with a role":   {"fhirContext", []map[string]any{{"canonical": "https://x.example/q|2", "type": "Questionnaire", "role": "https://x.example/role"}}, 201},
		"SMART-376: an ODS code as the tenant":     {"tenant", "T1", 422},
		"SMART-376: a tenant":                      {"tenant", "42", 201},
		"SMART-374: the patient as context":        {"fhirContext", []map[string]any{{"reference": "Patient/t1.bob"}}, 400},
	} {
		body := map[string]any{c.field: c.value}
		for k, v := range good {
			if _, set := body[k]; !set {
				body[k] = v
			}
		}
		if got := w.announce(token, body); got.code != c.status {
			t.Errorf("SMART-127: %s: got %d %s, want %d", name, got.code, got.text, c.status)
		}
	}
	// One object, with each member once and as it is spelt: nobody reads another patient than was checked.
	for name, c := range map[string][2]string{
		"two objects":                   {`{"client_id":"C","user":"doctor","patient":"t1.bob"}{"patient":"t1.ann"}`, "The body must be a JSON object with client_id and user."},
		"a member twice":                {`{"client_id":"C","user":"doctor","patient":"t1.ann","patient":"t1.bob"}`, "The member patient comes twice."},
		"a member twice in fhirContext": {`{"client_id":"C","user":"doctor","fhirContext":[{"reference":"Condition/t1.ann-c","reference":"Condition/t1.bob-c"}]}`, "The member reference comes twice."},
		"another spelling":              {`{"client_id":"C","user":"doctor","patient":"t1.ann","PATIENT":"t1.bob"}`, "There is no member PATIENT."},
		"an array":                      {`[{"client_id":"C"}]`, "The body must be a JSON object with client_id and user."},
		"nothing":                       {``, "The body must be a JSON object with client_id and user."},
	} {
		r := w.request("POST", site+"/oauth/launch", strings.ReplaceAll(c[0], `"C"`, `"`+w.ids["clinical"]+`"`))
		r.Header.Set("Authorization", "Bearer "+token)
		if got := read(w.do(r)); got.code != 400 || got.str("error_description") != c[1] {
			t.Errorf("SMART-127: %s: got %d %s, want %q", name, got.code, got.text, c[1])
		}
	}
	for name, bad := range map[string]string{"a token without the right": w.backend("loader", "system/*.rs"), "a token without the scope": w.backend("ehr", "__introspect"), "nonsense": "x"} {
		if got := w.announce(bad, good); got.code != 401 {
			t.Errorf("SMART-120: %s: got %d", name, got.code)
		}
	}
}

// TestLaunchOfAnAppOfOthers: an app that the staff of the EHR's organisation cannot use is for the EHR like one that does not exist (SMART-127,
// 204).
func TestLaunchOfAnAppOfOthers(t *testing.T) {
	w := newWorld(t, nil, 1)
	app := clients.Client{Kind: clients.Public, Scopes: "user/*.rs patient/*.rs", RedirectURIs: []string{redirect}, LaunchURLs: []string{"https://app.example/launch"}}
	elsewhere, patients := app, app
	elsewhere.Audience, elsewhere.Organisation, elsewhere.Purposes = []string{clients.ForClinicians}, "G1", []string{"TREAT"}
	patients.Audience, patients.Purposes = []string{clients.ForPatients}, []string{"PATRQT"}
	w.add("elsewhere", elsewhere)
	w.add("for patients", patients)
	token := w.backend("ehr", "__launch")
	want := w.announce(token, map[string]any{"client_id": "app-none", "user": "doctor", "patient": "t1.bob"})
	for _, name := range []string{"elsewhere", "for patients"} {
		for _, intent := range []string{"", "unknown"} {
			if got := w.announce(token, map[string]any{"client_id": w.ids[name], "user": "doctor", "patient": "t1.bob", "intent": intent}); got.code != 422 || got.text != want.text {
				t.Errorf("SMART-127: an app %s: got %d %s, want %s", name, got.code, got.text, want.text)
			}
		}
	}
}

// TestChooser: staff see who was searched and nobody else, and choose from what was offered (SMART-144, 145, T29).
func TestChooser(t *testing.T) {
	w := newWorld(t, nil, 1)
	b := w.browser()
	b.open(site + "/oauth/authorize?" + w.authorization("clinical", "launch/patient patient/Observation.rs").Encode())
	b.signIn("doctor")
	for name, c := range map[string]struct {
		form url.Values
		want string // in the page
	}{
		"nothing":                       {url.Values{}, "search"},
		"a number with a wrong digit":   {url.Values{"number": {"9990000019"}}, "search"},
		"a number that nobody has":      {url.Values{"number": {"9990000042"}}, "search"},
		"a family name alone":           {url.Values{"family": {"Other"}}, "search"},
		"a wildcard":                    {url.Values{"family": {"*"}, "day": {"2"}, "month": {"1"}, "year": {"1960"}}, "search"},
		"a date that does not exist":    {url.Values{"family": {"Other"}, "day": {"31"}, "month": {"2"}, "year": {"1960"}}, "search"},
		"a name and a birth date":       {url.Values{"family": {"other"}, "day": {"2"}, "month": {"1"}, "year": {"1960"}}, "t1.ann"},
		"the number, with white space":  {url.Values{"number": {"999 000 0018"}}, "t1.ann"},
		"the number and nobody else's":  {url.Values{"number": {bobsNumber}}, "t1.bob"},
		"another one's birth date":      {url.Values{"family": {"other"}, "day": {"4"}, "month": {"3"}, "year": {"1960"}}, "search"},
		"markup in the name":            {url.Values{"family": {"<b>"}, "day": {"2"}, "month": {"1"}, "year": {"1960"}}, "search"},
		"letters where numbers must be": {url.Values{"family": {"Other"}, "day": {"x"}, "month": {"1"}, "year": {"1960"}}, "search"},
	} {
		b.open(site + "/oauth/transaction/" + b.transaction())
		b.submit("search", c.form)
		forms := b.forms()
		if wrong := name == "a number with a wrong digit"; strings.Contains(b.page.text, "This is not a valid NHS number") != wrong {
			t.Errorf("SMART-144: %s: got %s", name, b.page.text)
		}
		if c.want == "search" {
			if has(forms, "patient") || strings.Contains(b.page.text, "t1.") {
				t.Errorf("SMART-144: %s: got a choice: %v", name, forms)
			}
			continue
		}
		if got := forms["patient"].offers["patient"]; len(got) != 1 || got[0] != c.want {
			t.Errorf("SMART-144: %s: got %v, want %s", name, got, c.want)
		}
	}
	b.open(site + "/oauth/transaction/" + b.transaction())
	b.submit("search", url.Values{"number": {annsNumber}})
	if b.submit("patient", nil); b.page.code != 400 || !strings.Contains(b.page.text, "Select a patient") || strings.Join(b.forms()["patient"].offers["patient"], " ") != "t1.ann" {
		t.Errorf("SMART-144: without a choice: got %d at %s: %s", b.page.code, b.at, b.page.text)
	}
	if got := sentBack(t, b.submit("patient", url.Values{"patient": {"t1.bob"}})); got.Get("error") != "access_denied" {
		t.Errorf("SMART-145, T29: a patient who was not offered: got %v", got)
	}
}

// transaction returns the id of the transaction of the page.
func (b *browser) transaction() string {
	_, rest, _ := strings.Cut(b.at, "/oauth/transaction/")
	id, _, _ := strings.Cut(rest, "/")
	return id
}

// TestChoiceOfAnother: a patient whom one user chose is not the choice of the next one who signs in in the browser (SMART-145).
func TestChoiceOfAnother(t *testing.T) {
	w := newWorld(t, nil, 1)
	b := w.browser()
	b.open(site + "/oauth/authorize?" + w.authorization("clinical", "launch/patient patient/Observation.rs").Encode())
	b.signIn("doctor")
	b.submit("search", url.Values{"number": {bobsNumber}})
	b.submit("patient", url.Values{"patient": {"t1.bob"}})
	if !has(b.forms(), "decision") {
		t.Fatalf("the doctor has no consent page: %d", b.page.code)
	}
	first := b.transaction()
	w.now = w.now.Add(time.Second)
	params := w.authorization("clinical", "user/Observation.rs")
	params.Set("prompt", "login")
	b.open(site + "/oauth/authorize?" + params.Encode())
	b.signIn("nurse")
	b.open(site + "/oauth/transaction/" + first)
	if forms := b.forms(); has(forms, "decision") || strings.Contains(b.page.text, "Bob") {
		t.Errorf("SMART-145: the nurse is asked about the patient whom the doctor chose: %v", forms)
	}
}

// TestOtherPerson: a launch for somebody else than the person who is signed in, and an app for other people, offer the sign-in as
// another person, after which the request goes on; the expected person is not named, and prompt=none is refused at once (SMART-093, 125).
func TestOtherPerson(t *testing.T) {
	w := newWorld(t, nil, 1)
	launched := func(v url.Values) {
		v.Set("launch", w.announce(w.backend("ehr", "__launch"), map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob"}).str("launch"))
	}
	b := w.browser()
	b.ask("clinical", "user/Condition.rs")
	b.signIn("nurse")
	if got := sentBack(t, b.ask("clinical", "launch patient/Condition.rs", launched, prompt("none"))); got.Get("error") != "access_denied" {
		t.Errorf("SMART-125: prompt=none: got %v", got)
	}
	b.ask("clinical", "launch patient/Condition.rs", launched)
	for _, user := range []string{"nurse", "doctor"} {
		if b.page.code != 403 || !has(b.forms(), "another") || strings.Contains(b.page.text, "doctor") || strings.Contains(b.page.text, "t1.bob") || !strings.Contains(b.page.text, "nurse") {
			t.Fatalf("SMART-125: got %d at %s: %s", b.page.code, b.at, b.page.text)
		}
		at := b.at
		b.submit("another", nil)
		if b.open(site + at); b.page.code != 200 || has(b.forms(), "another") {
			t.Errorf("SMART-125: the page again, before the sign-in: got %d at %s", b.page.code, b.at)
		}
		b.signIn(user)
	}
	if !has(b.forms(), "decision") {
		t.Fatalf("SMART-125: after the sign-in of the doctor: got %d at %s", b.page.code, b.at)
	}
	if !strings.Contains(b.page.text, "to use the record of Bob Other for you?") {
		t.Errorf("SMART-211: the page of consent for staff: %s", b.page.text)
	}
	if got := w.exchange("clinical", sentBack(t, b.allow()).Get("code")); got.str("patient") != "t1.bob" {
		t.Errorf("SMART-125: got %s", got.text)
	}
	if !w.audited("authorization-refused", "client/"+w.ids["clinical"]) {
		t.Error("SMART-494: the audit trail has no refusal")
	}
}
