package smart

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"carerecord/interop/smart"
	"carerecord/interop/smart/capabilities"
	"carerecord/store/storetest"
)

// capabilityChecks report whether what a capability promises works.
var capabilityChecks = map[string]func(w *world) bool{
	capabilities.LaunchEHR: func(w *world) bool { return w.announces(nil) },
	capabilities.LaunchStandalone: func(w *world) bool {
		return w.authorizes("app", "patient/Observation.rs", "ann", "patient/Observation.rs")
	},
	capabilities.AuthorizePost: func(w *world) bool {
		r := w.request("POST", site+"/oauth/authorize", w.authorization("app", "patient/Observation.rs").Encode())
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return w.do(r).Code == 303
	},
	capabilities.ClientPublic: func(w *world) bool {
		return w.authorizes("app", "patient/Observation.rs", "ann", "patient/Observation.rs")
	},
	capabilities.ClientSymmetric: func(w *world) bool {
		return w.authorizes("secret", "patient/Observation.rs", "ann", "patient/Observation.rs")
	},
	capabilities.ClientAsymmetric: func(w *world) bool {
		return w.token("loader", url.Values{"grant_type": {"client_credentials"}, "scope": {"system/*.rs"}}).code == 200
	},
	capabilities.SignOn: func(w *world) bool {
		documents := read(w.do(w.request("GET", site+"/oauth/jwks.json", ""))).code == 200 && read(w.do(w.request("GET", base+"/.well-known/openid-configuration", ""))).code == 200
		return w.authorizes("app", "openid fhirUser patient/Observation.rs", "ann", "openid") && documents && strings.Contains(w.configuration(), `"issuer"`)
	},
	capabilities.ContextBanner:       func(w *world) bool { return w.announces(map[string]any{"need_patient_banner": true}) },
	capabilities.ContextEHRPatient:   func(w *world) bool { return w.announces(map[string]any{"patient": "t1.bob"}) },
	capabilities.ContextEHREncounter: func(w *world) bool { return w.announces(map[string]any{"patient": "t1.bob", "encounter": "t1.bob-e"}) },
	capabilities.ContextStandalonePatient: func(w *world) bool {
		return w.authorizes("clinical", "launch/patient user/Condition.rs", "doctor", "launch/patient")
	},
	capabilities.ContextStandaloneEncounter: func(w *world) bool {
		return w.authorizes("clinical", "launch/patient launch/encounter user/Condition.rs", "doctor", "launch/encounter")
	},
	capabilities.PermissionOffline: func(w *world) bool {
		return w.authorizes("app", "patient/Observation.rs offline_access", "ann", "offline_access")
	},
	capabilities.PermissionOnline: func(w *world) bool {
		handle := w.announce(w.backend("ehr", "__launch"), map[string]any{"client_id": w.ids["clinical"], "user": "doctor"}).str("launch")
		back := w.browser().journey("clinical", "launch user/*.rs online_access", "doctor", "", func(v url.Values) { v.Set("launch", handle) })
		return contains(w.exchange("clinical", back.Get("code")).str("scope"), "online_access")
	},
	capabilities.PermissionPatient: func(w *world) bool {
		return w.authorizes("app", "patient/Observation.rs user/Condition.rs", "ann", "patient/Observation.rs")
	},
	capabilities.PermissionUser: func(w *world) bool {
		return w.authorizes("app", "patient/Observation.rs user/Condition.rs", "ann", "user/Condition.rs")
	},
	capabilities.PermissionV1: func(w *world) bool {
		return w.authorizes("app", "patient/Observation.read patient/Condition.rs", "ann", "patient/Observation.read")
	},
	capabilities.PermissionV2: func(w *world) bool {
		return w.authorizes("app", "patient/Observation.read patient/Condition.rs", "ann", "patient/Condition.rs")
	},
}

// authorizes reports whether a journey ends with tokens that have a scope.
func (w *world) authorizes(client, scope, user, want string) bool {
	w.Helper()
	b := w.browser()
	location := b.open(site + "/oauth/authorize?" + w.authorization(client, scope).Encode())
	if location != "" || b.page.code != 200 {
		return false
	}
	return contains(w.exchange(client, w.browser().journey(client, scope, user, bobsNumber).Get("code")).str("scope"), want)
}

// announces reports whether an EHR may announce a launch with some context.
func (w *world) announces(with map[string]any) bool {
	w.Helper()
	body := map[string]any{"client_id": w.ids["clinical"], "user": "doctor"}
	for k, v := range with {
		body[k] = v
	}
	token := w.token("ehr", url.Values{"grant_type": {"client_credentials"}, "scope": {"__launch"}}).str("access_token")
	return token != "" && w.announce(token, body).code == 201
}

func (w *world) configuration() string {
	return read(w.do(w.request("GET", base+"/.well-known/smart-configuration", ""))).text
}

// TestCapabilities: each capability that is advertised works, and one that is switched off is neither advertised nor works
// (SMART-006, 024, 025, 031).
func TestCapabilities(t *testing.T) {
	open := func(off ...string) *world {
		w := twoServers(t, off...)
		w.servers = w.servers[1:]
		return w
	}
	if got := gjson.Get(open().configuration(), "capabilities").Array(); len(got) != len(capabilityChecks) || len(got) != len(capabilities.All()) {
		t.Errorf("SMART-031: %d capabilities are advertised, %d are checked, and there are %d", len(got), len(capabilityChecks), len(capabilities.All()))
	}
	for name, works := range capabilityChecks {
		for _, off := range []bool{false, true} {
			w := open()
			if off {
				w = open(name)
			}
			advertised := slices.ContainsFunc(gjson.Get(w.configuration(), "capabilities").Array(), func(r gjson.Result) bool { return r.Str == name })
			if got := works(w); got == off || advertised == off {
				t.Errorf("SMART-006: %s, off: %v: advertised %v, works %v", name, off, advertised, got)
			}
		}
	}
	for name, paths := range map[string][]string{
		capabilities.SignOn:    {"GET /oauth/jwks.json", "GET /fhir/.well-known/openid-configuration", "GET /fhir/.well-known/oauth-authorization-server", "GET /.well-known/oauth-authorization-server/fhir"},
		capabilities.LaunchEHR: {"POST /oauth/launch"},
	} {
		for _, one := range paths {
			method, path, _ := strings.Cut(one, " ")
			status := func(w *world, path string) int { return read(w.do(w.request(method, site+path, ""))).code }
			without, with := open(name), open()
			unknown := status(without, path[:strings.LastIndexByte(path, '/')+1]+"nothing") // beside it, where there is nothing
			if off, on := status(without, path), status(with, path); off != unknown || on == unknown && method == "GET" {
				t.Errorf("SMART-006: %s without %s: got %d, with it %d, and %d for an unknown path", one, name, off, on, unknown)
			}
		}
	}
	without := open(capabilities.SignOn).configuration()
	for _, name := range []string{"issuer", "jwks_uri"} {
		if gjson.Get(without, name).Exists() {
			t.Errorf("SMART-024: without sso-openid-connect there is %s", name)
		}
	}
	for _, dependent := range []string{capabilities.ContextEHRPatient, capabilities.ContextEHREncounter, capabilities.ContextBanner, capabilities.PermissionOnline} {
		if got := open(capabilities.LaunchEHR).configuration(); strings.Contains(got, dependent) || strings.Contains(got, "online_access") {
			t.Errorf("SMART-006: without EHR launches the configuration has %s or online_access: %s", dependent, got)
		}
	}
	w := open(capabilities.ClientSymmetric)
	if got := gjson.Get(w.configuration(), "token_endpoint_auth_methods_supported").Raw; got != `["private_key_jwt"]` {
		t.Errorf("SMART-025: without clients with a secret: got %s", got)
	}
	if _, err := capabilities.Without("launch-moon"); err == nil {
		t.Error("SMART-006: a capability that does not exist can be switched off")
	}
}

// TestScopeParameters: the policy lists the search parameters that scopes may have. A scope with another one is not granted, also where a
// client's ceiling has it (SMART-239).
func TestScopeParameters(t *testing.T) {
	const laboratory = "patient/Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
	limit := func(types map[string][]string) func(*smart.Config) {
		return func(c *smart.Config) {
			limited := *c.Policy
			limited.Agreement.ScopeParameters = types
			c.Policy = &limited
		}
	}
	reference := func(clock func() time.Time) engine { return storetest.NewReference(clock) }
	w := openWorld(t, reference, 1, limit(map[string][]string{"Observation": {"code"}, "Encounter": {}}))
	for scope, granted := range map[string]bool{laboratory: false, "patient/Observation.rs?code=a": true, "patient/Observation.rs?category=a&code=b": false, "patient/Encounter.rs?class=AMB": false, "patient/Condition.rs?category=x": true, "patient/Observation.rs": true} {
		if got := w.authorizes("app", "patient/Patient.rs "+scope, "ann", scope); got != granted {
			t.Errorf("SMART-239: %s: granted %v, want %v", scope, got, granted)
		}
	}
	if got := w.token("loader", url.Values{"grant_type": {"client_credentials"}, "scope": {"system/Patient.rs system/Observation.rs?category=a"}}); got.str("error") != "invalid_scope" {
		t.Errorf("SMART-239: client credentials: got %d %s", got.code, got.text)
	}
	if page := read(w.do(w.request("GET", site+"/developers", ""))); strings.Contains(page.text, `">Encounter</dt>`) {
		t.Error("SMART-239: the page for developers lists parameters that are not permitted")
	}
	for name, wrong := range map[string]map[string][]string{"a parameter of no token": {"Observation": {"date"}}, "a type that does not exist": {"Nope": {"code"}}} {
		cfg := smart.Config{Policy: region()}
		limit(wrong)(&cfg)
		if _, err := smart.New(cfg); err == nil || !strings.Contains(err.Error(), "scopeParameters") {
			t.Errorf("SMART-239: %s: got %v", name, err)
		}
	}
}

// twoServers opens two servers over one store. The second one is without some capabilities.
func twoServers(t *testing.T, off ...string) *world {
	t.Helper()
	set, err := capabilities.Without(off...)
	if err != nil {
		t.Fatal(err)
	}
	opened := 0
	return openWorld(t, func(clock func() time.Time) engine { return storetest.NewReference(clock) }, 2, func(c *smart.Config) {
		if opened++; opened == 2 {
			c.Capabilities = set
		}
	})
}

// TestCapabilityOfGrants: a grant of a capability that was switched off afterwards gives no more tokens (SMART-006).
func TestCapabilityOfGrants(t *testing.T) {
	w := twoServers(t, capabilities.PermissionOffline)
	all := w.servers
	w.servers = all[:1]
	a := w.exchange("app", w.browser().journey("app", "patient/Observation.rs offline_access", "ann", "").Get("code"))
	w.servers = all[1:]
	if got := w.token("app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}}); got.str("error") != "invalid_grant" {
		t.Errorf("SMART-006: got %d %s", got.code, got.text)
	}
}
