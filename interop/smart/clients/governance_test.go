package clients_test

import (
	"strings"
	"testing"

	"carerecord/interop/smart/clients"
)

// TestSMART209Redirects: a public app for administrators gets its codes at an https address alone, also on an instance on loopback.
func TestSMART209Redirects(t *testing.T) {
	for uri, ok := range map[string]bool{"https://app.example/back": true, "http://127.0.0.1/back": false, "http://[::1]:9/back": false, "http://localhost/back": false, "uk.example.app:/back": false} {
		for _, kind := range []clients.Kind{clients.Public, clients.Symmetric} {
			c := clients.Client{Name: "Administration", Kind: kind, Audience: []string{clients.ForAdministrators}, RedirectURIs: []string{"https://app.example/first", uri},
				Rights: []string{clients.RightClients}, Purposes: []string{"HOPERAT"}}
			want := ok || kind != clients.Public
			if err := (clients.Rules{Loopback: true}).Check(&c); (err == nil) != want || err != nil && !strings.HasPrefix(err.Error(), "redirectURIs[1]: ") {
				t.Errorf("SMART-056, 209: a %s app for administrators at %s: got %v, want it accepted: %t", kind, uri, err, want)
			}
		}
	}
}
