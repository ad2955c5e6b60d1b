package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"carerecord/consent/audit"
	"carerecord/consent/audit/audittest"
	"carerecord/consent/policy"
	"carerecord/interop/smart/grants"
	"carerecord/interop/smart/printed"
)

// adminWorld is a demonstration whose API for clients a test calls.
type adminWorld struct {
	*testing.T
	n        *Node
	tokens   map[string]string // by user, or client
	requests int
	last     uint64
}

func newAdminWorld(t *testing.T) *adminWorld {
	t.Helper()
	n, err := Open(t.Context(), demoConfig(t, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	n.smart.Clients.OneOperator = false
	w := &adminWorld{T: t, n: n, tokens: map[string]string{}}
	for name, r := range map[string]printed.Request{
		"administrator": {User: "administrator", Client: "demo-admin"}, "administrator-2": {User: "administrator-2", Client: "demo-admin"}, "operator": {User: "operator", Client: "demo-admin"},
		"consultant": {User: "consultant", Client: "demo-ehr"}, "patient": {User: "patient", Client: "demo-app"}, "demo-operator": {Client: "demo-operator"}, "demo-feed": {Client: "demo-feed"},
	} {
		if w.tokens[name], _, err = n.smart.Printed.Issue(t.Context(), "test", r); err != nil {
			t.Fatalf("a token for %s: %v", name, err)
		}
	}
	_, w.last = audittest.RecordsAfter(t, n.engine, 0)
	return w
}

// send sends a request to the address of --admin and returns its records.
func (w *adminWorld) send(who, method, path, body string) (*httptest.ResponseRecorder, []audit.Record) {
	w.Helper()
	q := httptest.NewRequest(method, path, strings.NewReader(body))
	w.requests++
	q.RemoteAddr = fmt.Sprintf("192.0.2.%d:9", w.requests%250)
	q.Header.Set("Origin", "https://app.example")
	if w.tokens[who] != "" {
		q.Header.Set("Authorization", "Bearer "+w.tokens[who])
	} else {
		q.Header.Set("Cookie", "carerecord-administrator="+who)
	}
	out := httptest.NewRecorder()
	w.n.operatorHandler().ServeHTTP(out, q)
	var records []audit.Record
	records, w.last = audittest.RecordsAfter(w.T, w.n.engine, w.last)
	return out, records
}

const appBody = `{"name":"App","kind":"confidential-symmetric","redirectURIs":["https://app.example/back"],"audience":["patient"],"purposes":["PATRQT"],"scopes":"patient/*.rs"}`

// TestSMART052: administrators register, approve, change and stop clients by the API, each with a record that names them and the values
// before and after. Of two administrators one proposes and the other approves (SMART-052, 066, 402).
func TestSMART052(t *testing.T) {
	w := newAdminWorld(t)
	ask := func(who, method, path, body string, status int, event string) string {
		t.Helper()
		out, records := w.send(who, method, path, body)
		if out.Code != status || out.Header().Get("Access-Control-Allow-Origin") != "" || len(out.Result().Cookies()) > 0 {
			t.Errorf("%s %s by %s: got %d %s %v, want %d", method, path, who, out.Code, out.Body, out.Header(), status)
		}
		request := func(r audit.Record) bool {
			return r.Interaction == "admin" && r.Agent.Kind == "administrator" && r.Client.ID == "demo-admin" && strings.HasPrefix(r.Type, method+" /admin/") && r.Status == status
		}
		if !slices.ContainsFunc(records, request) || event != "" && !slices.ContainsFunc(records, func(r audit.Record) bool {
			return r.Interaction == event && r.Agent.Subject == who && len(r.Changed) > 0
		}) {
			t.Errorf("SMART-052: %s %s by %s: got the records %+v, want the request and %s", method, path, who, records, event)
		}
		if text, _ := json.Marshal(records); strings.Contains(string(text), "cr_cs_") || gjson.Get(out.Body.String(), "secret").Str != "" && strings.Contains(string(text), gjson.Get(out.Body.String(), "secret").Str) {
			t.Errorf("SMART-052: a record has a secret: %s", text)
		}
		return out.Body.String()
	}
	added := ask("administrator", "POST", "/admin/clients", appBody, 201, "client-add")
	id, digest := gjson.Get(added, "clients.0.id").Str, gjson.Get(added, "digest").Str
	at := "/admin/clients/" + id
	if gjson.Get(added, "clients.0.offline").Bool() != true || digest == "" {
		t.Errorf("SMART-064: got %s", added)
	}
	approval := `{"digest":"` + digest + `"}`
	ask("administrator", "POST", at+"/approve", approval, 422, "")
	ask("administrator-2", "POST", at+"/approve", `{"digest":"0"}`, 422, "")
	ask("administrator-2", "POST", at+"/approve", approval, 200, "client-approve")
	if got := ask("administrator", "GET", at, "", 200, ""); gjson.Get(got, "clients.0.status").Str != "active" {
		t.Errorf("got %s", got)
	}
	if got := ask("administrator", "GET", "/admin/clients", "", 200, ""); !strings.Contains(got, id) || !strings.Contains(got, "demo-ehr") {
		t.Errorf("got %s", got)
	}
	secret := gjson.Get(ask("administrator", "POST", at+"/rotate-secret", "", 200, "client-rotate-secret"), "secret").Str
	if got := ask("administrator", "GET", at, "", 200, ""); secret == "" || strings.Contains(got, secret) || gjson.Get(got, "clients.0.secrets.0.digest").Str != "" {
		t.Errorf("SMART-052: after the secret %q: got %s", secret, got)
	}
	changed := ask("administrator-2", "PUT", at, strings.Replace(appBody, "patient/*.rs", "patient/*.cruds", 1), 200, "client-change")
	approval = `{"digest":"` + gjson.Get(changed, "digest").Str + `"}`
	ask("administrator-2", "POST", at+"/approve", approval, 422, "")
	if _, err := w.n.smart.Clients.Approve(t.Context(), "root", id, gjson.Get(changed, "digest").Str); err != nil { // by the command line
		t.Errorf("SMART-066: proposed by the API, approved by the command line: %v", err)
	}
	ask("administrator", "POST", at+"/suspend", "", 200, "client-suspend")
	ask("administrator", "POST", at+"/resume", "", 200, "client-resume")
	ask("administrator", "POST", at+"/revoke-tokens", "", 200, "client-revoke-tokens")
	ask("administrator", "POST", at+"/set-keys", `{"keysURL":"https://app.example/keys"}`, 422, "")
	exported := ask("administrator", "GET", "/admin/clients/export", "", 200, "")
	if got := ask("administrator", "POST", "/admin/clients/import", exported, 200, ""); gjson.Get(got, "clients.#").Int() != 0 || !strings.Contains(gjson.Get(got, "leftOut").Raw, id) {
		t.Errorf("SMART-499: an import of what is registered: got %s, want all left out", got)
	}
	for _, of := range []string{`{"user":"gp"}`, `{"organisation":"XAC02"}`} {
		ask("administrator", "POST", "/admin/end-grants", of, 200, "grants-end")
	}

	for _, wrong := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/admin/clients", strings.Replace(appBody, "{", `{"logo":"PHN2Zy8+",`, 1), 422}, // SMART-067: an SVG
		{"POST", "/admin/clients", `{"name":"<b>"}`, 422}, {"POST", "/admin/clients", `{"nonsense":1}`, 400}, {"POST", "/admin/clients", ``, 400},
		{"POST", "/admin/clients", `{"name":"` + strings.Repeat("x", maxClientBody) + `"}`, 413}, {"DELETE", "/admin/clients", "", 405}, {"DELETE", at, "", 405}, {"GET", at + "/suspend", "", 405},
		{"POST", at + "/destroy", "", 404}, {"GET", "/admin/clients/app-none", "", 404}, {"GET", "/admin/clients?x=1", "", 400}, {"POST", "/admin/end-grants", "{}", 400}, {"GET", "/admin/end-grants", "", 405},
		{"POST", "/admin/end-grants", `{"user":"gp","everybody":true}`, 400}, {"POST", "/admin/end-grants", `{"grant":"none"}`, 404},
	} {
		ask("administrator", wrong.method, wrong.path, wrong.body, wrong.status, "")
	}
}

// TestSMART209: the rights of an administrator come from the role of the person at each request, and from the scopes of the token; nobody
// else has them, and they show nothing of the record (SMART-206, 209, 247).
func TestSMART209(t *testing.T) {
	w := newAdminWorld(t)
	status := func(who, path string) int {
		t.Helper()
		out, records := w.send(who, "GET", path, "")
		if out.Code != 200 && (len(records) == 0 || records[len(records)-1].Decision.Outcome == "permit") {
			t.Errorf("AUD-101: %s by %s: got %d with %d records, want the last one to be a refusal", path, who, out.Code, len(records))
		}
		return out.Code
	}
	for who, want := range map[string][2]int{ // of the API for clients, and of an operator's request
		"administrator": {200, 200}, "operator": {403, 200}, "demo-operator": {403, 200}, "consultant": {403, 403}, "patient": {403, 403}, "demo-feed": {403, 403}, "a cookie": {401, 401},
	} {
		if got := [2]int{status(who, "/admin/clients"), status(who, "/admin/reindex")}; got != want {
			t.Errorf("SMART-209: %s: got %v, want %v", who, got, want)
		}
	}
	for _, who := range []string{"administrator", "operator"} {
		for _, path := range []string{"Patient", "Patient/xpi01.r0", "Observation?_summary=count", "SearchParameter", "_history", "Organization", "Patient/xpi01.r0/$everything"} {
			q := httptest.NewRequest("GET", "/fhir/"+path, nil)
			q.Header.Set("Authorization", "Bearer "+w.tokens[who])
			out := httptest.NewRecorder()
			w.n.Handler().ServeHTTP(out, q)
			if out.Code != 403 || !strings.Contains(out.Body.String(), "PURPOSE_REFUSED") {
				t.Errorf("SMART-209: %s reads %s: got %d %s", who, path, out.Code, out.Body)
			}
		}
	}
	narrow, _, err := w.n.smart.Printed.Issue(t.Context(), "test", printed.Request{User: "administrator", Client: "demo-admin"})
	if err != nil {
		t.Fatal(err)
	}
	w.tokens["narrow"] = narrow
	active, err := w.n.smart.Grants.Resolve(t.Context(), narrow)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.n.smart.Grants.EndOne(t.Context(), "root", active.Grant.ID); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{active.Grant.ID, "none"} {
		if err := w.n.smart.Grants.EndOne(t.Context(), "root", id); !errors.Is(err, grants.ErrInactive) {
			t.Errorf("SMART-402: the end of the grant %q, ended or unknown: got %v", id, err)
		}
	}
	if status("narrow", "/admin/clients") != 401 || status("administrator", "/admin/clients") != 200 {
		t.Error("SMART-402: an administrator ended one grant, and it goes on, or another ended")
	}
	roles := w.n.policy.Roles
	w.n.policy.Roles = slices.Clone(roles)
	for i := range w.n.policy.Roles {
		if w.n.policy.Roles[i].Code == "administrator" {
			w.n.policy.Roles[i].Activities = []string{policy.ActivityOperations}
		}
	}
	if status("administrator", "/admin/clients") != 403 || status("administrator", "/admin/reindex") != 200 {
		t.Error("SMART-206, 209: a role that lost the right still gives it")
	}
	w.n.policy.Roles = roles
}
