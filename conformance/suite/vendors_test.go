package suite

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"carerecord/conformance/synth"
	"carerecord/conformance/testfiles"
)

// TestVendorClients: the libraries that vendors use find the endpoints, get tokens and read a demonstration: fhirclient of Python (a whole
// authorization with PKCE, and a refresh), fhir-kit-client of npm (discovery, reads, pages), and HAPI's client with its
// BearerTokenAuthInterceptor (SMART-020, 110, 320, 340).
func TestVendorClients(t *testing.T) {
	t.Parallel()
	s := onPebble(t).start("--demo")
	person := synth.DemoPerson()
	lead := person.Patients[0].ID
	token := s.token("consultant")
	all := s.get("consultant", "Observation?_summary=count&patient="+lead).get("total").Raw
	home := filepath.Join(testfiles.Root(t), ".cache/vendors")
	reads := []string{"patient " + s.get("consultant", "Patient/"+lead).get("name.0.family").Str, "observations " + all}
	strangers := append(reads, "missing 404", "stranger 401")
	for _, c := range []struct {
		name    string // of the file that scripts/vendors.sh leaves when it has fetched the library
		env     string
		command []string
		want    []string
	}{
		{"fhirclient-4.4.0", "PYTHONPATH=" + filepath.Join(home, "python"), []string{"python3", "fhirclient_app.py", s.site, "nhs-login-201"},
			append([]string{"ready True"}, append(reads, "renewed True", reads[1])...)},
		{"fhir-kit-client-2.0.3", "", []string{"node", "kit.mjs", filepath.Join(home, "npm/node_modules"), s.site + "/fhir", token, lead},
			append([]string{"authorize " + s.site + "/oauth/authorize", "token " + s.site + "/oauth/token"}, strangers...)},
		{"hapi-fhir-client-8.4.0", "", []string{"java", "-cp", filepath.Join(home, "hapi/*"), "Hapi.java", s.site + "/fhir", token, lead}, strangers},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := os.Stat(filepath.Join(home, c.name+".done")); err != nil {
				testfiles.Skip(t, c.name+" (scripts/vendors.sh)")
			}
			if _, err := exec.LookPath(c.command[0]); err != nil {
				testfiles.Skip(t, c.command[0])
			}
			cmd := exec.Command(c.command[0], c.command[1:]...)
			cmd.Dir = "testdata/vendors"
			cmd.Env = append(os.Environ(), c.env)
			var said strings.Builder
			cmd.Stderr = &said
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v: %s\n%s", err, out, &said)
			}
			if got, want := strings.TrimSpace(string(out)), strings.Join(c.want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s\n%s", got, want, &said)
			}
		})
	}
}
