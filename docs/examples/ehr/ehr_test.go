package ehr_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"carerecord/docs/examples/ehr"
)

// record is a record that answers as SMART says, and notes what it was sent.
type record struct {
	*httptest.Server
	key       *ecdsa.PublicKey
	assertion map[string]any
	launch    map[string]any
	refuse    bool
}

func newRecord(t *testing.T, key *ecdsa.PublicKey) *record {
	r := &record{key: key}
	answer := func(w http.ResponseWriter, status int, v any) {
		w.WriteHeader(status)
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /fhir/.well-known/smart-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 200, map[string]string{"token_endpoint": r.URL + "/oauth/token"})
	})
	mux.HandleFunc("POST /oauth/token", func(w http.ResponseWriter, q *http.Request) {
		r.assertion = r.verified(t, q.PostFormValue("client_assertion"))
		if q.PostFormValue("scope") != "__launch" || q.PostFormValue("grant_type") != "client_credentials" {
			t.Errorf("got the token request %v", q.PostForm)
		}
		answer(w, 200, map[string]any{"access_token": "s3cret", "scope": "__launch"})
	})
	mux.HandleFunc("POST /oauth/launch", func(w http.ResponseWriter, q *http.Request) {
		if q.Header.Get("Authorization") != "Bearer s3cret" {
			t.Errorf("got the authorization %q", q.Header.Get("Authorization"))
		}
		body, _ := io.ReadAll(q.Body)
		if err := json.Unmarshal(body, &r.launch); err != nil {
			t.Error(err)
		}
		if r.refuse {
			answer(w, 422, map[string]string{"error": "invalid_request"})
			return
		}
		answer(w, 201, map[string]string{"launch": "handle", "url": "https://app.example/launch?iss=x&launch=handle"})
	})
	r.Server = httptest.NewServer(mux)
	t.Cleanup(r.Close)
	return r
}

// verified returns the claims of an assertion, whose signature must be that of the EHR.
func (r *record) verified(t *testing.T, assertion string) (claims map[string]any) {
	t.Helper()
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		t.Fatalf("the assertion is %q", assertion)
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(signature) != 96 {
		t.Fatalf("the signature has %d bytes: %v", len(signature), err)
	}
	sum := sha512.Sum384([]byte(parts[0] + "." + parts[1]))
	if !ecdsa.Verify(r.key, sum[:], new(big.Int).SetBytes(signature[:48]), new(big.Int).SetBytes(signature[48:])) {
		t.Error("the signature is wrong")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &claims) != nil {
		t.Fatalf("the claims are %s: %v", payload, err)
	}
	return claims
}

// TestLaunch: the pages lead from the patients to the link of a launch, whose parts are the chosen ones. They show what was sent, but
// neither the token nor the signature nor the key.
func TestLaunch(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r := newRecord(t, &key.PublicKey)
	e, err := ehr.New(ehr.Config{Record: r.URL + "/fhir", ClientID: "an-ehr", Key: key, KeyID: "k", App: ehr.App{ClientID: "an-app", Name: "An app"}, Users: []ehr.User{{Name: "doctor", Role: "Consultant"}},
		Patients: []ehr.Patient{{ID: "p1", Name: "Ann <b>", BirthDate: "1960-01-02", Encounters: []ehr.Encounter{{ID: "e1", Text: "yesterday"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	send := func(method, target string, form url.Values, header ...string) *httptest.ResponseRecorder {
		q := httptest.NewRequest(method, "http://ehr.example"+target, strings.NewReader(form.Encode()))
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for i := 0; i+1 < len(header); i += 2 {
			q.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		e.ServeHTTP(w, q)
		return w
	}
	if got := send("GET", "/ehr/", nil).Body.String(); !strings.Contains(got, `href="?patient=p1"`) || strings.Contains(got, "Ann <b>") {
		t.Errorf("the list of patients is %s", got)
	}
	if got := send("GET", "/ehr/?patient=p1", nil).Body.String(); !strings.Contains(got, `value="e1"`) || !strings.Contains(got, `value="doctor"`) {
		t.Errorf("the form of a patient is %s", got)
	}
	form := url.Values{"patient": {"p1"}, "user": {"doctor"}, "encounter": {"e1"}, "banner": {"yes"}}
	got := send("POST", "/ehr/", form).Body.String()
	if !strings.Contains(got, `href="https://app.example/launch?iss=x&amp;launch=handle"`) || !strings.Contains(got, "example/launch?") {
		t.Errorf("after the launch: %s", got)
	}
	if r.assertion["iss"] != "an-ehr" || r.assertion["sub"] != "an-ehr" || r.assertion["aud"] != r.URL+"/oauth/token" || r.assertion["jti"] == "" || r.assertion["exp"] == nil {
		t.Errorf("got the claims %v", r.assertion)
	}
	if want := map[string]any{"client_id": "an-app", "user": "doctor", "patient": "p1", "encounter": "e1", "need_patient_banner": true}; len(r.launch) != len(want) || r.launch["encounter"] != "e1" || r.launch["need_patient_banner"] != true || r.launch["user"] != "doctor" {
		t.Errorf("got the launch %v, want %v", r.launch, want)
	}
	if strings.Contains(got, "s3cret") || strings.Contains(got, "eyJ") || !strings.Contains(got, "an-ehr") {
		t.Errorf("the page has a token or a signature, or not the claims: %s", got)
	}
	r.refuse = true
	if got := send("POST", "/ehr/", form).Body.String(); !strings.Contains(got, "refused the launch") || !strings.Contains(got, "422") || strings.Contains(got, `id="open"`) {
		t.Errorf("after a refusal: %s", got)
	}
	r.launch = nil
	if w := send("POST", "/ehr/", form, "Sec-Fetch-Site", "cross-site"); w.Code != 403 || r.launch != nil {
		t.Errorf("a post of another site: got %d and the launch %v", w.Code, r.launch)
	}
	if w := send("POST", "/ehr/", url.Values{"patient": {"p2"}}); w.Code != 404 || r.launch != nil {
		t.Errorf("a patient of somebody else: got %d", w.Code)
	}
	r.Close()
	if got := send("POST", "/ehr/", form).Body.String(); strings.Contains(got, `id="open"`) || !strings.Contains(got, "refused the launch") {
		t.Errorf("without a record: %s", got)
	}
}
