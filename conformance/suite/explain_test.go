package suite

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"carerecord/consent/audit"
)

// TestExplain: the command explain, with and without a running server, prints the plan, keys and index of a
// search, and counts only in a demonstration. The audit record has the operator and the sealed search.
func TestExplain(t *testing.T) {
	engines(t, func(t *testing.T, s *server) {
		const ask = "Observation?patient=Patient/demo&code=http://loinc.org|8480-6&subject:Patient.birthdate=gt1950"
		s.start("--demo", "--public-url", "http://127.0.0.1:1")
		for _, name := range []string{"served", "at rest"} {
			out, err := s.run("explain", ask)
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, out)
			}
			for _, want := range []string{"rows: Observation: (needs s, guarded)", `Observation.patient r "Patient/demo"`, "walk ", "chain: Patient: (needs s, guarded)", "documents]", "first page: 0 matches"} {
				if !strings.Contains(out, want) {
					t.Errorf("%s: %q is missing:\n%s", name, want, out)
				}
			}
			if out, err := s.run("explain", "Observation?nothing=1"); err == nil || !strings.Contains(out, "no search parameter nothing") {
				t.Errorf("%s: an unknown parameter: got %v\n%s", name, err, out)
			}
			if name == "served" {
				s.stop()
			}
		}
		db := s.engine()
		defer db.Close()
		explained := 0
		for rec, err := range db.Records(context.Background(), 1) {
			if err != nil {
				t.Fatal(err)
			}
			var r audit.Record
			if json.Unmarshal(rec.Payload, &r) == nil && r.Interaction == "explain" {
				if explained++; r.Agent.Subject == "" || r.Query == "" || strings.Contains(r.Query, "8480-6") {
					t.Errorf("the audit trail has %s, want the operator and the sealed search", rec.Payload)
				}
			}
		}
		if explained != 2 {
			t.Errorf("the audit trail has %d explanations, want 2", explained)
		}
	})
}
