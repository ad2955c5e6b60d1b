package clients

import (
	"testing"
	"time"
)

// TestSMART052ManySecrets: each secret has a field of its own in the audit record, and what cannot be described is an error.
func TestSMART052ManySecrets(t *testing.T) {
	before := &Client{ID: "app-1", Secrets: make([]Secret, 12)}
	after := &Client{ID: "app-1", Secrets: make([]Secret, 12)}
	after.Secrets[11].Made = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	if got, err := changed(before, after); err != nil || len(got) != 1 || got[0].Field != "secrets[11]" {
		t.Errorf("SMART-052: got %+v, %v, want the change of secrets[11]", got, err)
	}
	for name, c := range map[string]*Client{"a client": {Keys: []byte("{")}, "a proposal": {Proposed: &Proposal{With: Client{Keys: []byte("{")}}}} {
		if got, err := changed(nil, c); err == nil {
			t.Errorf("SMART-052: %s whose keys are no JSON: got %+v", name, got)
		}
	}
}
