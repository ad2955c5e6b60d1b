package smart

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/printed"
)

// patientBody is a Patient with a number.
func patientBody(number, born string) string {
	return fmt.Sprintf(`"identifier":[{"system":%q,"value":%q}],"birthDate":%q,"name":[{"text":"Ann Other","family":"Other"}]`, nhs, number, born)
}

// remove deletes a resource as the source system of T1.
func (w *world) remove(typ, id string) {
	w.Helper()
	token, _, err := w.smart[0].Printed.Issue(w.Context(), "test", printed.Request{Client: "feed"})
	w.must(err)
	r := w.request("DELETE", base+"/"+typ+"/t1."+id, "")
	r.Header.Set("Authorization", "Bearer "+token)
	if a := w.do(r); a.Code >= 300 {
		w.Fatalf("delete %s/%s: %d %s", typ, id, a.Code, a.Body)
	}
}

// TestSMART148: every id of the person works with the token; a refresh names the new lead Patient when the id of the grant is gone; an id
// that left the person sees nothing.
func TestSMART148(t *testing.T) {
	for _, user := range []string{"ann", "doctor"} {
		t.Run(user, func(t *testing.T) {
			w := newWorld(t, nil, 2)
			w.put("Patient", "ann2", patientBody(annsNumber, "1960-01-02"))
			w.put("Observation", "ann2-o", `"status":"final","code":{"text":"x"},"subject":{"reference":"Patient/t1.ann2"}`)
			var a answer
			if user == "ann" {
				a = w.exchange("app", w.browser().journey("app", "launch/patient patient/*.rs offline_access", "ann", "").Get("code"))
			} else {
				handle := w.announce(w.backend("ehr", "__launch"), map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.ann"}).str("launch")
				a = w.exchange("clinical", w.browser().journey("clinical", "launch patient/*.rs online_access", "doctor", "", func(v url.Values) { v.Set("launch", handle) }).Get("code"))
			}
			sees := func(what string, want map[string]int) {
				t.Helper()
				for path, code := range want {
					if got := w.get(a.str("access_token"), path); got.code != code {
						t.Errorf("SMART-148: %s: %s: got %d, want %d", what, path, got.code, code)
					}
				}
			}
			client := map[string]string{"ann": "app", "doctor": "clinical"}[user]
			refresh := func() {
				t.Helper()
				if a = w.token(client, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}}); a.code != 200 {
					t.Fatalf("SMART-148: got %d %s", a.code, a.text)
				}
			}
			if a.str("patient") != "t1.ann" {
				t.Fatalf("got %s", a.text)
			}
			sees("both ids", map[string]int{"Patient/t1.ann": 200, "Patient/t1.ann2": 200, "Observation/t1.ann2-o": 200, "Observation/t1.ann-laboratory": 200, "Observation?patient=t1.ann2": 200, "Patient/t1.bob": 404})
			if n := gjson.Get(w.get(a.str("access_token"), "Observation").text, "total").Int(); n != 3 {
				t.Errorf("SMART-148, 246: got %d observations, want those of both ids", n)
			}
			if refresh(); a.str("patient") != "t1.ann" {
				t.Errorf("SMART-148: while the id is there a refresh names %q", a.str("patient"))
			}
			w.put("Patient", "ann2", patientBody("9990000050", "1960-01-02"))
			sees("the other id has left", map[string]int{"Patient/t1.ann": 200, "Patient/t1.ann2": 404, "Observation/t1.ann2-o": 404})
			w.put("Patient", "ann2", patientBody(annsNumber, "1960-01-02"))
			w.remove("Patient", "ann")
			if refresh(); a.str("patient") != "t1.ann2" {
				t.Errorf("SMART-148: after the deletion a refresh names %q, want the new lead", a.str("patient"))
			}
			sees("after the deletion", map[string]int{"Patient/t1.ann2": 200, "Observation/t1.ann2-o": 200})
			w.put("Patient", "ann2", patientBody("9990000050", "1960-01-02"))
			sees("the last id has left", map[string]int{"Patient/t1.ann2": 404, "Observation/t1.ann2-o": 404})
			if got := w.token(client, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}}); got.str("error") != "invalid_grant" {
				t.Errorf("SMART-148: a refresh without any id: got %d %s", got.code, got.text)
			}
		})
	}
}

// TestSMART127: a launch whose fhirContext refers to nothing, or to what its user may not see, is refused when it is announced.
func TestSMART127(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.put("Condition", "withheld", `"meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"V"}]},"code":{"text":"x"},"subject":{"reference":"Patient/t1.bob"}`)
	w.put("Condition", "deleted", `"code":{"text":"x"},"subject":{"reference":"Patient/t1.bob"}`)
	w.remove("Condition", "deleted")
	token := w.backend("ehr", "__launch")
	for reference, want := range map[string]int{"Condition/t1.bob-c": 201, "Practitioner/t1.doctor": 201, "Condition/t1.none": 422, "Condition/t1.deleted": 422, "Nothing/t1.bob-c": 422, "Condition": 422,
		"Condition/t1.bob-c/_history/1": 422, "Condition?code=x": 422, "#x": 422} {
		got := w.announce(token, map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob", "fhirContext": []map[string]any{{"canonical": "https://x.example/q", "type": "Questionnaire"}, {"reference": reference}}})
		if got.code != want {
			t.Errorf("SMART-127: %s: got %d %s, want %d", reference, got.code, got.text, want)
		}
	}
	w.put("Patient", "lost", patientBody("9990000050", "1960-01-02"))
	w.put("Encounter", "lost-e", `"status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/t1.bob"}`)
	w.remove("Patient", "lost")
	w.remove("Encounter", "lost-e")
	for _, with := range []map[string]any{{"patient": "t1.lost"}, {"nhs_number": "9990000050"}, {"patient": "t1.bob", "encounter": "t1.lost-e"}} {
		with["client_id"], with["user"] = w.ids["clinical"], "doctor"
		if got := w.announce(token, with); got.code != 422 {
			t.Errorf("SMART-127: what was deleted: got %d %s", got.code, got.text)
		}
	}
	active, _, err := w.smart[0].Printed.Issue(t.Context(), "test", printed.Request{Client: w.ids["clinical"], User: "doctor", Scope: "user/*.rs"})
	w.must(err)
	seen := w.get(active, "Condition/t1.withheld").code
	got := w.announce(token, map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob", "fhirContext": []map[string]any{{"reference": "Condition/t1.withheld"}}})
	if (seen == 200) != (got.code == 201) {
		t.Errorf("SMART-127: the user reads it with %d, and the launch with it has %d", seen, got.code)
	}
}

// TestSMART128: in a launch launch/patient and launch/encounter are hints. A patient/ scope without a patient in the launch needs the
// chooser, or is refused where the client forbids a choice.
func TestSMART128(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.add("fixed", clients.Client{Kind: clients.Public, Audience: []string{clients.ForClinicians}, Scopes: "user/*.rs patient/*.rs", Purposes: []string{"TREAT"}, RedirectURIs: []string{redirect},
		LaunchURLs: []string{"https://app.example/launch"}, NoPatientChoice: true})
	token := w.backend("ehr", "__launch")
	launched := func(client string, with map[string]any) func(url.Values) {
		with["client_id"], with["user"] = w.ids[client], "doctor"
		a := w.announce(token, with)
		if a.code != 201 {
			t.Fatalf("got %d %s", a.code, a.text)
		}
		return func(v url.Values) { v.Set("launch", a.str("launch")) }
	}
	hints := w.exchange("clinical", w.browser().journey("clinical", "launch launch/patient launch/encounter user/Condition.rs", "doctor", "", launched("clinical", map[string]any{})).Get("code"))
	if hints.code != 200 || hints.body["patient"] != nil || hints.body["encounter"] != nil || strings.Contains(hints.str("scope"), "launch/") {
		t.Errorf("SMART-128: hints that the launch does not fill: got %s", hints.text)
	}
	given := w.exchange("clinical", w.browser().journey("clinical", "launch launch/patient launch/encounter user/Condition.rs", "doctor", "", launched("clinical", map[string]any{"patient": "t1.bob", "encounter": "t1.bob-e"})).Get("code"))
	if given.str("patient") != "t1.bob" || given.str("encounter") != "t1.bob-e" || !strings.Contains(given.str("scope"), "launch/encounter") {
		t.Errorf("SMART-128: hints that the launch fills: got %s", given.text)
	}
	chosen := w.exchange("clinical", w.browser().journey("clinical", "launch patient/Condition.rs", "doctor", annsNumber, launched("clinical", map[string]any{})).Get("code"))
	if chosen.str("patient") != "t1.ann" {
		t.Errorf("SMART-128: the chooser in a launch: got %s", chosen.text)
	}
	b := w.browser()
	b.ask("fixed", "launch patient/Condition.rs", launched("fixed", map[string]any{}))
	if back := sentBack(t, b.signIn("doctor")); back.Get("error") != "access_denied" {
		t.Errorf("SMART-128: a client that forbids the choice: got %v", back)
	}
	with := w.exchange("fixed", w.browser().journey("fixed", "launch patient/Condition.rs", "doctor", "", launched("fixed", map[string]any{"patient": "t1.bob"})).Get("code"))
	if with.str("patient") != "t1.bob" {
		t.Errorf("SMART-128: a client that forbids the choice, with a patient: got %s", with.text)
	}
}

// TestSMART129: a launch may name the patient by NHS number, which names one person whom its user sees, or is refused like any other
// launch that does not fit together.
func TestSMART129(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.put("Patient", "ann2", patientBody(annsNumber, "1960-01-02")) // one person with two ids
	token := w.backend("ehr", "__launch")
	texts := map[string]bool{}
	for name, c := range map[string]struct {
		with map[string]any
		want int
	}{
		"the number":                      {map[string]any{"nhs_number": bobsNumber}, 201},
		"with spaces, and an encounter":   {map[string]any{"nhs_number": "999 000 0026", "encounter": "t1.bob-e"}, 201},
		"a person with two ids":           {map[string]any{"nhs_number": annsNumber}, 201},
		"a number that nobody has":        {map[string]any{"nhs_number": "9990000042"}, 422},
		"a wrong check digit":             {map[string]any{"nhs_number": "9990000019"}, 422},
		"an encounter of another patient": {map[string]any{"nhs_number": annsNumber, "encounter": "t1.bob-e"}, 422},
		"an id too":                       {map[string]any{"nhs_number": bobsNumber, "patient": "t1.bob"}, 400},
	} {
		c.with["client_id"], c.with["user"] = w.ids["clinical"], "doctor"
		got := w.announce(token, c.with)
		if got.code != c.want {
			t.Errorf("SMART-129: %s: got %d %s, want %d", name, got.code, got.text, c.want)
		}
		if got.code == 422 {
			texts[got.text] = true
		}
		if strings.Contains(got.text, "t1.") || strings.Contains(w.log.String(), bobsNumber) {
			t.Errorf("SMART-129: %s: the answer or the log names somebody: %s", name, got.text)
		}
		if name != "the number" || got.code != 201 {
			continue
		}
		a := w.exchange("clinical", w.browser().journey("clinical", "launch patient/Condition.rs", "doctor", "", func(v url.Values) { v.Set("launch", got.str("launch")) }).Get("code"))
		if a.str("patient") != "t1.bob" {
			t.Errorf("SMART-129: got %s", a.text)
		}
	}
	if len(texts) != 1 {
		t.Errorf("SMART-129: there are %d texts of refusals: %v", len(texts), texts)
	}
}

// TestSMART130: intents are those that were agreed with the client. Banner, intent and tenant reach the token response with their
// types (SMART-375); the tenant is the value of the launcher and not an ODS code of ours (SMART-376); the encounter is a string
// (SMART-372); nothing else is in the answer (SMART-378).
func TestSMART130(t *testing.T) {
	w := newWorld(t, nil, 1)
	token := w.backend("ehr", "__launch")
	if got := w.announce(token, map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "intent": "something-else"}); got.code != 422 {
		t.Errorf("SMART-130: an intent that was not agreed: got %d", got.code)
	}
	for _, banner := range []any{true, false, nil} {
		with := map[string]any{"client_id": w.ids["clinical"], "user": "doctor", "patient": "t1.bob", "encounter": "t1.bob-e"}
		if banner != nil {
			with["need_patient_banner"], with["intent"], with["tenant"] = banner, "order-review", "3f0c"
		}
		handle := w.announce(token, with).str("launch")
		a := w.exchange("clinical", w.browser().journey("clinical", "launch patient/Condition.rs", "doctor", "", func(v url.Values) { v.Set("launch", handle) }).Get("code"))
		var members map[string]json.RawMessage
		w.must(json.Unmarshal([]byte(a.text), &members))
		want := map[string]string{"patient": `"t1.bob"`, "encounter": `"t1.bob-e"`, "scope": "", "access_token": "", "token_type": "", "expires_in": ""}
		if banner != nil {
			want["need_patient_banner"], want["intent"], want["tenant"] = fmt.Sprint(banner), `"order-review"`, `"3f0c"`
		}
		for name, value := range want {
			if got, ok := members[name]; !ok || value != "" && string(got) != value {
				t.Errorf("SMART-130, 372, 375, 376: %s: got %s, want %s", name, got, value)
			}
			delete(members, name)
		}
		if len(members) > 0 {
			t.Errorf("SMART-378: the answer also has %v", members)
		}
	}
	for name, with := range map[string]map[string]any{"a banner that is a string": {"need_patient_banner": "true"}, "a tenant that is a number": {"tenant": 1}, "an intent that is a list": {"intent": []string{"order-review"}}} {
		with["client_id"], with["user"] = w.ids["clinical"], "doctor"
		if got := w.announce(token, with); got.code != 400 {
			t.Errorf("SMART-375: %s: got %d", name, got.code)
		}
	}
}

// TestSMART149: with launch/encounter a person chooses one visible encounter of the patient in context, or none.
func TestSMART149(t *testing.T) {
	w := newWorld(t, nil, 1)
	w.put("Encounter", "bob-f", `"status":"planned","class":{"code":"AMB"},"type":[{"text":"Check-up <b>"}],"period":{"start":"2026-05-01T10:00:00Z"},"subject":{"reference":"Patient/t1.bob"}`)
	const scope = "launch/encounter patient/Condition.rs"
	begin := func(client, user, number string) *browser {
		b := w.browser()
		b.ask(client, scope, prompt("consent"))
		b.signIn(user)
		if number != "" {
			b.submit("search", url.Values{"number": {number}})
			b.submit("patient", url.Values{"patient": b.forms()["patient"].offers["patient"][:1]})
		}
		return b
	}
	b := begin("clinical", "doctor", bobsNumber)
	if got := strings.Join(b.forms()["encounter"].offers["encounter"], ","); got != "t1.bob-f,t1.bob-e,none" || strings.Contains(b.page.text, "<b>") {
		t.Fatalf("SMART-149: got the encounters %q, want those of Bob, the newest first", got)
	}
	if b.submit("encounter", url.Values{}); b.page.code != 400 || !has(b.forms(), "encounter") {
		t.Errorf("SMART-149: without a choice: got %d", b.page.code)
	}
	b.submit("encounter", url.Values{"encounter": {"t1.bob-f"}})
	a := w.exchange("clinical", sentBack(t, b.allow()).Get("code"))
	if a.str("patient") != "t1.bob" || a.str("encounter") != "t1.bob-f" || a.str("scope") != scope {
		t.Errorf("SMART-149, 372: got %s", a.text)
	}
	own := begin("app", "ann", "")
	own.submit("encounter", url.Values{"encounter": {"t1.ann-e"}})
	if a := w.exchange("app", sentBack(t, own.allow()).Get("code")); a.str("encounter") != "t1.ann-e" {
		t.Errorf("SMART-149: a patient: got %s", a.text)
	}
	none := begin("clinical", "doctor", bobsNumber)
	none.submit("encounter", url.Values{"encounter": {"none"}})
	if a := w.exchange("clinical", sentBack(t, none.allow()).Get("code")); a.body["encounter"] != nil || strings.Contains(a.str("scope"), "launch/encounter") {
		t.Errorf("SMART-149: none of them: got %s", a.text)
	}
	wrong := begin("clinical", "doctor", bobsNumber)
	if back := sentBack(t, wrong.submit("encounter", url.Values{"encounter": {"t1.ann-e"}})); back.Get("error") != "access_denied" {
		t.Errorf("SMART-149: an encounter that was not offered: got %v", back)
	}
	if back := sentBack(t, b.ask("clinical", "launch/encounter launch/patient user/Condition.rs", prompt("none"))); back.Get("error") != "interaction_required" {
		t.Errorf("SMART-097: with prompt=none: got %v", back)
	}
	w.remove("Encounter", "ann-e")
	if b := begin("clinical", "doctor", annsNumber); !has(b.forms(), "decision") {
		t.Errorf("SMART-149: a patient without encounters: got %d at %s", b.page.code, b.at)
	}
	lost := begin("clinical", "doctor", bobsNumber)
	lost.submit("encounter", url.Values{"encounter": {"t1.bob-f"}})
	form := lost.forms()["decision"]
	w.remove("Encounter", "bob-f")
	if back := sentBack(t, lost.send(form, url.Values{"decision": {"allow"}, "group": {"Condition"}, "category": form.offers["category"]})); back.Get("error") != "access_denied" {
		t.Errorf("SMART-149: an encounter that has lost meanwhile: got %v", back)
	}
}

// TestSMART150: further context may have one role; what is not supported is dropped, and an unsupported role returns the context.
func TestSMART150(t *testing.T) {
	w := newWorld(t, nil, 1)
	for asked, want := range map[string]string{
		"launch/patient?role=https://x.example/role patient/Condition.rs":    "launch/patient?role=https://x.example/role patient/Condition.rs",
		"launch/imagingstudy patient/Condition.rs":                           "patient/Condition.rs",
		"launch/imagingstudy?role=x patient/Condition.rs":                    "patient/Condition.rs",
		"launch/patient?role=a&role=b patient/Condition.rs":                  "patient/Condition.rs",
		"launch/patient?role= patient/Condition.rs":                          "patient/Condition.rs",
		"launch/Patient patient/Condition.rs":                                "patient/Condition.rs",
		"launch/patient?kind=x patient/Condition.rs":                         "patient/Condition.rs",
		"openid?role=x launch/patient patient/Condition.rs":                  "launch/patient patient/Condition.rs",
		"launch/patient?role=x launch/patient?role=x patient/Condition.read": "launch/patient?role=x patient/Condition.read",
	} {
		b := w.browser()
		a := w.exchange("app", b.journey("app", asked, "ann", "").Get("code"))
		if a.str("scope") != want || a.str("patient") != "t1.ann" {
			t.Errorf("SMART-150: %q: got %q and the patient %q", asked, a.str("scope"), a.str("patient"))
		}
		for b.open(site + "/my/apps"); has(b.forms(), "apps"); {
			b.submit("apps", nil) // so that nothing is a repeat
		}
	}
}
