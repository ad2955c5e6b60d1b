package smart

import (
	"bytes"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/store/storetest"
)

// TestSMART441: only organisations for which somebody works say who that is: another one neither becomes the user, nor gives a name, nor
// keeps the user out. A resource that is not in use is nobody.
func TestSMART441(t *testing.T) {
	w, directories := newStaffWorld(t, 1)
	w.profile("doctor", "T1", "R1", "555000000102")
	w.profile("nurse", "T1", "R1", "555000000103")
	plant := func(address, body string) {
		t.Helper()
		if got := w.send("PUT", "practice-feed", address, body); got.Code != 201 {
			t.Fatalf("put %s: %d %s", address, got.Code, got.Body)
		}
	}
	name := `,"name":[{"text":"Somebody Else"}]`
	plant("Practitioner/g1.doctor", number("900000000102")+name)
	plant("Practitioner/g1.nurse", number("900000000103")+name)
	plant("Practitioner/g1.nurse2", number("900000000103")+name)
	plant("PractitionerRole/g1.r", profileID("555000000103")+`,"practitioner":{"reference":"Practitioner/g1.nurse"}`)
	for _, id := range []string{"o1", "o2"} {
		plant("Organization/g1."+id, `"identifier":[{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"T1"}],"name":"No trust"`)
	}
	claims := func(user string) gjson.Result {
		t.Helper()
		a := w.exchange("clinical", w.browser().journey("clinical", "openid fhirUser profile user/*.rs", user, "", prompt("consent")).Get("code"))
		return claimsOf(t, a.str("id_token"))
	}
	if got := claims("doctor"); got.Get("fhirUser").Str != base+"/Practitioner/t1.doctor" || strings.Contains(got.Raw, "Somebody") {
		t.Errorf("SMART-441: beside a Practitioner of another organisation: got %s", got.Raw)
	}
	got := claims("nurse")
	if id := strings.TrimPrefix(got.Get("fhirUser").Str, base+"/Practitioner/"); id == "" || strings.HasPrefix(id, "g1.") || got.Get("name").Str != "nurse" {
		t.Errorf("SMART-441: a Practitioner of another organisation instead of one: got %s", got.Raw)
	}
	made := 0
	token := w.exchange("clinical", w.browser().journey("clinical", "user/*.rs", "doctor", "").Get("code")).str("access_token")
	for _, role := range w.all(token, "PractitionerRole") {
		if role.Get("id").Str != "g1.r" {
			made++
			if role.Get("organization.reference").Exists() {
				t.Errorf("SMART-441: a role at an Organization that another organisation made: %s", role.Raw)
			}
		}
	}
	if made != 2 {
		t.Errorf("SMART-442: %d roles were made, want those of the doctor and of the nurse", made)
	}

	// The Practitioner of the organisation for which somebody acts counts first; failing that, one of another organisation for which the
	// same person works.
	w.put("Practitioner", "locum", number("900000000105"))
	w.must(directories[0].SignedIn(t.Context(), w.signIn("locum", "Lo Cum")))
	here := w.ownAt("Practitioner", "G1", "900000000105")
	if len(here) != 1 {
		t.Fatalf("SMART-442: the Practitioners of the locum at the practice: %v", here)
	}
	atPractice := func() gjson.Result {
		t.Helper()
		locum := w.browser()
		locum.ask("clinical", "openid fhirUser user/*.rs", prompt("consent"))
		locum.inRole("locum", "G1 R3")
		return claimsOf(t, w.exchange("clinical", sentBack(t, locum.allow()).Get("code")).str("id_token"))
	}
	if got := atPractice(); got.Get("fhirUser").Str != base+"/Practitioner/"+here[0] {
		t.Errorf("SMART-441: at an organisation with its own Practitioner %v: got %s", here, got.Raw)
	}
	if got := w.send("DELETE", "practice-feed", "Practitioner/"+here[0], ""); got.Code != 204 {
		t.Fatalf("remove the Practitioner of the practice: %d %s", got.Code, got.Body)
	}
	if got := atPractice(); got.Get("fhirUser").Str != base+"/Practitioner/t1.locum" {
		t.Errorf("SMART-441: at another organisation: got %s", got.Raw)
	}

	// One that is not in use is nobody, and no other is made beside it.
	w.put("Practitioner", "doctor", number("900000000102")+`,"active":false`)
	before := w.countOf("Practitioner")
	if got := claims("doctor"); got.Get("fhirUser").Exists() || w.countOf("Practitioner") != before {
		t.Errorf("SMART-441: a Practitioner that is not in use: got %s and %d Practitioners, %d before", got.Raw, w.countOf("Practitioner"), before)
	}
	w.put("Practitioner", "doctor2", number("900000000102")+`,"active":true`)
	if got := claims("doctor"); got.Get("fhirUser").Str != base+"/Practitioner/t1.doctor2" {
		t.Errorf("SMART-441: beside one that is not in use: got %s", got.Raw)
	}
	w.put("Practitioner", "doctor3", number("900000000102"))
	if back := w.browser().journey("clinical", "openid fhirUser user/Condition.rs", "doctor", "", prompt("consent")); back.Get("error") != "access_denied" {
		t.Errorf("SMART-443: two in use: got %v", back)
	}
}

// TestSMART383: the role in which staff act travels in fhirContext and at introspection, for an app that learns who the user is. It is a
// PractitionerRole with the id and the code of the role, of the user and of the organisation (SMART-441); of several none is picked
// (SMART-443).
func TestSMART383(t *testing.T) {
	w := newWorld(t, nil, 1)
	const id = "555000000102"
	w.profile("doctor", "T1", "R1", id)
	w.put("Organization", "o", `"identifier":[{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"T1"}],"name":"Trust"`)
	w.put("Organization", "other", `"identifier":[{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"G1"}],"name":"Practice"`)
	body := func(code, practitioner, organization string) string {
		return `"identifier":[{"system":"` + roleProfile + `","value":"` + id + `"}],"code":[{"coding":[{"system":"https://fhir.hl7.org.uk/CodeSystem/UKCore-SDSJobRoleName","code":"` + code + `"}]}],` +
			`"practitioner":{"reference":"` + practitioner + `"},"organization":` + organization
	}
	here, ods := `{"reference":"Organization/t1.o"}`, func(code string) string {
		return `{"identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"` + code + `"}}`
	}
	issue := func(scope string) answer {
		t.Helper()
		return w.exchange("clinical", w.browser().journey("clinical", scope, "doctor", "", prompt("consent")).Get("code"))
	}
	for _, c := range []struct {
		name, code, practitioner, organization string
		shown                                  bool
	}{
		{"of the user", "R1", "Practitioner/t1.doctor", here, true},
		{"with the ODS code alone", "R1", "Practitioner/t1.doctor", ods("T1"), true},
		{"with another code", "R3", "Practitioner/t1.doctor", here, false},
		{"of another Practitioner", "R1", "Practitioner/t1.somebody", here, false},
		{"of another organisation", "R1", "Practitioner/t1.doctor", `{"reference":"Organization/t1.other"}`, false},
		{"with another ODS code", "R1", "Practitioner/t1.doctor", ods("G1"), false},
	} {
		w.put("PractitionerRole", "r", body(c.code, c.practitioner, c.organization))
		a := issue("openid fhirUser user/Condition.rs")
		context := gjson.Get(a.text, "fhirContext").Raw
		if shown := context == `[{"reference":"PractitionerRole/t1.r"}]`; shown != c.shown || !shown && context != "" {
			t.Errorf("SMART-383: a PractitionerRole %s: got the context %s", c.name, context)
		}
		form, change := w.as("ehr", url.Values{"token": {a.str("access_token")}})
		if got := gjson.Get(w.post("/oauth/introspect", form, change).text, "fhirContext").Raw; got != context {
			t.Errorf("SMART-383: introspection, a PractitionerRole %s: got %s", c.name, got)
		}
	}
	w.put("PractitionerRole", "r", body("R1", "Practitioner/t1.doctor", here))
	if a := issue("openid user/Condition.rs"); gjson.Get(a.text, "fhirContext").Exists() {
		t.Errorf("SMART-370, 383: an app that does not learn who the user is: got %s", a.text)
	}
	launch := w.announce(w.backend("ehr", "__launch"), map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.ann", "fhirContext": []any{map[string]any{"reference": "Observation/t1.ann-laboratory"}}})
	a := w.exchange("clinical", w.browser().journey("clinical", "launch openid fhirUser user/Condition.rs", "doctor", "", func(v url.Values) { v.Set("launch", launch.str("launch")) }).Get("code"))
	if got := gjson.Get(a.text, "fhirContext").Raw; got != `[{"reference":"Observation/t1.ann-laboratory"},{"reference":"PractitionerRole/t1.r"}]` {
		t.Errorf("SMART-373, 383: with the context of a launch: got %s", got)
	}
	w.put("PractitionerRole", "r2", body("R1", "Practitioner/t1.doctor", here))
	if back := w.browser().journey("clinical", "openid fhirUser user/Condition.rs", "doctor", "", prompt("consent")); back.Get("error") != "access_denied" || !strings.Contains(w.log.String(), "ALERT: several resources claim to be one user") {
		t.Errorf("SMART-443: two roles with one id: got %v", back)
	}
	told := ""
	for r, err := range w.engine.Records(t.Context(), 1) {
		w.must(err)
		if at := gjson.ParseBytes(r.Payload); at.Get("interaction").Str == "identity-conflict" {
			told = at.Get("decision.reason").Str + ": " + at.Get("decision.detail").Str
		}
	}
	if told != "SEVERAL_RESOURCES: PractitionerRole: several resources have the number of the user or of the role" {
		t.Errorf("SMART-443: the audit trail has %q", told)
	}
}

// TestSMART441Left: an organisation that has left the agreement does not say who somebody is (SMART-204).
func TestSMART441Left(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.unmade("900000000105")
	if got := w.send("PUT", "practice-feed", "Practitioner/g1.locum", number("900000000105")+`,"name":[{"text":"Lo Cum"}]`); got.Code != 201 {
		t.Fatalf("put a Practitioner of the practice: %d %s", got.Code, got.Body)
	}
	for _, c := range []struct {
		signed []string
		want   string
	}{{[]string{"T1", "G1"}, base + "/Practitioner/g1.locum"}, {[]string{"T1"}, ""}} {
		w.policy.Agreement.Organisations = c.signed
		b := w.browser()
		b.ask("clinical", "openid fhirUser profile user/*.rs", prompt("consent"))
		if len(c.signed) > 1 { // there is a role to choose
			b.inRole("locum", "T1 R1")
		} else {
			b.signIn("locum")
		}
		got := claimsOf(t, w.exchange("clinical", sentBack(t, b.allow()).Get("code")).str("id_token"))
		if got.Get("fhirUser").Str != c.want || got.Get("name").Exists() != (c.want != "") {
			t.Errorf("SMART-204, 441: with %v in the agreement: got %s", c.signed, got.Raw)
		}
	}
}

// TestSMART383Refresh: at a refresh the user and the role are looked up again. What is not the user's any more is dropped: the ID token,
// introspection and the right to read it (SMART-261, 393) name nothing instead of it, nor later when it is the user's again, and the audit
// record of the refresh says so. Several are an alert (SMART-443).
func TestSMART383Refresh(t *testing.T) {
	const id = "555000000102"
	role := func(code string) string {
		return profileID(id) + `,"code":[{"coding":[{"system":"https://fhir.hl7.org.uk/CodeSystem/UKCore-SDSJobRoleName","code":"` + code + `"}]}],"practitioner":{"reference":"Practitioner/t1.doctor"},` +
			`"organization":{"identifier":{"system":"https://fhir.nhs.uk/Id/ods-organization-code","value":"T1"}}`
	}
	for _, c := range []struct {
		name       string
		change     func(*world)
		user, role bool // the refresh names it still
		changed    string
		alert      bool
	}{
		{"nothing changes", func(w *world) {
			w.put("Practitioner", "doctor", number("900000000102")+`,"name":[{"text":"Another Name"}]`)
		}, true, true, "", false},
		{"it is somebody else's", func(w *world) { w.put("Practitioner", "doctor", number("900000000777")) }, false, false, "fhirUser practitionerRole", false},
		{"it is not in use", func(w *world) { w.put("Practitioner", "doctor", number("900000000102")+`,"active":false`) }, false, false, "fhirUser practitionerRole", false},
		{"it is removed, and another one is sent", func(w *world) {
			w.remove("Practitioner", "doctor")
			w.put("Practitioner", "doctor2", number("900000000102"))
		}, false, false, "fhirUser practitionerRole", false},
		{"another one is sent", func(w *world) { w.put("Practitioner", "doctor2", number("900000000102")) }, false, false, "fhirUser practitionerRole", true},
		{"the role has another code", func(w *world) { w.put("PractitionerRole", "r", role("R3")) }, true, false, "practitionerRole", false},
		{"the role is removed", func(w *world) { w.remove("PractitionerRole", "r") }, true, false, "practitionerRole", false},
		{"another role is sent", func(w *world) { w.put("PractitionerRole", "r2", role("R1")) }, true, false, "practitionerRole", true},
	} {
		w := newWorld(t, nil, 1)
		w.profile("doctor", "T1", "R1", id)
		w.put("Practitioner", "doctor", number("900000000102")+`,"name":[{"text":"Doctor"}]`)
		w.put("PractitionerRole", "r", role("R1"))
		handle := w.announce(w.backend("ehr", "__launch"), map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob", "fhirContext": []any{map[string]any{"reference": "Observation/t1.bob-laboratory"}}})
		const scope = "launch openid fhirUser profile patient/Observation.rs online_access"
		first := w.exchange("clinical", w.browser().journey("clinical", scope, "doctor", "", func(v url.Values) { v.Set("launch", handle.str("launch")) }).Get("code"))
		check := func(when string, a answer, user, role bool) {
			t.Helper()
			if a.code != 200 {
				t.Fatalf("SMART-383: %s, %s: got %d %s", c.name, when, a.code, a.text)
			}
			named, read := "", 403
			if user {
				named, read = base+"/Practitioner/t1.doctor", 200
			}
			context := `[{"reference":"Observation/t1.bob-laboratory"},{"reference":"PractitionerRole/t1.r"}]`
			if !role {
				context = `[{"reference":"Observation/t1.bob-laboratory"}]`
			}
			form, change := w.as("ehr", url.Values{"token": {a.str("access_token")}})
			told := w.post("/oauth/introspect", form, change)
			claims := claimsOf(t, a.str("id_token"))
			if claims.Get("fhirUser").Str != named || claims.Get("name").Exists() != user || claims.Get("sub").Str == "" || gjson.Get(a.text, "fhirContext").Raw != context {
				t.Errorf("SMART-383: %s, %s: got the claims %s and the context %s", c.name, when, claims.Raw, gjson.Get(a.text, "fhirContext").Raw)
			}
			if told.body["active"] != true || told.str("fhirUser") != named || gjson.Get(told.text, "fhirContext").Raw != context || told.str("scope") != a.str("scope") {
				t.Errorf("SMART-393: %s, %s: got %s", c.name, when, told.text)
			}
			if got := contains(a.str("scope"), "fhirUser") && contains(a.str("scope"), "profile"); got != user || !contains(a.str("scope"), "patient/Observation.rs") {
				t.Errorf("SMART-384: %s, %s: got the scopes %q", c.name, when, a.str("scope"))
			}
			if got := w.get(a.str("access_token"), "Practitioner/t1.doctor").code; got != read {
				t.Errorf("SMART-261: %s, %s: the Practitioner is read with %d, want %d", c.name, when, got, read)
			}
		}
		refresh := func(a answer, with url.Values) answer {
			with.Set("grant_type", "refresh_token")
			with.Set("refresh_token", a.str("refresh_token"))
			return w.token("clinical", with)
		}
		check("at first", first, true, true)
		c.change(w)
		again := refresh(first, url.Values{})
		check("at the refresh", again, c.user, c.role)
		form, change := w.as("ehr", url.Values{"token": {first.str("access_token")}})
		if told := w.post("/oauth/introspect", form, change); told.body["active"] != true || (told.str("fhirUser") != "") != c.user {
			t.Errorf("SMART-393: %s: the token of before is told as %s", c.name, told.text)
		}
		fields := ""
		for r, err := range w.engine.Records(t.Context(), 1) {
			w.must(err)
			if at := gjson.ParseBytes(r.Payload); at.Get("interaction").Str == "token-refresh" {
				for _, one := range at.Get("changed").Array() {
					fields = strings.TrimSpace(fields + " " + one.Get("field").Str)
				}
			}
		}
		if alert := strings.Contains(w.log.String(), "ALERT: several resources claim to be one user"); fields != c.changed || alert != c.alert {
			t.Errorf("SMART-383, 443: %s: the audit record of the refresh has the changes %q, want %q; an alert: %t", c.name, fields, c.changed, alert)
		}
		// With the scopes that were granted at first, and after all is as it was.
		w.remove("Practitioner", "doctor2")
		w.remove("PractitionerRole", "r2")
		w.put("Practitioner", "doctor", number("900000000102"))
		w.put("PractitionerRole", "r", role("R1"))
		check("at another refresh", refresh(again, url.Values{"scope": {scope}}), c.user, c.role)
	}
}

// TestSMART383Employer: at a refresh the Practitioner of another employer is not the user any more once the organisation for which the user
// acts has its own.
func TestSMART383Employer(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.unmade("900000000105")
	if got := w.send("PUT", "practice-feed", "Practitioner/g1.locum", number("900000000105")); got.Code != 201 {
		t.Fatalf("put a Practitioner of the practice: %d %s", got.Code, got.Body)
	}
	handle := w.announce(w.backend("ehr", "__launch"), map[string]any{"client_id": w.ids["clinical"], "user": "locum", "patient": "t1.bob"}).str("launch")
	back := w.browser().journey("clinical", "launch openid fhirUser user/Condition.rs online_access", "locum", "", func(v url.Values) { v.Set("launch", handle) })
	a := w.exchange("clinical", back.Get("code"))
	check := func(when, want string) {
		t.Helper()
		if got := claimsOf(t, a.str("id_token")).Get("fhirUser").Str; a.code != 200 || got != want {
			t.Errorf("SMART-383, 441: %s: got %d and the fhirUser %q, want %q", when, a.code, got, want)
		}
	}
	refresh := func() {
		a = w.token("clinical", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}})
	}
	check("at first", base+"/Practitioner/g1.locum")
	refresh()
	check("at a refresh", base+"/Practitioner/g1.locum")
	w.put("Practitioner", "locum", number("900000000105"))
	refresh()
	check("beside one of the trust", "")
}

// TestSMART383Patient: every Patient of the person is the user for a patient; one that is gone is not (SMART-148).
func TestSMART383Patient(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.put("Patient", "ann2", patientBody(annsNumber, "1960-01-02"))
	a := w.exchange("app", w.browser().journey("app", "openid fhirUser launch/patient patient/*.rs offline_access", "ann", "").Get("code"))
	check := func(what, patient, want string) {
		t.Helper()
		if got := claimsOf(t, a.str("id_token")).Get("fhirUser").Str; a.code != 200 || a.str("patient") != patient || got != want || contains(a.str("scope"), "fhirUser") != (want != "") {
			t.Errorf("SMART-148, 383: %s: got %d, the patient %q, the fhirUser %q and the scopes %q", what, a.code, a.str("patient"), got, a.str("scope"))
		}
	}
	refresh := func() {
		a = w.token("app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}})
	}
	check("at first", "t1.ann", base+"/Patient/t1.ann")
	refresh()
	check("at a refresh", "t1.ann", base+"/Patient/t1.ann")
	w.put("Patient", "aaa", patientBody(annsNumber, "1960-01-02"))
	refresh()
	check("with another lead Patient", "t1.aaa", base+"/Patient/t1.ann")
	w.remove("Patient", "aaa")
	w.remove("Patient", "ann")
	refresh()
	check("after the Patient is gone", "t1.ann2", "")
	refresh()
	check("later", "t1.ann2", "")
}

// TestSMART383Raced: a refresh that drops the user while the grant changes drops it from the grant as it is then; where the grant ends
// meanwhile it gives no token. Neither is the reuse of a token (SMART-342, 343).
func TestSMART383Raced(t *testing.T) {
	for _, ends := range []bool{false, true} {
		for after := 1; after <= 3; after++ { // look-ups of the grant
			var e *watched
			w := openWorld(t, func(clock func() time.Time) engine {
				e = &watched{Reference: storetest.NewReference(clock)}
				return e
			}, 1)
			handle := w.announce(w.backend("ehr", "__launch"), map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob"}).str("launch")
			back := w.browser().journey("clinical", "launch openid fhirUser user/Condition.rs online_access", "doctor", "", func(v url.Values) { v.Set("launch", handle) })
			a := w.exchange("clinical", back.Get("code"))
			list, err := w.smart[0].Grants.OfUser(t.Context(), "doctor")
			w.must(err)
			if len(list) != 1 {
				t.Fatalf("got %d grants", len(list))
			}
			g, looked := list[0], 0
			w.put("Practitioner", "doctor", number("900000000777"))
			e.after = func(key string) {
				if key != "smart/grant/"+g.ID {
					return
				}
				if looked++; looked != after {
					return
				}
				if ends {
					w.must(w.smart[0].Grants.End(t.Context(), g.ID, g.Event("grant-end", "", ""), "a test"))
					return
				}
				value, err := e.Reference.Lookup(t.Context(), key)
				w.must(err)
				w.must(e.Swap(t.Context(), key, value, append(bytes.Clone(value), ' '), g.Ends.Add(time.Hour)))
			}
			again := w.token("clinical", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}})
			e.after = nil
			if looked < after {
				t.Fatalf("the grant was looked up %d times, want %d", looked, after)
			}
			if n := w.recorded("token-reuse"); n != 0 || (again.code == 200) == ends {
				t.Errorf("SMART-383: the grant ends: %t, after look-up %d: got %d %s and %d reuses", ends, after, again.code, again.text, n)
				continue
			}
			if got, err := w.smart[0].Grants.Get(t.Context(), g.ID); !ends && (err != nil || got.FHIRUser != "" || claimsOf(t, again.str("id_token")).Get("fhirUser").Exists()) {
				t.Errorf("SMART-383: after look-up %d: the grant names %q: %v", after, got.FHIRUser, err)
			}
		}
	}
}
