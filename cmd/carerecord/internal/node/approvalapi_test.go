package node

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/consent/audit"
	"carerecord/consent/policy"
	"carerecord/interop/smart/clients"
	"carerecord/interop/smart/printed"
)

// TestSMART220: an administrator of an organisation approves and withdraws apps for its staff by the API, and nobody else does; the
// command line lists and withdraws.
func TestSMART220(t *testing.T) {
	w := newAdminWorld(t)
	var err error
	if w.tokens["app-administrator"], _, err = w.n.smart.Printed.Issue(t.Context(), "test", printed.Request{User: "app-administrator", Client: "demo-admin"}); err != nil {
		t.Fatal(err)
	}
	ask := func(who, method, path, body string, status int) (*httptest.ResponseRecorder, []audit.Record) {
		t.Helper()
		out, records := w.send(who, method, path, body)
		if out.Code != status {
			t.Errorf("SMART-220: %s %s by %s: got %d %s, want %d", method, path, who, out.Code, out.Body, status)
		}
		if !slices.ContainsFunc(records, func(r audit.Record) bool { return r.Interaction == "admin" && r.Status == status }) {
			t.Errorf("SMART-220: %s %s by %s: got the records %+v, want the request", method, path, who, records)
		}
		return out, records
	}
	out, _ := ask("app-administrator", "GET", "/admin/apps", "", 200)
	if got := gjson.ParseBytes(out.Body.Bytes()); got.Get("organisation").Str != "XAC01" || !strings.Contains(got.Raw, `"demo-ehr"`) || strings.Contains(got.Raw, `"demo-admin"`) || strings.Contains(got.Raw, "demo-feed") {
		t.Errorf("SMART-220: the apps of the organisation: got %s", got.Raw)
	}
	ends := time.Now().AddDate(0, 6, 0).UTC().Format(time.RFC3339)
	approval := func(scopes string) string {
		return fmt.Sprintf(`{"scopes":%q,"purpose":"TREAT","ends":%q}`, scopes, ends)
	}
	_, records := ask("app-administrator", "PUT", "/admin/apps/demo-ehr", approval("user/Observation.rs"), 200)
	if !slices.ContainsFunc(records, func(r audit.Record) bool {
		return r.Interaction == "app-approve" && r.Agent.Subject == "app-administrator" && r.Agent.Organisation == "XAC01" && len(r.Changed) == 1 && strings.Contains(string(r.Changed[0].New), "user/Observation.rs")
	}) {
		t.Errorf("SMART-220: got the records %+v, want the approval with its values", records)
	}
	shown, _ := ask("administrator", "GET", "/admin/clients/demo-ehr", "", 200)
	if at := gjson.Get(shown.Body.String(), "clients.0.organisationApprovals.0"); at.Get("by").Str != "app-administrator" || at.Get("organisation").Str != "XAC01" || at.Get("ends").Str != ends {
		t.Errorf("SMART-220: client show has the approval %s", at.Raw)
	}
	listed, err := w.n.registry(t.Context(), "root", ClientRequest{Verb: "approvals"})
	if err != nil || len(listed.Approvals) != 1 || !listed.Approvals[0].InForce || listed.Approvals[0].Client != "demo-ehr" {
		t.Errorf("SMART-220: the list: got %+v, %v", listed.Approvals, err)
	}
	for _, who := range []string{"administrator", "operator", "consultant", "patient", "demo-operator", "demo-feed"} {
		for _, r := range [][2]string{{"GET", "/admin/apps"}, {"PUT", "/admin/apps/demo-ehr"}, {"DELETE", "/admin/apps/demo-ehr"}} {
			ask(who, r[0], r[1], approval("user/*.cruds"), 403)
		}
	}
	ask("app-administrator", "GET", "/admin/clients", "", 403)
	ask("app-administrator", "GET", "/admin/reindex", "", 403)
	for _, wrong := range []struct {
		method, path, body string
		status             int
	}{
		{"PUT", "/admin/apps/demo-ehr", "", 400}, {"PUT", "/admin/apps/demo-ehr", `{"scopes":"user/*.rs","purpose":"TREAT"}`, 400}, {"PUT", "/admin/apps/demo-ehr", strings.Replace(approval("user/*.rs"), "{", `{"organisation":"XGP01",`, 1), 400},
		{"PUT", "/admin/apps/demo-ehr", approval("user/*.rs") + "{}", 400}, {"PUT", "/admin/apps/demo-ehr", approval("system/*.rs"), 422}, {"PUT", "/admin/apps/none", approval("user/*.rs"), 404}, {"PUT", "/admin/apps/demo-admin", approval("user/*.rs"), 404},
		{"POST", "/admin/apps", "", 405}, {"POST", "/admin/apps/demo-ehr", "", 405}, {"DELETE", "/admin/apps/demo-app", "", 422}, {"GET", "/admin/apps?x=1", "", 400},
		{"PUT", "/admin/apps/demo-ehr", `{"scopes":"` + strings.Repeat("x", maxClientBody) + `"}`, 413},
	} {
		ask("app-administrator", wrong.method, wrong.path, wrong.body, wrong.status)
	}
	signed := w.n.policy.Agreement.Organisations
	w.n.policy.Agreement.Organisations = nil
	ask("app-administrator", "PUT", "/admin/apps/demo-ehr", approval("user/*.rs"), 422)
	w.n.policy.Agreement.Organisations = signed
	ask("app-administrator", "DELETE", "/admin/apps/demo-ehr", "", 200)
	ask("app-administrator", "PUT", "/admin/apps/demo-ehr", approval("user/*.rs"), 200)
	ask("administrator", "POST", "/admin/clients/demo-ehr/withdraw", `{"organisation":"XAC01"}`, 200)
	ask("administrator", "POST", "/admin/clients/demo-ehr/withdraw", `{"organisation":"XAC01"}`, 422)
	roles := w.n.policy.Roles
	w.n.policy.Roles = slices.DeleteFunc(slices.Clone(roles), func(r policy.Role) bool { return r.Code == "app-administrator" })
	ask("app-administrator", "GET", "/admin/apps", "", 403)
	w.n.policy.Roles = roles
}

// TestSMART220Elsewhere: a client of another organisation, one that is no app of staff, one that waits for its confirmation and one that
// does not exist have the same answer, whatever the request says (SMART-220).
func TestSMART220Elsewhere(t *testing.T) {
	w := newAdminWorld(t)
	var err error
	if w.tokens["app-administrator"], _, err = w.n.smart.Printed.Issue(t.Context(), "test", printed.Request{User: "app-administrator", Client: "demo-admin"}); err != nil {
		t.Fatal(err)
	}
	add := func(organisation string, confirm bool) string {
		t.Helper()
		c, err := w.n.smart.Clients.Add(t.Context(), "ann", clients.Client{Name: "Of " + organisation, Kind: clients.Public, Organisation: organisation, Audience: []string{clients.ForClinicians}, Scopes: "user/*.rs", Purposes: []string{"TREAT"},
			RedirectURIs: []string{"https://app.example/back"}})
		if err == nil && confirm {
			_, err = w.n.smart.Clients.Approve(t.Context(), "bob", c.ID, c.Digest())
		}
		if err != nil {
			t.Fatal(err)
		}
		return c.ID
	}
	clientsOf := map[string]string{"of another organisation": add("XGP01", true), "that waits": add("XAC01", false), "for administrators": "demo-admin"}
	right := fmt.Sprintf(`{"scopes":"user/*.rs","purpose":"TREAT","ends":%q}`, time.Now().AddDate(0, 6, 0).UTC().Format(time.RFC3339))
	for _, r := range [][2]string{{"PUT", right}, {"PUT", strings.Replace(right, "TREAT", "PATRQT", 1)}, {"PUT", strings.Replace(right, `"ends":"20`, `"ends":"10`, 1)}, {"PUT", "nonsense"}, {"DELETE", ""}, {"POST", ""}} {
		answered := func(id string) string {
			out, _ := w.send("app-administrator", r[0], "/admin/apps/"+id, r[1])
			return fmt.Sprintln(out.Code, out.Header(), out.Body)
		}
		unknown := answered("app-00000000")
		for name, id := range clientsOf {
			if got := answered(id); got != unknown {
				t.Errorf("SMART-220: %s of a client %s is answered %sand of one that does not exist %s", r[0], name, got, unknown)
			}
		}
	}
}

// TestAlwaysAsks: the list says of which apps staff always see the screen, whatever is approved (SMART-220, 222).
func TestAlwaysAsks(t *testing.T) {
	for name, c := range map[string]struct {
		client clients.Client
		want   bool
	}{
		"a public app on the web":     {clients.Client{Kind: clients.Public, RedirectURIs: []string{"https://app.example/back"}}, false},
		"a public app on the device":  {clients.Client{Kind: clients.Public, RedirectURIs: []string{"http://127.0.0.1/back", "org.example.app:/back"}}, true},
		"one of both":                 {clients.Client{Kind: clients.Public, RedirectURIs: []string{"http://127.0.0.1/back", "https://app.example/back"}}, false},
		"a confidential app":          {clients.Client{Kind: clients.Symmetric, RedirectURIs: []string{"http://localhost:1/back"}}, false},
		"an app without any redirect": {clients.Client{Kind: clients.Symmetric}, true},
	} {
		if got := appOfStaff(&c.client, "XAC01", time.Now()).AlwaysAsks; got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
