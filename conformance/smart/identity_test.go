package smart

import (
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/tidwall/gjson"

	"carerecord/interop/smart/printed"
)

// claimsOf reads the claims of an ID token without checking it: wantIDToken does.
func claimsOf(t *testing.T, token string) gjson.Result {
	t.Helper()
	object, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	return gjson.ParseBytes(object.UnsafePayloadWithoutVerification())
}

// TestWhoTheUserIs: what an app learns of the person who signed in (SMART-244, 381, 382, 384, 441).
func TestWhoTheUserIs(t *testing.T) {
	w := newWorld(t, nil, 1)
	issue := func(client, user, scope string) answer {
		t.Helper()
		a := w.exchange(client, w.browser().journey(client, scope, user, bobsNumber).Get("code"))
		if a.code != 200 {
			t.Fatalf("%s at %s: got %d %s", user, client, a.code, a.text)
		}
		return a
	}
	doctor := issue("clinical", "doctor", "openid fhirUser profile user/Condition.rs")
	if got := claimsOf(t, doctor.str("id_token")); got.Get("fhirUser").Str != base+"/Practitioner/t1.doctor" || got.Get("name").Exists() || contains(doctor.str("scope"), "profile") {
		t.Errorf("SMART-441, 381: the doctor, whose Practitioner has no name: got %s with the scope %s", got.Raw, doctor.str("scope"))
	}
	nurse := issue("clinical", "nurse", "openid fhirUser user/Condition.rs")
	if got := claimsOf(t, nurse.str("id_token")); !strings.HasPrefix(got.Get("fhirUser").Str, base+"/Practitioner/") || !contains(nurse.str("scope"), "fhirUser") {
		t.Errorf("SMART-442: the nurse, who was no Practitioner before the sign-in: got %s with the scope %s", got.Raw, nurse.str("scope"))
	}
	ann := issue("app", "ann", "openid profile patient/Observation.rs")
	if got := claimsOf(t, ann.str("id_token")); got.Get("name").Str != "Ann Other" || got.Get("fhirUser").Exists() || !contains(ann.str("scope"), "profile") {
		t.Errorf("SMART-244, 381: the scope profile: got %s", got.Raw)
	}
	for name, scope := range map[string]string{"without profile": "openid patient/Observation.rs", "profile without openid": "profile patient/Observation.rs", "fhirUser without openid": "fhirUser patient/Observation.rs"} {
		a := issue("app", "ann", scope)
		if strings.HasPrefix(scope, "openid") {
			if got := claimsOf(t, a.str("id_token")); got.Get("name").Exists() {
				t.Errorf("SMART-381: %s: got %s", name, got.Raw)
			}
		} else if a.str("scope") != "patient/Observation.rs" || a.body["id_token"] != nil {
			t.Errorf("SMART-244: %s: got %s", name, a.text)
		}
	}
	again, bob := claimsOf(t, issue("both", "ann", "openid patient/Observation.rs").str("id_token")).Get("sub").Str, claimsOf(t, issue("app", "bob", "openid patient/Observation.rs").str("id_token")).Get("sub").Str
	if sub := claimsOf(t, ann.str("id_token")).Get("sub").Str; sub == "" || sub != again || sub == bob || len(sub) > 255 || strings.Contains(sub, "nhs-login") {
		t.Errorf("SMART-382: Ann is %q at one app, %q at another, and Bob is %q", sub, again, bob)
	}
}

// TestSeveralPractitioners: nobody is picked of two resources with the number of one user (SMART-443).
func TestSeveralPractitioners(t *testing.T) {
	w := newWorld(t, nil, 1)
	token, _, err := w.smart[0].Printed.Issue(t.Context(), "test", printed.Request{Client: "feed"})
	w.must(err)
	r := w.request("PUT", base+"/Practitioner/t1.other", `{"resourceType":"Practitioner","id":"t1.other","identifier":[{"system":"https://fhir.nhs.uk/Id/sds-user-id","value":"900000000102"}]}`)
	r.Header.Set("Content-Type", "application/fhir+json")
	r.Header.Set("Authorization", "Bearer "+token)
	if a := w.do(r); a.Code != 201 {
		t.Fatalf("got %d %s", a.Code, a.Body)
	}
	back := w.browser().journey("clinical", "openid fhirUser user/Condition.rs", "doctor", "")
	if back.Get("error") != "access_denied" || back.Get("code") != "" {
		t.Errorf("SMART-443: got %v", back)
	}
	if !w.audited("identity-conflict", "client/"+w.ids["clinical"]) || !strings.Contains(w.log.String(), "ALERT: several resources claim to be one user") || strings.Contains(w.log.String(), "900000000102") {
		t.Errorf("SMART-443: the alert is missing, or has the number: %s", w.log.String())
	}
	if back := w.browser().journey("clinical", "openid fhirUser user/Condition.rs", "nurse", ""); back.Get("code") == "" {
		t.Errorf("SMART-443: another user: got %v", back)
	}
}
