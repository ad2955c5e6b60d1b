package node

import (
	"strings"
	"testing"

	"carerecord/interop/smart/printed"
)

// TestSMART481Administrators: the answers of the administrators' API to a wrong body say what is wrong, name a member if it has the form of a
// name, and have no value of the body.
func TestSMART481Administrators(t *testing.T) {
	w := newAdminWorld(t)
	var err error
	if w.tokens["app-administrator"], _, err = w.n.smart.Printed.Issue(t.Context(), "test", printed.Request{User: "app-administrator", Client: "demo-admin"}); err != nil {
		t.Fatal(err)
	}
	const value = "9990000018"
	approve := func(scopes string) string {
		return `{"scopes":"` + scopes + `","purpose":"TREAT","ends":"2027-01-01T00:00:00Z"}`
	}
	for _, c := range []struct{ method, path, body, want string }{
		{"PUT", "/admin/apps/demo-ehr", value, "it is no JSON object"},
		{"PUT", "/admin/apps/demo-ehr", `{"9990000018":1}`, "there is no such member"},
		{"PUT", "/admin/apps/demo-ehr", `{"hunter two":1}`, "there is no such member"},
		{"PUT", "/admin/apps/demo-ehr", `{"other":1}`, "there is no member other"},
		{"PUT", "/admin/apps/demo-ehr", `{"ends":9990000018}`, "the member ends has the wrong type"},
		{"PUT", "/admin/apps/demo-ehr", `{"scopes":"9990000018"`, "it ends before its JSON does"},
		{"PUT", "/admin/apps/demo-ehr", `{"scopes":x9990000018}`, "it is no JSON, from byte 11 on"},
		{"PUT", "/admin/apps/demo-ehr", `{"ends":"9990000018"}`, "scopes, purpose and ends are required"},
		{"PUT", "/admin/apps/demo-ehr", `{"scopes":"user/*.rs","purpose":"TREAT","ends":"9990000018"}`, "ends is not an instant"},
		{"PUT", "/admin/apps/demo-ehr", approve("user/Condition.rs 9990000018"), "scope 2 is none"},
		{"PUT", "/admin/apps/demo-ehr", approve("system/Condition.rs?category=http://x.example|9990000018"), "system/Condition.rs?"},
		{"PUT", "/admin/apps/demo-ehr", `{"scopes":"user/Condition.rs","purpose":"9990000018","ends":"2027-01-01T00:00:00Z"}`, "purpose: must be one of"},
		{"POST", "/admin/clients", value, "it is no JSON object"},
		{"POST", "/admin/clients", `{"9990000018":1}`, "there is no such member"},
		{"POST", "/admin/clients", `{"name":9990000018}`, "the member name has the wrong type"},
		{"POST", "/admin/clients", `{"review":"9990000018"}`, "an instant is not of the form"},
		{"POST", "/admin/clients", appBody + value, "there is more than one JSON value"},
		{"POST", "/admin/clients", strings.Replace(appBody, "patient/*.rs", "patient/*.rs 9990000018", 1), "scope 2 is none"},
		{"POST", "/admin/clients", strings.Replace(appBody, `["patient"]`, `["9990000018"]`, 1), "audience[0]"},
		{"POST", "/admin/clients", strings.Replace(appBody, `"kind"`, `"organisation":"9990000018","rights":["9990000018"],"idPrefix":"9990000018","kind"`, 1), "rights[0]: is unknown"},
		{"POST", "/admin/end-grants", `{"user":9990000018}`, "the member User has the wrong type"},
		{"POST", "/admin/end-grants", `{}`, "exactly one of"},
	} {
		who := "administrator"
		if strings.HasPrefix(c.path, "/admin/apps") {
			who = "app-administrator"
		}
		out, _ := w.send(who, c.method, c.path, c.body)
		if out.Code != 400 && out.Code != 422 || !strings.Contains(out.Body.String(), c.want) || strings.Contains(out.Body.String(), value) || strings.Contains(out.Body.String(), "hunter") {
			t.Errorf("SMART-481: %s %s %s: got %d %s, want a refusal with %q", c.method, c.path, c.body, out.Code, out.Body, c.want)
		}
	}
}
